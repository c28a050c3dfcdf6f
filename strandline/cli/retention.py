"""`strandline retention`: how long records are kept, and legal holds on them."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from strandline.aws.objects import KeptVersion
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
def destroy(
    submission_id: SubmissionArgument,
    record_class: Annotated[str, typer.Option("--class", help="Which of its records: see 'retention list'.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go and what keeps it; first of all.")
    ] = False,
    plan: Annotated[str, typer.Option("--plan", help="The plan that the dry run printed.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, in one line; it stays in the audit log.")] = "",
    stage: StageOption = LOCAL,
) -> None:
    """Destroy records of a submission that neither their days nor a hold keep; reads and releases by two persons.

    Example: strandline retention destroy s-5f2a9c01d3e41b7c --class reads --dry-run
    """
    deployment, now = connect(stage), datetime.now(UTC)
    found = deployment.destruction.plan(submission_id, record_class, now)
    if dry_run:
        rows = [(one.key, one.version_id, one.size_bytes, _until(one)) for one in found.versions]
        print_rows(("key", "version", "bytes", "kept"), rows, OutputFormat.TABLE)
        say(f"{len(found.versions)} versions, {found.size_bytes} bytes; nothing was changed")
        for keeper in found.kept_by:
            say(f"kept by {keeper}")
        if not found.kept_by:
            say(f"to destroy them: --plan {found.digest} --reason WORDS")
        return
    caller = deployment.caller()
    gone = deployment.destruction.destroy(found, digest=plan, who=caller, why=reason, now=now)
    if gone is None:
        say("asked for; another person has to run the same command")
    else:
        say(f"{gone} versions of {record_class} of {submission_id} are destroyed")


def _until(one: KeptVersion) -> str:
    if one.is_held:
        return "legal hold"
    return f"until {one.locked_until:%Y-%m-%d}" if one.locked_until else ""


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
