"""Real reads that some tests measure; they are not part of the repository: where they are absent, the tests skip."""

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
HG002_BAM = DATA / "hg002_hg19" / "HG002_NIST_150bp_downsampled_30x.chr20.10_10p1mb.bam"
HG002_FASTQ = (DATA / "hg002_hg19" / "HG002_R1.fq.gz", DATA / "hg002_hg19" / "HG002_R2.fq.gz")
TRIO = DATA / "trio_b37"


def needs(*paths: Path) -> pytest.MarkDecorator:
    """Skip a test where one of the files is absent."""
    return pytest.mark.skipif(not all(path.exists() for path in paths), reason="the real reads are not here")
