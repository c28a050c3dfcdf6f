"""`strandline report`, and what prints a draft of a sample."""

import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer

from strandline.aws.deployment import Deployment
from strandline.cli.console import say
from strandline.cli.ground import LOCAL, StageOption, connect, home_folder
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, SubmissionState, artifact_key

IGV_VERSION: Final = "3.8.10"
_LIMIT_BYTES: Final = 256 << 20
_DRAFTED: Final = frozenset(
    {SubmissionState.IN_REVIEW, SubmissionState.RELEASED, SubmissionState.AMENDED, SubmissionState.WITHDRAWN}
)
SampleArgument = Annotated[str, typer.Argument(help="Sample id, or submission id.")]


def report(
    sample: SampleArgument,
    pdf: Annotated[Path | None, typer.Option("--pdf", help="Make the report with all evidence, as PDF.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="The same as HTML.")] = None,
    plain: Annotated[Path | None, typer.Option("--plain", help="A page in plain words for the subject.")] = None,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", help="A page on which reads can be moved and zoomed, by igv.js.")
    ] = None,
    igv_js: Annotated[
        Path | None, typer.Option("--igv-js", help=f"igv.min.js of npm's igv {IGV_VERSION}, for --evidence.")
    ] = None,
    stage: StageOption = LOCAL,
) -> None:
    """Print the HTML report of a sample's latest analysis; or make it anew on this machine with all its evidence.

    Example: strandline report HG002 > report.html
    """
    wanted = {
        artifact: path
        for artifact, path in (
            (Artifact.REPORT_PDF, pdf),
            (Artifact.REPORT, html),
            (Artifact.PLAIN_REPORT, plain),
            (Artifact.EVIDENCE_PAGE, evidence),
        )
        if path
    }
    if not wanted:
        print_draft(stage, sample, Artifact.REPORT)
        return
    deployment = connect(stage)
    program = _find_igv(igv_js) if evidence else None
    _render(deployment, find_drafted(deployment, sample), wanted, program)


def print_draft(stage: str, sample: str, artifact: Artifact) -> None:
    """Write what was drafted for a sample to stdout, as it is stored.

    Raises:
        RejectedInputError: `nothing_drafted`.
    """
    deployment = connect(stage)
    key = artifact_key(find_drafted(deployment, sample), artifact)
    sys.stdout.buffer.write(deployment.analysis.read(key, limit_bytes=_LIMIT_BYTES))


def find_drafted(deployment: Deployment, sample: str) -> str:
    """Return the latest submission of a sample, or of that id, whose analysis reached review.

    Raises:
        RejectedInputError: `nothing_drafted`.
    """
    for record in deployment.submissions.list_all():
        if sample in {record.sample_id, record.submission_id} and record.state in _DRAFTED:
            return record.submission_id
    raise RejectedInputError("nothing_drafted", f"no analysis of {sample} reached review: see 'strandline status'")


def _render(deployment: Deployment, submission_id: str, wanted: Mapping[Artifact, Path], igv_js: Path | None) -> None:
    from pysam import set_verbosity  # noqa: PLC0415 - with what follows

    from strandline.aws.reports import render_report  # noqa: PLC0415 - half a second, which few commands need
    from strandline.aws.workspace import Buckets, Workspace  # noqa: PLC0415 - likewise

    set_verbosity(0)  # htslib talks of indexes on stderr; what fails raises
    buckets = Buckets(deployment.analysis, deployment.references)
    with TemporaryDirectory(prefix="strandline-") as scratch:
        workspace = Workspace(submission_id, deployment.submissions, buckets, Path(scratch))
        render_report(workspace, now=datetime.now(UTC), igv_js=igv_js)
        for artifact, path in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(workspace.path(artifact), path)
            say(f"wrote {path}")


def _find_igv(given: Path | None) -> Path:
    """Return the file of igv.js, which is not shipped.

    Raises:
        RejectedInputError: `igv_not_installed`.
    """
    path = given or home_folder() / "igv" / f"igv-{IGV_VERSION}.min.js"
    if not path.is_file():
        raise RejectedInputError(
            "igv_not_installed",
            f"{path} is not there: fetch 'npm pack igv@{IGV_VERSION}' and give its package/dist/igv.min.js as --igv-js",
        )
    return path
