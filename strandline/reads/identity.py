"""Whether a sample is of the person that its subject's earlier samples are of: a swap is caught before calling."""

from collections.abc import Mapping
from typing import Final

from strandline.reads.fingerprint import Comparison, Fingerprint, Relation, compare_fingerprints
from strandline.reads.gates import CheckOutcome, GateThresholds, Verdict

CODE: Final = "identity_mismatch"
_TITLE: Final = "Same person as the subject's earlier samples"


def check_identity(
    own: Fingerprint, earlier: Mapping[str, Fingerprint], declared: bool, limits: GateThresholds
) -> CheckOutcome:
    """Hold a sample's genotypes at common sites against those of its subject's other samples.

    Args:
        own: of the sample.
        earlier: of the subject's other submissions, by submission id; those on another reference are passed over.
        declared: whether the submission names its subject.
        limits: of the stage; `identity_mismatch` says what follows where the person is another.

    Returns:
        The check. Its measure is the least kinship found; 0.354 and more is one person or an identical twin
        (Manichaikul et al. 2010, doi:10.1093/bioinformatics/btq559, table 1).
    """
    if not declared:
        return _not_possible("the submission names no subject")
    found = {
        submission_id: compare_fingerprints(own.copies, other.copies)
        for submission_id, other in earlier.items()
        if other.reference == own.reference
    }
    known = {one: comparison for one, comparison in found.items() if comparison.relation is not Relation.UNKNOWN}
    if not known:
        return _not_possible(_why_not(earlier, found))
    least, comparison = min(known.items(), key=lambda item: _kinship(item[1]))
    if comparison.relation is Relation.SAME:
        return CheckOutcome(CODE, _TITLE, Verdict.PASSED, _kinship(comparison))
    message = (
        f"submission {least} of the same subject is of another person: {comparison.relation} by "
        f"{comparison.site_count} common sites, kinship {_kinship(comparison):.3f}; a sample may have been swapped or "
        "filed under the wrong subject: check both tubes and what was declared of both"
    )
    verdict = Verdict.STOPPED if limits.identity_mismatch == "STOP" else Verdict.WARNED
    return CheckOutcome(CODE, _TITLE, verdict, _kinship(comparison), None, message)


def _kinship(comparison: Comparison) -> float:
    return round(comparison.kinship, 4) if comparison.kinship is not None else 0.0


def _not_possible(why: str) -> CheckOutcome:
    return CheckOutcome(CODE, _TITLE, Verdict.NOT_POSSIBLE, message=why)


def _why_not(earlier: Mapping[str, Fingerprint], found: Mapping[str, Comparison]) -> str:
    if not earlier:
        return "no other sample of the subject was analysed before"
    if not found:
        return "the subject's other samples were analysed on another reference"
    return "too few common sites are covered in this sample and the subject's others"
