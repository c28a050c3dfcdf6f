"""ValidateLargeFiles: the checks of ValidateFiles for a submission that is too large for the function."""

import sys

from strandline.aws.jobs import open_buckets, run_job
from strandline.aws.settings import ReadsJobSettings
from strandline.aws.validation import validate_submission
from strandline.aws.workspace import Workspace


def validate(workspace: Workspace) -> None:
    """Check every file of the submission."""
    validate_submission(
        workspace.submission_id,
        workspace.manifest,
        table=workspace.table,
        landing=workspace.landing,
        references=workspace.references,
    )


if __name__ == "__main__":
    settings = ReadsJobSettings.from_env()
    buckets = open_buckets(
        analysis=settings.analysis_bucket, references=settings.references_bucket, landing=settings.landing_bucket
    )
    sys.exit(run_job("ValidateLargeFiles", validate, settings, buckets))
