"""`strandline reference`: bundles made, registered, listed and verified."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Annotated, Final

import typer
from pysam import set_verbosity

from strandline.cli.console import Cell, OutputFormat, messages, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect, home_folder
from strandline.cli.references import made_references
from strandline.errors import RejectedInputError, TemporaryError
from strandline.reads.reference_bundle import (
    BUNDLE_NAME,
    INDEX_BY_SOURCE,
    Build,
    BundleSources,
    Damage,
    ReferenceBundle,
    ReferenceFile,
    find_damage,
    make_bundle,
    parse_bundle,
)
from strandline.reads.reference_bundle.builds import check_build
from strandline.reads.reference_bundle.fasta import survey_fasta
from strandline.reads.reference_bundle.naming import check_bundle_name, split_label

app = typer.Typer(
    help="Reference bundles: a genome, its indexes and annotation sources under one name and version.\n\n"
    "Example: strandline reference make --fasta GRCh38.fa.gz --name GRCh38 --build GRCh38 --out GRCh38",
    no_args_is_help=True,
    rich_markup_mode=None,
)
FormatOption = Annotated[OutputFormat, typer.Option("--format")]
_MADE_COLUMNS: Final = ("file", "role", "bytes", "records", "left_out", "source")
_LIST_COLUMNS: Final = ("name", "version", "build", "contigs", "bases", "sources", "bytes", "where")
_NAMED_AT_MOST: Final = 5


@app.command()
def make(
    fasta: Annotated[Path, typer.Option("--fasta", help="FASTA, plain or gzip; its contig names become the bundle's.")],
    name: Annotated[str, typer.Option("--name", help="Letters, digits, '_', '-', single dots.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the bundle; made where it is absent.")],
    genes: Annotated[Path | None, typer.Option("--genes", help="Ensembl's GFF3.")] = None,
    clinvar: Annotated[Path | None, typer.Option("--clinvar", help="ClinVar's VCF.")] = None,
    dbsnp: Annotated[Path | None, typer.Option("--dbsnp", help="dbSNP's VCF.")] = None,
    frequencies: Annotated[
        Path | None, typer.Option("--frequencies", help="VCF with the INFO field AF, such as gnomAD's.")
    ] = None,
    known_sites: Annotated[
        Path | None, typer.Option("--known-sites", help="VCF of well-known variants, such as Mills and 1000G.")
    ] = None,
    callable_regions: Annotated[
        Path | None, typer.Option("--callable", help="BED of the regions where calls can be made.")
    ] = None,
    hapmap: Annotated[Path | None, typer.Option("--hapmap", help="HapMap's VCF: GATK's models learn from it.")] = None,
    omni: Annotated[Path | None, typer.Option("--omni", help="VCF of the Omni array: likewise.")] = None,
    thousand_genomes: Annotated[
        Path | None, typer.Option("--thousand-genomes", help="VCF of 1000 Genomes, SNPs of high confidence: likewise.")
    ] = None,
    mills: Annotated[Path | None, typer.Option("--mills", help="VCF of the Mills and 1000G indels: likewise.")] = None,
    build: Annotated[Build | None, typer.Option("--build", help="What the FASTA is; a wrong one is refused.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made, and write nothing.")] = False,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Make a bundle: sources take the FASTA's contig names, and what is of another build is refused.

    Example: strandline reference make --fasta GRCh38.fa.gz --name GRCh38 --clinvar clinvar.vcf.gz --out GRCh38
    """
    set_verbosity(0)  # htslib talks of details on stderr; what fails raises
    check_bundle_name(name)
    known = (genes, clinvar, dbsnp, frequencies, known_sites, callable_regions)
    sources = BundleSources(*known, hapmap, omni, thousand_genomes, mills)
    _check_paths(sources, out)
    if dry_run:
        _show_plan(fasta, sources, build, form)
        return
    with _folder_for(out) as partial, _steps() as told:
        bundle = make_bundle(fasta, partial, name=name, annotations=sources, build=build, told=told)
    for file in bundle.files:
        _tell_origin(file)
    say(f"made {bundle.label} ({bundle.assembly or 'of no known build'}) in {out}")
    print_rows(_MADE_COLUMNS, [_file_cells(file) for file in bundle.files], form)


