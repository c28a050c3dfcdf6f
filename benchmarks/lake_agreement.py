"""Every VCF below a folder through the lake's transform and through pysam, value by value.

`python -m benchmarks.lake_agreement FOLDER`. Prints a JSON row a file: how many sites, genotypes and reference blocks
agreed, or why it was refused; ends with 1 where a value differs.
"""

import json
import math
import sys
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, Final

import pysam

from strandline.errors import RejectedInputError
from strandline.lake.vcf_columns import read_vcf
from strandline.lake.vcf_source import open_vcf

_UNSEEN: Final = frozenset({"<NON_REF>", "<*>", "."})
_SINGLE: Final = 1e-6  # pysam keeps fractions in single precision
Rows = Iterator[tuple[str, dict[str, Any]]]


def main() -> int:
    """Compare all files; 1 where one differs."""
    found = sorted(path for path in Path(sys.argv[1]).rglob("*.vcf*") if path.suffix in {".vcf", ".gz"})
    results = [compare(path) for path in found]
    for result in results:
        print(json.dumps(result))
    return int(any("differs" in result for result in results))


def compare(path: Path) -> dict[str, str | int]:
    """Return how many rows of one file agree, what differs first, or why the file was refused."""
    counts = {"sites": 0, "genotypes": 0, "blocks": 0}
    nothing: tuple[str, dict[str, Any]] = ("nothing", {})
    try:
        for (part, row), (kind, wanted) in zip_longest(our_rows(path), expected_rows(path), fillvalue=nothing):
            wrong = differing(row, wanted) if part == kind else f"{part} in place of {kind}"
            if wrong:
                return {"file": path.name, **counts, "differs": wrong}
            counts[part] += 1
    except RejectedInputError as refused:
        return {"file": path.name, "refused": str(refused)}
    return {"file": path.name, **counts}


def our_rows(path: Path) -> Rows:
    """Yield our rows, all sites first, then all genotypes and all blocks."""
    with open_vcf(path) as source:
        batches = list(read_vcf(source, keeps_all=True))
    for part in ("sites", "genotypes", "blocks"):
        yield from ((part, row) for batch in batches for row in getattr(batch, part).to_pylist())


def expected_rows(path: Path) -> Rows:
    """Yield what pysam says, in the same order."""
    verbosity = pysam.set_verbosity(0)
    for part, rows_of in (("sites", _sites), ("genotypes", _genotypes), ("blocks", _blocks)):
        with pysam.VariantFile(str(path)) as records:
            yield from ((part, row) for row in chain.from_iterable(map(rows_of, records)))
    pysam.set_verbosity(verbosity)


