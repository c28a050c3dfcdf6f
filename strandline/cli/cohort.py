"""`strandline cohort`: samples of the platform genotyped together; `strandline run --pedigree` sends them first."""

import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Final

import typer

from strandline.aws.cohort_requests import make_request
from strandline.aws.cohorts import CohortRecord, CohortRequest, CohortState
from strandline.aws.deployment import Deployment
from strandline.cli.analysis import fetch_results, send
from strandline.cli.console import OutputFormat, messages, print_rows, say
from strandline.cli.following import SubmissionFailedError, finished_steps, follow_all, settle
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.cli.submission import read_sheet
from strandline.errors import RejectedInputError
from strandline.journey import CohortArtifact, cohort_key
from strandline.variants.joint_choice import check_joint_installed, choose_joint
from strandline.variants.joint_output import CohortReport
from strandline.variants.joint_pedigree import Relation, agreed_sexes, find_trios, read_pedigree
from strandline.variants.joint_trios import Confidence

RESULTS: Final = (CohortArtifact.CALLS, CohortArtifact.CALLS_INDEX, CohortArtifact.REPORT)
_POLL_S: Final = 0.3

PedigreeOption = Annotated[
    Path | None, typer.Option("--pedigree", help="PED file; its individuals are the samples of the same ids.")
]
FormatOption = Annotated[OutputFormat, typer.Option("--format")]

