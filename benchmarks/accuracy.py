"""How right calls are: `python -m benchmarks.accuracy [DIR] [--simulate-from DIR] [--trio DIR] [--family-from DIR]`.

DIR is a real sample as `strandline demo --data` takes it, with truth and confident regions: it goes through the
deployed workflow. `--simulate-from` takes a reference with a person's truth: reads of 30x are simulated from it, and
what bcftools alone makes of the same reads stands beside. Parameters were chosen on seed 1 of one stretch and are
reported on seed 2 of another; `--choosing` shows the former, which is no result.
`--trio` counts Mendelian violations, which may not be more than those of bcftools calling all three together, whether
our samples are called alone or jointly; and in made-up families the one planted de novo has to be found, and no other.
`--family-from` simulates a family of 30x each on a real person's variants, with 25 new ones planted in the child.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.score import describe
from benchmarks.simulate_reads import Stretch
from benchmarks.simulated import CHOOSING, REPORTING, Simulation, score_simulation
from benchmarks.simulated_family import score_simulated_family
from benchmarks.trio import score_made_up_family, score_trio
from strandline.cli.references import ReferenceSources, make_reference
from strandline.landing.regions import Region
from strandline.variants.comparison import compare_calls

COMMAND = str(Path(sys.executable).with_name("strandline"))
Floors = Mapping[str, Mapping[str, float]]
MADE_UP_SEEDS = (1, 2, 3)
FAMILY_STRETCH, FAMILY_SEED = Stretch("chr20", 6_000_000, 7_000_000), 1
LEAST_FOUND = 0.8  # with high confidence; set after a first run found 22 of 25
TRIO_REGION = Region("20", 10_000_000, 10_010_000)
REAL_FLOORS = {
    "snv": {"f1": 0.995, "genotype_concordance": 0.99},
    "indel": {"f1": 1.0, "genotype_concordance": 0.99},
}
SIMULATED_FLOORS = {
    "snv": {"f1": 0.9965, "genotype_concordance": 0.99},
    "indel": {"f1": 0.983, "genotype_concordance": 0.99},
}


def main() -> int:
    """Print one JSON object a sample, with its floors; 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--simulate-from", type=Path)
    parser.add_argument("--work", type=Path, help="keeps simulated reads and their alignment for the next time")
    parser.add_argument("--choosing", action="store_true", help="the seed and stretch that parameters were chosen on")
    parser.add_argument("--slippage", action="store_true", help="let long runs of one base slip; seed 3, no floors")
    parser.add_argument(
        "--trio", type=Path, help="BAMs, FASTA and PED of a family of three, chr20:10.00-10.01 Mb of b37"
    )
    parser.add_argument("--family-from", type=Path, help="as --simulate-from: a family on chr20:6-7 Mb of it")
    given = parser.parse_args()
    reached = True
    if given.data:
        reached &= report(score_real(given.data), REAL_FLOORS)
    if given.simulate_from:
        simulation = CHOOSING if given.choosing else REPORTING
        if given.slippage:
            simulation = Simulation(simulation.stretch, 3, slippage=True)
        scores = score_simulation(given.simulate_from, simulation, given.work)
        reached &= report({**scores, "chosen_on": CHOOSING.name}, {} if given.slippage else SIMULATED_FLOORS)
    if given.family_from:
        with TemporaryDirectory() as scratch:
            family = score_simulated_family(given.family_from, FAMILY_STRETCH, FAMILY_SEED, Path(scratch))
        reached &= report(family, {}) and family["others_high"] == 0
        reached &= family["found_high"] >= LEAST_FOUND * family["planted"]
        reached &= family["ours_jointly"]["violations"] <= family["bcftools_together"]["violations"]
    if given.trio:
        trio = score_trio(given.trio, TRIO_REGION)
        reached &= report(trio, {})
        most = trio["bcftools_together"]["violations"]
        reached &= trio["ours"]["violations"] <= most and trio["ours_jointly"]["violations"] <= most
        for seed in MADE_UP_SEEDS:
            family = score_made_up_family(seed)
            reached &= report(family, {}) and family["planted_is_high"] and family["de_novos"]["HIGH"] == 1
    return 0 if reached else 1


def report(scores: dict[str, Any], floors: Floors) -> bool:
    """Print and return whether every floor is reached."""
    print(json.dumps({**scores, "floors": floors}))
    return all(scores[kind][share] >= lowest for kind, lows in floors.items() for share, lowest in lows.items())


def score_real(data: Path) -> dict[str, Any]:
    """Take a sample through `strandline run` and return its scores."""
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
    return {"sample": sample, **describe(comparison)}


if __name__ == "__main__":
    sys.exit(main())
