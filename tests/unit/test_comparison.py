"""Scores counted by hand over a few alleles. Normal form: Tan et al. 2015, doi:10.1093/bioinformatics/btv112."""

from pathlib import Path

import pysam
import pytest

from strandline.variants import comparison
from strandline.variants.comparison import Comparison, Score, compare_calls
from tests.unit import in_process

# positions are 1-based:  1        10        20        30        40
BASES = "GATTACAGCATCACACACAGGCTTTTTTAGCCGATCGTACCGGTAACTGCA"


@pytest.fixture(autouse=True)
def _tools_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "run_pipeline", in_process.run_pipeline)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ref.fa").write_text(f">c\n{BASES}\n")
    pysam.faidx(str(tmp_path / "ref.fa"), catch_stdout=False)
    return tmp_path


def vcf(path: Path, *records: str) -> Path:
    """Write records `POS REF ALT GT [QUAL [FILTER]]`."""
    lines = [
        "##fileformat=VCFv4.3",
        f"##contig=<ID=c,length={len(BASES)}>",
        '##FILTER=<ID=LowDepth,Description="x">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">',
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1",
    ]
    for record in records:
        given = record.split()
        position, ref, alt, genotype, quality, filters = [*given, *("50", "PASS")[len(given) - 4 :]]
        lines.append("\t".join(("c", position, ".", ref, alt, quality, filters, ".", "GT", genotype)))
    path.write_text("\n".join(lines) + "\n")
    return path


def compared(folder: Path, calls: list[str], truth: list[str], *beds: str) -> Comparison:
    regions = []
    for number, text in enumerate(beds):
        bed = folder / f"{number}.bed"
        bed.write_text(text)
        regions.append(bed)
    return compare_calls(
        vcf(folder / "calls.vcf", *calls), vcf(folder / "truth.vcf", *truth), folder / "ref.fa", regions
    )


NOTHING = Score(0, 0, 0, 0)


def test_alleles_are_counted_by_hand(folder):
    """Three of four true alleles are called, one of them with the wrong zygosity, and one call is wrong."""
    truth = ["5 A G 0/1", "9 C T 1/1", "20 G C 0/1", "36 C G 1/1"]
    calls = ["5 A G 0/1", "9 C T 0/1", "20 G C 0/1", "40 C A 0/1"]
    score = compared(folder, calls, truth)
    assert score == Comparison(snv=Score(3, 1, 1, 2), indel=NOTHING)
    assert (score.snv.precision, score.snv.recall, score.snv.f1) == (0.75, 0.75, 0.75)
    assert score.snv.genotype_concordance == pytest.approx(2 / 3)


def test_two_alleles_at_one_place_are_two_alleles_however_they_are_written(folder):
    score = compared(folder, ["5 A G 0/1", "5 A T 0/1"], ["5 A G,T 1/2"])
    assert score.snv == Score(2, 0, 0, 2)


def test_a_deletion_in_a_repeat_is_the_same_wherever_it_is_written(folder):
    """One CA of CACACACA, written at the right end of the repeat and at its left end."""
    assert BASES[11:19] == "CACACACA"
    score = compared(folder, ["17 ACA A 0/1"], ["11 TCA T 0/1"])
    assert score == Comparison(snv=NOTHING, indel=Score(1, 0, 0, 1))


def test_an_insertion_in_a_run_is_the_same_wherever_it_is_written(folder):
    assert BASES[22:28] == "TTTTTT"
    assert compared(folder, ["28 T TT 1/1"], ["22 C CT 1/1"]).indel == Score(1, 0, 0, 1)


def test_neighbouring_changes_written_as_one_are_taken_apart(folder):
    assert compared(folder, ["5 AC GT 0/1"], ["5 A G 0/1", "6 C T 0/1"]).snv == Score(2, 0, 0, 2)


def test_a_spanning_deletion_marker_is_no_allele(folder):
    score = compared(folder, ["20 G C,* 1/2"], ["20 G C 0/1"])
    assert score == Comparison(snv=Score(1, 0, 0, 1), indel=NOTHING)


def test_calls_of_low_quality_or_that_failed_a_filter_count_as_not_called(folder):
    truth = ["5 A G 0/1", "9 C T 1/1", "20 G C 0/1"]
    calls = ["5 A G 0/1 19.9", "9 C T 1/1 20", "20 G C 0/1 50 LowDepth"]
    assert compared(folder, calls, truth).snv == Score(1, 0, 2, 1)


def test_the_truth_needs_no_quality(folder):
    assert compared(folder, ["5 A G 0/1"], ["5 A G 0/1 ."]).snv == Score(1, 0, 0, 1)


def test_alleles_that_the_sample_does_not_carry_do_not_count(folder):
    assert compared(folder, ["5 A G 0/0", "9 C T ./."], ["20 G C 0/0"]) == Comparison(NOTHING, NOTHING)


def test_only_what_lies_inside_every_region_counts(folder):
    truth = ["5 A G 0/1", "9 C T 1/1", "20 G C 0/1"]
    score = compared(folder, truth, truth, "c\t4\t19\n", "c\t8\t40\n")
    assert score.snv == Score(1, 0, 0, 1)  # of the three only position 9 lies in 5 to 19 and in 9 to 40


def test_soft_masked_bases_are_the_same_bases(folder):
    assert compared(folder, ["5 a g 0/1"], ["5 A G 0/1"]).snv == Score(1, 0, 0, 1)


def test_nothing_called_and_nothing_true_is_no_error(folder):
    score = compared(folder, [], []).snv
    assert (score.precision, score.recall, score.f1, score.genotype_concordance) == (1.0, 1.0, 1.0, 1.0)
