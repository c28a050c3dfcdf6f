"""Calls as a VCF, and that as rows of the lake."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from strandline.lake.rows import LoadedSample, variant_batches
from strandline.lake.vcf_columns import VcfBatch, read_vcf
from strandline.lake.vcf_source import VcfSource
from strandline.variants.records import VariantCall

_HEADER = """##fileformat=VCFv4.3
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
"""
_COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT")


def variants_of(calls: Sequence[VariantCall], loaded: LoadedSample) -> list[pa.Table]:
    """Return the rows of `variants` that a file with these calls makes."""
    return list(variant_batches(batches_of(calls, loaded), calls, loaded))


def batches_of(calls: Sequence[VariantCall], loaded: LoadedSample) -> Iterator[VcfBatch]:
    """Yield a file with these calls as columns."""
    columns = "\t".join([*_COLUMNS, loaded.sample.sample_id])
    text = f"{_HEADER}{columns}\n{''.join(map(_record, calls))}"
    return read_vcf(VcfSource([text.encode()], "calls.vcf"))


def _record(call: VariantCall) -> str:
    def text(value: object) -> str:
        return "." if value is None else str(value)

    depths = "." if call.ref_depth is None else f"{call.ref_depth},{text(call.alt_depth)}"
    sample = ":".join([call.genotype, depths, text(call.depth), text(call.genotype_quality)])
    fixed = [call.contig, str(call.position), text(call.identifier), call.ref, call.alt, text(call.quality)]
    return "\t".join([*fixed, ";".join(call.filters), ".", "GT:AD:DP:GQ", sample]) + "\n"
