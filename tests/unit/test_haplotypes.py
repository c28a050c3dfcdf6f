"""Windows of a few dozen bases: what the reads say of them is counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.variants.haplotypes import (
    MARGIN,
    Allele,
    LaidRead,
    decompose,
    fragment_likelihoods,
    genotype_window,
    slip_chances,
)

RNG = np.random.default_rng(5)
LEFT, RIGHT = ("".join(RNG.choice(list("ACGT"), MARGIN)) for _ in range(2))
MIDDLE = "GATTACAGTTTTTTTTCGTAC"
SHORTER = "GATTACAGTTTTTTTCGTAC"  # one T less
LONGER = "GATTACAGTTTTTTTTCGACGGATCATTTCACCATGCATACCGTAC"  # 25 bases more
SINGLE = "GACTACAGTTTTTTTTCGTAC"


def spanning(name: str, sequence: str, quality: int = 30) -> LaidRead:
    """Return a read from 20 bases before the window to 20 behind it."""
    bases = LEFT[-20:] + sequence + RIGHT[:20]
    return LaidRead(name, bases.encode(), bytes([quality] * len(bases)), MARGIN - 20, MARGIN - 20 + len(bases))


def spanning_all(*counts: tuple[str, int]) -> list[LaidRead]:
    return [spanning(f"{sequence}{number}", sequence) for sequence, count in counts for number in range(count)]


def whole(*sequences: str) -> list[str]:
    return [LEFT + sequence + RIGHT for sequence in sequences]


def copies(candidates: list[str], reads: list[LaidRead]) -> dict[Allele, int]:
    return {g.allele: g.copies for g in genotype_window(MIDDLE, LEFT, RIGHT, candidates, reads)}


@pytest.mark.parametrize(
    ("with_reference", "with_change", "expected"), [(20, 0, 0), (20, 1, 0), (10, 10, 1), (1, 20, 2), (0, 20, 2)]
)
@pytest.mark.parametrize("changed", [LONGER, SINGLE], ids=["insertion", "single base"])
def test_copies_follow_the_share_of_reads(changed, with_reference, with_change, expected):
    (allele,) = decompose(MIDDLE, changed)
    reads = spanning_all((MIDDLE, with_reference), (changed, with_change))
    assert copies([changed], reads) == {allele: expected}


def test_two_different_changes_on_the_two_chromosomes_leave_no_copy_of_the_reference():
    reads = spanning_all((SHORTER, 12), (LONGER, 12))
    assert copies([SHORTER, LONGER], reads) == {
        decompose(MIDDLE, SHORTER)[0]: 1,
        decompose(MIDDLE, LONGER)[0]: 1,
    }


def test_a_read_that_ends_inside_an_insertion_is_no_witness_for_the_reference():
    """Its bases match the insertion: laid on the reference they do not, wherever the aligner clipped them."""
    bases = LEFT[-40:] + LONGER[:30]
    ends_inside = [LaidRead(str(n), bases.encode(), bytes([30] * len(bases)), MARGIN - 40, None) for n in range(12)]
    (allele,) = decompose(MIDDLE, LONGER)
    assert copies([LONGER], [*ends_inside, *spanning_all((LONGER, 3))]) == {allele: 2}


def test_a_read_that_ends_before_the_difference_says_nothing():
    bases = LEFT[-40:]
    before = [LaidRead(str(n), bases.encode(), bytes([30] * 40), MARGIN - 40, None) for n in range(30)]
    (genotype,) = genotype_window(MIDDLE, LEFT, RIGHT, [LONGER], [*before, *spanning_all((LONGER, 8))])
    assert (genotype.copies, genotype.ref_depth, genotype.alt_depth, genotype.depth) == (2, 0, 8, 8)


def test_one_mismatch_costs_its_quality_and_the_choice_of_another_base():
    """Phred 20: the base is right with 99 in 100, and one of three others else. ln(100) + ln(3) = 5.704."""
    (row,) = fragment_likelihoods(whole(MIDDLE, SINGLE), [spanning("a", MIDDLE, quality=20)])
    assert row == pytest.approx([0.0, -5.704], abs=1e-3)


def test_mates_count_together_and_no_fragment_says_more_than_its_limit():
    mates = [spanning("a", MIDDLE, quality=20), spanning("a", MIDDLE, quality=20)]
    (row,) = fragment_likelihoods(whole(MIDDLE, SINGLE), mates)
    assert row == pytest.approx([0.0, -10.0])  # 2 x 5.704, cut


def test_a_read_that_fits_no_candidate_is_left_out():
    foreign = "".join(RNG.choice(list("ACGT"), len(MIDDLE)))
    assert len(fragment_likelihoods(whole(MIDDLE), [spanning("a", foreign)])) == 0


def test_a_few_slips_in_a_run_are_no_variant_where_as_many_reads_of_another_length_are():
    """Three of 24 reads lost a T of eight: likelier slips (1 in 2,958 each) than a chromosome shown by so few."""
    (allele,) = decompose(MIDDLE, SHORTER)
    assert copies([SHORTER], spanning_all((MIDDLE, 21), (SHORTER, 3))) == {allele: 0}
    assert copies([SHORTER], spanning_all((MIDDLE, 12), (SHORTER, 12))) == {allele: 1}


def test_slips_are_between_runs_that_differ_by_one_base():
    """Runs of 8: 2e-4 x 1.3 x 1.3. Two bases, or a run under six, do not slip."""
    chances = np.exp(slip_chances([MIDDLE, SHORTER, MIDDLE.replace("T" * 8, "T" * 6), "GATTACA", "GATACA"]))
    assert chances[0, 1] == chances[1, 0] == pytest.approx(3.38e-4)
    assert chances[1, 2] == pytest.approx(2.6e-4)
    assert (chances[0, 2], chances[3, 4]) == (0.0, 0.0)
    assert np.diag(chances).tolist() == [1.0] * 5


def test_qualities_are_those_of_having_no_copy_and_of_the_second_best_number():
    """24 of 24 reads: one copy would give each half a chance, 24 x ln 2 = 16.6, in Phred 72.2."""
    (genotype,) = genotype_window(MIDDLE, LEFT, RIGHT, [SINGLE], spanning_all((SINGLE, 24)))
    assert (genotype.likelihoods[1], genotype.likelihoods[2], genotype.genotype_quality) == (72, 0, 72)
    assert genotype.quality > 200


@pytest.mark.parametrize(
    ("reference", "sequence", "alleles"),
    [
        ("GATTACA", "GATTACA", []),
        ("GATTACA", "GACTACA", [(2, "T", "C")]),
        ("GATTACA", "GATACA", [(2, "T", "")]),
        ("GATTACA", "GATTGGACA", [(4, "", "GG")]),
        ("GATTACAGAT", "GATCACAAT", [(3, "T", "C"), (7, "G", "")]),
    ],
)
def test_sequences_are_taken_apart(reference, sequence, alleles):
    assert decompose(reference, sequence) == tuple(Allele(*allele) for allele in alleles)


@given(st.text("ACGT", min_size=1, max_size=12), st.text("ACGT", min_size=1, max_size=12))
def test_putting_the_parts_in_gives_the_sequence_back(reference, sequence):
    made, done = "", 0
    for allele in decompose(reference, sequence):
        assert reference[allele.start0 : allele.start0 + len(allele.ref)] == allele.ref
        made += reference[done : allele.start0] + allele.alt
        done = allele.start0 + len(allele.ref)
    assert made + reference[done:] == sequence
