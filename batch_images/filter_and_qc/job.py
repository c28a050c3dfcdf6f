"""FilterAndQc: filter reasons, statistics of the variants, and the quality record of the sample."""

import json
import sys
from collections.abc import Mapping

from strandline.aws.identity import OUTCOME
from strandline.aws.jobs import open_buckets
from strandline.aws.settings import VariantsJobSettings
from strandline.aws.steps import Step, run_step
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact
from strandline.reads.quality import AlignmentQuality, AlignmentSummary, QualitySummary
from strandline.reads.tools import tool_version
from strandline.variants.filtering import filter_variants
from strandline.variants.provenance import read_programs
from strandline.variants.records import read_calls, summarise_calls
from strandline.variants.statistics import describe_variants

STEP = Step(
    "FilterAndQc",
    "FilterAndQc",
    (Artifact.CALLS_INDEX, Artifact.CALLS, Artifact.QC),
    after=("AlignReads", "MeasureQuality", "Annotate"),
    names_submission=True,
)


def read(workspace: Workspace) -> Mapping[str, str]:
    """Return what the quality record holds beside what the steps before found."""
    return {
        "sample": workspace.manifest.sample.model_dump_json(),
        "bcftools": tool_version("bcftools"),
        "identity": identity.read_text() if (identity := workspace.fetch_if_there(Artifact.IDENTITY)) else "",
    }


def filter_and_qc(workspace: Workspace) -> None:
    """Filter, and put what was measured before calling and after it into one record."""
    measured = AlignmentQuality.model_validate_json(workspace.fetch(Artifact.ALIGNMENT_QUALITY).read_bytes())
    identity = workspace.fetch_if_there(Artifact.IDENTITY)
    if identity is not None:
        outcome = OUTCOME.validate_json(identity.read_bytes())
        measured = measured.model_copy(update={"checks": (*measured.checks, outcome)})
    calls = workspace.path(Artifact.CALLS)
    filter_variants(workspace.fetch(Artifact.ANNOTATED), calls)
    sample = workspace.manifest.sample
    quality = QualitySummary(
        schema_version=2,
        submission_id=workspace.submission_id,
        sample_id=sample.sample_id,
        subject_id=sample.subject_id,
        declared_sex=sample.sex,
        reference=workspace.reference().label,
        alignment=AlignmentSummary(**json.loads(workspace.fetch(Artifact.ALIGNMENT_METRICS).read_bytes())),
        coverage=measured.coverage,
        variants=summarise_calls(calls),
        measured=measured,
        statistics=describe_variants(read_calls(calls)),
        warnings=measured.warnings,
        programs=read_programs(measured.programs, calls),
    )
    workspace.path(Artifact.QC).write_text(quality.model_dump_json(indent=1))


if __name__ == "__main__":
    settings = VariantsJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket)
    sys.exit(run_step(STEP, filter_and_qc, read, settings, buckets))
