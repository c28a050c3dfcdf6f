"""What a report says of one call, as text: names, effect, reads, what is known, and the evidence prepared for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from strandline.interpretation.points import Assessment, Band, Outcome, Suggestion
from strandline.variants.records import VariantCall, severity_rank

if TYPE_CHECKING:
    from strandline.reporting.read_picture import ReadPicture

_WORDS: Final = {
    "stop_gained": "stop gained",
    "frameshift": "frameshift",
    "splice_donor": "splice donor",
    "splice_acceptor": "splice acceptor",
    "splice_region": "splice region",
    "start_lost": "start lost",
    "stop_lost": "stop lost",
    "inframe_insertion": "in-frame insertion",
    "inframe_deletion": "in-frame deletion",
    "inframe_altering": "in-frame change",
}
_LONGEST_NAME: Final = 60
ZYGOSITY: Final = {"HET": "heterozygous", "HOM_ALT": "homozygous", "HEMI": "hemizygous"}


@dataclass(frozen=True, slots=True)
class Classification:
    """A person's class of a variant. `who` is the lab's id of the person."""

    band: Band
    who: str
    when: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one reported call beside the call itself; None where nobody looked."""

    suggestion: Suggestion | None = None
    picture: "ReadPicture | None" = None
    review_status: str | None = None
    """ClinVar's, such as `criteria_provided,_multiple_submitters,_no_conflicts`."""
    classification: Classification | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table of findings."""

    gene: str
    place: str
    change: str
    name: str
    effect: str
    elsewhere: str
    coding: str
    choice: str
    protein: str
    zygosity: str
    known: str
    review: str
    dbsnp: str
    frequency: str
    quality: str
    alt_reads: int | None
    reads: int | None
    evidence: Evidence

    @property
    def alt_percent(self) -> float:
        """Reads with the allele, percent of both alleles'."""
        return 100 * self.alt_reads / self.reads if self.alt_reads and self.reads else 0.0

    @property
    def title(self) -> str:
        """What names the variant best: gene with its coding and protein names, else its place."""
        named = " ".join(part for part in (self.gene, self.coding.rpartition(":")[2], self.protein) if part)
        return named if self.coding or self.protein else f"{self.gene} {self.place} {self.change}".strip()

    @property
    def met(self) -> list[Assessment]:
        """The criteria that are met."""
        return self.evidence.suggestion.met if self.evidence.suggestion else []

    @property
    def not_met(self) -> list[Assessment]:
        """The criteria that a rule found not to hold."""
        return self._others(Outcome.NOT_MET)

    @property
    def not_assessed(self) -> list[Assessment]:
        """The criteria that nobody assessed."""
        return self._others(Outcome.NOT_ASSESSED)

    def _others(self, outcome: Outcome) -> list[Assessment]:
        suggestion = self.evidence.suggestion
        return [one for one in suggestion.assessments if one.outcome is outcome] if suggestion else []


def variant_key(call: VariantCall) -> str:
    """Return what names an allele within a sample."""
    return f"{call.contig}:{call.position}:{call.ref}:{call.alt}"


def row_of(call: VariantCall, evidence: Mapping[str, Evidence]) -> Row:
    """Return what a report says of a call."""
    effect, chosen = call.chosen_consequence, call.chosen
    known = (call.clinvar_significance or "").replace("_", " ")
    both = (call.ref_depth or 0) + (call.alt_depth or 0)
    beside = evidence.get(variant_key(call), Evidence())
    return Row(
        gene=effect.gene if effect else "",
        place=f"{call.contig}:{call.position:,}",
        change=f"{_short(call.ref)}>{_short(call.alt)}",
        name=_short(call.genomic_name or "", longest=_LONGEST_NAME, unit=""),
        effect=_words(effect.term) if effect else "",
        elsewhere=_elsewhere(call),
        coding=_short(chosen.full_coding or "", longest=_LONGEST_NAME, unit="") if chosen else "",
        choice=(chosen.ground or "").replace("_", " ") if chosen else "",
        protein=_protein(call),
        zygosity=ZYGOSITY[call.zygosity],
        known=f"{known} (ClinVar {call.clinvar_id})" if call.clinvar_id else "",
        review=(beside.review_status or "").replace("_", " "),
        dbsnp=call.rsid or "",
        frequency=_frequency(call),
        quality=f"{call.quality:.0f}" if call.quality is not None else "",
        alt_reads=call.alt_depth,
        reads=both or None,
        evidence=beside,
    )


def join_words(parts: Sequence[str], most: int = 3) -> str:
    """Return a list as one would say it, cut after `most`.

    >>> join_words(["a", "b", "c"]), join_words(["a", "b", "c", "d"])
    ('a, b and c', 'a, b, c and 1 more')
    """
    if len(parts) > most:
        return f"{', '.join(parts[:most])} and {len(parts) - most} more"
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""


def _words(term: str) -> str:
    return _WORDS.get(term, term.replace("_", " "))


def _elsewhere(call: VariantCall) -> str:
    """Return the effect on another transcript where it is more severe than on the chosen one."""
    shown, worst = call.chosen_consequence, call.worst_consequence
    if shown is None or worst is None or severity_rank(worst.term) >= severity_rank(shown.term):
        return ""
    return f"{_words(worst.term)} on {worst.transcript or 'another transcript'}"


def _protein(call: VariantCall) -> str:
    """Return the HGVS name; what bcftools csq writes where the call was not named."""
    if call.chosen:
        return _short(call.chosen.protein or "", longest=_LONGEST_NAME, unit="")
    worst = call.worst_consequence
    return _short(worst.protein_change or "", unit="") if worst else ""


def _frequency(call: VariantCall) -> str:
    """Return how frequent the allele is in the source of frequencies, and where most."""
    if call.population_frequency is None:
        return ""
    highest = call.highest_frequency
    everybody = f"{call.population_frequency:.3g}"
    return f"{everybody}; most in {highest[0]}: {highest[1]:.3g}" if highest else everybody


def _short(text: str, *, longest: int = 16, unit: str = "bases") -> str:
    """Cut a long allele or amino acid change and say how long it was."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text)} {unit})" if unit else f"{text[:longest]}…"
