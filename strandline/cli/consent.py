"""`strandline consent`: what becomes of a subject's consent after the sample landed."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from strandline.aws.consents import Consents
from strandline.cli.console import say
from strandline.cli.ground import LOCAL, StageOption, connect

app = typer.Typer(
    help="What becomes of a subject's consent after the sample landed.\n\n"
    'Example: strandline consent withdraw s-5f2a9c01d3e41b7c --reason "letter of 20 November"',
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def consents() -> None:
    """What becomes of a subject's consent after the sample landed."""


@app.command()
def withdraw(
    submission_id: Annotated[str, typer.Argument(help="A submission of the subject.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in 10 to 500 characters; it stays in the audit log.")],
    stage: StageOption = LOCAL,
) -> None:
    """Record that the subject withdrew consent: no report, bundle or evidence of the submission is made from then on.

    Example: strandline consent withdraw s-5f2a9c01d3e41b7c --reason "letter of 20 November"
    """
    deployment = connect(stage)
    Consents(*deployment.submissions.place).withdraw(
        submission_id, who=deployment.caller(), why=reason, now=datetime.now(UTC)
    )
    say(f"consent for {submission_id} is withdrawn; withdraw what was released, and erase the subject's rows")
