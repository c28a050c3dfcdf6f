"""The way of a submission: its states, the moves between them, and every S3 key on it.

Nothing else in Strandline builds a key. Keys derive from the submission id alone, or a cohort's, so that a step run
twice overwrites its own output and two submissions never meet.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from strandline.errors import RejectedInputError

MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "manifest.sig"
LANDING_PREFIX = "submissions/"
REFERENCE_PREFIX = "references/"
PANEL_PREFIX = "panels/"
COHORT_PREFIX = "cohorts/"
EXPORT_PREFIX = "exports/"
RELEASE_PREFIX = "releases/"
_SUBMISSION_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_COHORT_ID = re.compile(r"[0-9a-f]{24}")
_SAMPLE_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,62}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9_-]|\.(?!\.)){0,126}")


class SubmissionState(StrEnum):
    """Where a submission stands. See `ALLOWED_MOVES`."""

    RECEIVED = "RECEIVED"
    VALIDATING = "VALIDATING"
    QUARANTINED = "QUARANTINED"
    ANALYSING = "ANALYSING"
    LOADED = "LOADED"
    IN_REVIEW = "IN_REVIEW"
    RELEASED = "RELEASED"
    AMENDED = "AMENDED"
    WITHDRAWN = "WITHDRAWN"
    FAILED = "FAILED"


_S = SubmissionState
ALLOWED_MOVES: dict[SubmissionState, frozenset[SubmissionState]] = {
    _S.RECEIVED: frozenset({_S.VALIDATING, _S.QUARANTINED, _S.FAILED}),
    _S.VALIDATING: frozenset({_S.ANALYSING, _S.QUARANTINED, _S.FAILED}),
    _S.ANALYSING: frozenset({_S.LOADED, _S.QUARANTINED, _S.FAILED}),
    _S.LOADED: frozenset({_S.IN_REVIEW, _S.QUARANTINED, _S.FAILED}),
    _S.IN_REVIEW: frozenset({_S.RELEASED, _S.WITHDRAWN, _S.QUARANTINED, _S.FAILED}),
    _S.RELEASED: frozenset({_S.AMENDED, _S.WITHDRAWN}),
    _S.AMENDED: frozenset({_S.AMENDED, _S.WITHDRAWN}),
    _S.WITHDRAWN: frozenset(),
    # an operator may let the workflow go on once the cause is mended
    _S.FAILED: frozenset({_S.VALIDATING, _S.ANALYSING, _S.LOADED, _S.IN_REVIEW, _S.QUARANTINED}),
    # a named person releases it, with a reason, or rejects it for good
    _S.QUARANTINED: frozenset({_S.VALIDATING, _S.WITHDRAWN}),
}
FINAL_FOR_THE_WORKFLOW = frozenset({_S.IN_REVIEW, _S.QUARANTINED, _S.FAILED, _S.RELEASED, _S.AMENDED, _S.WITHDRAWN})


def is_submission_id(text: str) -> bool:
    """Tell whether `text` can name a submission: lower-case letters, digits and hyphens, at most 64.

    Step Functions takes it as the execution name and S3 as one folder, so nothing else is allowed.

    >>> is_submission_id("hg002-5f2a"), is_submission_id("../etc"), is_submission_id("A")
    (True, False, False)
    """
    return _SUBMISSION_ID.fullmatch(text) is not None


def check_sample_id(sample_id: str) -> str:
    """Return `sample_id` unchanged.

    Raises:
        RejectedInputError: `invalid_sample_id`, where it is not 1 to 63 letters, digits, `_`, `-` and single dots,
            beginning with a letter or digit. It becomes a file name, a read group and a VCF column.
    """
    if _SAMPLE_ID.fullmatch(sample_id) is None:
        raise RejectedInputError(
            "invalid_sample_id",
            "the sample id may hold letters, digits, '_', '-' and single dots, at most 63, and begins with a letter "
            "or digit; no path, no space. Rename the sample and submit again",
        )
    return sample_id


def check_file_name(name: str) -> str:
    """Return `name` unchanged.

    Raises:
        RejectedInputError: `invalid_file_name`, where it is anything but one plain file name.
    """
    if _FILE_NAME.fullmatch(name) is None:
        raise RejectedInputError(
            "invalid_file_name",
            "a file name may hold letters, digits, '_', '-' and single dots, at most 127, and no path. Rename the "
            "file and submit again",
        )
    return name


def split_landing_key(key: str) -> tuple[str, str] | None:
    """Return the submission id and file name that a landing key names, or None where it names none.

    >>> split_landing_key("submissions/hg002-5f2a/manifest.json")
    ('hg002-5f2a', 'manifest.json')
    >>> split_landing_key("submissions/hg002-5f2a/deep/er.fastq") is None
    True
    """
    if not key.startswith(LANDING_PREFIX):
        return None
    submission_id, _, name = key.removeprefix(LANDING_PREFIX).partition("/")
    if not is_submission_id(submission_id) or _FILE_NAME.fullmatch(name) is None:
        return None
    return submission_id, name


def share_of(site: str | None) -> str:
    """Return the share identifier of a lab's jobs: letters and digits alone, as Batch wants it.

    >>> share_of("north-2"), share_of(None)
    ('north2', 'unnamed')
    """
    return "".join(letter for letter in site or "" if letter.isascii() and letter.isalnum()) or "unnamed"


def landing_key(submission_id: str, name: str) -> str:
    """Return the landing bucket's key of one file of a submission."""
    return f"{_folder(submission_id)}{check_file_name(name)}"


