"""`strandline retention`: how long records are kept, and legal holds on them."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from strandline.cli.console import OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.trust.retention import record_classes

app = typer.Typer(
    help="How long records are kept, and legal holds. Example: strandline retention list", no_args_is_help=True
)
SubmissionArgument = Annotated[str, typer.Argument(help="The submission.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, in one line; it stays in the audit log.")]


@app.command("list")
def list_classes(
    stage: StageOption = LOCAL, form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE
) -> None:
    """Show each class of records: where it lies, how long the stage locks it, what comes then, and on what grounds.

    Example: strandline retention list --format json
    """
    deployment = connect(stage)
    rows = []
    for name, one in record_classes().items():
        lock = deployment.bucket_of(one.bucket).lock_of()
        locked = f"{lock[1]} days, {lock[0].lower()}" if lock else "not locked"
        rows.append((name, one.bucket, locked, one.then, "yes" if one.holds else "no", one.about, one.basis))
    print_rows(("class", "bucket", "locked", "then", "holds", "about", "basis"), rows, form)


@app.command()
def hold(submission_id: SubmissionArgument, reason: ReasonOption, stage: StageOption = LOCAL) -> None:
    """Keep what was sent and released of a submission beyond its days, until the hold is lifted.

    Run it again after a further release: it reaches what there is.

    Example: strandline retention hold s-5f2a9c01d3e41b7c --reason "Case 17/2026: do not destroy"
    """
    deployment = connect(stage)
    held = deployment.holds.hold(submission_id, who=deployment.caller(), why=reason, now=datetime.now(UTC))
    say(f"held of {submission_id}: {_counted(held)}")


@app.command()
def lift(submission_id: SubmissionArgument, reason: ReasonOption, stage: StageOption = LOCAL) -> None:
    """Lift a hold; what its days still keep stays.

    Example: strandline retention lift s-5f2a9c01d3e41b7c --reason "Case 17/2026 is closed"
    """
    deployment = connect(stage)
    freed = deployment.holds.lift(submission_id, who=deployment.caller(), why=reason, now=datetime.now(UTC))
    say(f"the hold on {submission_id} is lifted: {_counted(freed)}")


@app.command()
def show(submission_id: SubmissionArgument, stage: StageOption = LOCAL) -> None:
    """Show whether a submission is under a legal hold, since when, by whom and why.

    Example: strandline retention show s-5f2a9c01d3e41b7c
    """
    found = connect(stage).holds.find(submission_id)
    rows = [(found.submission_id, found.when, found.who, found.why)] if found else []
    print_rows(("submission", "since", "by", "why"), rows, OutputFormat.TABLE)
    if not found:
        say(f"there is no hold on {submission_id}")


def _counted(versions: dict[str, int]) -> str:
    return ", ".join(f"{count} versions of {name}" for name, count in versions.items())
