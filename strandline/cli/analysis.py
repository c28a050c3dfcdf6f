"""`strandline run`: one sample in, results out."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError
from typer.core import TyperCommand

from strandline.aws.deployment import Deployment
from strandline.aws.submitting import (
    LocalReads,
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
from strandline.journey import Artifact, SubmissionState, artifact_key, landing_key, manifest_key
from strandline.landing.manifest import ALIGNED_SUFFIXES, READ_GROUP_NAME, Caller, ReferenceName, SampleDeclaration

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
    Artifact.QC_PAGE,
    Artifact.MULTIQC,
    Artifact.REGION_COVERAGE,
)
HISTORY_NAME: Final = "execution.json"
_RETRIED: Final = frozenset({SubmissionState.FAILED, SubmissionState.QUARANTINED})


@dataclass(frozen=True, slots=True)
class SampleInput:
    """One sample as the command line takes it."""

    sample: SampleDeclaration
    reads: tuple[LocalReads, ...]
    reference: Path
    regions: Path | None
    caller: Caller = Caller.BCFTOOLS


class PairsCommand(TyperCommand):
    """A command whose `--reads` takes two values, and may be given again: typer has no type for that."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give the second value of each `--reads` an option of its own."""
        spread: list[str] = []
        left = list(args)
        while left:
            spread.append(left.pop(0))
            if spread[-1] == "--reads":
                if len(left) < 2 or any(value.startswith("--") for value in left[:2]):
                    raise typer.BadParameter("--reads takes two files, the first and the second mates")
                spread += [left.pop(0), "--reads", left.pop(0)]
        return list(super().parse_args(ctx, spread))


COMMAND_CLASS: Final = PairsCommand  # what `strandline.cli.main` makes the command of this module with


def run_sample(
    out: Annotated[Path, typer.Option("--out", help="Folder for the results; made where it is absent.")],
    sample: Annotated[
        str | None, typer.Option("--sample", help="Sample id: letters, digits, '_', '-', single dots.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", help="FASTA, folder of a bundle, or NAME[/VERSION] of a registered one."),
    ] = None,
    sheet: Annotated[Path | None, typer.Option("--sheet", help="Samples of a family, in place of --sample.")] = None,
    pedigree: Annotated[Path | None, typer.Option("--pedigree", help="PED file of the family in --sheet.")] = None,
    reads: Annotated[
        list[Path] | None,
        typer.Option("--reads", metavar="R1 R2", help="First and second mates, FASTQ[.gz]; once for each lane."),
    ] = None,
    read_groups: Annotated[
        list[str] | None,
        typer.Option(
            "--read-group",
            metavar="NAME",
            help="Flow cell and lane of each --reads, in their order; else lane1, lane2...",
        ),
    ] = None,
    aligned: Annotated[
        Path | None, typer.Option("--aligned", help="BAM or CRAM, aligned or not, in place of --reads.")
    ] = None,
    regions: Annotated[Path | None, typer.Option("--regions", help="BED of the regions to analyse.")] = None,
    sex: Annotated[str, typer.Option("--sex", help="FEMALE, MALE or UNKNOWN.")] = "UNKNOWN",
    caller: Annotated[Caller, typer.Option("--caller", help="What calls the variants.")] = Caller.BCFTOOLS,
    stage: StageOption = LOCAL,
) -> None:
    """Take one sample, of one lane or several, from reads to a drafted report through the deployed workflow.

    With --sheet and --pedigree a family, whose members are then genotyped together.

    Example: strandline run --sample HG002 --reads R1.fq.gz R2.fq.gz --reference ref.fa.gz --out results
    """
    if sheet or pedigree:
        if not (sheet and pedigree) or sample or reads or aligned:
            raise typer.BadParameter("a family takes --sheet and --pedigree, and no --sample, --reads or --aligned")
        if caller is not Caller.BCFTOOLS:
            raise typer.BadParameter("of a family the column caller of the sheet says what calls each sample")
        from strandline.cli.cohort import run_family  # noqa: PLC0415 - it needs this module

        run_family(sheet, pedigree, out, reference=reference, regions=regions, stage=stage)
        return
    if not sample or not reference:
        raise typer.BadParameter("give --sample and --reference, or the --sheet and --pedigree of a family")
    lanes = read_lanes(reads or [], read_groups or [], aligned)
    given = SampleInput(declare_sample(sample, sex=sex), lanes, reference, regions, caller)
    deployment = connect(stage, start=True)
    submission_id = send(deployment, given)
    watch(deployment, submission_id)
    fetch_results(deployment, submission_id, out)
    print_rows(
        ("submission", "state", "results"),
        [(submission_id, settle(deployment, submission_id).state.value, str(out))],
        OutputFormat.TABLE,
    )