app = typer.Typer(
    help="Samples genotyped together.\n\nExample: strandline cohort genotype HG002 HG003 HG004 --out family",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def genotype(
    out: Annotated[Path, typer.Option("--out", help="Folder for the results; made where it is absent.")],
    samples: Annotated[
        list[str] | None,
        typer.Argument(help="Sample or submission ids; where none, everybody in the pedigree."),
    ] = None,
    pedigree: PedigreeOption = None,
    different_regions: Annotated[
        bool, typer.Option("--different-regions", help="Mark what is outside of a sample's regions as not tested.")
    ] = False,
    form: FormatOption = OutputFormat.TABLE,
    stage: StageOption = LOCAL,
) -> None:
    """Genotype samples that were analysed together, and check families against Mendel's rules.

    Example: strandline cohort genotype --pedigree trio.ped --out family
    """
    relations = open_pedigree(pedigree) if pedigree else ()
    if not samples and not relations:
        raise typer.BadParameter("name samples, or give --pedigree")
    deployment = connect(stage)
    request = make_request(deployment.submissions, samples or [], relations, different_regions=different_regions)
    _show(genotype_cohort(deployment, request, out), form)


@app.command()
def show(
    cohort_id: Annotated[str, typer.Argument(help="Of a cohort, as 'genotype' tells it.")],
    form: FormatOption = OutputFormat.TABLE,
    stage: StageOption = LOCAL,
) -> None:
    """Show where a cohort stands, and why.

    Example: strandline cohort show 0123456789abcdef01234567
    """
    deployment = connect(stage)
    record = deployment.cohorts.get(cohort_id)
    if record is None:
        raise RejectedInputError("cohort_unknown", f"no cohort {cohort_id}: check the id")
    members = len(deployment.cohorts.request(cohort_id).members)
    cause = f"{record.cause.code}: {record.cause.message}" if record.cause else None
    columns = ("cohort", "state", "members", "attempt", "updated", "cause")
    print_rows(columns, [(cohort_id, record.state.value, members, record.attempt, record.updated_at, cause)], form)


def run_family(
    sheet: Path, pedigree: Path, out: Path, *, reference: Path | None, regions: Path | None, stage: str
) -> None:
    """Send the samples of a sheet, wait for their analyses, and genotype them together.

    Raises:
        RejectedInputError: a code of sheets, pedigrees, callers or requests, before anything is sent where that can be
            told; the code of a member's quarantine.
        SubmissionFailedError: where a member failed.
    """
    relations = open_pedigree(pedigree)
    given = read_sheet(sheet, reference=reference, regions=regions)
    sample_ids = [one.sample.sample_id for one in given]
    sexes = agreed_sexes(relations, {one.sample.sample_id: one.sample.sex for one in given})
    if not find_trios(relations, sample_ids, sexes):
        raise RejectedInputError(
            "pedigree_without_trio",
            f"{pedigree.name} has no child whose parents are both in {sheet.name}: add them to the sheet",
        )
    joint = choose_joint({one.sample.sample_id: one.caller for one in given})
    if stage == LOCAL:
        check_joint_installed(joint)
    deployment = connect(stage, start=True)
    submission_ids = [send(deployment, one) for one in given]
    for submission_id, step in follow_all(deployment, submission_ids):
        messages.print(f"  {submission_id} [green]done[/] {step.name} [dim]{step.seconds:.1f} s[/]")
    for submission_id in submission_ids:
        settle(deployment, submission_id)
    request = make_request(deployment.submissions, submission_ids, relations)
    report = genotype_cohort(deployment, request, out)
    for sample_id, submission_id in zip(sample_ids, submission_ids, strict=True):
        fetch_results(deployment, submission_id, out / sample_id)
    _show(report, OutputFormat.TABLE)


def open_pedigree(path: Path) -> tuple[Relation, ...]:
    """Read a PED file.

    Raises:
        RejectedInputError: `pedigree_unreadable`, or a code of `read_pedigree`.
    """
    try:
        return read_pedigree(path.read_bytes(), path.name)
    except OSError as error:
        raise RejectedInputError("pedigree_unreadable", f"{path}: {error.strerror}; check the path") from None


def genotype_cohort(deployment: Deployment, request: CohortRequest, out: Path) -> CohortReport:
    """Have a cohort genotyped, unless it was before, and fetch what came out.

    Raises:
        RejectedInputError: with the code of its refusal.
        SubmissionFailedError: where it failed otherwise, with the cause in words.
    """
    now = datetime.now(UTC)
    record = deployment.cohorts.ask(request, who=deployment.caller(), now=now)
    if record.state is CohortState.GENOTYPED:
        say(f"cohort {record.cohort_id} was genotyped before: nothing is made again")
    else:
        deployment.cohort_workflow.start(record.cohort_id, record.attempt)
        _follow(deployment, record)
    return _fetch(deployment, record.cohort_id, out)


def _follow(deployment: Deployment, record: CohortRecord) -> None:
    cohort_id, told = record.cohort_id, 0
    with messages.status(f"cohort {cohort_id}: on its way") as line:
        while True:
            status = deployment.cohort_workflow.status(cohort_id, record.attempt)
            running = status is not None and status.status == "RUNNING"
            for step in finished_steps(deployment.cohort_workflow.history(cohort_id, record.attempt))[told:]:
                messages.print(f"  [green]done[/] {step.name} [dim]{step.seconds:.1f} s[/]")
                line.update(f"cohort {cohort_id}: after {step.name}")
                told += 1
            if not running:
                break
            time.sleep(_POLL_S)
    ended = deployment.cohorts.get(cohort_id)
    if ended and ended.state is CohortState.GENOTYPED:
        return
    if ended and ended.state is CohortState.REFUSED and ended.cause:
        raise RejectedInputError(ended.cause.code, f"{ended.cause.message} (cohort {cohort_id} is refused)")
    if ended and ended.cause:
        raise SubmissionFailedError(
            f"{ended.cause.code}: {ended.cause.message} (cohort {cohort_id} failed in {ended.cause.step})"
        )
    said = f"{status.status}: {status.error}: {status.cause}" if status else "it never started"
    raise SubmissionFailedError(f"cohort {cohort_id} stopped; {said}")


def _fetch(deployment: Deployment, cohort_id: str, out: Path) -> CohortReport:
    out.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=".cohort.", dir=out))
    try:
        for artifact in RESULTS:
            deployment.analysis.download(cohort_key(cohort_id, artifact), partial / artifact)
        report = CohortReport.model_validate_json((partial / CohortArtifact.REPORT).read_bytes())
        for path in partial.iterdir():
            path.replace(out / path.name)
    finally:
        shutil.rmtree(partial)
    say(f"cohort {cohort_id}: results are in {out}")
    return report


def _show(report: CohortReport, form: OutputFormat) -> None:
    for warning in report.warnings:
        say(f"warning: {warning}")
    rows: list[Sequence[str | int]] = []
    for trio in report.trios:
        sure = sum(found.confidence is Confidence.HIGH for found in trio.de_novos)
        row = (trio.child, trio.father, trio.mother, trio.alleles, trio.violations, sure, len(trio.de_novos) - sure)
        rows.append(row)
    if rows:
        columns = ("child", "father", "mother", "alleles", "violations", "de_novo_high", "de_novo_low")
        print_rows(columns, rows, form)
    else:
        print_rows(("samples", "alleles"), [(len(report.samples), report.alleles)], form)
