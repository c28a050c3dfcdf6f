"""LoadCohort: every VCF below an S3 prefix into the lake, spread over Spark's executors and committed once a table.

Where there is no Spark, as on one machine, a process for each core does the same.
"""

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from strandline.aws.lake_cohort import Outcome, Target, load_cohort, raise_refusals
from strandline.aws.lake_imports import list_vcfs
from strandline.aws.lake_loading import LakePlace
from strandline.aws.lake_spreading import Spread, over_executors, over_processes
from strandline.errors import RejectedInputError


def main(argv: Sequence[str]) -> int:
    """Load, and print what `summary` says; 65 where a file was refused, after the others are in."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", required=True, help="the lake's Glue database")
    parser.add_argument("--source", required=True, help="s3://BUCKET/PREFIX/ that holds *.vcf.gz")
    parser.add_argument("--reference-build", required=True, help="build that the files were made on, such as GRCh38")
    parser.add_argument("--reference-version", default="1")
    parser.add_argument("--site", help="code of the lab that they are of: without it, no role of a site sees the rows")
    parser.add_argument("--dry-run", choices=("true", "false"), default="false", help="count and judge only")
    given, _ = parser.parse_known_args(argv)  # Glue adds arguments of its own
    try:
        target = Target(given.reference_build, given.reference_version, None, datetime.now(UTC), given.site)
        sources = list_vcfs(given.source)
        with spread_out() as spread:
            place = LakePlace(given.database, None, None)
            outcomes = load_cohort(place, sources, target, spread, dry=given.dry_run == "true")
        for said in summary(outcomes):
            sys.stdout.write(json.dumps(said) + "\n")
        raise_refusals(outcomes)
    except RejectedInputError as refused:
        sys.stderr.write(f"{refused}\n")
        return refused.EXIT_CODE
    return 0


def summary(outcomes: Sequence[Outcome]) -> Iterator[dict[str, object]]:
    """Say how many rows were read and are there, by contig, and which files were refused, by their place in the list.

    Logs have no names of samples, nor of files, which may be named after somebody.
    """
    counts: dict[str, list[int]] = {}
    for found in (found for outcome in outcomes for found in outcome.counts):
        sums = counts.setdefault(found.contig, [0, 0])
        sums[0] += found.read
        sums[1] += found.written
    for contig, (read, written) in sorted(counts.items()):
        yield {"contig": contig, "read": read, "written": written}
    for outcome in outcomes:
        if outcome.refusal:
            code, message = outcome.refusal
            message = message.replace(outcome.sample_id, "the file")  # which is what a refused file has for a name
            yield {"file": outcome.file_number, "refused": code, "message": message}


@contextmanager
def spread_out() -> Iterator[Spread]:
    """Yield what does the work: the executors of this job's Spark, or processes of this machine."""
    if importlib.util.find_spec("pyspark"):
        from pyspark import SparkContext  # noqa: PLC0415 - Glue has it; one machine need not

        with SparkContext.getOrCreate() as spark:
            yield over_executors(spark)
    else:
        with over_processes(os.cpu_count() or 1) as spread:
            yield spread


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
