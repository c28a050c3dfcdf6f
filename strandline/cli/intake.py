"""`strandline intake`: the landing door, when something went wrong at it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from strandline.cli.console import OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect

app = typer.Typer(
    help="The landing door: what did not get through it.\n\nExample: strandline intake replay --dry-run",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_WINDOW_DAYS: Final = 14


@app.callback()
def _group() -> None:
    """Keep the single command a subcommand."""


@app.command()
def replay(
    settled_s: Annotated[
        int, typer.Option("--settled-s", min=0, help="Leave alone what landed in the last so many seconds.")
    ] = 60,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what waits, and change nothing.")] = False,
    stage: StageOption = LOCAL,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Put dead letters back into the queue, and register what landed without any event. Safe to run twice.

    Example: strandline intake replay --dry-run
    """
    deployment = connect(stage)
    waiting, dead = deployment.intake_queue.depth(), deployment.dead_letters.depth()
    moved = started = 0
    if not dry_run:
        moved = deployment.intake_queue.replay_from(deployment.dead_letters)
        started = deployment.intake.sweep(
            datetime.now(UTC), settled=timedelta(seconds=settled_s), window=timedelta(days=_WINDOW_DAYS)
        )
    print_rows(("waiting", "dead_letters", "replayed", "started_by_sweep"), [(waiting, dead, moved, started)], form)
    if dead > moved and not dry_run:
        say(f"{dead - moved} dead letters are not about landed objects: they stay for an operator to read")
