"""The rules behind those ACMG/AMP criteria that can be told from data; every outcome says on what it stands.

What a rule cannot know it does not assess. Sources: see `criteria.json`, and each rule.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from strandline.interpretation.points import Assessment, Criteria, Criterion, Outcome, Suggestion, read_criteria
from strandline.interpretation.truncation import Truncation
from strandline.reporting.findings import clinvar_terms
from strandline.variants.records import VariantCall

_IN_FRAME: Final = frozenset({"inframe_insertion", "inframe_deletion", "inframe_altering"})
_PATHOGENIC: Final = frozenset({"pathogenic", "likely_pathogenic"})


@dataclass(frozen=True, slots=True)
class KnownChange:
    """A variant of ClinVar at the residue: `protein` such as `p.(Arg175His)`; is the DNA's change the call's own?"""

    clinvar_id: str
    significance: str
    protein: str
    is_same_dna: bool


@dataclass(frozen=True, slots=True)
class DeNovo:
    """What a trio says of the call. `doubts` are those of the joint genotyping, `said` what it stands on, in words."""

    is_new: bool
    parents_confirmed: bool
    doubts: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one call.

    Attributes:
        call: the call, annotated.
        frequency_source: the source of frequencies with its version; None where the reference bundle has none.
        loss_of_function: whether losing the gene is an established cause of the disease; None where nobody said.
        truncation: what a truncating call does to the chosen transcript, None where it truncates nothing.
        in_repeat: whether the call lies in a tandem repeat; None where nobody looked.
        residue: what ClinVar knows at the residue that the call changes; None where nobody looked.
        de_novo: what a trio says, None where there is none.
    """

    call: VariantCall
    frequency_source: str | None = None
    loss_of_function: bool | None = None
    truncation: Truncation | None = None
    in_repeat: bool | None = None
    residue: Sequence[KnownChange] | None = None
    de_novo: DeNovo | None = None


_Told = tuple[Outcome, int | None, str]
"""Outcome, points where they differ from the criterion's usual ones, evidence."""

_MET, _NOT_MET, _NOT_ASSESSED = Outcome.MET, Outcome.NOT_MET, Outcome.NOT_ASSESSED


def prepare(facts: Facts) -> Suggestion:
    """Assess every criterion for one call."""
    criteria = read_criteria()
    return Suggestion(tuple(_assess(criterion, facts, criteria) for criterion in criteria.criteria))


def _assess(criterion: Criterion, facts: Facts, criteria: Criteria) -> Assessment:
    if criterion.assessed_by == "NOBODY":
        evidence = "Not used: what another lab concluded is no evidence of its own (ClinGen)."
        return Assessment(criterion.code, _NOT_ASSESSED, 0, evidence)
    if criterion.assessed_by == "PERSON":
        return Assessment(criterion.code, _NOT_ASSESSED, 0, "No data here: for a person.")
    outcome, points, evidence = _RULES[criterion.code](facts, criteria)
    given = (criterion.points if points is None else points) if outcome is _MET else 0
    return Assessment(criterion.code, outcome, given, evidence)


def _pvs1(facts: Facts, _: Criteria) -> _Told:
    """Loss of function. Source: Abou Tayoun et al. 2018, figure 1."""
    found = facts.truncation
    if found is None:
        return _NOT_MET, None, "No truncation, change of a canonical splice site or loss of the start codon."
    if facts.loss_of_function is None:
        return (
            _NOT_ASSESSED, None,
            f"{found.says} Whether loss of this gene causes the disease is not recorded: with that it would count "
            f"{found.points} points.",
        )  # fmt: skip
    if not facts.loss_of_function:
        return _NOT_MET, None, f"{found.says} Loss of this gene is recorded not to cause the disease."
    return _MET, found.points, f"{found.says} Loss of this gene is an established cause of the disease."


def _ps1(facts: Facts, _: Criteria) -> _Told:
    own = _protein(facts)
    same = [one for one in _pathogenic(facts) if one.protein == own and not one.is_same_dna]
    return _of_residue(facts, same, "No other change of the DNA with the same change of the protein is known.")


def _pm5(facts: Facts, _: Criteria) -> _Told:
    own = _protein(facts)
    pathogenic = _pathogenic(facts)
    if any(one.protein == own and not one.is_same_dna for one in pathogenic):
        return _NOT_MET, None, "Counted as PS1."
    other = [one for one in pathogenic if one.protein != own]
    return _of_residue(facts, other, "No other pathogenic change of this residue is known.")


def _of_residue(facts: Facts, known: Sequence[KnownChange], none: str) -> _Told:
    if "missense" not in _terms(facts):
        return _NOT_MET, None, "Not a missense change."
    if facts.residue is None:
        return _NOT_ASSESSED, None, "Other variants of the residue were not looked up."
    if not known:
        return _NOT_MET, None, none
    named = ", ".join(f"{one.protein} (ClinVar {one.clinvar_id}: {_words(one.significance)})" for one in known)
    return _MET, None, f"Known at this residue: {named}. An effect on splicing instead has to be ruled out."


def _ps2(facts: Facts, _: Criteria) -> _Told:
    return _new(facts, confirmed=True)


def _pm6(facts: Facts, _: Criteria) -> _Told:
    return _new(facts, confirmed=False)


