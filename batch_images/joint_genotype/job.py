"""JointGenotype: the members of a cohort genotyped together; one part of that, or its parts put together."""

import sys

from strandline.aws.cohort_work import run_cohort_job
from strandline.aws.jobs import open_buckets
from strandline.aws.settings import CohortJobSettings

if __name__ == "__main__":
    settings = CohortJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket)
    sys.exit(run_cohort_job(settings, buckets))
