"""`strandline lake migrate`: an exported HealthOmics store, or a folder of VCFs, into the lake, with counts."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from strandline.aws.lake_cohort import Outcome, Reconciled, Target, load_cohort, raise_refusals
from strandline.aws.lake_export import ExportedStore
from strandline.aws.lake_imports import VCF_SUFFIXES
from strandline.aws.lake_loading import LakePlace
from strandline.aws.lake_migration import migrate_annotation_store, migrate_store
from strandline.aws.lake_spreading import over_processes
from strandline.cli.console import OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.errors import RejectedInputError
from strandline.lake.annotations import Release

_FILES_A_COMMIT: Final = 32
"""So many that commits cost little, and so few that progress is seen and a run that is broken off has kept its own."""


def migrate(
    source: Annotated[str, typer.Argument(help="Folder or s3:// prefix of an export in Parquet, or folder of VCFs.")],
    reference_build: Annotated[str, typer.Option(help="Build that the rows are on, such as GRCh38.")],
    reference_version: Annotated[str, typer.Option(help="Its version.")] = "1",
    reference: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Indexed FASTA to hold the REF bases against.")
    ] = None,
    site: Annotated[
        str | None, typer.Option(help="Code of the lab that they are of: without it, no role of a site sees the rows.")
    ] = None,
    annotations: Annotated[str | None, typer.Option(help="Source, such as ClinVar: it is an annotation store.")] = None,
    release: Annotated[str | None, typer.Option(help="With --annotations: the release, such as 2026-11-01.")] = None,
    contig_prefix: Annotated[str, typer.Option(help="With --annotations: put before contigs that lack it.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count and judge only.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Samples at a time, each by a process of its own.")] = 1,
    stage: StageOption = LOCAL,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Take an exported HealthOmics store or a folder of VCFs into the lake; a second time changes nothing.

    Prints for each sample and contig how many rows were read, how many the lake has now, and why others were refused.

    Example: strandline lake migrate s3://exports/variants/ --reference-build GRCh38 --dry-run
    """
    place, vcfs = connect(stage).lake_place, _vcfs_of(source)
    target = Target(reference_build, reference_version, reference, datetime.now(UTC), site)
    view = "omicsannotations" if annotations else "omicsvariants"
    store = ExportedStore(source, view, place.endpoint_url, place.region)
    if annotations:
        if not release:
            raise RejectedInputError("release_name", "--annotations needs --release, such as 2026-11-01")
        named = Release(annotations, release)
        _print(migrate_annotation_store(place, store, named, contig_prefix=contig_prefix, dry=dry_run), form)
        return
    outcomes = list(
        _told(
            _load_vcfs(place, vcfs, target, jobs=jobs, dry=dry_run)
            if vcfs
            else migrate_store(place, store, target, jobs=jobs, dry=dry_run)
        )
    )
    _print([found for outcome in outcomes for found in outcome.counts], form)
    raise_refusals(outcomes)


def _load_vcfs(place: LakePlace, vcfs: Sequence[str], target: Target, *, jobs: int, dry: bool) -> Iterator[Outcome]:
    with over_processes(jobs) as spread:
        for start in range(0, len(vcfs), _FILES_A_COMMIT):
            yield from load_cohort(place, vcfs[start : start + _FILES_A_COMMIT], target, spread, dry=dry)


def _vcfs_of(source: str) -> list[str]:
    folder = Path(source)
    if source.startswith("s3://"):
        return []
    if not folder.is_dir():
        raise RejectedInputError("migrate_source_missing", f"{source} is no folder: name the folder of the export")
    return sorted(str(path) for path in folder.iterdir() if path.name.endswith(VCF_SUFFIXES))


def _told(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    for number, outcome in enumerate(outcomes, 1):
        if outcome.refusal:
            code, message = outcome.refusal
            say(f"sample {number} is refused: {code}: {message}")
        yield outcome


def _print(found: Sequence[Reconciled], form: OutputFormat) -> None:
    rows = [
        (one.sample_id, one.contig, one.read, one.written, sum(one.refused.values()), ", ".join(sorted(one.refused)))
        for one in found
    ]
    print_rows(("sample_id", "contig", "rows_read", "rows_written", "rows_refused", "refused_as"), rows, form)
    read, written = sum(one.read for one in found), sum(one.written for one in found)
    say(f"{read} rows read, {written} in the lake, {read - written} refused")