def _new(facts: Facts, *, confirmed: bool) -> _Told:
    found = facts.de_novo
    if found is None:
        return _NOT_ASSESSED, None, "No parents were genotyped with this sample."
    if not found.is_new:
        return _NOT_MET, None, f"A parent has the allele, or it cannot be told. {found.said}".strip()
    if found.parents_confirmed is not confirmed:
        return _NOT_MET, None, f"Counted as {'PM6' if confirmed else 'PS2'}."
    if found.doubts:
        return (
            _NOT_ASSESSED,
            None,
            f"Seen in neither parent, with doubts: {'; '.join(found.doubts)}. {found.said}".strip(),
        )
    parents = "confirmed by their genotypes" if confirmed else "not confirmed"
    evidence = f"Seen in neither parent; parents {parents}. That the disease fits the gene is for a person."
    return _MET, None, f"{evidence} {found.said}".strip()


def _pm2(facts: Facts, criteria: Criteria) -> _Told:
    limit = criteria.thresholds["PM2"]
    if facts.frequency_source is None:
        return _no_frequencies()
    highest = _highest(facts)
    if highest is None:
        evidence = f"Not in {facts.frequency_source}; that the place is covered there is not checked."
        return _MET, None, evidence
    outcome = _MET if highest[1] <= limit else _NOT_MET
    return outcome, None, f"{_frequency(highest)} in {facts.frequency_source}; at most {limit:g} counts."


def _ba1(facts: Facts, criteria: Criteria) -> _Told:
    return _frequent(facts, criteria.thresholds["BA1"])


def _bs1(facts: Facts, criteria: Criteria) -> _Told:
    highest = _highest(facts)
    if highest and highest[1] > criteria.thresholds["BA1"]:
        return _NOT_MET, None, "Counted as BA1."
    told = _frequent(facts, criteria.thresholds["BS1"])
    return told[0], told[1], f"{told[2]} A disease may ask for another limit."


def _frequent(facts: Facts, limit: float) -> _Told:
    if facts.frequency_source is None:
        return _no_frequencies()
    highest = _highest(facts)
    if highest is None:
        return _NOT_MET, None, f"Not in {facts.frequency_source}."
    outcome = _MET if highest[1] > limit else _NOT_MET
    return outcome, None, f"{_frequency(highest)} in {facts.frequency_source}; over {limit:g} counts."


def _pm4(facts: Facts, _: Criteria) -> _Told:
    terms = _terms(facts)
    if "stop_lost" in terms:
        return _MET, None, "The stop codon is lost: the protein grows longer."
    if not terms & _IN_FRAME:
        return _NOT_MET, None, "The protein's length does not change in frame."
    if facts.in_repeat is None:
        return _NOT_ASSESSED, None, "In-frame change; whether it lies in a repeat was not looked up."
    return (_NOT_MET, None, "In a repeat.") if facts.in_repeat else (_MET, None, "In-frame change outside of a repeat.")


def _bp3(facts: Facts, _: Criteria) -> _Told:
    if not _terms(facts) & _IN_FRAME:
        return _NOT_MET, None, "No in-frame insertion or deletion."
    if facts.in_repeat is None:
        return _NOT_ASSESSED, None, "In-frame change; whether it lies in a repeat was not looked up."
    if not facts.in_repeat:
        return _NOT_MET, None, "Outside of a repeat."
    return _MET, None, "In-frame change in a tandem repeat; that the repeat has no function is for a person."


def _bp7(facts: Facts, _: Criteria) -> _Told:
    """Silent. Whether it is conserved and spliced as ever takes predictions, which are not here."""
    terms = _terms(facts)
    if "synonymous" not in terms:
        return _NOT_MET, None, "Not silent."
    if "splice_region" in {effect.term for effect in facts.call.consequences}:
        return _NOT_MET, None, "Silent, and next to a splice site."
    return _NOT_ASSESSED, None, "Silent, and not next to a splice site; needs predictions of splicing and conservation."


_RULES: Final[dict[str, Callable[[Facts, Criteria], _Told]]] = {
    "PVS1": _pvs1,
    "PS1": _ps1,
    "PS2": _ps2,
    "PM2": _pm2,
    "PM4": _pm4,
    "PM5": _pm5,
    "PM6": _pm6,
    "BA1": _ba1,
    "BS1": _bs1,
    "BP3": _bp3,
    "BP7": _bp7,
}


def _terms(facts: Facts) -> set[str]:
    shown = facts.call.chosen_consequence
    return {shown.term} if shown else set()


def _protein(facts: Facts) -> str | None:
    return facts.call.chosen.protein if facts.call.chosen else None


def _pathogenic(facts: Facts) -> list[KnownChange]:
    return [one for one in facts.residue or () if clinvar_terms(one.significance) & _PATHOGENIC]


def _highest(facts: Facts) -> tuple[str, float] | None:
    """Return the highest frequency of the call with its population: that of everybody where none is told apart."""
    if facts.call.highest_frequency:
        return facts.call.highest_frequency
    everybody = facts.call.population_frequency
    return None if everybody is None else ("all", everybody)


def _frequency(found: tuple[str, float]) -> str:
    return f"Highest frequency {found[1]:.3g} ({found[0]})"


def _no_frequencies() -> _Told:
    return _NOT_ASSESSED, None, "The reference bundle has no population frequencies."


def _words(significance: str) -> str:
    return significance.replace("_", " ")
