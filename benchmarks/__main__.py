"""Every benchmark, one after the other: `make bench`. Real data is read from beside the checkout."""

import os
import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
HG002 = DATA / "hg002_hg19"
HG002_TRUTH = DATA / "grch38_chr20_0-10M"
TRIO = DATA / "trio_b37"


def main() -> int:
    """Run all; 1 where one missed its limit."""
    missed = run_faults()
    missed |= run_benchmark("validate")
    missed |= run_benchmark("lake_load")
    missed |= run_benchmark("audit")
    missed |= run_benchmark("delivery")
    if not HG002.exists():
        sys.stderr.write(f"skipped: the real HG002 slice is not at {HG002}\n")
        return int(missed)
    simulated = ["--simulate-from", str(HG002_TRUTH), "--family-from", str(HG002_TRUTH)]
    missed |= run_benchmark("accuracy", str(HG002), *simulated, "--trio", str(TRIO))
    missed |= run_benchmark("overhead", str(HG002))
    missed |= run_benchmark("annotation", str(DATA))
    missed |= run_benchmark("lake_agreement", str(DATA))
    missed |= run_benchmark("kills", str(HG002))
    missed |= run_benchmark("lake_kills")
    missed |= run_benchmark("lake_query", str(HG002_TRUTH))
    missed |= run_benchmark("analysis", str(HG002_TRUTH))
    return int(missed)


def run_faults() -> bool:
    """Return whether one of two hundred uploads at once ended otherwise than it should; the suite sends fewer."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/stage/test_landing_faults.py"]
    return bool(subprocess.run(command, env={**os.environ, "FAULTY_UPLOADS": "200"}, check=False).returncode)


def run_benchmark(name: str, *arguments: str) -> bool:
    """Return whether it missed a limit."""
    sys.stderr.write(f"benchmarks.{name}\n")
    return bool(subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=False).returncode)


if __name__ == "__main__":
    sys.exit(main())