@app.command()
def add(
    folder: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    stage: StageOption = LOCAL,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Register a bundle with a stage, so that samples can be sent with its name alone.

    Example: strandline reference add GRCh38
    """
    set_verbosity(0)
    from strandline.aws.registered_references import add_reference  # noqa: PLC0415 - it loads the AWS clients
    from strandline.cli.progress import show_uploads  # noqa: PLC0415 - likewise

    bundle, folder = _open(folder)
    damage = _damage_of(bundle, folder)
    if damage:
        _tell_damage(damage)
        raise RejectedInputError(
            "reference_damaged", f"{folder}: {len(damage)} findings, first {damage[0].file}: {damage[0].message}"
        )
    references = connect(stage).references
    with show_uploads() as told:
        added = add_reference(references, bundle, folder, watch=told)
    say(f"registered {bundle.label}" if added else f"{bundle.label} was registered before: nothing is uploaded again")
    print_rows(_LIST_COLUMNS, [_bundle_cells(bundle, "registered")], form)


@app.command(name="list")
def list_references(stage: StageOption = LOCAL, form: FormatOption = OutputFormat.TABLE) -> None:
    """List what is registered with a stage, and what this machine has made from FASTA files.

    Example: strandline reference list
    """
    from strandline.aws.registered_references import list_references as registered  # noqa: PLC0415 - likewise

    rows = []
    try:
        rows = [_bundle_cells(bundle, "registered") for bundle in registered(connect(stage).references)]
    except TemporaryError as error:
        if error.code != "stage_not_running":
            raise
        say(f"{error.message}; only what this machine keeps is listed")
    kept = {opened.bundle.label: opened.bundle for opened in made_references()}
    rows += [_bundle_cells(bundle, "this machine") for _, bundle in sorted(kept.items())]
    print_rows(_LIST_COLUMNS, rows, form)


@app.command()
def verify(
    bundle: Annotated[str, typer.Argument(help="Folder of a bundle, or NAME[/VERSION] of a registered one.")],
    stage: StageOption = LOCAL,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Check every checksum, and every index against the file that it is of.

    Example: strandline reference verify GRCh38
    """
    set_verbosity(0)
    path = Path(bundle)
    if path.is_file() or (path / BUNDLE_NAME).is_file():
        described, folder = _open(path)
        damage = _damage_of(described, folder)
    else:
        described, damage = _verify_registered(bundle, stage)
    print_rows(("file", "code", "message"), [(one.file, one.code, one.message) for one in damage], form)
    if damage:
        say(f"{described.label}: {len(damage)} findings")
        raise typer.Exit(RejectedInputError.EXIT_CODE)
    say(f"{described.label}: {len(described.files)} files are what {BUNDLE_NAME} says")


def _verify_registered(asked: str, stage: str) -> tuple[ReferenceBundle, list[Damage]]:
    from strandline.aws.registered_references import fetch_reference, find_reference  # noqa: PLC0415 - likewise

    label = split_label(asked)
    if label is None:
        raise RejectedInputError("reference_unreadable", f"{asked} is not there: check the path")
    references = connect(stage).references
    bundle = find_reference(references, *label)
    if bundle is None:
        raise RejectedInputError(
            "reference_unknown", f"{asked} is no bundle here and is not registered: see 'strandline reference list'"
        )
    parent = home_folder()
    parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".verify.", dir=parent) as folder:  # a genome is too large for many a /tmp
        with messages.status(f"fetching {bundle.label}"):
            fetch_reference(references, bundle, Path(folder))
        return bundle, _damage_of(bundle, Path(folder))


