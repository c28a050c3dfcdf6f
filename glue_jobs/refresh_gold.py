"""RefreshGold: cohort frequencies and gene burden of every cohort whose rows have changed since they were counted."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from strandline.aws.gold_jobs import refresh_changed
from strandline.aws.lake import Lake


def main(argv: Sequence[str]) -> int:
    """Refresh, and print a line of JSON a cohort that was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", required=True, help="the lake's Glue database")
    parser.add_argument("--assembly", help="GRCh37 or GRCh38, for the pseudoautosomal regions")
    given, _ = parser.parse_known_args(argv)  # Glue adds arguments of its own
    for done in refresh_changed(Lake(given.database), assembly=given.assembly):
        sys.stdout.write(json.dumps(asdict(done)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