def submission_prefix(submission_id: str) -> str:
    """Return what every key of a submission begins with, in whatever bucket."""
    return _folder(submission_id)


def manifest_key(submission_id: str) -> str:
    """Return the landing bucket's key of the manifest, which a lab uploads last."""
    return landing_key(submission_id, MANIFEST_NAME)


def exception_record_key(submission_id: str) -> str:
    """Return the quarantine bucket's key of the record that says why a submission was stopped."""
    return f"{_folder(submission_id)}exception.json"


def quarantined_file_key(submission_id: str, name: str) -> str:
    """Return the quarantine bucket's key of the copy of one landed file."""
    return f"{_folder(submission_id)}files/{check_file_name(name)}"


class Artifact(StrEnum):
    """What the steps write for one submission, by the name of the file."""

    REGIONS = "regions.bed"
    ALIGNED = "aligned.cram"
    ALIGNED_INDEX = "aligned.cram.crai"
    ALIGNMENT_METRICS = "alignment_metrics.json"
    READ_COUNTS = "read_counts.json"
    ALIGNMENT_QUALITY = "alignment_quality.json"
    REGION_COVERAGE = "region_coverage.tsv"
    FINGERPRINT = "fingerprint.json"
    IDENTITY = "identity.json"
    GVCF = "calls.g.vcf.gz"
    GVCF_INDEX = "calls.g.vcf.gz.tbi"
    TOOL_GVCF = "tool.g.vcf.gz"
    """What GATK, DeepVariant or Parabricks wrote, as it was: their joint genotyping reads it."""
    TOOL_GVCF_INDEX = "tool.g.vcf.gz.tbi"
    CALLED = "called.vcf.gz"
    CALLED_INDEX = "called.vcf.gz.tbi"
    ANNOTATED = "annotated.vcf.gz"
    ANNOTATED_INDEX = "annotated.vcf.gz.tbi"
    CALLS = "calls.vcf.gz"
    CALLS_INDEX = "calls.vcf.gz.tbi"
    CALLABLE_REGIONS = "callable.bed"
    CALLING_PLAN = "calling_plan.json"
    QC = "qc.json"
    LOAD_RECEIPT = "load_receipt.json"
    BUNDLE = "bundle.json"
    REPORT = "report.html"
    REPORT_PDF = "report.pdf"
    PLAIN_REPORT = "report_plain.html"
    EVIDENCE_PAGE = "evidence.html"
    INTERPRETATION = "interpretation.json"
    KNOWLEDGE = "knowledge.json"
    FAMILY = "family.json"
    QC_PAGE = "qc.html"
    MULTIQC = "qc_mqc.json"


