"""`strandline quarantine`: what was kept out, why, and the ways on."""

import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from strandline.cli.console import OutputFormat, print_rows, results, say
from strandline.cli.ground import LOCAL, StageOption, connect

app = typer.Typer(
    help="What was kept out, why, and the ways on.\n\nExample: strandline quarantine list",
    no_args_is_help=True,
    rich_markup_mode=None,
)
FormatOption = Annotated[OutputFormat, typer.Option("--format")]
SubmissionArgument = Annotated[str, typer.Argument(help="A submission in quarantine.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, in 10 to 500 characters; it stays in the history.")]


@app.command(name="list")
def list_quarantined(stage: StageOption = LOCAL, form: FormatOption = OutputFormat.TABLE) -> None:
    """List what is in quarantine, longest first.

    Example: strandline quarantine list
    """
    rows = [
        (
            record.submission_id,
            record.sample_id,
            record.site,
            record.updated_at,
            record.cause.code if record.cause else None,
            record.cause.message if record.cause else None,
        )
        for record in connect(stage).quarantine.list()
    ]
    print_rows(("submission", "sample", "site", "since", "code", "message"), rows, form)


@app.command()
def show(
    submission_id: SubmissionArgument, stage: StageOption = LOCAL, form: FormatOption = OutputFormat.TABLE
) -> None:
    """Show the exception record of a submission, with what validation found in each file.

    Example: strandline quarantine show s-5f2a9c01d3e41b7c
    """
    record = connect(stage).quarantine.record(submission_id)
    if form is OutputFormat.JSON:
        sys.stdout.write(json.dumps(record) + "\n")
        return
    if form is OutputFormat.TABLE:
        results.print(f"[bold]{submission_id}[/]  stopped in {record['step']} at {record['concluded_at']}")
        results.print(f"{record['code']}: {record['message']}", markup=False, soft_wrap=True)
        results.print(f"Way back: {record['way_back']}\n", markup=False, soft_wrap=True)
    verdicts = {verdict["file"]: verdict for verdict in record["verdicts"]}
    rows = []
    for file in record["files"]:
        findings = verdicts.get(file["name"], {}).get("findings") or [{}]
        rows += [
            (file["name"], file["version_id"], finding.get("code"), finding.get("line"), finding.get("message"))
            for finding in findings
        ]
    print_rows(("file", "version", "finding", "line", "message"), rows, form)


@app.command()
def release(
    submission_id: SubmissionArgument,
    reason: ReasonOption,
    accept: Annotated[
        list[str] | None, typer.Option("--accept", help="Code of a finding to let pass: duplicate_content.")
    ] = None,
    stage: StageOption = LOCAL,
) -> None:
    """Check a submission anew, now that the cause is mended; it goes on if it passes.

    Example: strandline quarantine release s-5f2a9c01d3e41b7c --reason "the reference is registered now"
    """
    deployment = connect(stage)
    record = deployment.quarantine.release(
        submission_id, who=deployment.caller(), reason=reason, now=datetime.now(UTC), accept=accept or []
    )
    say(f"{submission_id} is checked anew, attempt {record.attempt}: strandline status {submission_id} --follow")


@app.command()
def reject(submission_id: SubmissionArgument, reason: ReasonOption, stage: StageOption = LOCAL) -> None:
    """End a submission for good; its files stay under lock as evidence.

    Example: strandline quarantine reject s-5f2a9c01d3e41b7c --reason "wrong patient sampled, NC-2211"
    """
    deployment = connect(stage)
    deployment.quarantine.reject(submission_id, who=deployment.caller(), reason=reason, now=datetime.now(UTC))
    say(f"{submission_id} is withdrawn")
