"""LoadCohort: every VCF below an S3 prefix into the lake, file by file, with counts of what was read and written."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from strandline.aws.lake_imports import fetch_vcfs
from strandline.aws.lake_loading import LakePlace
from strandline.aws.lake_migration import Target, migrate_vcfs, raise_refusals
from strandline.errors import RejectedInputError


def main(argv: Sequence[str]) -> int:
    """Load, and print a line of JSON a sample and contig; 65 where a file was refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", required=True, help="the lake's Glue database")
    parser.add_argument("--source", required=True, help="s3://BUCKET/PREFIX/ that holds *.vcf.gz")
    parser.add_argument("--reference-build", required=True, help="build that the files were made on, such as GRCh38")
    parser.add_argument("--reference-version", default="1")
    parser.add_argument("--site", help="code of the lab that they are of: without it, no role of a site sees the rows")
    given, _ = parser.parse_known_args(argv)  # Glue adds arguments of its own
    try:
        target = Target(given.reference_build, given.reference_version, None, datetime.now(UTC), given.site)
        load(LakePlace(given.database, None, None), given.source, target)
    except RejectedInputError as refused:
        sys.stderr.write(f"{refused}\n")
        return refused.EXIT_CODE
    return 0


def load(place: LakePlace, source: str, target: Target) -> None:
    """Load the files one after the other, of which one at a time lies on this machine."""
    outcomes = []
    with TemporaryDirectory(prefix="strandline-") as scratch:
        for path in fetch_vcfs(source, Path(scratch)):
            outcomes += migrate_vcfs(place, [path], target, jobs=1, dry=False)
            path.unlink()
    for found in (found for outcome in outcomes for found in outcome.counts):
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
    raise_refusals(outcomes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
