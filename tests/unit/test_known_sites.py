"""Which sites are taken from a VCF, and which bases of which reads are counted there."""

import pysam
import pytest

from strandline.landing.regions import Region
from strandline.reads import known_sites
from strandline.reads.coverage import CoverageMeter
from strandline.reads.known_sites import KnownSite, SiteMeter, read_known_sites
from strandline.reads.read_batches import open_batches
from tests.unit.placed_reads import Placed, write_bam

HEADER = (
    "##fileformat=VCFv4.3\n##contig=<ID=c,length=90000>\n"
    '##INFO=<ID=AF,Number=A,Type=Float,Description="f">\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n'
)


def write_vcf(folder, rows):
    text = HEADER + "".join(f"c\t{position}\t.\t{ref}\t{alt}\t.\t.\t{info}\n" for position, ref, alt, info in rows)
    (folder / "f.vcf").write_text(text)
    vcf = folder / "f.vcf.gz"
    pysam.tabix_compress(str(folder / "f.vcf"), str(vcf), force=True)
    pysam.tabix_index(str(vcf), preset="vcf", force=True)
    return vcf


def test_common_single_base_variants_with_one_alternate_are_taken(tmp_path):
    vcf = write_vcf(
        tmp_path,
        [
            (10, "A", "G", "AF=0.5"),
            (10, "A", "T", "AF=0.3"),  # the place is taken
            (11, "A", "G", "AF=0.04"),
            (12, "A", "G", "AF=0.96"),
            (13, "A", "G,T", "AF=0.2,0.2"),
            (14, "AC", "A", "AF=0.5"),
            (15, "A", "<DEL>", "AF=0.5"),
            (16, "A", "G", "."),
            (17, "c", "t", "AF=0.05"),
            (21, "A", "G", "AF=0.5"),  # behind the region
        ],
    )
    sites = read_known_sites(vcf, [Region("c", 0, 20), Region("d", 0, 20)])
    assert sites == [KnownSite("c", 9, "A", "G", 0.5), KnownSite("c", 16, "C", "T", 0.05)]
    assert sites[0].name == "c:10:A:G"


def test_of_many_tiles_some_are_read_and_the_same_ones_for_another_region(tmp_path, monkeypatch):
    monkeypatch.setattr(known_sites, "MOST_TILES", 4)
    monkeypatch.setattr(known_sites, "MOST_SITES", 8)
    vcf = write_vcf(tmp_path, [(position, "A", "G", "AF=0.5") for position in range(1, 80_000, 2_500)])
    whole = read_known_sites(vcf, [Region("c", 0, 80_000)])
    assert [site.position0 for site in whole] == [0, 2500, 20_000, 22_500, 40_000, 42_500, 60_000, 62_500]
    part = read_known_sites(vcf, [Region("c", 15_000, 45_000)])
    assert {site.position0 for site in part} >= {20_000, 22_500, 40_000, 42_500}


def counts(bam, sites):
    with open_batches(bam, bam) as (contigs, batches):
        coverage, meter = CoverageMeter(contigs, []), SiteMeter(contigs, sites)
        for batch in batches:
            meter.add(batch, coverage.add(batch))
    return [(one.ref, one.alt, one.other) for one in meter.finish()]


def test_bases_are_counted_by_allele_where_they_are_aligned(tmp_path):
    """Position 104 (0-based): the fifth aligned base of each read below."""
    high, low = "I" * 10, "I" * 4 + "4" + "I" * 5  # `4` is quality 19
    reads = [
        Placed(100, "10M", bases="CCCCACCCCC", qualities=high),
        Placed(100, "10M", bases="CCCCGCCCCC", qualities=high),
        Placed(100, "10M", bases="CCCCGCCCCC", qualities=low),
        Placed(100, "10M", bases="CCCCTCCCCC", qualities=high),
        Placed(100, "10M", bases="CCCCNCCCCC", qualities=high),
        Placed(104, "2S8M", bases="CCGCCCCCCC", qualities=high),  # soft clips lie nowhere
        Placed(102, "2M1I7M", bases="CCTGCCCCCC", qualities=high),  # an inserted base lies nowhere
        Placed(102, "2M3D8M", bases="CC" + "A" * 8, qualities=high),  # deleted here
        Placed(100, "10M", mapq=19, bases="CCCCGCCCCC", qualities=high),
        Placed(100, "10M", flag=0x400, bases="CCCCGCCCCC", qualities=high),
    ]
    bam = write_bam(tmp_path / "a.bam", reads)
    sites = [KnownSite("d", 1, "A", "G", 0.5), KnownSite("c", 104, "A", "G", 0.5), KnownSite("c", 900, "A", "G", 0.5)]
    assert counts(bam, sites) == [(0, 0, 0), (1, 3, 1), (0, 0, 0)]


def test_two_sites_under_one_read_are_both_counted(tmp_path):
    bam = write_bam(tmp_path / "a.bam", [Placed(100, "10M", bases="ACGTACGTAC", qualities="I" * 10)])
    sites = [KnownSite("c", 109, "C", "T", 0.5), KnownSite("c", 100, "A", "T", 0.5), KnownSite("c", 110, "A", "T", 0.5)]
    assert counts(bam, sites) == [(1, 0, 0), (1, 0, 0), (0, 0, 0)]


def test_reads_without_qualities_are_not_counted(tmp_path):
    bam = write_bam(tmp_path / "a.bam", [Placed(100, "10M", bases="ACGTACGTAC")])
    assert counts(bam, [KnownSite("c", 100, "A", "T", 0.5)]) == [(0, 0, 0)]


def test_depth_is_of_the_two_alleles():
    assert known_sites.SiteCounts(KnownSite("c", 1, "A", "G", 0.5), 3, 4, 9).depth == 7


def test_no_site_is_no_count(tmp_path):
    bam = write_bam(tmp_path / "a.bam", [Placed(1)])
    assert counts(bam, []) == []


@pytest.mark.parametrize("frequency", ["AF=0.05", "AF=0.95"])
def test_the_limits_of_frequency_are_inside(tmp_path, frequency):
    assert len(read_known_sites(write_vcf(tmp_path, [(3, "A", "G", frequency)]), [Region("c", 0, 9)])) == 1