def differing(row: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """Name the first column whose value is not the wanted one."""
    for name, value in wanted.items():
        ours = dict(row[name]) if name == "info" else row[name]
        if not _are_alike(ours, value):
            return f"{name} of {row['contig']}:{row.get('source_position', row.get('start0'))}"
    return None


def _are_alike(ours: Any, value: Any) -> bool:
    if isinstance(value, float) and ours is not None:
        if math.isnan(value):
            return math.isnan(float(ours))
        return math.isclose(float(ours), value, rel_tol=_SINGLE, abs_tol=1e-9)
    if isinstance(value, dict):
        return set(ours) == set(value) and all(_are_alike(ours[key], one) for key, one in value.items())
    if isinstance(value, tuple):  # values of INFO against their text
        texts = ours.split(",")
        if all(isinstance(one, str) for one in value):
            return bool(ours == ",".join(value))
        return len(texts) == len(value) and all(
            text == "." if one is None else _are_alike(text, float(one)) for text, one in zip(texts, value, strict=True)
        )
    return bool(ours == value)


def _alleles(record: pysam.VariantRecord) -> list[tuple[int, str]]:
    return [(number, alt) for number, alt in enumerate(record.alts or (), start=1) if alt not in _UNSEEN]


def _place(record: pysam.VariantRecord, alt: str) -> dict[str, Any]:
    ref, position = str(record.ref).upper(), record.pos
    if alt.isalpha():
        alt = alt.upper()
        while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
            ref, alt = ref[:-1], alt[:-1]
        while len(ref) > 1 and len(alt) > 1 and ref[0] == alt[0]:
            ref, alt, position = ref[1:], alt[1:], position + 1
    return {"contig": record.contig, "position": position, "ref": ref, "alt": alt, "source_position": record.pos}


def _sites(record: pysam.VariantRecord) -> Iterator[dict[str, Any]]:
    for number, alt in _alleles(record):
        info = {key: _cut(record, key, value, number) for key, value in record.info.items()}
        filters = ";".join(str(name) for name in record.filter) or "."
        row = {**_place(record, alt), "identifier": record.id, "quality": record.qual, "filters": filters}
        yield {**row, "info": info}


def _cut(record: pysam.VariantRecord, key: str, value: Any, number: int) -> Any:
    """Return the values of INFO that are of one allele."""
    definition = record.header.info[key]
    if definition.type == "Flag":
        return ""
    values = value if isinstance(value, tuple) else (value,)
    if definition.number == "A" and len(values) == len(record.alts or ()):
        return values[number - 1 : number]
    if definition.number == "R" and len(values) == len(record.alts or ()) + 1:
        return (values[0], values[number])
    return values


def _genotypes(record: pysam.VariantRecord) -> Iterator[dict[str, Any]]:
    if "GT" not in record.format:
        return
    for name, sample in record.samples.items():
        for number, alt in _alleles(record):
            yield {"sample_id": name, **_place(record, alt), **_seen_from(record, sample, number)}


def _seen_from(record: pysam.VariantRecord, sample: pysam.VariantRecordSample, number: int) -> dict[str, Any]:
    alleles = sample["GT"]
    seen = {
        column: _declared(record, sample, key)
        for column, key in (("depth", "DP"), ("genotype_quality", "GQ"), ("phase_set", "PS"))
        if key in record.header.formats and record.header.formats[key].type == "Integer"
    }
    if len(alleles) > 1:
        divider = "|" if sample.phased else "/"
        told = ("." if one is None else str(int(one == number)) for one in alleles)
        seen["genotype"] = divider.join(told)
    depths = _declared(record, sample, "AD")
    if depths and len(depths) == len(record.alts or ()) + 1:
        seen |= {"ref_depth": depths[0], "alt_depth": depths[number]}
    values = _declared(record, sample, "PL")
    if values and None not in values:
        orders = (_genotype_order(ploidy, len(record.alts or ())) for ploidy in (len(alleles), 2))
        order = next(one for one in orders if len(one) == len(values))
        kept = [value for one, value in zip(order, values, strict=True) if set(one) <= {0, number}]
        seen["phred_likelihoods"] = kept
    return seen


def _declared(record: pysam.VariantRecord, sample: pysam.VariantRecordSample, key: str) -> Any:
    return sample.get(key) if key in record.header.formats else None


def _genotype_order(ploidy: int, highest: int) -> list[tuple[int, ...]]:
    """Return all genotypes in the order that VCF 4.5, section 1.6.2 gives them by recursion."""
    if ploidy == 0:
        return [()]
    return [(*rest, last) for last in range(highest + 1) for rest in _genotype_order(ploidy - 1, last)]


def _blocks(record: pysam.VariantRecord) -> Iterator[dict[str, Any]]:
    if _alleles(record):
        return
    for name, sample in record.samples.items():
        depth = _declared(record, sample, "MIN_DP")
        if depth is None and "MIN_DP" in record.info:
            depth = record.info["MIN_DP"]
        yield {
            "sample_id": name,
            "contig": record.contig,
            "start0": record.start,
            "end0": record.stop,
            "min_depth": _declared(record, sample, "DP") if depth is None else depth,
            "genotype_quality": _declared(record, sample, "GQ"),
            "is_called": set(sample["GT"]) == {0},
        }


if __name__ == "__main__":
    sys.exit(main())
