"""Kinship by the published formula, by hand and on a real family of exomes; genotypes from reads and from VCFs."""

import pysam
import pytest

from strandline.errors import RejectedInputError
from strandline.reads.fingerprint import (
    Fingerprint,
    Relation,
    compare_fingerprints,
    parse_fingerprint,
    read_genotypes,
    take_fingerprint,
)
from strandline.reads.known_sites import KnownSite, SiteCounts
from tests.unit.real_data import DATA, needs

FAMILY = DATA / "annot" / "ashk-trio.vcf.gz"


def genotypes(*copies: int) -> dict[str, int]:
    return {f"c:{place}:A:G": one for place, one in enumerate(copies, start=1)}


def test_kinship_is_the_robust_estimate_of_manichaikul():
    """Equation 11 by hand: both heterozygous 2, opposite 1, heterozygous 3 and 4: (2-2)/6 + 1/2 - 7/12 = -1/12."""
    one = genotypes(1, 1, 1, 0, 0, 2)
    other = genotypes(1, 1, 0, 1, 2, 1)
    found = compare_fingerprints(one, other)
    assert (found.site_count, found.both_heterozygous, found.opposite_homozygous) == (6, 2, 1)
    assert found.concordance == 2 / 6
    assert found.kinship == pytest.approx(-1 / 12)
    assert compare_fingerprints(other, one) == found


def test_the_same_genotypes_have_kinship_a_half():
    same = genotypes(*[0, 1, 2] * 40)
    found = compare_fingerprints(same, same)
    assert (found.kinship, found.concordance, found.relation) == (0.5, 1.0, Relation.SAME)


def test_few_sites_or_no_heterozygous_one_say_nothing():
    assert compare_fingerprints(genotypes(1, 0), genotypes(1, 2)).relation is Relation.UNKNOWN
    homozygous = genotypes(*[0, 2] * 100)
    found = compare_fingerprints(homozygous, homozygous)
    assert (found.kinship, found.relation) == (None, Relation.UNKNOWN)
    assert compare_fingerprints({}, {}).concordance == 0.0


@needs(FAMILY)
def test_a_real_child_is_of_its_parents_and_they_are_not_related():
    """HG002, HG003 and HG004 are son, father and mother; the VCF is of an exome joint call."""
    copies: dict[str, dict[str, int]] = {}
    with pysam.VariantFile(str(FAMILY)) as records:
        for record in records:
            if record.contig in {"X", "Y"} or len(record.alleles or ()) != 2 or set(map(len, record.alleles)) != {1}:
                continue
            for name, sample in record.samples.items():
                if None not in sample["GT"] and (sample.get("GQ") or 0) >= 20:
                    copies.setdefault(name, {})[f"{record.contig}:{record.pos}"] = sum(sample["GT"])
    son, father, mother = (copies[name] for name in ("HG002", "HG003", "HG004"))
    for parent in (father, mother):
        found = compare_fingerprints(son, parent)
        assert found.relation is Relation.FIRST_DEGREE
        assert found.kinship == pytest.approx(0.25, abs=0.02)
    strangers = compare_fingerprints(father, mother)
    assert strangers.relation is Relation.UNRELATED
    assert strangers.kinship == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("ref", "alt", "copies"),
    [(20, 0, 0), (10, 11, 1), (0, 20, 2), (7, 0, None), (20, 3, None), (20, 5, 1), (40, 1, 0), (9, 0, 0)],
)
def test_a_genotype_is_taken_where_reads_leave_no_doubt(ref, alt, copies):
    """By hand, with an error of 0.005: 20 and 3 reads cost e^-16.0 without a copy and 23 ln 2 = e^-15.9 with one."""
    site = KnownSite("c", 99, "A", "G", 0.5)
    found = take_fingerprint("toy/1", [SiteCounts(site, ref, alt, 0)]).copies
    assert found == ({} if copies is None else {"c:100:A:G": copies})


def test_genotypes_are_read_from_a_gvcf_reference_blocks_included(tmp_path):
    text = (
        "##fileformat=VCFv4.3\n##contig=<ID=c,length=500>\n"
        '##INFO=<ID=END,Number=1,Type=Integer,Description="e">\n##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts\n"
        "c\t1\t.\tT\t<*>\t.\t.\tEND=99\tGT\t0/0\n"
        "c\t100\t.\tA\tG\t9\t.\t.\tGT\t0/1\n"
        "c\t101\t.\tA\tC,G\t9\t.\t.\tGT\t2/2\n"
        "c\t102\t.\tA\tG\t9\t.\t.\tGT\t./.\n"
        "c\t103\t.\tA\t.\t9\t.\t.\tGT\t0/0\n"
    )
    (tmp_path / "a.vcf").write_text(text)
    vcf = tmp_path / "a.vcf.gz"
    pysam.tabix_compress(str(tmp_path / "a.vcf"), str(vcf))
    pysam.tabix_index(str(vcf), preset="vcf")
    sites = [f"c:{position}:A:G" for position in (50, 100, 101, 102, 103, 104)]
    assert read_genotypes(vcf, [*sites, "d:1:A:G"]) == {
        "c:50:A:G": 0, "c:100:A:G": 1, "c:101:A:G": 2, "c:103:A:G": 0,
    }  # fmt: skip


def test_a_fingerprint_survives_being_written_and_a_damaged_one_is_refused():
    made = Fingerprint(reference="toy/1", copies={"c:1:A:G": 2})
    assert parse_fingerprint(made.model_dump_json().encode(), "fingerprint.json") == made
    with pytest.raises(RejectedInputError, match=r"^fingerprint_invalid: "):
        parse_fingerprint(b'{"copies": 1}', "fingerprint.json")
