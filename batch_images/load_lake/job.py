"""LoadLake: this submission's calls into the lake, replacing whatever an earlier run left there."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from strandline.aws.jobs import open_buckets, run_job
from strandline.aws.lake import Lake
from strandline.aws.settings import LakeJobSettings
from strandline.aws.steps import StepRecords
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact
from strandline.lake.load import callable_rows, check_samples, site_rows
from strandline.lake.rows import LoadedSample, ReadFile, lineage_rows, sample_row, variant_batches
from strandline.lake.vcf_columns import VcfBatch, read_vcf
from strandline.lake.vcf_source import open_vcf
from strandline.landing.manifest import FileRole
from strandline.reads.quality import QualitySummary
from strandline.variants.annotation import ROLE_BY_SOURCE
from strandline.variants.provenance import read_sources
from strandline.variants.records import read_calls

if TYPE_CHECKING:
    import pyarrow as pa

import_module("numba")  # what reads long files is compiled by it: a process that waits for jobs has this behind it
_STEP_OF: Final = {FileRole.REGIONS: "MeasureQuality"}  # every other file is aligned
_HELD_ROWS: Final = 100_000  # of about a kilobyte
_TOOLS: Final = ("aligner", "samtools", "bcftools", "caller")


def load(workspace: Workspace, lake: Lake) -> None:
    """Replace the submission's rows of all tables and leave a receipt."""
    manifest = workspace.manifest
    calls, gvcf = workspace.fetch(Artifact.CALLS), workspace.fetch(Artifact.GVCF)
    loaded = LoadedSample(
        submission_id=workspace.submission_id,
        sample=manifest.sample,
        reference_name=manifest.reference.name,
        reference_version=manifest.reference.version,
        annotation_sources={name: text for name, text in read_sources(calls).items() if name in ROLE_BY_SOURCE},
    )
    quality = QualitySummary.model_validate_json(workspace.fetch(Artifact.QC).read_bytes())
    now = datetime.now(UTC)
    row = sample_row(loaded, quality, variant_count=quality.variants.called, now=now)
    lineage = lineage_rows(loaded, read_files(workspace), now)
    read = partial(_read, sample_id=manifest.sample.sample_id)

    def make_variants() -> "Iterator[pa.Table]":
        return variant_batches(read(calls), read_calls(calls), loaded)

    held = cache(lambda: list(make_variants()))  # asked for twice: there is a copy of them in another order
    make_rows: dict[str, Callable[[], Iterable[pa.Table]]] = {
        "variants": held if quality.variants.called <= _HELD_ROWS else make_variants,
        "sites": lambda: site_rows(read(calls), loaded.file),
        "callable_regions": lambda: callable_rows(read(gvcf), loaded.file),
        "samples": lambda: iter([row]),
        "lineage": lambda: iter([lineage]),
    }
    with ThreadPoolExecutor(2) as pool:  # a commit a table; no other waits for it
        done = {
            name: pool.submit(lake.replace_rows, name, workspace.submission_id, make)
            for name, make in make_rows.items()
        }
        counts = {name: future.result() for name, future in done.items()}
    count = counts["variants"]
    if count != quality.variants.called:
        raise RuntimeError(f"{count} rows were loaded of {quality.variants.called} calls")
    receipt = {"submission_id": workspace.submission_id, **counts}
    workspace.path(Artifact.LOAD_RECEIPT).write_text(json.dumps(receipt))
    workspace.publish(Artifact.LOAD_RECEIPT)


def read_files(workspace: Workspace) -> Iterator[ReadFile]:
    """Yield the files of the submission by the step that read each first, with what that step ran."""
    makings = StepRecords(*workspace.table.place).makings_of(workspace.submission_id)
    for file in workspace.manifest.files:
        step = _STEP_OF.get(file.role, "AlignReads")
        making = makings.get(step)
        yield ReadFile(
            step,
            file.role.value,
            file.sha256,
            file.size_bytes,
            making.code_version if making else None,
            making.image if making else None,
            {name: making.read[name] for name in _TOOLS if name in making.read} if making else {},
        )


def _read(path: Path, *, sample_id: str) -> Iterator[VcfBatch]:
    with open_vcf(path) as source:
        check_samples(source.samples, [sample_id], path.name)
        yield from read_vcf(source)


if __name__ == "__main__":
    settings = LakeJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket)
    sys.exit(run_job("LoadLake", lambda workspace: load(workspace, Lake(settings.glue_database)), settings, buckets))
