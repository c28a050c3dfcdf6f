"""`strandline lake`: keep the lake, freeze cohorts, and make what is counted of them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import pyarrow as pa
import pysam
import typer

from strandline.aws.lake_gold import EVERY_SAMPLE, freeze, refresh
from strandline.aws.lake_loading import describe_files, load_files
from strandline.aws.lake_maintenance import MERGED, MOST_RUNS, compact, erase_subject, expire, history
from strandline.cli.console import OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.cli.lake_migration import migrate
from strandline.errors import RejectedInputError
from strandline.lake.annotation_files import NAMED_COLUMNS, NamedReference, open_annotations
from strandline.lake.annotations import Release, annotation_batches
from strandline.lake.release_build import check_header, check_rows
from strandline.lake.tables import lake_tables
from strandline.reads.reference_bundle.builds import Build

_KEPT_DAYS: Final = 7.0

app = typer.Typer(
    help="Keep the lake: merge, expire, erase, look back, count and freeze cohorts. Example: strandline lake compact",
    no_args_is_help=True,
)
FormatOption = Annotated[OutputFormat, typer.Option("--format")]


@app.command("compact")
def compact_tables(
    stage: StageOption = LOCAL,
    most: Annotated[int, typer.Option(min=1, help="Files over one position that are left alone.")] = MOST_RUNS,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Merge what was loaded into sorted files, so that a question reads few of them.

    Example: strandline lake compact --most 1
    """
    lake = connect(stage).lake
    merged = {name: compact(lake, name, most_runs=most) for name in MERGED}
    rows = [(name, done.files_before, done.files_after, done.rows_written) for name, done in merged.items()]
    print_rows(("table", "files_before", "files_after", "rows_written"), rows, form)


@app.command("expire")
def expire_snapshots(
    stage: StageOption = LOCAL,
    older_than_days: Annotated[float, typer.Option(min=0, help="Age of what is given up, in days.")] = _KEPT_DAYS,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Forget old snapshots and delete the files that only they had. Below one day, see that no load is running.

    Example: strandline lake expire --older-than-days 30
    """
    expired = expire(connect(stage).lake, datetime.now(UTC) - timedelta(days=older_than_days))
    rows = [(one.table, one.snapshots, one.files, one.freed_bytes) for one in expired]
    print_rows(("table", "snapshots", "files", "freed_bytes"), rows, form)


@app.command("erase-subject")
def erase(
    subject_id: Annotated[str, typer.Argument(help="Subject pseudonym, as in samples.subject_id.")],
    stage: StageOption = LOCAL,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Take a subject's rows out of every table; `expire` deletes the files, `refresh` counts anew.

    Example: strandline lake erase-subject PT00042
    """
    erased = erase_subject(connect(stage).lake, subject_id)
    print_rows(("table", "erased_rows"), list(erased.items()), form)
    if erased:
        say("older snapshots hold these rows still: run 'strandline lake expire', and 'refresh' to count anew")
    else:
        say("nothing of this subject is in the lake")


@app.command("history")
def show_history(
    table: Annotated[str, typer.Argument(help="Table of the lake.")] = "variants",
    stage: StageOption = LOCAL,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """List a table's snapshots; a query reads one with FOR VERSION AS OF its id.

    Example: strandline lake history variants
    """
    if table not in lake_tables():
        raise RejectedInputError("table_unknown", f"there is no '{table}': ask for one of {', '.join(lake_tables())}")
    rows = [
        (
            change.snapshot_id,
            change.committed_at.isoformat(timespec="seconds"),
            change.operation,
            change.added_rows,
            change.deleted_rows,
            change.total_rows,
            change.is_current,
        )
        for change in history(connect(stage).lake, table)
    ]
    columns = ("snapshot_id", "committed_at", "operation", "added_rows", "deleted_rows", "total_rows", "is_current")
    print_rows(columns, rows, form)


@app.command("add-annotations")
def add_annotations(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="VCF, TSV or GFF3, plain or gzip.")],
    source: Annotated[str, typer.Option(help="Source, such as ClinVar.")],
    release: Annotated[str, typer.Option(help="Release, such as 2026-11-01: the last in the alphabet is current.")],
    reference_build: Annotated[Build, typer.Option(help="Build that the lake's variants are of.")],
    reference: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="FASTA that alleles are aligned to and held against."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=NAME", help="Of a TSV: its contig, position, ref, alt, identifier."),
    ] = None,
    stage: StageOption = LOCAL,
    contig_prefix: Annotated[str, typer.Option(help="Put before contigs that lack it, such as chr.")] = "",
) -> None:
    """Load a release of an annotation source; the same release again replaces itself.

    What is of another build is refused, by its header, its chromosomes' lengths and, with --reference, its bases.

    Example: strandline lake add-annotations clinvar.vcf.gz --source ClinVar --release 2026-11-01 --reference-build
    GRCh38 --contig-prefix chr
    """
    named = Release(source, release)
    columns = _named_columns(column or [])

    def make_rows() -> Iterator[pa.Table]:
        sequences = NamedReference(pysam.FastaFile(str(reference)), contig_prefix) if reference else None
        with open_annotations(file, columns=columns, reference=sequences) as opened:
            check_header(opened, file.name, reference_build)
            rows = annotation_batches(opened.sites, named, opened.keys, contig_prefix=contig_prefix)
            yield from check_rows(rows, file.name, reference_build, sequences)

    count = connect(stage).lake.replace_rows("annotations", named.release_id, make_rows)
    say(f"{count} rows of {source} {release} are in annotations")