def read_lanes(reads: Sequence[Path], read_groups: Sequence[str], aligned: Path | None) -> tuple[LocalReads, ...]:
    """Return the lanes that the options name: first and second mates in turn, or one BAM or CRAM."""
    if (aligned is None) is (not reads):
        raise typer.BadParameter("give --reads R1 R2 (once for each lane) or --aligned FILE")
    if aligned is not None:
        if read_groups or aligned.suffix not in ALIGNED_SUFFIXES:
            raise typer.BadParameter("--aligned takes a .bam or .cram, which names its read groups itself")
        return (LocalReads((aligned,)),)
    pairs = list(zip(reads[::2], reads[1::2], strict=True))
    if read_groups and len(read_groups) != len(pairs):
        raise typer.BadParameter("give --read-group once for each --reads, or not at all")
    if any(not re.fullmatch(READ_GROUP_NAME, name) for name in read_groups):
        raise typer.BadParameter("--read-group takes up to 64 letters, digits, '.', '_' and '-'")
    names: Sequence[str | None] = read_groups or (
        [None] if len(pairs) == 1 else [f"lane{number}" for number in range(1, len(pairs) + 1)]
    )
    return tuple(LocalReads(pair, name) for pair, name in zip(pairs, names, strict=True))


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
    """Describe a sample, its reference registered, and return that with its submission id.

    Raises:
        RejectedInputError: `caller_not_installed`, or a code of references or files.
    """
    refuse_caller(deployment.stage, given.caller)
    bundle, folder = choose_reference(given.reference, deployment.references)
    with show_uploads() as told:
        if folder and register_reference(deployment.references, bundle, folder, watch=told):
            say(f"registered reference {bundle.label}")
    submission = describe(given, ReferenceName(name=bundle.name, version=bundle.version))
    return submission, free_name(deployment, submission)


def refuse_caller(stage: str, caller: Caller) -> None:
    """Refuse a caller that this machine lacks, where the jobs run on it.

    Raises:
        RejectedInputError: `caller_not_installed`.
    """
    if stage == LOCAL and caller is not Caller.BCFTOOLS:
        from strandline.variants.callers import check_installed  # noqa: PLC0415 - it brings pysam

        check_installed(caller)


def describe(given: SampleInput, reference: ReferenceName) -> Submission:
    """Read a sample's files and say what they are.

    Raises:
        RejectedInputError: `file_not_found` or `same_file_twice`.
    """
    files = sample_files(given.reads, given.regions)
    sizes = [file.path.stat().st_size for file in files if file.path.is_file()]
    with show_hashing(sum(sizes)) as hashed:
        return prepare_submission(
            given.sample, given.reads, reference, given.regions, caller=given.caller, hashed=hashed
        )


def send_prepared(deployment: Deployment, submission: Submission, submission_id: str) -> str:
    """Upload what is not there yet, and return the submission id."""
    if is_sent(deployment, submission, submission_id):
        say(f"{submission_id} was submitted before: nothing is uploaded again")
    else:
        with show_uploads() as told:
            upload_submission(deployment.landing, submission, submission_id, watch=told)
    return submission_id


def is_sent(deployment: Deployment, submission: Submission, submission_id: str) -> bool:
    """Tell whether all of a submission was uploaded: it started, or every file of it is there."""
    record = deployment.submissions.get(submission_id)
    if record is None:
        return False
    if record.state is not SubmissionState.RECEIVED:
        return True
    keys = [manifest_key(submission_id), *(landing_key(submission_id, file.name) for file in submission.files)]
    return all(deployment.landing.exists(key) for key in keys)


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
