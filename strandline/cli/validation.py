"""`strandline validate`: a verdict a file and what is wrong with it, before anything is sent."""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from pysam import set_verbosity

from strandline.cli.console import Cell, OutputFormat, print_rows
from strandline.errors import RejectedInputError
from strandline.landing.findings import Finding, Level
from strandline.landing.formats import RULE_BY_CODE, FileVerdict, validate_files
from strandline.reads.reference_bundle import ReferenceRole

_RULE_COLUMNS: Final = ("code", "level", "section", "says", "advice")
_FINDING_COLUMNS: Final = ("code", "level", "line", "record", "field", "kind", "message", "section")
_FILE_COLUMNS: Final = ("file", "format", "verdict")


def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="FASTQ (mates are checked as pairs), SAM, BAM, CRAM, VCF, BED, PED, checksums or sample sheets."
        ),
    ] = None,
    reference: Annotated[Path | None, typer.Option("--reference", help="FASTA or bundle the files belong to.")] = None,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
    rules: Annotated[bool, typer.Option("--rules", help="List every rule that files are held to, and end.")] = False,
) -> None:
    """Check files and say what is wrong, where, and what to do.

    Example: strandline validate HG002_R1.fq.gz HG002_R2.fq.gz --format json
    """
    if rules:
        print_rows(_RULE_COLUMNS, [(r.code, r.level, r.section, r.says, r.advice) for r in RULE_BY_CODE.values()], form)
        return
    if not files:
        raise typer.BadParameter("name a file, or ask for --rules")
    set_verbosity(0)  # htslib talks of details on stderr; what fails raises
    fasta, contigs = None, None
    if reference:
        from strandline.cli.references import open_reference  # noqa: PLC0415 - it loads the AWS clients, a second

        opened = open_reference(reference)
        described = opened.bundle.file_of(ReferenceRole.FASTA)
        fasta = opened.folder / described.name if described else None
        contigs = opened.bundle.length_by_contig
    verdicts = validate_files(files, reference=fasta, length_by_contig=contigs)
    match form:
        case OutputFormat.TABLE:
            _print_tables(verdicts)
        case OutputFormat.JSON:
            _print_objects(verdicts)
        case OutputFormat.CSV:
            _print_findings(verdicts)
    if not all(verdict.accepted for verdict in verdicts):
        raise typer.Exit(RejectedInputError.EXIT_CODE)


def _print_tables(verdicts: Sequence[FileVerdict]) -> None:
    """Print a row a file, and below them a row a finding, where there are any."""
    rows = [(*_file_cells(verdict), verdict.code, verdict.message or verdict.summary) for verdict in verdicts]
    print_rows((*_FILE_COLUMNS, "code", "message"), rows, OutputFormat.TABLE)
    found = [
        (cells[1], cells[0], verdict.count_by_code[str(cells[0])], *cells[6:])
        for verdict in verdicts
        for cells in map(_finding_cells, verdict.findings)
    ]
    if found:
        sys.stdout.write("\n")
        print_rows(("level", "code", "times", "finding", "section"), found, OutputFormat.TABLE)


def _print_objects(verdicts: Sequence[FileVerdict]) -> None:
    """Print one JSON object a file."""
    for verdict in verdicts:
        described = {
            **dict(zip(_FILE_COLUMNS, _file_cells(verdict), strict=True)),
            "code": verdict.code,
            "message": verdict.message,
            "summary": verdict.summary,
            "findings": [finding.describe() for finding in verdict.findings],
            "counts": verdict.count_by_code,
        }
        sys.stdout.write(json.dumps(described) + "\n")


def _print_findings(verdicts: Sequence[FileVerdict]) -> None:
    """Print one CSV row a finding; a file without any has one row with empty cells."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow((*_FILE_COLUMNS, *_FINDING_COLUMNS))
    for verdict in verdicts:
        rows = [_finding_cells(finding) for finding in verdict.findings]
        if not rows:
            told = verdict.message or verdict.summary
            rows = [(verdict.code, Level.ERROR if verdict.code else None, None, None, None, None, told, None)]
        for row in rows:
            writer.writerow("" if cell is None else cell for cell in (*_file_cells(verdict), *row))


def _file_cells(verdict: FileVerdict) -> tuple[Cell, ...]:
    form = verdict.format.value if verdict.format else None
    return verdict.name, form, "ACCEPTED" if verdict.accepted else "REJECTED"


def _finding_cells(finding: Finding) -> tuple[Cell, ...]:
    described = finding.describe()
    return tuple(described[column] for column in _FINDING_COLUMNS)
