"""Calls against a truth set: precision, recall and F1 of SNVs and indels, and genotype concordance.

Both sides are split, atomised and left-aligned, then compared by exact match inside the confident regions, as Krusche
et al. 2019, doi:10.1038/s41587-019-0054-x, define true positives for allele matching.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pysam

from strandline.reads.tools import run_pipeline, tool_command

LOWEST_QUALITY: Final = 20.0

AlleleKey = tuple[str, int, str, str]  # contig, 1-based position, ref, alt


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of alleles. `genotype_matches` counts true positives whose zygosity agrees."""

    true_positives: int
    false_positives: int
    false_negatives: int
    genotype_matches: int

    @property
    def precision(self) -> float:
        """True positives among calls; 1 where nothing was called."""
        called = self.true_positives + self.false_positives
        return self.true_positives / called if called else 1.0

    @property
    def recall(self) -> float:
        """True positives among the truth; 1 where the truth is empty."""
        true = self.true_positives + self.false_negatives
        return self.true_positives / true if true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / both if both else 1.0

    @property
    def genotype_concordance(self) -> float:
        """Agreeing zygosity among true positives; 1 where there are none."""
        return self.genotype_matches / self.true_positives if self.true_positives else 1.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One score a class of variant."""

    snv: Score
    indel: Score


def compare_calls(calls: Path, truth: Path, reference: Path, regions: Sequence[Path] = ()) -> Comparison:
    """Score `calls` against `truth`.

    Args:
        calls: VCF; records with QUAL under 20 or a failed filter count as not called.
        truth: VCF of all true variants in the confident regions.
        reference: FASTA with its index.
        regions: BED files; only alleles inside each of them count, such as the confident and the sequenced regions.
    """
    called = _alleles(calls, reference, regions, lowest_quality=LOWEST_QUALITY)
    true = _alleles(truth, reference, regions, lowest_quality=None)
    return Comparison(snv=_score(called, true, snv=True), indel=_score(called, true, snv=False))


def _score(called: Mapping[AlleleKey, int], true: Mapping[AlleleKey, int], *, snv: bool) -> Score:
    ours = {key for key in called if _is_snv(key) is snv}
    theirs = {key for key in true if _is_snv(key) is snv}
    both = ours & theirs
    return Score(
        true_positives=len(both),
        false_positives=len(ours - theirs),
        false_negatives=len(theirs - ours),
        genotype_matches=sum(called[key] == true[key] for key in both),
    )


def _is_snv(key: AlleleKey) -> bool:
    return len(key[2]) == 1 and len(key[3]) == 1


def _alleles(
    vcf: Path, reference: Path, regions: Sequence[Path], *, lowest_quality: float | None
) -> dict[AlleleKey, int]:
    """Return how many copies of each allele the first sample carries, by contig, 1-based position, ref and alt."""
    bcftools = tool_command("bcftools")
    copies: dict[AlleleKey, int] = {}
    with TemporaryDirectory() as scratch:
        normal = Path(scratch) / "normal.bcf"
        run_pipeline(
            [
                [*bcftools, "norm", "-m", "-any", "-a", "-f", str(reference), "-c", "s", "-Ou", str(vcf)],
                *([*bcftools, "view", "-T", str(bed), "-Ou", "-"] for bed in regions),
                [*bcftools, "view", "-Ob", "-o", str(normal), "-"],
            ],
            quiet=True,
        )
        with pysam.VariantFile(str(normal)) as records:
            for record in records:
                failed = lowest_quality is not None and (
                    (record.qual or 0.0) < lowest_quality or any(name != "PASS" for name in record.filter)
                )
                carried = sum(allele == 1 for allele in record.samples[0]["GT"])
                if failed or not carried or record.alts is None or record.ref is None or record.alts[0] == "*":
                    continue  # `*` only says that a deletion on the other haplotype spans the site
                key = (record.contig, record.pos, record.ref.upper(), record.alts[0].upper())
                copies[key] = min(2, copies.get(key, 0) + carried)
    return copies
