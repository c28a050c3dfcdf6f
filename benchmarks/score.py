"""Score calls against a truth set: `python -m benchmarks.score CALLS TRUTH REFERENCE [BED ...]`.

Normalises both sides, counts exact matches inside every BED, ignores calls with QUAL under 20 or a failed filter.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from strandline.reads.reference_bundle import make_bundle
from strandline.variants.comparison import Comparison, compare_calls


def main() -> int:
    """Print one JSON object with the counts and shares of SNVs and indels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calls", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("reference", type=Path, help="FASTA, plain or gzip")
    parser.add_argument("regions", type=Path, nargs="*", help="BED; only alleles inside each of them count")
    given = parser.parse_args()
    with TemporaryDirectory() as scratch:
        make_bundle(given.reference, Path(scratch))
        comparison = compare_calls(given.calls, given.truth, Path(scratch) / "reference.fa", given.regions)
    print(json.dumps(describe(comparison), indent=1))
    return 0


def describe(comparison: Comparison) -> dict[str, dict[str, float]]:
    """Return counts and shares by class of variant."""
    described = {}
    for name, score in (("snv", comparison.snv), ("indel", comparison.indel)):
        shares = {
            "precision": score.precision,
            "recall": score.recall,
            "f1": score.f1,
            "genotype_concordance": score.genotype_concordance,
        }
        described[name] = {**asdict(score), **{key: round(value, 4) for key, value in shares.items()}}
    return described


if __name__ == "__main__":
    sys.exit(main())
