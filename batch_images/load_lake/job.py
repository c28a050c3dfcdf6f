"""LoadLake: this submission's calls into the lake, replacing whatever an earlier run left there."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from strandline.aws.jobs import open_buckets, run_job
from strandline.aws.lake import Lake
from strandline.aws.settings import LakeJobSettings
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact
from strandline.lake.rows import LoadedSample, sample_row, variant_batches
from strandline.reads.quality import QualitySummary
from strandline.variants.annotation import ROLE_BY_SOURCE
from strandline.variants.provenance import read_sources
from strandline.variants.records import read_calls


def load(workspace: Workspace, lake: Lake) -> None:
    """Replace the submission's rows of both tables and leave a receipt."""
    manifest = workspace.manifest
    calls = workspace.fetch(Artifact.CALLS)
    loaded = LoadedSample(
        submission_id=workspace.submission_id,
        sample=manifest.sample,
        reference_name=manifest.reference.name,
        reference_version=manifest.reference.version,
        annotation_sources={name: text for name, text in read_sources(calls).items() if name in ROLE_BY_SOURCE},
    )
    quality = QualitySummary.model_validate_json(workspace.fetch(Artifact.QC).read_bytes())
    row = sample_row(loaded, quality, variant_count=quality.variants.called, now=datetime.now(UTC))
    with ThreadPoolExecutor(2) as pool:  # two tables, two commits, neither waits for the other
        variants = pool.submit(
            lake.replace_rows,
            "variants",
            workspace.submission_id,
            lambda: variant_batches(read_calls(calls), loaded),
        )
        sample = pool.submit(lake.replace_rows, "samples", workspace.submission_id, lambda: [row])
        count, _ = variants.result(), sample.result()
    if count != quality.variants.called:
        raise RuntimeError(f"{count} rows were loaded of {quality.variants.called} calls")
    receipt = {"submission_id": workspace.submission_id, "variants": count}
    workspace.path(Artifact.LOAD_RECEIPT).write_text(json.dumps(receipt))
    workspace.publish(Artifact.LOAD_RECEIPT)


if __name__ == "__main__":
    settings = LakeJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket)
    sys.exit(run_job("LoadLake", lambda workspace: load(workspace, Lake(settings.glue_database)), settings, buckets))
