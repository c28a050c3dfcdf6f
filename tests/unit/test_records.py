"""Records of a split, annotated VCF. Sources: VCF 4.3; the page of bcftools csq on `BCSQ`."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.variants.records import SEVERITY, Consequence, parse_consequences, read_calls, summarise_calls
from tests.unit.made_up import call, consequence

HEADER = """\
##fileformat=VCFv4.3
##contig=<ID=c,length=1000>
##FILTER=<ID=LowQual,Description="x">
##FILTER=<ID=LowDepth,Description="x">
##INFO=<ID=BCSQ,Number=.,Type=String,Description="x">
##INFO=<ID=CLINVAR_ID,Number=1,Type=String,Description="x">
##INFO=<ID=CLNSIG,Number=.,Type=String,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1
"""


def vcf(folder: Path, *lines: str) -> Path:
    path = folder / "calls.vcf"
    path.write_text(HEADER + "".join(line.replace(" ", "\t") + "\n" for line in lines))
    return path


def test_a_full_record_is_read_field_by_field(tmp_path):
    line = (
        "c 7 rs1 G A 221.5 PASS BCSQ=stop_gained|TOY1|T1|protein_coding|+|12W>12*|7G>A;CLINVAR_ID=15;"
        "CLNSIG=Pathogenic,_risk_factor GT:AD:DP:GQ 0/1:18,14:33:99"
    )
    (read,) = read_calls(vcf(tmp_path, line))
    assert (read.contig, read.position, read.end_position, read.ref, read.alt) == ("c", 7, 7, "G", "A")
    assert (read.identifier, read.quality, read.filters, read.passed) == ("rs1", 221.5, ("PASS",), True)
    assert (read.genotype, read.zygosity, read.phased) == ("0/1", "HET", False)
    assert (read.ref_depth, read.alt_depth, read.depth, read.genotype_quality) == (18, 14, 33, 99)
    assert read.consequences == (Consequence("stop_gained", "TOY1", "T1", "12W>12*", "7G>A"),)
    assert (read.clinvar_id, read.clinvar_significance) == ("15", "Pathogenic,_risk_factor")


def test_a_bare_record_leaves_absent_what_is_absent(tmp_path):
    (read,) = read_calls(vcf(tmp_path, "c 7 . G A . . . GT 1/1"))
    assert read.filters == ("PASS",)
    assert read.consequences == ()
    absent = (read.quality, read.identifier, read.depth, read.ref_depth, read.alt_depth, read.genotype_quality)
    assert absent == (None,) * 6
    assert (read.clinvar_id, read.clinvar_significance, read.worst_consequence) == (None, None, None)


@pytest.mark.parametrize(
    ("genotype", "zygosity", "phased"),
    [
        ("0/1", "HET", False),
        ("1/0", "HET", False),
        ("0|1", "HET", True),
        ("1|1", "HOM_ALT", True),
        ("1/1", "HOM_ALT", False),
        ("./1", "HET", False),
        ("1", "HEMI", False),
    ],
)
def test_zygosity_and_phase_come_from_the_genotype(tmp_path, genotype, zygosity, phased):
    (read,) = read_calls(vcf(tmp_path, f"c 7 . G A 50 PASS . GT {genotype}"))
    assert (read.genotype, read.zygosity, read.phased) == (genotype, zygosity, phased)


def test_every_failed_filter_is_kept(tmp_path):
    (read,) = read_calls(vcf(tmp_path, "c 7 . G A 50 LowQual;LowDepth . GT 0/1"))
    assert read.filters == ("LowQual", "LowDepth")
    assert not read.passed


@pytest.mark.parametrize(
    ("ref", "alt", "kind", "end"),
    [
        ("A", "C", "SNV", 100),
        ("A", "AT", "INSERTION", 100),
        ("ATG", "A", "DELETION", 102),
        ("AT", "GC", "MNV", 101),
        ("ATG", "CT", "COMPLEX", 102),
        ("A", "CT", "COMPLEX", 100),
    ],
)
def test_the_type_follows_from_the_alleles(ref, alt, kind, end):
    made = call(position=100, ref=ref, alt=alt)
    assert (made.variant_type, made.end_position, made.is_snv) == (kind, end, kind == "SNV")


def test_an_effect_without_amino_acids_has_fewer_fields():
    """In an intron bcftools csq names no transcript."""
    assert parse_consequences(("intron|TOY1||protein_coding", "splice_donor|TOY1|T1|protein_coding")) == (
        Consequence("intron", "TOY1", "", None, None),
        Consequence("splice_donor", "TOY1", "T1", None, None),
    )


def test_two_terms_of_one_effect_become_two():
    parsed = parse_consequences(("inframe_deletion&splice_donor|SYN2|T2|protein_coding",))
    assert [effect.term for effect in parsed] == ["inframe_deletion", "splice_donor"]


def test_a_pointer_to_another_record_says_nothing_here():
    assert parse_consequences(("@4091",)) == ()


def test_a_star_marks_an_effect_downstream_of_a_stop():
    (effect,) = parse_consequences(("*missense|TOY1|T1|protein_coding|-|31S>31P|91T>C",))
    assert (effect.term, effect.protein_change) == ("missense", "31S>31P")


def test_the_worst_consequence_is_the_most_severe_and_unknown_terms_come_last():
    """Order of Ensembl's table of calculated variant consequences."""
    terms = ["intron", "feature_elongation", "missense", "stop_gained", "synonymous"]
    worst = call(consequences=tuple(consequence(term) for term in terms)).worst_consequence
    assert worst is not None
    assert worst.term == "stop_gained"
    unknown_or_intron = call(consequences=(consequence("feature_elongation"), consequence("intron")))
    assert unknown_or_intron.worst_consequence == consequence("intron")
    order = ["splice_donor", "stop_gained", "frameshift", "missense", "splice_region", "synonymous", "intron"]
    assert sorted(order, key=SEVERITY.index) == order


records = st.lists(
    st.tuples(
        st.sampled_from([("A", "G"), ("C", "T"), ("A", "C"), ("G", "T"), ("A", "AT"), ("CAG", "C"), ("AC", "GT")]),
        st.sampled_from(["0/1", "1/1", "0|1", "1"]),
        st.sampled_from(["PASS", ".", "LowQual", "LowDepth", "LowQual;LowDepth"]),
    ),
    max_size=15,
)


@settings(max_examples=40)
@given(records)
def test_counts_of_a_summary_add_up(drawn):
    with TemporaryDirectory() as folder:
        lines = (
            f"c {number} . {ref} {alt} 50 {filters} . GT {genotype}"
            for number, ((ref, alt), genotype, filters) in enumerate(drawn, start=1)
        )
        summary = summarise_calls(vcf(Path(folder), *lines))
    passed = [(alleles, genotype) for alleles, genotype, filters in drawn if filters in {"PASS", "."}]
    assert (summary.called, summary.passed) == (len(drawn), len(passed))
    assert summary.snv + summary.indel == summary.passed == summary.heterozygous + summary.homozygous
    assert summary.transitions == sum(alleles in {("A", "G"), ("C", "T")} for alleles, _ in passed)
    assert summary.transitions + summary.transversions == summary.snv
    assert summary.heterozygous == sum(genotype in {"0/1", "0|1"} for _, genotype in passed)
    assert summary.count_by_filter.get("LowQual", 0) == sum("LowQual" in filters for _, _, filters in drawn)
