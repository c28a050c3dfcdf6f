"""VCF and gVCF as Arrow: the one transform of the lake, streaming, in batches of bounded size.

Source: VCF 4.1 to 4.5 (samtools/hts-specs).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from strandline.lake import arrow_columns as arrow
from strandline.lake import vcf_lines as lines
from strandline.lake.alleles import Reference
from strandline.lake.samples import SampleReader
from strandline.lake.sites import SiteReader, Sites
from strandline.lake.vcf_records import Records, batches_of, find_records
from strandline.lake.vcf_source import VcfSource
from strandline.landing.read_ahead import ReadAhead

_BLOCKS_AHEAD: Final = 1  # while one is read, the next is decompressed


@dataclass(frozen=True, slots=True)
class VcfBatch:
    """Some rows of one file; each part may be empty. Texts that repeat are dictionary-encoded.

    Attributes:
        sites: one row a record and ALT allele.
        genotypes: one row a sample and ALT allele; `site` is its row in `sites`.
        blocks: one row a sample and reference block.
    """

    sites: pa.RecordBatch
    genotypes: pa.RecordBatch
    blocks: pa.RecordBatch


def read_vcf(source: VcfSource, *, keeps_all: bool = False, reference: Reference | None = None) -> Iterator[VcfBatch]:
    """Yield a VCF or gVCF as columns, in its order.

    Each ALT allele but `<*>` and `<NON_REF>` becomes a row of its own. It is trimmed of the bases that it shares with
    REF, from the end and then from the start, but for one; with a `reference` it is moved to the left as far as that
    lets it, as well. Symbolic alleles, breakends and `*` are kept as they are. Values of INFO and FORMAT stay the text
    that the file has (percent signs included: what they hide may be a comma), those that the header declares as one
    an ALT allele, an allele or a genotype cut to what is of REF and of the allele; a Flag has the empty text.

    Args:
        source: the file; it is read once.
        keeps_all: rows of genotypes that do not have the allele, too; else those that carry it.
        reference: the sequences to align to; None trims only.

    Raises:
        RejectedInputError: what `VcfSource` raises, and where a record is not what the header or the specification
            says: `vcf_columns`, `vcf_position`, `vcf_quality`, `vcf_alleles_over`, `vcf_info_type`, `vcf_info_count`,
            `vcf_info_keys`, `vcf_gt_form`, `vcf_gt_allele`, `vcf_ploidy`, `vcf_genotype_type`, `vcf_genotype_count`,
            `vcf_sample_parts`, `vcf_too_wide`.
    """
    site_reader, sample_reader = SiteReader(source, reference), SampleReader(source, keeps_all=keeps_all)
    with ReadAhead(source.blocks(site_reader.prefix), _BLOCKS_AHEAD) as blocks:
        for block in blocks:
            for records in batches_of(find_records(block, source.name), len(source.samples)):
                sites = site_reader.read(records)
                genotypes, reference_blocks = sample_reader.read(records, sites)
                yield VcfBatch(_site_batch(records, sites), genotypes, reference_blocks)


def _site_batch(records: Records, sites: Sites) -> pa.RecordBatch:
    starts, ends = records.bounds(lines.ID)
    starts, ends = starts[sites.records], ends[sites.records]
    has_name = (ends - starts != 1) | (records.text[starts] != ord("."))
    return pa.RecordBatch.from_pydict(
        {
            **sites.columns,
            "identifier": arrow.strings(records.text, starts, ends, has_name),
            "info": sites.infos,
            "alt_number": arrow.numbers(sites.alts),
            "source_position": arrow.numbers(records.positions[sites.records]),
        }
    )
