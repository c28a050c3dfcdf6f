"""Shapes of variants, by hand and beside bcftools stats. ANA-05."""

import pytest

from strandline.reads.tools import read_output, tool_command
from strandline.variants.records import read_calls
from strandline.variants.statistics import describe_variants, substitution_of
from tests.unit.made_up import call


def snv(ref: str, alt: str, ref_depth: int, alt_depth: int, zygosity: str = "HET", **changes):
    return call(ref=ref, alt=alt, ref_depth=ref_depth, alt_depth=alt_depth, zygosity=zygosity, **changes)


def test_shapes_are_counted_of_what_passed():
    found = describe_variants(
        [
            snv("C", "T", 10, 10),
            snv("G", "A", 19, 1),
            snv("A", "C", 0, 20),
            snv("T", "A", 1, 19, "HOM_ALT"),
            snv("T", "A", 0, 20, "HOM_ALT"),
            snv("C", "T", 5, 5, filters=("LowQual",)),
            call(ref="A", alt="ACG"),
            call(ref="A" * 80, alt="A"),
            call(ref="AC", alt="GT"),
        ]
    )
    assert found.substitutions == {"C>T": 2, "T>A": 2, "T>G": 1}
    assert found.indel_lengths == {-50: 1, 2: 1}
    assert found.heterozygous_to_homozygous == 1.5
    assert found.homozygous_reference_fraction == 1 / 40
    assert [place for place, count in enumerate(found.allele_fractions) if count] == [1, 10, 19]


def test_nothing_called_is_nothing_counted():
    found = describe_variants([])
    assert (found.substitutions, found.indel_lengths, sum(found.allele_fractions)) == ({}, {}, 0)
    assert (found.heterozygous_to_homozygous, found.homozygous_reference_fraction) == (None, None)


def test_a_call_without_depths_has_no_share_of_reads():
    found = describe_variants([snv("C", "T", None, None), snv("C", "T", None, None, "HOM_ALT")])
    assert (sum(found.allele_fractions), found.homozygous_reference_fraction) == (0, None)


@pytest.mark.parametrize(("ref", "alt", "change"), [("A", "G", "T>C"), ("G", "T", "C>A"), ("T", "G", "T>G")])
def test_a_change_is_read_on_the_strand_with_the_pyrimidine(ref, alt, change):
    assert substitution_of(ref, alt) == change


def test_counts_are_those_of_bcftools_stats(tmp_path):
    vcf = tmp_path / "a.vcf"
    rows = ["C\tT", "G\tA", "A\tC", "A\tATT", "AGG\tA", "AGG\tA", "T\tA"]
    vcf.write_text(
        "##fileformat=VCFv4.3\n##contig=<ID=c>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts\n'
        + "".join(f"c\t{place}\t.\t{alleles}\t50\tPASS\t.\tGT\t0/1\n" for place, alleles in enumerate(rows, start=1))
    )
    ours = describe_variants(read_calls(vcf))
    printed = read_output([*tool_command("bcftools"), "stats", str(vcf)]).decode().splitlines()
    table = [line.split("\t") for line in printed if not line.startswith("#")]
    assert ours.indel_lengths == {int(row[2]): int(row[3]) for row in table if row[0] == "IDD"}
    theirs: dict[str, int] = {}
    for row in table:
        if row[0] == "ST" and int(row[3]):
            change = substitution_of(*row[2].split(">"))
            theirs[change] = theirs.get(change, 0) + int(row[3])
    assert ours.substitutions == theirs
