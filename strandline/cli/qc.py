"""`strandline qc`: the quality of samples beside each other, as pages, as a table and for MultiQC."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from strandline import __version__
from strandline.aws.deployment import Deployment
from strandline.cli.console import OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, artifact_key
from strandline.reads.fingerprint import parse_fingerprint
from strandline.reads.quality import AlignmentQuality, QualitySummary
from strandline.reporting.cohort import (
    IDENTITY_WORDS,
    CohortSample,
    Identity,
    build_cohort_page,
    compare_samples,
)
from strandline.reporting.multiqc import cohort_plots, general_statistics
from strandline.reporting.quality_page import QualityPageInput, build_quality_page

_LIMIT_BYTES: Final = 64 << 20
_COLUMNS: Final = ("sample", "submission", "verdict", "because", "mean_depth", "mapped", "foreign", "sex", "variants")
COHORT_PAGE: Final = "cohort.html"


def qc(
    samples: Annotated[
        list[str] | None, typer.Argument(help="Sample or submission ids; all where none is given.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for pages and MultiQC files.")] = None,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
    stage: StageOption = LOCAL,
) -> None:
    """Show the quality of samples beside each other, and whether their reads are the declared subjects'.

    Example: strandline qc HG002 HG003 --out quality
    """
    deployment = connect(stage)
    found = collect_samples(deployment, samples or [])
    pairs = compare_samples(found)
    if out:
        _write_pages(out, found, build_cohort_page(found, pairs, __version__))
    print_rows(_COLUMNS, [_row(one) for one in found], form)
    for pair in pairs:
        if pair.identity in {Identity.ONE_PERSON, Identity.NOT_ONE_PERSON}:
            say(f"{pair.first.sample_id} and {pair.second.sample_id}: {IDENTITY_WORDS[pair.identity]}")


def collect_samples(deployment: Deployment, wanted: Sequence[str]) -> list[CohortSample]:
    """Fetch the quality records of the newest analyses, those that a gate stopped included.

    Raises:
        RejectedInputError: `nothing_measured`, where a wanted sample has no record, or there is none at all.
    """
    found: list[CohortSample] = []
    missing = set(wanted)
    for record in deployment.submissions.list_all():
        names = {record.submission_id, record.sample_id or ""}
        if wanted and not names & set(wanted):
            continue
        sample = _collect(deployment, record.submission_id)
        if sample:
            found.append(sample)
            missing -= names
    if missing or not found:
        which = ", ".join(sorted(missing)) or "any sample"
        raise RejectedInputError("nothing_measured", f"there is no quality record of {which}: see 'strandline status'")
    return found


def _collect(deployment: Deployment, submission_id: str) -> CohortSample | None:
    def read(artifact: Artifact) -> bytes | None:
        key = artifact_key(submission_id, artifact)
        return deployment.analysis.read(key, limit_bytes=_LIMIT_BYTES) if deployment.analysis.exists(key) else None

    measured, summary = read(Artifact.ALIGNMENT_QUALITY), read(Artifact.QC)
    fingerprint = read(Artifact.FINGERPRINT)
    if measured is None or fingerprint is None:
        return None
    declared = deployment.submissions.manifest(submission_id).sample
    return CohortSample(
        submission_id=submission_id,
        sample_id=declared.sample_id,
        subject_id=declared.subject_id,
        measured=AlignmentQuality.model_validate_json(measured),
        summary=QualitySummary.model_validate_json(summary) if summary else None,
        fingerprint=parse_fingerprint(fingerprint, Artifact.FINGERPRINT),
    )


def _write_pages(out: Path, samples: Sequence[CohortSample], cohort_page: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / COHORT_PAGE).write_text(cohort_page)
    repeated = {name for name, times in Counter(one.sample_id for one in samples).items() if times > 1}
    measured_by_label = {}
    for one in samples:
        label = f"{one.sample_id} ({one.submission_id})" if one.sample_id in repeated else one.sample_id
        measured_by_label[label] = one.measured
        page = QualityPageInput(
            one.submission_id, one.sample_id, one.fingerprint.reference, one.measured, one.summary, __version__
        )
        (out / f"{one.submission_id}.html").write_text(build_quality_page(page))
        statistics = general_statistics(one.measured, label, one.summary)
        (out / f"{one.submission_id}_mqc.json").write_text(statistics)
    for name, content in cohort_plots(measured_by_label).items():
        (out / name).write_text(content)
    say(f"{out / COHORT_PAGE} and {len(samples)} sample pages; 'multiqc {out}' reads the folder too")


def _row(one: CohortSample) -> tuple[str | float | int | None, ...]:
    foreign = one.measured.contamination
    return (
        one.sample_id,
        one.submission_id,
        one.verdict.value,
        " ".join(one.reasons) or None,
        round(one.measured.coverage.mean_depth, 1),
        round(one.measured.mapping.fraction(one.measured.mapping.mapped), 4),
        round(foreign.fraction, 4) if foreign else None,
        one.measured.sex.found.value,
        one.summary.variants.passed if one.summary else None,
    )
