"""How fast FHIR bundles are made, validated beside what validates less, and found on a stage; and reports printed.

`python -m benchmarks.delivery [--variants N] [--rounds N] [--bundles N]`. Prints a JSON row a step and tool, with what
it is held to; ends with 1 where a limit is missed. All but the searches runs in turns in one process; a peer that is
not installed is named.
"""

import argparse
import gc
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from benchmarks.fhir_search import SLOWEST_P95_MS, SearchRow, measure_searches
from benchmarks.made_up_findings import made_up_input
from benchmarks.report_printing import LONGEST_REPORT_S, measure_reports
from strandline.fhir.bundle import build_bundle, serialise_bundle
from strandline.fhir.validation import errors_of, read_document, validate_document

LONGEST_S: Final = 0.5
MOST_MEMORY_MB: Final = 400
_REPORTED: Final = 20
"""Variants that a report shows with their evidence."""


@dataclass(frozen=True, slots=True)
class Row:
    """One step: wall and processor time, medians of the rounds; `first_s` is the first, which makes the checks too."""

    step: str
    variants: int
    resources: int
    seconds: float
    cpu_s: float
    first_s: float
    rounds_s: list[float]


@dataclass(frozen=True, slots=True)
class Limit:
    """What is held: a name, the figure, and whether it is on the right side."""

    says: str
    figure: float
    is_held: bool


def main() -> int:
    """Run all; 1 where a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bundles", type=int, default=100, help="delivered to a stage and searched; 0: no stage")
    given = parser.parse_args()
    source = made_up_input(given.variants)
    bundle = build_bundle(source)
    resources = len(bundle["entry"])
    body = serialise_bundle(bundle)
    steps: dict[str, Callable[[], object]] = {
        "made and validated": lambda: validate_document(build_bundle(source)),
        "made": lambda: build_bundle(source),
        "validated": lambda: validate_document(bundle),
        "read and validated": lambda: validate_document(read_document(body)),
        **_peers(bundle),
    }
    rows = [_row(name, given.variants, resources, _rounds(step, given.rounds)) for name, step in steps.items()]
    peak_mb = _peak_mb(lambda: validate_document(build_bundle(source)))
    whole, errors = rows[0], len(errors_of(validate_document(bundle)))
    limits = [
        Limit(f"seconds to make and validate, under {LONGEST_S:g}", whole.seconds, whole.seconds < LONGEST_S),
        Limit("errors in the bundle, none", errors, errors == 0),
        Limit(f"memory of both in MB, under {MOST_MEMORY_MB}", peak_mb, peak_mb < MOST_MEMORY_MB),
    ]
    reports = measure_reports(_REPORTED, given.rounds)
    if not reports:
        sys.stderr.write("skipped: no report is printed, as this machine has no Pango\n")
    says = f"seconds for a report with evidence and PDF, under {LONGEST_REPORT_S:g}"
    limits += [Limit(says, row.seconds, row.seconds < LONGEST_REPORT_S) for row in reports]
    searches = measure_searches(given.bundles, 20, 40) if given.bundles else []
    limits += _limits_of(searches)
    for told in (*map(asdict, rows), *map(asdict, reports), *map(asdict, searches), *map(asdict, limits)):
        print(json.dumps(told))
    return int(not all(limit.is_held for limit in limits))


def _limits_of(searches: list[SearchRow]) -> list[Limit]:
    return [
        limit
        for row in searches[:1]
        for limit in (
            Limit(
                f"p95 of searches in ms at 20 a second, under {SLOWEST_P95_MS}", row.p95_ms, row.p95_ms < SLOWEST_P95_MS
            ),
            Limit("searches that failed, none", row.errors, not row.errors),
        )
    ]


def _peers(bundle: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """What knows R4 and no profiles: the models of fhirclient, which are in the development environment."""
    if find_spec("fhirclient") is None:
        sys.stderr.write("skipped: fhirclient is not installed\n")
        return {}
    models = import_module("fhirclient.models.bundle")
    return {"validated by fhirclient, R4 alone": lambda: models.Bundle(bundle, strict=True)}


def _rounds(step: Callable[[], object], rounds: int) -> list[tuple[float, float]]:
    """Return wall and processor time of each round, in seconds."""
    taken = []
    for _ in range(rounds):
        gc.collect()
        began, used = time.perf_counter(), time.process_time()
        step()
        taken.append((time.perf_counter() - began, time.process_time() - used))
    return taken


def _row(name: str, variants: int, resources: int, taken: list[tuple[float, float]]) -> Row:
    walls = [round(wall, 3) for wall, _ in taken]
    cpu_s = round(statistics.median(cpu for _, cpu in taken), 3)
    return Row(name, variants, resources, statistics.median(walls), cpu_s, walls[0], walls)


def _peak_mb(step: Callable[[], object]) -> int:
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak >> 20


if __name__ == "__main__":
    sys.exit(main())
