"""`strandline status`: where submissions stand, found by state, sample, site and time."""

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

import typer
from rich.live import Live
from rich.table import Table

from strandline.aws.deployment import Deployment
from strandline.aws.job_logs import jobs_by_step
from strandline.aws.submissions import SubmissionRecord, SubmissionsTable
from strandline.cli.console import OutputFormat, messages, print_rows, results, say
from strandline.cli.following import follow
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.errors import RejectedInputError
from strandline.journey import SubmissionState

_COLUMNS: Final = ("submission", "sample", "site", "state", "since", "cause")
_REFRESH_S: Final = 1.0
_MOST_DAYS: Final = 366
_LOG_LINES: Final = 40


def show_status(
    submission_id: Annotated[str | None, typer.Argument(help="One submission; all where it is left out.")] = None,
    state: Annotated[SubmissionState | None, typer.Option("--state", help="Only those in this state.")] = None,
    sample: Annotated[str | None, typer.Option("--sample", help="Only those of this sample id.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="Only those of this site.")] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="First landed on this day (UTC) or later.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="First landed on this day (UTC) or before.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--follow", help="Go on showing until all that is shown has come to rest.")
    ] = False,
    log: Annotated[
        bool,
        typer.Option("--log", help="Of one submission: what the job that failed wrote last, or else the last job."),
    ] = False,
    stage: StageOption = LOCAL,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Show where submissions stand, or every file and change of one.

    Example: strandline status --state QUARANTINED --since 2026-11-01
    """
    deployment = connect(stage)
    if submission_id is not None:
        _show_one(deployment, submission_id, live, form)
        if log:
            _show_log(deployment, submission_id)
        return
    days = _days(since, until)

    def found() -> list[SubmissionRecord]:
        return find_submissions(deployment.submissions, state=state, sample=sample, site=site, days=days)

    if live:
        with Live(console=messages, auto_refresh=False, transient=True) as screen:
            while any(not record.is_settled for record in found()):
                screen.update(_table(found()), refresh=True)
                time.sleep(_REFRESH_S)
    print_rows(_COLUMNS, [_row(record) for record in found()], form)


def find_submissions(
    table: SubmissionsTable,
    *,
    state: SubmissionState | None = None,
    sample: str | None = None,
    site: str | None = None,
    days: Sequence[date] = (),
) -> list[SubmissionRecord]:
    """Return the submissions that fit every filter, the last changed first.

    The index that narrows most is asked; the other filters look at what it returns.
    """
    if sample is not None:
        found = table.list_by_sample(sample)
    elif state is not None:
        found = table.list_by_state(state)
    elif days:
        found = [record for day in days for record in table.list_by_day(day)]
    elif site is not None:
        found = table.list_by_site(site)
    else:
        found = table.list_all()
    wanted_days = {day.isoformat() for day in days}
    fitting = (
        record
        for record in found
        if (state is None or record.state is state)
        and (site is None or record.site == site)
        and (not wanted_days or record.created_at[:10] in wanted_days)
    )
    return sorted(fitting, key=lambda record: record.updated_at, reverse=True)


def _days(since: datetime | None, until: datetime | None) -> list[date]:
    if since is None and until is None:
        return []
    last = until.date() if until else datetime.now(UTC).date()
    first = since.date() if since else last - timedelta(days=_MOST_DAYS - 1)
    if not 0 <= (last - first).days < _MOST_DAYS:
        raise RejectedInputError("period_invalid", "--since must not be after --until, and within a year of it")
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def _show_one(deployment: Deployment, submission_id: str, live: bool, form: OutputFormat) -> None:
    record = deployment.submissions.get(submission_id)
    if record is None:
        raise RejectedInputError("submission_unknown", f"no submission {submission_id}: see 'strandline status'")
    if live:
        with messages.status(f"{submission_id}: {record.state}") as line:
            for step in follow(deployment, submission_id):
                messages.print(f"  [green]done[/] {step.name} [dim]{step.seconds:.1f} s[/]")
                line.update(f"{submission_id}: after {step.name}")
        record = deployment.submissions.get(submission_id) or record
    if form is OutputFormat.TABLE:
        _show_files(deployment.submissions, record)
    changes = deployment.submissions.changes(submission_id)
    print_rows(
        ("when", "from", "to", "who", "why"),
        [(change.when, change.before, change.after, change.who, change.why) for change in changes],
        form,
    )


def _show_log(deployment: Deployment, submission_id: str) -> None:
    """Print the last lines of the job that failed, or of the last one; they go to stderr, beside what was asked for."""
    record = deployment.submissions.get(submission_id)
    jobs = jobs_by_step(deployment.workflow.history(submission_id, record.attempt)) if record else {}
    if record is None or not jobs:
        raise RejectedInputError("no_job", f"no job of {submission_id} has begun: 'strandline status {submission_id}'")
    failed = record.cause.step if record.cause else None
    if failed and failed not in jobs:
        say(f"{failed} ran no job of its own: where it has parts, Batch lists their jobs as call-part")
        return
    step = failed or list(jobs)[-1]
    say(f"{step}, job {jobs[step]}:")
    for line in deployment.job_logs.tail(jobs[step], _LOG_LINES):
        say(f"  {line}")


def _show_files(table: SubmissionsTable, record: SubmissionRecord) -> None:
    verdicts = {(verdict.file, verdict.version_id): verdict for verdict in table.verdicts(record.submission_id)}
    rows: list[tuple[str, int, str | None, str | None]] = []
    for file in table.landed_files(record.submission_id):
        verdict = verdicts.get((file.name, file.version_id))  # one on a version that was replaced says nothing of this
        told = (verdict.verdict, verdict.message or verdict.summary) if verdict else (None, None)
        rows.append((file.name, file.size_bytes, *told))
    rows += [
        (late.name, late.size_bytes, "LATE", "came after the start: kept, not analysed; submit it anew")
        for late in table.late_files(record.submission_id)
    ]
    where = f" of {record.site}" if record.site else ""
    results.print(
        f"[bold]{record.submission_id}[/]  sample {record.sample_id or 'not known yet'}{where}, {record.state.value}, "
        f"attempt {record.attempt}"
    )
    print_rows(("file", "bytes", "verdict", "what"), rows, OutputFormat.TABLE)
    results.print()


def _row(record: SubmissionRecord) -> tuple[str | None, ...]:
    cause = record.cause.message if record.cause else None
    return (record.submission_id, record.sample_id, record.site, record.state.value, record.updated_at, cause)


def _table(records: Sequence[SubmissionRecord]) -> Table:
    table = Table(*_COLUMNS, box=None, pad_edge=False, header_style="bold")
    for record in records:
        table.add_row(*(cell or "" for cell in _row(record)))
    return table
