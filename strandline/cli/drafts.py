"""`strandline report`, and what prints a draft of a sample."""

import sys
from typing import Annotated, Final

import typer

from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, SubmissionState, artifact_key

_LIMIT_BYTES: Final = 256 << 20
_DRAFTED: Final = frozenset(
    {SubmissionState.IN_REVIEW, SubmissionState.RELEASED, SubmissionState.AMENDED, SubmissionState.WITHDRAWN}
)
SampleArgument = Annotated[str, typer.Argument(help="Sample id, or submission id.")]


def report(sample: SampleArgument, stage: StageOption = LOCAL) -> None:
    """Print the HTML report of a sample's latest analysis.

    Example: strandline report HG002 > report.html
    """
    print_draft(stage, sample, Artifact.REPORT)


def print_draft(stage: str, sample: str, artifact: Artifact) -> None:
    """Write what was drafted for a sample to stdout, as it is stored.

    Raises:
        RejectedInputError: `nothing_drafted`.
    """
    deployment = connect(stage)
    found = [
        record
        for record in deployment.submissions.list_all()
        if sample in {record.sample_id, record.submission_id} and record.state in _DRAFTED
    ]
    if not found:
        raise RejectedInputError("nothing_drafted", f"no analysis of {sample} reached review: see 'strandline status'")
    body = deployment.analysis.read(artifact_key(found[0].submission_id, artifact), limit_bytes=_LIMIT_BYTES)
    sys.stdout.buffer.write(body)