def _open(path: Path) -> tuple[ReferenceBundle, Path]:
    """Return a bundle's description and its folder; its files are not verified."""
    folder = path.parent if path.name == BUNDLE_NAME else path
    description = folder / BUNDLE_NAME
    if not description.is_file():
        raise RejectedInputError(
            "reference_unreadable", f"{folder} holds no {BUNDLE_NAME}: make a bundle with 'strandline reference make'"
        )
    return parse_bundle(description.read_bytes()), folder


def _damage_of(bundle: ReferenceBundle, folder: Path) -> list[Damage]:
    with messages.status(f"verifying {bundle.label}"):
        return list(find_damage(bundle, folder))


def _tell_damage(damage: list[Damage]) -> None:
    for one in damage:
        say(f"{one.file}: {one.code}: {one.message}")


def _check_paths(sources: BundleSources, out: Path) -> None:
    for path in sources.path_by_role().values():
        if not path.is_file():
            raise RejectedInputError("source_unreadable", f"{path} is not a file: check the path")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RejectedInputError("output_exists", f"{out} is there and not empty: give a new folder")


@contextmanager
def _folder_for(out: Path) -> Iterator[Path]:
    """Give an empty folder that becomes `out` at the end: the bundle is there whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield partial
        partial.chmod(0o755)
        partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """Give what shows the step in hand: in place on a terminal, as lines elsewhere."""
    if not messages.is_terminal:
        yield say
        return
    with messages.status("making the bundle") as line:
        yield line.update


def _show_plan(fasta: Path, sources: BundleSources, build: Build | None, form: OutputFormat) -> None:
    with messages.status(f"reading {fasta.name}"):
        contigs = survey_fasta(fasta)
    found = check_build(contigs, build)
    bases = sum(contig.length for contig in contigs)
    say(f"{fasta.name}: {len(contigs):,} contigs, {bases:,} bases, {found or 'of no known build'}")
    rows: list[tuple[Cell, ...]] = [("FASTA", str(fasta), fasta.stat().st_size, len(contigs), bases, found)]
    rows += [(role, str(path), path.stat().st_size, None, None, None) for role, path in sources.path_by_role().items()]
    print_rows(("role", "from", "bytes", "contigs", "bases", "build"), rows, form)


def _tell_origin(file: ReferenceFile) -> None:
    """Say how a source's contigs were renamed, and what of it does not fit."""
    if file.origin is None:
        return
    if file.origin.renamed:
        pairs = [f"{given} is {name}" for given, name in file.origin.renamed.items()]
        say(f"{file.name}: renamed {_some(pairs)}")
    for why, count in file.origin.left_out.items():
        say(f"{file.name}: left out {count:,} records, {why}")
    if file.origin.foreign_contigs:
        say(f"{file.name}: contigs that do not fit: {_some(file.origin.foreign_contigs)}")


def _some(words: "list[str] | tuple[str, ...]") -> str:
    more = len(words) - _NAMED_AT_MOST
    return ", ".join(words[:_NAMED_AT_MOST]) + (f" and {more:,} more" if more > 0 else "")


def _file_cells(file: ReferenceFile) -> tuple[Cell, ...]:
    origin = file.origin
    left_out = sum(origin.left_out.values()) if origin else None
    return file.name, file.role, file.size_bytes, origin.record_count if origin else None, left_out, file.source


def _bundle_cells(bundle: ReferenceBundle, where: str) -> tuple[Cell, ...]:
    sources = "; ".join(f"{file.role} {file.source or file.sha256[:12]}" for file in bundle.files_of(*INDEX_BY_SOURCE))
    bases = sum(contig.length for contig in bundle.contigs)
    return (
        *(bundle.name, bundle.version, bundle.assembly, len(bundle.contigs), bases),
        *(sources, bundle.size_bytes, where),
    )
