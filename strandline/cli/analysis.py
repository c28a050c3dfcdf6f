"""`strandline run` and `submit`: samples in, results out."""

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from strandline.aws.deployment import Deployment
from strandline.aws.submitting import Submission, prepare_submission, register_reference, upload_submission
from strandline.cli.console import OutputFormat, messages, print_rows, say
from strandline.cli.following import follow, save_history, settle
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.cli.references import open_reference
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, SubmissionState, artifact_key
from strandline.landing.manifest import ReferenceName, SampleDeclaration

RESULTS: Final = (
    Artifact.CALLS,
    Artifact.CALLS_INDEX,
    Artifact.GVCF,
    Artifact.GVCF_INDEX,
    Artifact.ALIGNED,
    Artifact.ALIGNED_INDEX,
    Artifact.CALLABLE_REGIONS,
    Artifact.QC,
    Artifact.BUNDLE,
    Artifact.REPORT,
)
HISTORY_NAME: Final = "execution.json"
_INTERNAL_EXIT_CODE: Final = 70
_RETRIED: Final = frozenset({SubmissionState.FAILED, SubmissionState.QUARANTINED})
_SHEET_COLUMNS: Final = ("sample", "reads_1", "reads_2", "reference")


@dataclass(frozen=True, slots=True)
class SampleInput:
    """One sample as the command line takes it."""

    sample: SampleDeclaration
    reads: tuple[Path, Path]
    reference: Path
    regions: Path | None


def run_sample(
    sample: Annotated[str, typer.Option("--sample", help="Sample id: letters, digits, '_', '-', single dots.")],
    reads: Annotated[tuple[Path, Path], typer.Option("--reads", help="First and second mates, FASTQ or FASTQ.gz.")],
    reference: Annotated[
        Path, typer.Option("--reference", help="FASTA (plain or gzip), or a folder with bundle.json.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results; made where it is absent.")],
    regions: Annotated[Path | None, typer.Option("--regions", help="BED of the regions to analyse.")] = None,
    sex: Annotated[str, typer.Option("--sex", help="FEMALE, MALE or UNKNOWN.")] = "UNKNOWN",
    stage: StageOption = LOCAL,
) -> None:
    """Take one sample from reads to a drafted report through the deployed workflow.

    Example: strandline run --sample HG002 --reads R1.fq.gz R2.fq.gz --reference ref.fa.gz --out results
    """
    given = SampleInput(declare_sample(sample, sex=sex), reads, reference, regions)
    deployment = connect(stage, start=True)
    submission_id = send(deployment, given)
    watch(deployment, submission_id)
    fetch_results(deployment, submission_id, out)
    print_rows(
        ("submission", "state", "results"),
        [(submission_id, settle(deployment, submission_id).state.value, str(out))],
        OutputFormat.TABLE,
    )


