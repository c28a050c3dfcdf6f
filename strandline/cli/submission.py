"""`strandline submit`: the samples of a sheet, each on its way whatever becomes of the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from strandline.aws.deployment import Deployment
from strandline.aws.submitting import LocalReads
from strandline.cli.analysis import SampleInput, describe, free_name, is_sent, refuse_caller, send, watch
from strandline.cli.console import OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.cli.references import beside, choose_reference
from strandline.errors import RejectedInputError
from strandline.journey import SubmissionState
from strandline.landing.findings import FindingLog, Level
from strandline.landing.manifest import Caller, ReferenceName, SampleDeclaration
from strandline.landing.sample_sheet import parse_sample_sheet
from strandline.landing.sheet_samples import SheetSample

REFUSED: Final = "REFUSED"
_INTERNAL_EXIT_CODE: Final = 70
_INTERRUPTED_EXIT_CODE: Final = 130
_CHUNK_BYTES: Final = 1 << 20
_KEPT: Final = "interrupted: what was sent is kept for seven days; run the same command again to go on"

SheetArgument = Annotated[
    Path, typer.Argument(help="CSV of Strandline, of nf-core/sarek, or of Illumina (v2); paths are relative to it.")
]
ReferenceOption = Annotated[
    Path | None,
    typer.Option("--reference", help="FASTA, bundle or registered NAME[/VERSION], where the sheet names none."),
]
RegionsOption = Annotated[
    Path | None, typer.Option("--regions", help="BED of the regions to analyse, where the sheet names none.")
]
CallerOption = Annotated[Caller, typer.Option("--caller", help="What calls the variants, where the sheet names none.")]
SiteOption = Annotated[str | None, typer.Option("--site", help="The lab's code, where the sheet names none.")]


@dataclass(slots=True)
class _Outcome:
    """What became of one sample; `code` where it was refused before it was sent."""

    sample_id: str
    submission_id: str | None = None
    code: str | None = None


def submit_sheet(
    sheet: SheetArgument,
    reference: ReferenceOption = None,
    regions: RegionsOption = None,
    site: SiteOption = None,
    caller: CallerOption = Caller.BCFTOOLS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow every submission to its end.")] = False,
    stage: StageOption = LOCAL,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Submit the samples of a sheet. An upload that was cut goes on where it stopped.

    Example: strandline submit samples.csv --wait
    """
    given = read_sheet(sheet, reference=reference, regions=regions, site=site, caller=caller)
    deployment = connect(stage)
    if dry_run:
        _show_plan(deployment, given, form)
        return
    try:
        outcomes = [_send(deployment, one) for one in given]
        if wait:
            for outcome in outcomes:
                if outcome.submission_id:
                    watch(deployment, outcome.submission_id, settle_it=False)
    except KeyboardInterrupt:
        say(f"strandline: {_KEPT}")
        raise typer.Exit(_INTERRUPTED_EXIT_CODE) from None
    _show_outcomes(deployment, outcomes, form)


def read_sheet(
    sheet: Path,
    *,
    reference: Path | None = None,
    regions: Path | None = None,
    site: str | None = None,
    caller: Caller = Caller.BCFTOOLS,
) -> list[SampleInput]:
    """Read a sample sheet; what it leaves open is taken from the arguments.

    Raises:
        RejectedInputError: `sheet_not_found`, `reference_missing`, `invalid_site`, or the code of the first rule of
            sample sheets that is broken.
    """
    return [
        replace(_complete(sheet, one, reference, regions, site), caller=one.caller or caller)
        for one in read_samples(sheet)
    ]


def read_samples(sheet: Path) -> tuple[SheetSample, ...]:
    """Read a sample sheet as it stands, and say what is odd about it.

    Raises:
        RejectedInputError: `sheet_not_found`, or the code of the first rule of sample sheets that is broken.
    """
    log = FindingLog(sheet.name)
    found = parse_sample_sheet(_chunks(sheet), log)
    for finding in log.findings:
        if finding.rule.level is Level.WARNING or finding is not log.first_error:
            say(f"{finding.rule.level.value}: {finding.rule.code}: {finding.message}")
    log.refuse_errors()
    return found.samples


def _complete(
    sheet: Path, one: SheetSample, reference: Path | None, regions: Path | None, site: str | None
) -> SampleInput:
    folder = sheet.parent
    named = beside(folder, one.reference) if one.reference else reference
    if named is None:
        raise RejectedInputError(
            "reference_missing", f"{sheet.name}, line {one.line}: no reference is named: give --reference"
        )
    sample = one.sample
    if site is not None and sample.site is None:
        try:
            sample = SampleDeclaration.model_validate({**sample.model_dump(), "site": site})
        except ValidationError:
            raise RejectedInputError(
                "invalid_site", "a site's code is up to 32 letters, digits, '.', '_' and '-': correct --site"
            ) from None
    reads = tuple(LocalReads(tuple(folder / path for path in lane.files), lane.read_group) for lane in one.reads)
    return SampleInput(sample, reads, named, folder / one.regions if one.regions else regions)


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise RejectedInputError("sheet_not_found", f"{path} cannot be read: {error.strerror}") from None


def _send(deployment: Deployment, given: SampleInput) -> _Outcome:
    outcome = _Outcome(given.sample.sample_id)
    try:
        outcome.submission_id = send(deployment, given)
    except RejectedInputError as error:
        say(f"strandline: {outcome.sample_id}: {error.code}: {error.message}")
        outcome.code = error.code
    return outcome


def _show_outcomes(deployment: Deployment, outcomes: Sequence[_Outcome], form: OutputFormat) -> None:
    rows = []
    for outcome in outcomes:
        record = deployment.submissions.get(outcome.submission_id) if outcome.submission_id else None
        state = REFUSED if outcome.code else record.state.value if record else "LANDING"
        code = outcome.code or (record.cause.code if record and record.cause else None)
        rows.append((outcome.sample_id, outcome.submission_id, state, code))
    print_rows(("sample", "submission", "state", "code"), rows, form)
    states = {state for _, _, state, _ in rows}
    if SubmissionState.FAILED in states:
        raise typer.Exit(_INTERNAL_EXIT_CODE)
    if states & {SubmissionState.QUARANTINED.value, REFUSED}:
        raise typer.Exit(RejectedInputError.EXIT_CODE)


def _show_plan(deployment: Deployment, given: Sequence[SampleInput], form: OutputFormat) -> None:
    """Say of each sample what would be sent, under which id, and whether it was sent before."""
    rows: list[tuple[str, int | None, int | None, str | None, bool | None, str | None]] = []
    for one in given:
        try:
            refuse_caller(deployment.stage, one.caller)
            bundle, _ = choose_reference(one.reference, deployment.references)
            submission = describe(one, ReferenceName(name=bundle.name, version=bundle.version))
        except RejectedInputError as error:
            say(f"strandline: {one.sample.sample_id}: {error.code}: {error.message}")
            rows.append((one.sample.sample_id, None, None, None, None, error.code))
            continue
        submission_id = free_name(deployment, submission)
        size = sum(file.size_bytes for file in submission.manifest.files)
        there = is_sent(deployment, submission, submission_id)
        rows.append((one.sample.sample_id, len(submission.files), size, submission_id, there, None))
    print_rows(("sample", "files", "bytes", "submission", "sent_before", "code"), rows, form)
    if any(row[-1] for row in rows):
        raise typer.Exit(RejectedInputError.EXIT_CODE)
