"""`strandline knowledge`: a newer ClinVar, and the cases whose report would say something else."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer

from strandline.cli.console import Cell, OutputFormat, messages, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect, home_folder
from strandline.errors import RejectedInputError
from strandline.reads.reference_bundle.naming import split_label

app = typer.Typer(
    help="What became known since a report: cases listed, and opened for review again. Nothing is released here.\n\n"
    "Example: strandline knowledge update GRCh38/2f6c0d1e9a34 --dry-run",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_COLUMNS: Final = ("submission", "version", "todo", "gene", "variant", "was", "is", "because")


@app.callback()
def knowledge() -> None:
    """Keep `update` a subcommand."""


@app.command()
def update(
    reference: Annotated[str, typer.Argument(help="NAME[/VERSION] of a registered bundle with the newer ClinVar.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List only; change nothing.")] = False,
    stage: StageOption = LOCAL,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Compare what was drafted and released with a newer ClinVar, and have the affected cases reviewed again.

    A released case stays in force until persons sign the next version, which names what changed.

    Example: strandline knowledge update GRCh38/2f6c0d1e9a34 --dry-run --format csv
    """
    from pysam import set_verbosity  # noqa: PLC0415 - with what follows

    from strandline.aws.knowledge import AffectedCase, KnowledgeDesk, Todo  # noqa: PLC0415 - it loads the AWS clients
    from strandline.aws.registered_references import find_reference  # noqa: PLC0415 - likewise
    from strandline.interpretation.knowledge import said_of  # noqa: PLC0415 - likewise
    from strandline.interpretation.reclassification import read_policy  # noqa: PLC0415 - likewise

    def rows_of(case: AffectedCase) -> list[tuple[Cell, ...]]:
        return [
            (
                *(case.submission_id, case.version, str(case.todo), change.gene, change.variant),
                *(said_of(change.before), said_of(change.after), read_policy().says(change.rule or "")),
            )
            for change in case.knowledge.mattering
        ]

    set_verbosity(0)  # htslib talks of details on stderr; what fails raises
    deployment = connect(stage)
    label = split_label(reference)
    newer = find_reference(deployment.references, *label) if label else None
    if newer is None:
        raise RejectedInputError("reference_unknown", f"{reference} is not registered: see 'strandline reference list'")
    parent = home_folder()
    parent.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[Cell, ...]] = []
    opened = 0
    with TemporaryDirectory(prefix=".knowledge.", dir=parent) as scratch, messages.status("comparing"):
        desk = KnowledgeDesk(
            deployment.submissions,
            deployment.analysis,
            deployment.references,
            newer,
            datetime.now(UTC),
            Path(scratch),
        )
        cases = list(desk.survey())
        for case in cases:
            rows += rows_of(case)
            if not dry_run:
                opened += desk.reopen(case, deployment.caller())
    signing = sum(case.todo is Todo.SIGNING for case in cases)
    say(
        f"{len(cases)} cases are affected by {desk.after.named} of {newer.label}; "
        + ("nothing was changed" if dry_run else f"{opened} wait for review with it")
        + (f"; {signing} are being signed: sign or withdraw them, then update again" if signing else "")
    )
    print_rows(_COLUMNS, rows, form)
