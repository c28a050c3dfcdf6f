"""`strandline interpret`: the evidence prepared for a sample's variants, and what persons decided of them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from strandline.aws.interpretations import Interpretations
from strandline.aws.releases import ReleaseStatus, ReleaseVersion
from strandline.cli.console import OutputFormat, print_rows, say
from strandline.cli.drafts import SampleArgument, find_drafted
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.errors import RejectedInputError
from strandline.interpretation.points import Outcome
from strandline.reporting.report_rows import Evidence

_COLUMNS = ("variant", "class", "sum", "criterion", "outcome", "points", "evidence", "set_by")


def interpret(
    sample: SampleArgument,
    decisions: Annotated[
        Path | None,
        typer.Option("--decisions", help="File of decisions to keep: docs/interpretation.md has its shape."),
    ] = None,
    family: Annotated[
        str | None, typer.Option("--family", help="Cohort with both parents: take over what is new in this child.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why they are kept; it stays in the audit log.")] = "",
    amend: Annotated[
        bool, typer.Option("--amend", help="Keep it although a version is released: for an amended one, with --reason.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Also criteria that are not met or not assessed.")] = False,
    stage: StageOption = LOCAL,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Show the evidence in points for each reported variant; keep what persons decided, or what a trio says, first.

    What is released stays as it is: without --amend nothing is kept of such a case.

    Example: strandline interpret HG002 --all --format csv
    """
    deployment = connect(stage)
    submission_id = find_drafted(deployment, sample)
    kept = Interpretations(deployment.submissions, deployment.analysis)
    if decisions:
        if not decisions.is_file():
            raise RejectedInputError("file_not_found", f"{decisions} is not there")
        kept.replace(
            submission_id,
            decisions.read_bytes(),
            who=deployment.caller(),
            why=reason,
            now=datetime.now(UTC),
            amends=amend,
        )
        say(f"kept for {submission_id}: {_what_shows_it(submission_id, kept.last_version(submission_id))}")
    if family:
        taken = kept.take_family(
            submission_id, family, who=deployment.caller(), why=reason, now=datetime.now(UTC), amends=amend
        )
        parents = "confirmed by their genotypes" if taken.parents_confirmed else "not confirmed"
        say(f"{len(taken.new)} new alleles of {submission_id} taken over; parents {parents}")
        say(_what_shows_it(submission_id, kept.last_version(submission_id)))
    from pysam import set_verbosity  # noqa: PLC0415 - with what follows

    from strandline.aws.reports import look_up_evidence  # noqa: PLC0415 - half a second, which few commands need
    from strandline.aws.workspace import Buckets, Workspace  # noqa: PLC0415 - likewise

    set_verbosity(0)  # htslib talks of indexes on stderr; what fails raises
    buckets = Buckets(deployment.analysis, deployment.references)
    with TemporaryDirectory(prefix="strandline-") as scratch:
        workspace = Workspace(submission_id, deployment.submissions, buckets, Path(scratch))
        found = look_up_evidence(workspace).evidence
    print_rows(_COLUMNS, [row for name, one in found.items() for row in _rows(name, one, every=every)], form)


def _what_shows_it(submission_id: str, last: ReleaseVersion | None) -> str:
    if last is None:
        return "make the report anew to show it"
    if last.status is ReleaseStatus.DELIVERED:
        return (
            f"version {last.version} is out and unchanged; an amended version is made by "
            f"'strandline release amend {submission_id} --user YOU --reason WORDS'"
        )
    if last.record is not None:
        return f"version {last.version} was laid before its signers already, and does not show it"
    return f"version {last.version} shows it once it is opened by 'strandline release open {submission_id}'"


def _rows(name: str, found: Evidence, *, every: bool) -> Iterator[tuple[str | int | None, ...]]:
    suggestion = found.suggestion
    if suggestion is None:
        return
    said = found.classification
    band = f"{said.band} ({said.who})" if said else f"suggested: {suggestion.band}"
    shown = suggestion.assessments if every else suggestion.met
    for one in shown:
        by = one.override.who if one.override else "rule"
        yield name, band, suggestion.points, one.criterion, str(one.outcome), one.points, one.evidence, by
    if not shown:
        yield name, band, suggestion.points, None, str(Outcome.NOT_MET), 0, "no criterion is met by rule", "rule"