def submit_sheet(
    sheet: Annotated[
        Path, typer.Argument(help="CSV with the columns sample, reads_1, reads_2, reference[, regions, sex].")
    ],
    wait: Annotated[bool, typer.Option("--wait", help="Follow every submission to its end.")] = False,
    stage: StageOption = LOCAL,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Submit the samples of a sheet; paths in it are relative to the sheet.

    Example: strandline submit samples.csv --wait
    """
    rows = read_sheet(sheet)
    deployment = connect(stage)
    sent = [(given.sample.sample_id, send(deployment, given)) for given in rows]
    if wait:
        for _, submission_id in sent:
            watch(deployment, submission_id, settle_it=False)
    table = []
    for sample_id, submission_id in sent:
        record = deployment.submissions.get(submission_id)
        table.append((sample_id, submission_id, record.state.value if record else "LANDING"))
    print_rows(("sample", "submission", "state"), table, form)
    states = {state for _, _, state in table}
    if SubmissionState.FAILED in states:
        raise typer.Exit(_INTERNAL_EXIT_CODE)
    if SubmissionState.QUARANTINED in states:
        raise typer.Exit(RejectedInputError.EXIT_CODE)


def declare_sample(sample_id: str, *, sex: str = "UNKNOWN", subject_id: str | None = None) -> SampleDeclaration:
    """Return the declaration of a sample.

    Raises:
        RejectedInputError: `invalid_sample_id` or `invalid_sample`.
    """
    try:
        return SampleDeclaration.model_validate({"sample_id": sample_id, "sex": sex, "subject_id": subject_id})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise RejectedInputError("invalid_sample", f"{first['loc'][0]}: {first['msg']}") from None


def read_sheet(sheet: Path) -> list[SampleInput]:
    """Read a sample sheet.

    Raises:
        RejectedInputError: `sheet_not_found` or `sheet_invalid`, with the line.
    """
    try:
        lines = list(csv.DictReader(sheet.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RejectedInputError("sheet_not_found", f"{sheet} cannot be read: {type(error).__name__}") from None
    if not lines:
        raise RejectedInputError("sheet_invalid", f"{sheet} holds no sample: give a header line and a line a sample")
    rows = []
    for number, line in enumerate(lines, start=2):
        missing = [column for column in _SHEET_COLUMNS if not line.get(column)]
        if missing:
            raise RejectedInputError("sheet_invalid", f"{sheet}, line {number}: {', '.join(missing)} is missing")
        folder = sheet.parent
        rows.append(
            SampleInput(
                declare_sample(line["sample"], sex=line.get("sex") or "UNKNOWN"),
                (folder / line["reads_1"], folder / line["reads_2"]),
                folder / line["reference"],
                folder / line["regions"] if line.get("regions") else None,
            )
        )
    return rows


def send(deployment: Deployment, given: SampleInput) -> str:
    """Upload a sample as a lab would and return its submission id.

    The same content is one submission: sending it again finds the first, unless that one failed or was quarantined.
    """
    opened = open_reference(given.reference)
    if register_reference(deployment.references, opened.bundle, opened.folder):
        say(f"registered reference {opened.bundle.label}")
    name = ReferenceName(name=opened.bundle.name, version=opened.bundle.version)
    submission = prepare_submission(given.sample, given.reads, name, given.regions)
    submission_id = _free_name(deployment, submission)
    if deployment.submissions.get(submission_id) is not None:
        say(f"{submission_id} was submitted before: nothing is uploaded again")
        return submission_id
    upload_submission(deployment.landing, submission, submission_id, lambda file: say(f"uploaded {file}"))
    return submission_id


def watch(deployment: Deployment, submission_id: str, *, settle_it: bool = True) -> None:
    """Show each step as it ends.

    Raises:
        RejectedInputError, SubmissionFailedError: as `settle`, unless `settle_it` is off.
    """
    with messages.status(f"{submission_id}: on its way") as line:
        for step in follow(deployment, submission_id):
            messages.print(f"  [green]done[/] {step.name} [dim]{step.seconds:.1f} s[/]")
            line.update(f"{submission_id}: after {step.name}")
    if settle_it:
        settle(deployment, submission_id)


def fetch_results(deployment: Deployment, submission_id: str, out: Path) -> None:
    """Fetch a submission's outputs and its execution history: all of them, or nothing."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        for artifact in RESULTS:
            deployment.analysis.download(artifact_key(submission_id, artifact), partial / artifact)
        record = deployment.submissions.get(submission_id)
        history = deployment.workflow.history(submission_id, record.attempt if record else 1)
        save_history(history, partial / HISTORY_NAME)
        out.mkdir(exist_ok=True)
        for path in partial.iterdir():
            path.replace(out / path.name)
    finally:
        shutil.rmtree(partial)


def _free_name(deployment: Deployment, submission: Submission) -> str:
    attempt = 1
    while True:
        submission_id = submission.submission_id(attempt)
        record = deployment.submissions.get(submission_id)
        if record is None or record.state not in _RETRIED:
            return submission_id
        attempt += 1
