"""`strandline stage`: the embedded AWS on this machine."""

import json
import sys
from collections import Counter
from dataclasses import asdict
from typing import Annotated, Final

import typer

from strandline.cli.console import OutputFormat, messages, print_rows, results, say
from strandline.cli.ground import LOCAL

app = typer.Typer(help="The embedded AWS on this machine.", no_args_is_help=True, rich_markup_mode=None)
StageName = Annotated[str, typer.Option("--stage", help="Stage to run here.")]
FormatOption = Annotated[OutputFormat, typer.Option("--format")]
_MIB: Final = 1 << 20


@app.command()
def up(stage: StageName = LOCAL) -> None:
    """Start it and deploy the synthesized templates; does nothing where that is done.

    Example: strandline stage up
    """
    from local_stage import lifecycle  # noqa: PLC0415 - an entry point of its own, loaded where it is needed

    with messages.status("starting") as line:
        state = lifecycle.up(stage, progress=line.update)
    results.print(f"export AWS_ENDPOINT_URL={state.endpoint_url}", soft_wrap=True)
    results.print("export AWS_ACCESS_KEY_ID=embedded AWS_SECRET_ACCESS_KEY=embedded AWS_DEFAULT_REGION=us-east-1")
    say(f"{len(state.outputs_by_stack)} stacks are up; with the lines above any AWS SDK and the aws CLI work here")


@app.command()
def down(stage: StageName = LOCAL) -> None:
    """End exactly what 'up' started; what the stage held is gone.

    Example: strandline stage down
    """
    from local_stage import lifecycle  # noqa: PLC0415 - see above

    say(f"the {stage} stage is down" if lifecycle.down(stage) else f"the {stage} stage was not running")


@app.command()
def status(stage: StageName = LOCAL, form: FormatOption = OutputFormat.TABLE) -> None:
    """Show what runs, what is not like AWS, and the endpoint to export.

    Example: strandline stage status --format json
    """
    from local_stage import lifecycle  # noqa: PLC0415 - see above

    now = lifecycle.status(stage)
    if form is OutputFormat.JSON:
        sys.stdout.write(json.dumps(asdict(now), default=str, indent=1) + "\n")
        return
    memory = f"{now.memory_bytes / _MIB:.0f} MiB" if now.memory_bytes else None
    facts = [
        ("state", "running" if now.running else "down"),
        ("endpoint", now.endpoint_url),
        ("process", now.pid),
        ("up for", f"{now.uptime_s:.0f} s" if now.uptime_s is not None else None),
        ("memory", memory),
        ("resources", now.resource_count),
        ("folder", str(now.folder)),
    ]
    print_rows(("", stage), facts, form)
    if now.running:
        results.print()
        print_rows(("stack", "state"), list(now.status_by_stack.items()), form)
        results.print()
        waiting = [(queue, count, "messages") for queue, count in now.messages_by_queue.items()]
        waiting += [(queue, count, "jobs") for queue, count in now.jobs_by_queue.items()]
        print_rows(("queue", "waiting", "of"), waiting, form)
        say(
            f"\nexport AWS_ENDPOINT_URL={now.endpoint_url} AWS_ACCESS_KEY_ID=embedded "
            "AWS_SECRET_ACCESS_KEY=embedded AWS_DEFAULT_REGION=us-east-1"
        )
    results.print("\nNot like AWS:")
    print_rows(("service", "on AWS", "here"), [(d.service, d.on_aws, d.here) for d in now.differences], form)
    if now.missing_tools:
        say(f"\nnot on PATH: {', '.join(now.missing_tools)}; the embedded bwa, samtools and bcftools stand in")
    for caller, tools in now.missing_by_caller.items():
        say(f"the caller {caller} cannot run here: {', '.join(tools)} is not on PATH")
    for joint, tools in now.missing_by_joint.items():
        say(f"cohorts cannot be genotyped by {joint} here: {', '.join(tools)} is not on PATH")


@app.command()
def permissions(stage: StageName = LOCAL, form: FormatOption = OutputFormat.TABLE) -> None:
    """Show which actions the roles of functions, jobs and workflows used since the stage came up, and which not.

    What was refused is a permission that a policy lacks, or a call that should not be made: it would fail on AWS, too.

    Example: strandline stage permissions --format csv
    """
    from local_stage import lifecycle  # noqa: PLC0415 - see above

    found = lifecycle.permissions(stage)
    print_rows(("role", "action", "use"), [(one.role, one.action, one.use.value) for one in found], form)
    counts = Counter(one.use for one in found)
    say(", ".join(f"{count} {use.value}" for use, count in sorted(counts.items())))


@app.command()
def verify(stage: StageName = LOCAL, form: FormatOption = OutputFormat.TABLE) -> None:
    """Check level by level that everything deployed is alive.

    Example: strandline stage verify
    """
    from local_stage import lifecycle  # noqa: PLC0415 - see above

    checks = lifecycle.verify(stage)
    rows = [(check.level, check.subject, "ok" if check.passed else "FAILED", check.detail) for check in checks]
    print_rows(("level", "subject", "result", "detail"), rows, form)
    if not all(check.passed for check in checks):
        raise typer.Exit(70)
