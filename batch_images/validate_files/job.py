"""ValidateLargeFiles: the checks of ValidateFiles for what is too large for the function."""

import sys
from functools import partial

from strandline.aws.jobs import open_buckets, run_job
from strandline.aws.settings import ValidationJobSettings
from strandline.aws.validation import Validation
from strandline.aws.workspace import Workspace


def validate(workspace: Workspace, unit: str | None = None) -> None:
    """Check every file of the submission; or one unit of it, whose verdict then is all that comes of it."""
    validation = Validation(
        workspace.submission_id,
        workspace.manifest,
        {file.name: file for file in workspace.table.landed_files(workspace.submission_id)},
        table=workspace.table,
        landing=workspace.landing,
        references=workspace.references,
    )
    if unit is None:
        validation.validate()
    else:
        validation.validate_ahead(unit)


if __name__ == "__main__":
    settings = ValidationJobSettings.from_env()
    buckets = open_buckets(
        analysis=settings.analysis_bucket, references=settings.references_bucket, landing=settings.landing_bucket
    )
    step = "ValidateLargeFiles" if settings.unit is None else "ValidateAhead"
    sys.exit(run_job(step, partial(validate, unit=settings.unit), settings, buckets))
