"""CallDeepvariant: CRAM to gVCF and VCF by DeepVariant, for samples that chose it."""

import sys

from strandline.aws.whole_calling import run_whole_calling
from strandline.landing.manifest import Caller

if __name__ == "__main__":
    sys.exit(run_whole_calling(Caller.DEEPVARIANT))
