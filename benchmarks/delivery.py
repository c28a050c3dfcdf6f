"""How fast FHIR bundles are made and validated, beside what validates less.

`python -m benchmarks.delivery [--variants N] [--rounds N]`. Prints a JSON row a step and tool, with what it is held to;
ends with 1 where a limit is missed. Everything runs in turns in one process; a peer that is not installed is named.
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
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from strandline.fhir.bundle import build_bundle, serialise_bundle
from strandline.fhir.drafting import BundleInput
from strandline.fhir.validation import errors_of, read_document, validate_document
from strandline.landing.manifest import SampleDeclaration
from strandline.reads.quality import AlignmentSummary, CoverageSummary, QualitySummary, VariantSummary
from strandline.reporting.findings import Finding, Findings, Tier
from strandline.variants.records import Consequence, TranscriptName, VariantCall

LONGEST_S: Final = 0.5
MOST_MEMORY_MB: Final = 400
_BASES: Final = ("A", "C", "G", "T")


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
    for row in rows:
        print(json.dumps(asdict(row)))
    for limit in limits:
        print(json.dumps(asdict(limit)))
    return int(not all(limit.is_held for limit in limits))


def made_up_input(count: int) -> BundleInput:
    """Findings that all differ in place, alleles, names, depths and ids, each with an effect and a word of ClinVar."""
    named = tuple(Finding(Tier.KNOWN_PATHOGENIC, _call(number)) for number in range(count))
    quality = QualitySummary(
        submission_id="s-1",
        sample_id="S",
        reference="GRCh38/0c2b",
        alignment=AlignmentSummary(
            read_count=20_000, mapped_fraction=0.99, properly_paired_fraction=0.97, duplicate_fraction=0.02
        ),
        coverage=CoverageSummary(
            analysed_bases=100_000,
            callable_bases=95_000,
            mean_depth=31.4,
            fraction_at_10=0.95,
            fraction_at_20=0.9,
            fraction_at_30=0.6,
        ),
        variants=VariantSummary(
            **dict.fromkeys(("called", "passed", "snv", "indel", "heterozygous", "homozygous"), count),
            transitions=count,
            transversions=count,
            count_by_filter={},
        ),
        warnings=(),
        programs=(),
    )
    return BundleInput(
        submission_id="s-1",
        sample=SampleDeclaration.model_validate({"sample_id": "S", "subject_id": "PT00042", "site": "north"}),
        reference_label="GRCh38/0c2b",
        assembly="GRCh38",
        quality=quality,
        findings=Findings(named, 0, 0, 0),
        issued=datetime(2026, 11, 22, tzinfo=UTC),
        platform_version="0",
        sources={"ClinVar": "2026-11"},
    )


def _call(number: int) -> VariantCall:
    position, ref, alt = 32_316_461 + 7 * number, _BASES[number % 4], _BASES[(number + 1 + number // 4 % 3) % 4]
    gene, coding = f"GENE{number // 20}", f"c.{number + 1}{ref}>{alt}"
    name = TranscriptName(
        f"ENST{number // 20:011}.1", gene, "MANE_Select", "missense", coding, f"ENSP{number // 20:011}.1",
        f"p.(Lys{number // 3 + 1}Glu)",
    )  # fmt: skip
    return VariantCall(
        contig="chr13",
        position=position,
        ref=ref,
        alt=alt,
        quality=221.3,
        filters=("PASS",),
        genotype="0/1",
        zygosity="HET",
        phased=False,
        depth=40,
        ref_depth=10 + number % 23,
        alt_depth=10 + number % 31,
        genotype_quality=99,
        consequences=(Consequence("missense", gene, name.transcript.split(".")[0], f"{number}K>{number}E", None),),
        clinvar_id=str(900_001 + number),
        clinvar_significance="Likely_pathogenic",
        identifier=None,
        genomic_name=f"NC_000013.11:g.{position}{ref}>{alt}",
        names=(name,),
        dbsnp_id=f"rs{number + 1}",
        population_frequency=round(number / 1e6, 6),
    )


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
