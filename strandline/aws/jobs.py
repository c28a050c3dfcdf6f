"""What every Batch job does around its work: scratch, the cause of a failure, and the exit code that Batch acts on."""

import errno
import logging
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Protocol

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as BotoConnectionError

from strandline.aws.objects import S3Objects
from strandline.aws.settings import JobSettings
from strandline.aws.submissions import Cause, SubmissionsTable
from strandline.aws.workspace import Buckets, Workspace
from strandline.errors import RejectedInputError, TemporaryError
from strandline.reads.alignment import describe

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INTERNAL_EXIT_CODE: Final = 70
KILLED_EXIT_CODE: Final = 128 + signal.SIGKILL
_FULL_BELOW_BYTES: Final = 1 << 20
_PASSING_ERRORS: Final = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "ProvisionedThroughputExceededException", "RequestTimeout"}
)
_FIRST_SERVER_ERROR: Final = 500
_CLIENT_CONFIG: Final = Config(retries={"mode": "standard", "max_attempts": 5})

logger = logging.getLogger("strandline.jobs")


def open_buckets(*, analysis: str, references: str | None = None, landing: str | None = None) -> Buckets:
    """Return the buckets of a job by their names."""
    client = boto3.client("s3", config=_CLIENT_CONFIG)
    return Buckets(
        analysis=S3Objects(client, analysis),
        references=S3Objects(client, references) if references else None,
        landing=S3Objects(client, landing) if landing else None,
    )


def run_job(step: str, work: Callable[[Workspace], None], settings: JobSettings, buckets: Buckets) -> int:
    """Do one step's work in a scratch folder and return the exit code.

    0 done, 65 rejected, 75 try again, 70 failed, 137 a tool was killed: Batch tries that again, then the workflow does
    once with more memory. The cause of a failure is kept with the submission under the name of the step, because Step
    Functions sees only the exit code.
    """
    table = SubmissionsTable(open_dynamodb(), settings.submissions_table)
    submission_id = settings.submission_id
    return run_in_scratch(
        step, submission_id, table, lambda scratch: work(Workspace(submission_id, table, buckets, scratch))
    )


class KeepsCauses(Protocol):
    """Where the cause of a failure is kept, under what a job works on and the name of the step."""

    def forget_failure(self, subject_id: str, step: str, /) -> None:
        """Drop the cause of an earlier attempt."""

    def record_failure(self, subject_id: str, cause: Cause, /) -> None:
        """Keep the cause of this one."""


def open_dynamodb() -> "DynamoDBClient":
    """Return the client that a job's table is read and written with."""
    return boto3.client("dynamodb", config=_CLIENT_CONFIG)


def run_in_scratch(step: str, subject_id: str, causes: KeepsCauses, work: Callable[[Path], None]) -> int:
    """Do the work for a submission or a cohort in a scratch folder and return the exit code, as `run_job` does."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    logger.info("%s begins for %s", step, subject_id)
    with TemporaryDirectory(prefix="strandline-") as scratch:
        try:
            causes.forget_failure(subject_id, step)
            work(Path(scratch))
        except Exception as error:
            code, cause = _explain(error, step, Path(scratch))
            if code == INTERNAL_EXIT_CODE and not isinstance(error, subprocess.CalledProcessError):
                logger.exception("%s failed", step)  # a tool's command line names the sample: it stays out of the log
            logger.error("%s: %s", cause.code, cause.message)
            _record(causes, subject_id, cause)
            return code
    logger.info("%s is done", step)
    return 0


def _record(causes: KeepsCauses, subject_id: str, cause: Cause) -> None:
    """Keep the cause; where even that fails, the exit code still says whether to try again."""
    try:
        causes.record_failure(subject_id, cause)
    except (ClientError, BotoCoreError):
        logger.exception("the cause could not be recorded")


def _explain(error: Exception, step: str, scratch: Path) -> tuple[int, Cause]:
    if isinstance(error, S3UploadFailedError) and isinstance(error.__context__, ClientError):
        error = error.__context__  # what S3 answered decides whether it can pass
    match error:
        case RejectedInputError() | TemporaryError():
            return error.EXIT_CODE, Cause(error.code, error.message, step)
        case OSError(errno=errno.ENOSPC):
            return INTERNAL_EXIT_CODE, _disk_full(step)
        case subprocess.CalledProcessError():
            if shutil.disk_usage(scratch).free < _FULL_BELOW_BYTES:
                return INTERNAL_EXIT_CODE, _disk_full(step)
            words = describe([str(part) for part in error.cmd]).split()[:2]
            if error.returncode == -signal.SIGKILL:
                message = (
                    f"{' '.join(words)} was killed from outside in {step} on every attempt, as happens where it takes "
                    "more memory than the job has: give its job definition more, then submit again"
                )
                return KILLED_EXIT_CODE, Cause("tool_killed", message, step)
            message = f"{' '.join(words)} ended with exit code {error.returncode} in {step}: look at the job's log"
            return INTERNAL_EXIT_CODE, Cause("tool_failed", message, step)
        case ClientError() if _can_pass(error):
            return TemporaryError.EXIT_CODE, Cause("aws_busy", f"AWS asked {step} to slow down", step)
        case BotoConnectionError() | HTTPClientError() | IncompleteReadError():
            return TemporaryError.EXIT_CODE, Cause("aws_unreachable", f"{step} lost its connection to AWS", step)
        case ClientError() | BotoCoreError():
            message = f"AWS refused a call of {step}: look at the job's log"
            return INTERNAL_EXIT_CODE, Cause("aws_refused", message, step)
        case _:
            message = (
                f"{step} failed with {type(error).__name__}: look at the job's log; this is a fault of the platform"
            )
            return INTERNAL_EXIT_CODE, Cause("internal_error", message, step)


def _can_pass(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error.response["Error"]["Code"] in _PASSING_ERRORS or status >= _FIRST_SERVER_ERROR


def _disk_full(step: str) -> Cause:
    return Cause(
        "disk_full", f"the scratch disk filled up in {step}: free space or give the job more, then submit again", step
    )
