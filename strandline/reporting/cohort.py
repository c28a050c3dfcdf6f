"""Several samples beside each other: their checks, their figures, and whose reads they are by each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from strandline.reads.fingerprint import Comparison, Fingerprint, Relation, compare_fingerprints
from strandline.reads.gates import Verdict
from strandline.reads.quality import AlignmentQuality, QualitySummary
from strandline.reporting.charts import Axis, Line, draw_lines
from strandline.reporting.pages import render_page
from strandline.reporting.quality_page import (
    VERDICT_WORDS,
    cumulative_depth,
    format_number,
    overall_verdict,
)

LONGEST_PAIR_LIST = 500


class Identity(StrEnum):
    """What two fingerprints say about two declarations."""

    AS_DECLARED = "AS_DECLARED"
    NOT_ONE_PERSON = "NOT_ONE_PERSON"
    """Declared as of one subject, and the genotypes are of two."""
    ONE_PERSON = "ONE_PERSON"
    """Declared as of two subjects, and the genotypes are of one, or of identical twins."""
    NOT_DECLARED = "NOT_DECLARED"
    """No subject is declared for one of them."""
    UNKNOWN = "UNKNOWN"


IDENTITY_WORDS = {
    Identity.AS_DECLARED: "as declared",
    Identity.NOT_ONE_PERSON: "declared as one subject, and two persons' reads: a sample may have been swapped",
    Identity.ONE_PERSON: "declared as two subjects, and one person's reads: a sample may have been swapped",
    Identity.NOT_DECLARED: "not declared",
    Identity.UNKNOWN: "not possible",
}


@dataclass(frozen=True, slots=True)
class CohortSample:
    """One analysed sample. `summary` is None where it was stopped before calling."""

    submission_id: str
    sample_id: str
    subject_id: str | None
    measured: AlignmentQuality
    summary: QualitySummary | None
    fingerprint: Fingerprint

    @property
    def verdict(self) -> Verdict:
        """The worst of its checks."""
        return overall_verdict(self.measured.checks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Codes of the checks that stopped it or warned."""
        return tuple(check.code for check in self.measured.checks if check.verdict in {Verdict.STOPPED, Verdict.WARNED})


@dataclass(frozen=True, slots=True)
class SamplePair:
    """Two samples and how nearly related they are."""

    first: CohortSample
    second: CohortSample
    comparison: Comparison

    @property
    def identity(self) -> Identity:
        """Whether the genotypes agree with the declared subjects; two analyses of one sample id are of one subject."""
        if self.comparison.relation is Relation.UNKNOWN:
            return Identity.UNKNOWN
        declared_one = self.first.sample_id == self.second.sample_id
        if not declared_one:
            if self.first.subject_id is None or self.second.subject_id is None:
                return Identity.NOT_DECLARED
            declared_one = self.first.subject_id == self.second.subject_id
        is_one = self.comparison.relation is Relation.SAME
        if declared_one == is_one:
            return Identity.AS_DECLARED
        return Identity.ONE_PERSON if is_one else Identity.NOT_ONE_PERSON


def compare_samples(samples: Sequence[CohortSample]) -> list[SamplePair]:
    """Compare every two samples on the same reference bundle, contradictions first, then the nearest related."""
    pairs = [
        SamplePair(first, second, compare_fingerprints(first.fingerprint.copies, second.fingerprint.copies))
        for first, second in combinations(samples, 2)
        if first.fingerprint.reference == second.fingerprint.reference
    ]
    urgent = {Identity.NOT_ONE_PERSON: 0, Identity.ONE_PERSON: 0}
    return sorted(pairs, key=lambda pair: (urgent.get(pair.identity, 1), -(pair.comparison.kinship or -9.0)))


def build_cohort_page(samples: Sequence[CohortSample], pairs: Sequence[SamplePair], platform_version: str) -> str:
    """Return the page as one HTML document without scripts and without anything to load."""
    depth = [Line(one.sample_id, cumulative_depth(one.measured.coverage.histogram)) for one in samples]
    inserts = [Line(one.sample_id, list(_insert_points(one.measured))) for one in samples]
    return render_page(
        "cohort.html",
        samples=samples,
        pairs=pairs[:LONGEST_PAIR_LIST],
        cut=max(0, len(pairs) - LONGEST_PAIR_LIST),
        words=VERDICT_WORDS,
        identity_words=IDENTITY_WORDS,
        number=format_number,
        platform_version=platform_version,
        charts=[
            draw_lines("Bases that reach a depth", Axis("depth (reads)", 0), Axis("fraction", 0, 1), depth),
            draw_lines("Insert size", Axis("bases", 0), Axis("fraction of pairs", 0), inserts),
        ],
    )


def _insert_points(measured: AlignmentQuality) -> Iterator[tuple[float, float]]:
    """Yield fractions of the pairs in steps of ten bases: samples differ in size, and single bases leap."""
    counts = measured.inserts.histogram
    total = sum(counts)
    for start in range(0, min(len(counts), 1_000), 10):
        yield float(start), sum(counts[start : start + 10]) / total
