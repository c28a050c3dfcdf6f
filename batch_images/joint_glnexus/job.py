"""JointGlnexus: the members' own gVCFs genotyped together by GLnexus."""

import sys

from strandline.aws.cohort_tools import run_cohort_tool
from strandline.aws.jobs import open_buckets
from strandline.aws.settings import CohortToolJobSettings
from strandline.variants.joint_choice import JointCaller

if __name__ == "__main__":
    settings = CohortToolJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket)
    sys.exit(run_cohort_tool(JointCaller.GLNEXUS, settings, buckets))