@dataclass(frozen=True, slots=True)
class PartOf:
    """What one part of a scattered step writes; parts are counted from 1.

    >>> str(PartOf(Artifact.GVCF, 12))
    'parts/0012/calls.g.vcf.gz'
    """

    artifact: Artifact
    part: int

    def __str__(self) -> str:
        return f"parts/{self.part:04d}/{self.artifact}"


Output = Artifact | PartOf
"""What a step writes."""


def artifact_key(submission_id: str, output: Output) -> str:
    """Return the analysis bucket's key of one output of a submission."""
    return f"{_folder(submission_id)}{output}"


class CohortArtifact(StrEnum):
    """What is written for a cohort, by the name of the file."""

    CALLS = "joint.vcf.gz"
    CALLS_INDEX = "joint.vcf.gz.tbi"
    REPORT = "trio.json"
    PLAN = "genotyping_plan.json"


def cohort_key(cohort_id: str, artifact: CohortArtifact, part: int = 0) -> str:
    """Return the analysis bucket's key of one output of a cohort, or of one of its parts, which are counted from 1.

    Raises:
        RejectedInputError: `invalid_cohort_id`.

    >>> cohort_key("0123456789abcdef01234567", CohortArtifact.CALLS, 2)
    'cohorts/0123456789abcdef01234567/parts/0002/joint.vcf.gz'
    """
    if _COHORT_ID.fullmatch(cohort_id) is None:
        raise RejectedInputError("invalid_cohort_id", "a cohort id has 24 hexadecimal digits: see 'strandline cohort'")
    return f"{COHORT_PREFIX}{cohort_id}/" + (f"parts/{part:04d}/" if part else "") + artifact


def export_key(job_id: str, resource_type: str, number: int) -> str:
    """Return the analysis bucket's key of one file of a bulk export, counted from 1.

    >>> export_key("0f", "Patient", 1)
    'exports/0f/Patient.0001.ndjson'
    """
    return f"{EXPORT_PREFIX}{job_id}/{resource_type}.{number:04d}.ndjson"


def release_prefix(submission_id: str, version: int) -> str:
    """Return what every key of one version of a release begins with, in the delivery bucket.

    >>> release_prefix("s-1", 2)
    'releases/s-1/0002/'
    """
    return f"{RELEASE_PREFIX}{_folder(submission_id).removeprefix(LANDING_PREFIX)}{version:04d}/"


def release_execution(submission_id: str, version: int, attempt: int = 1) -> str:
    """Return the name of the execution of the release workflow that takes one version to its end.

    >>> release_execution("s-1", 2), release_execution("s-1", 2, attempt=3)
    ('s-1.v2', 's-1.v2.3')
    """
    return f"{submission_id}.v{version}" + (f".{attempt}" if attempt > 1 else "")


def reference_key(name: str, version: str, file_name: str) -> str:
    """Return the references bucket's key of one file of a reference bundle."""
    return f"{REFERENCE_PREFIX}{check_file_name(name)}/{check_file_name(version)}/{check_file_name(file_name)}"


def panel_key(name: str, version: str) -> str:
    """Return the references bucket's key of a lab's own panel.

    >>> panel_key("cardio", "2026-11")
    'panels/cardio/2026-11.json'
    """
    return f"{PANEL_PREFIX}{check_file_name(name)}/{check_file_name(version)}.json"


def _folder(submission_id: str) -> str:
    if not is_submission_id(submission_id):
        raise RejectedInputError(
            "invalid_submission_id",
            "a submission id holds lower-case letters, digits and hyphens, at most 64. Rename the folder under "
            "submissions/ and upload again",
        )
    return f"{LANDING_PREFIX}{submission_id}/"
