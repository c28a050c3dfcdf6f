"""`strandline validate`: a verdict a file, before anything is sent."""

from pathlib import Path
from typing import Annotated

import typer
from pysam import set_verbosity

from strandline.cli.console import OutputFormat, print_rows
from strandline.cli.references import open_reference
from strandline.errors import RejectedInputError
from strandline.landing.formats import validate_files
from strandline.reads.reference_bundle import ReferenceRole


def validate(
    files: Annotated[list[Path], typer.Argument(help="FASTQ, SAM, BAM, CRAM, VCF or BED; mates are checked as pairs.")],
    reference: Annotated[Path | None, typer.Option("--reference", help="FASTA or bundle the files belong to.")] = None,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Check files and say what is wrong, where, and what to do.

    Example: strandline validate HG002_R1.fq.gz HG002_R2.fq.gz --format json
    """
    set_verbosity(0)  # htslib talks of details on stderr; what fails raises
    fasta, contigs = None, None
    if reference:
        opened = open_reference(reference)
        described = opened.bundle.file_of(ReferenceRole.FASTA)
        fasta = opened.folder / described.name if described else None
        contigs = opened.bundle.length_by_contig
    verdicts = validate_files(files, reference=fasta, length_by_contig=contigs)
    rows = [
        (
            verdict.name,
            verdict.format.value if verdict.format else None,
            "ACCEPTED" if verdict.accepted else "REJECTED",
            verdict.code,
            verdict.message or verdict.summary,
        )
        for verdict in verdicts
    ]
    print_rows(("file", "format", "verdict", "code", "message"), rows, form)
    if not all(verdict.accepted for verdict in verdicts):
        raise typer.Exit(RejectedInputError.EXIT_CODE)
