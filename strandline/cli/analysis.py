"""`strandline run`: one sample in, results out."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from strandline.aws.deployment import Deployment
from strandline.aws.submitting import (
    Submission,
    prepare_submission,
    register_reference,
    sample_files,
    upload_submission,
)
from strandline.cli.console import OutputFormat, messages, print_rows, say
from strandline.cli.following import follow, save_history, settle
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.cli.progress import show_hashing, show_uploads
from strandline.cli.references import choose_reference
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, SubmissionState, artifact_key, manifest_key
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
_RETRIED: Final = frozenset({SubmissionState.FAILED, SubmissionState.QUARANTINED})


@dataclass(frozen=True, slots=True)
class SampleInput:
    """One sample as the command line takes it."""

    sample: SampleDeclaration
    reads: tuple[Path, Path]
    reference: Path
    regions: Path | None
    read_group: str | None = None


def run_sample(
    sample: Annotated[str, typer.Option("--sample", help="Sample id: letters, digits, '_', '-', single dots.")],
    reads: Annotated[tuple[Path, Path], typer.Option("--reads", help="First and second mates, FASTQ or FASTQ.gz.")],
    reference: Annotated[
        Path, typer.Option("--reference", help="FASTA, folder of a bundle, or NAME[/VERSION] of a registered one.")
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


def send(deployment: Deployment, given: SampleInput) -> str:
    """Upload a sample as a lab would and return its submission id.

    The same content is one submission: sending it again finds the first, unless that one failed or was quarantined. An
    upload that was cut goes on where it stopped.
    """
    return send_prepared(deployment, *prepare(deployment, given))


def prepare(deployment: Deployment, given: SampleInput) -> tuple[Submission, str]:
    """Describe a sample, its reference registered, and return that with its submission id."""
    bundle, folder = choose_reference(given.reference, deployment.references)
    with show_uploads() as told:
        if folder and register_reference(deployment.references, bundle, folder, watch=told):
            say(f"registered reference {bundle.label}")
    submission = describe(given, ReferenceName(name=bundle.name, version=bundle.version))
    return submission, free_name(deployment, submission)


def describe(given: SampleInput, reference: ReferenceName) -> Submission:
    """Read a sample's files and say what they are.

    Raises:
        RejectedInputError: `file_not_found` or `same_file_twice`.
    """
    files = sample_files(given.reads, given.regions)
    sizes = [file.path.stat().st_size for file in files if file.path.is_file()]
    with show_hashing(sum(sizes)) as hashed:
        return prepare_submission(
            given.sample, given.reads, reference, given.regions, read_group=given.read_group, hashed=hashed
        )


def send_prepared(deployment: Deployment, submission: Submission, submission_id: str) -> str:
    """Upload what is not there yet, and return the submission id."""
    if is_sent(deployment, submission_id):
        say(f"{submission_id} was submitted before: nothing is uploaded again")
    else:
        with show_uploads() as told:
            upload_submission(deployment.landing, submission, submission_id, watch=told)
    return submission_id


def is_sent(deployment: Deployment, submission_id: str) -> bool:
    """Tell whether all of a submission was uploaded: its manifest, which goes last, is there."""
    if deployment.submissions.get(submission_id) is None:
        return False
    return deployment.landing.exists(manifest_key(submission_id))


def free_name(deployment: Deployment, submission: Submission) -> str:
    """Return the submission id of the content: the next one where a submission of it failed or was quarantined."""
    attempt = 1
    while True:
        submission_id = submission.submission_id(attempt)
        record = deployment.submissions.get(submission_id)
        if record is None or record.state not in _RETRIED:
            return submission_id
        attempt += 1


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
