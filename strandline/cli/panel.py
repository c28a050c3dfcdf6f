"""`strandline panel`: gene panels, those that come along and a lab's own."""

from pathlib import Path
from typing import Annotated, Final

import typer

from strandline.cli.console import Cell, OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.errors import RejectedInputError
from strandline.interpretation.panels import PANEL_LIMIT_BYTES, GenePanel, panel_names

app = typer.Typer(
    help="Gene panels: what a report may be ordered for.\n\nExample: strandline panel list",
    no_args_is_help=True,
    rich_markup_mode=None,
)
FormatOption = Annotated[OutputFormat, typer.Option("--format")]
_COLUMNS: Final = ("panel", "title", "genes", "source", "whose")


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A panel: docs/interpretation.md has its shape.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stays in the audit log.")],
    stage: StageOption = LOCAL,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Register a panel of the lab's own; samples then name it as NAME/VERSION.

    Example: strandline panel add cardio.json --reason "board of 2026-11-20"
    """
    from strandline.aws.registered_panels import Panels  # noqa: PLC0415 - it loads the AWS clients

    if not file.is_file():
        raise RejectedInputError("file_not_found", f"{file} is not there")
    with file.open("rb") as source:
        body = source.read(PANEL_LIMIT_BYTES + 1)
    deployment = connect(stage)
    panel, is_new = Panels(deployment.references).add(body)
    if is_new:
        deployment.note_change(f"panel/{panel.name}/{panel.version}", reason)
    say(f"registered {panel.name}/{panel.version}" if is_new else "it was registered before")
    print_rows(_COLUMNS, [_cells(panel)], form)


@app.command(name="list")
def list_panels(stage: StageOption = LOCAL, form: FormatOption = OutputFormat.TABLE) -> None:
    """List the panels that come along, and the lab's own.

    Example: strandline panel list --format csv
    """
    from strandline.aws.registered_panels import Panels  # noqa: PLC0415 - likewise

    print_rows(_COLUMNS, [_cells(panel) for panel in Panels(connect(stage).references).listed()], form)


def _cells(panel: GenePanel) -> tuple[Cell, ...]:
    own = panel.name not in panel_names()
    label = f"{panel.name}/{panel.version}" if own else panel.name
    return label, panel.title, len(panel.genes), panel.source, "the lab's own" if own else "comes along"
