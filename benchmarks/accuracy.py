"""How right the deployed workflow is on a real sample: `python -m benchmarks.accuracy DIR`.

DIR is as `strandline demo --data` takes it, with truth and confident regions. The floors are what the field's
open tools reach on this slice at 30x.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.score import describe
from strandline.cli.references import ReferenceSources, make_reference
from strandline.variants.comparison import compare_calls

COMMAND = str(Path(sys.executable).with_name("strandline"))
LOWEST_F1 = {"snv": 0.99, "indel": 0.96}


def main() -> int:
    """Print counts and shares beside their floors as JSON; 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data: Path = parser.parse_args().data
    first = next(data.rglob("*_R1*.f*q.gz"))
    second = first.with_name(first.name.replace("_R1", "_R2"))
    fasta = next(path for name in ("reference.fa.gz", "reference.fa") for path in data.rglob(name))
    truth, confident, sequenced = (
        next(data.rglob(name)) for name in ("truth.vcf.gz", "confident.bed", "sequenced.bed")
    )
    sample = first.name.split("_R1", maxsplit=1)[0]
    with TemporaryDirectory() as scratch:
        out = Path(scratch) / "out"
        command = [COMMAND, "run", "--sample", sample, "--reads", str(first), str(second), "--reference", str(fasta)]
        subprocess.run([*command, "--regions", str(sequenced), "--out", str(out)], check=True, capture_output=True)
        reference = make_reference(ReferenceSources(fasta)).folder / "reference.fa"
        comparison = compare_calls(out / "calls.vcf.gz", truth, reference, [confident, sequenced])
    scores = describe(comparison)
    print(json.dumps({"sample": sample, **scores, "lowest_f1": LOWEST_F1}))
    return 0 if all(scores[kind]["f1"] >= lowest for kind, lowest in LOWEST_F1.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