def _named_columns(pairs: Sequence[str]) -> dict[str, str]:
    named = dict(pair.partition("=")[::2] for pair in pairs)
    if not set(named) <= set(NAMED_COLUMNS) or not all(named.values()):
        raise typer.BadParameter(f"--column takes FIELD=NAME, with FIELD one of {', '.join(NAMED_COLUMNS)}")
    return named


@app.command("load")
def load_vcf(
    vcf: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="VCF or gVCF, sorted; plain or gzip.")],
    reference_build: Annotated[str, typer.Option(help="Reference that the files were made on, such as GRCh38.")],
    reference_version: Annotated[str, typer.Option(help="Its version.")] = "1",
    reference: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="FASTA that alleles are aligned to the left along.")
    ] = None,
    site: Annotated[
        str | None, typer.Option(help="Code of the lab that they are of: without it, no role of a site sees the rows.")
    ] = None,
    stage: StageOption = LOCAL,
    jobs: Annotated[int, typer.Option(min=1, help="Files read at a time, each by a process of its own.")] = 1,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Load VCFs of one sample or many as they are, without annotating them; the same file again replaces itself.

    Example: strandline lake load cohort.vcf.gz NA24385.g.vcf.gz --reference-build GRCh38 --jobs 2
    """
    described = describe_files(
        vcf, reference_name=reference_build, reference_version=reference_version, reference=reference, site=site
    )
    counts = load_files(connect(stage).lake_place, described, jobs=jobs, now=datetime.now(UTC))
    print_rows(("table", "rows"), list(counts.items()), form)


app.command("migrate")(migrate)


@app.command("freeze")
def freeze_cohort(
    cohort: Annotated[str, typer.Argument(help="Name to keep the cohort under.")],
    query: Annotated[str, typer.Argument(help="Athena SQL whose first column is sample_id.")],
    stage: StageOption = LOCAL,
) -> None:
    """Keep the samples that a query finds, and the variants as they are now, under a name.

    Example: strandline lake freeze females "SELECT sample_id FROM samples WHERE sex = 'FEMALE'"
    """
    deployment = connect(stage)
    found = deployment.queries.run(query)
    if found.columns[:1] != ("sample_id",):
        raise RejectedInputError("cohort_query", "the query's first column has to be sample_id")
    sample_ids = [row[0] for row in found.rows if row[0] is not None]
    count = freeze(deployment.lake, cohort, query, sample_ids, now=datetime.now(UTC))
    say(f"'{cohort}' holds {count} samples: count its alleles with 'strandline lake refresh {cohort}'")


@app.command("refresh")
def refresh_cohort(
    cohort: Annotated[str, typer.Argument(help="Frozen cohort, or all.")] = EVERY_SAMPLE,
    stage: StageOption = LOCAL,
    assembly: Annotated[str | None, typer.Option(help="GRCh37 or GRCh38, for the pseudoautosomal regions.")] = None,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Count a cohort's alleles and gene burden anew.

    Example: strandline lake refresh --assembly GRCh38
    """
    done = refresh(connect(stage).lake, cohort, assembly=assembly)
    rows = [(done.cohort, done.samples, done.alleles, done.genes_and_samples)]
    print_rows(("cohort", "samples", "alleles", "genes_and_samples"), rows, form)
