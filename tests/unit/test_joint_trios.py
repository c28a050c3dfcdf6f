"""Mendel's rules on every kind of chromosome, and what is new in a child; counted and weighed by hand. ANA-03."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.landing.manifest import Sex
from strandline.variants.joint_genotypes import CallStatus, Evidence, SampleCall
from strandline.variants.joint_trios import (
    Confidence,
    Doubt,
    Genome,
    Inheritance,
    Trio,
    breaks_rules,
    givers,
    is_violation,
    judge_de_novo,
    mutation_posterior,
    ploidy_of,
)

DAUGHTER, SON, UNKNOWN = (Trio(0, 1, 2, sex) for sex in (Sex.FEMALE, Sex.MALE, Sex.UNKNOWN))
B, X, Y, M = Inheritance.BOTH, Inheritance.X, Inheritance.Y, Inheritance.MITOCHONDRIAL


def call(
    copies: int | None, ploidy: int = 2, *, depth: int = 30, alt: int | None = None, quality: int = 99
) -> SampleCall:
    """A genotype that its reads speak for, each with 150 on the Phred scale against any other."""
    if copies is None:
        return SampleCall(CallStatus.NOT_CALLABLE, ploidy)
    two_fold = copies * 2 // ploidy if ploidy else 0
    likelihoods = tuple(0 if number == two_fold else 150 for number in range(3))
    seen = depth * two_fold // 2 if alt is None else alt
    return SampleCall(CallStatus.PASSED, ploidy, copies, quality, Evidence(likelihoods, depth, depth - seen, seen))


@pytest.mark.parametrize(
    ("parents", "possible"),
    [
        ([(0, 2), (0, 2)], {0}),
        ([(0, 2), (1, 2)], {0, 1}),
        ([(0, 2), (2, 2)], {1}),
        ([(1, 2), (1, 2)], {0, 1, 2}),
        ([(1, 2), (2, 2)], {1, 2}),
        ([(2, 2), (2, 2)], {2}),
        ([(1, 1), (0, 2)], {1}),  # a daughter has her father's X
        ([(1, 1), (1, 2)], {1, 2}),
        ([(0, 1), (1, 2)], {0, 1}),
        ([(1, 2)], {0, 1}),  # a son has an X of his mother alone
        ([(2, 2)], {1}),
        ([(1, 1)], {1}),  # Y, mitochondria
    ],
)
def test_a_child_has_one_chromosome_of_each_who_passes_one_on(parents, possible):
    for child in range(3):
        assert is_violation(child, parents) is (child not in possible)


@pytest.mark.parametrize(
    ("trio", "inheritance", "expected"),
    [
        (DAUGHTER, B, (1, 2)),
        (DAUGHTER, X, (1, 2)),
        (SON, X, (2,)),
        (SON, Y, (1,)),
        (DAUGHTER, Y, ()),
        (SON, M, (2,)),
        (UNKNOWN, B, (1, 2)),
        (UNKNOWN, X, ()),
    ],
)
def test_who_passes_on_a_chromosome(trio, inheritance, expected):
    assert givers(trio, inheritance) == expected


def test_men_have_one_x_and_one_y_and_of_an_unknown_sex_nothing_is_said():
    assert [ploidy_of(X, sex) for sex in (Sex.MALE, Sex.FEMALE, Sex.UNKNOWN)] == [1, 2, 2]
    assert [ploidy_of(Y, sex) for sex in (Sex.MALE, Sex.FEMALE, Sex.UNKNOWN)] == [1, 0, 2]
    assert {ploidy_of(M, sex) for sex in Sex} == {1}


def test_pseudoautosomal_regions_are_inherited_from_both():
    """GRCh38: PAR1 is X:10,001-2,781,479."""
    genome = Genome({"chrX": 156_040_895, "chr1": 1000, "chrM": 16_569}, "GRCh38")
    assert genome.inheritance("chrX", 2_781_478) is B
    assert genome.inheritance("chrX", 2_781_479) is X
    assert genome.inheritance("chr1", 5) is B
    assert genome.inheritance("chrM", 5) is M
    assert Genome({"X": 1000}, None).inheritance("X", 5) is X


def test_a_genotype_that_is_not_known_breaks_no_rule():
    assert breaks_rules(DAUGHTER, B, [call(1), call(0), call(0)]) is True
    assert breaks_rules(DAUGHTER, B, [call(1), call(None), call(0)]) is None
    assert breaks_rules(DAUGHTER, B, [call(0), call(0), call(0)]) is None
    assert breaks_rules(SON, X, [call(1, 1), call(None, 1), call(1)]) is False
    assert breaks_rules(SON, X, [call(1, 1), call(1, 1), call(0)]) is True


def test_the_posterior_weighs_a_mutation_against_an_allele_missed_in_a_parent():
    """Parents of 15 reads each, all of the reference: 2^-15 for a missed heterozygote.

    By hand, theta = 1e-3, mu = 1.2e-8: new: (1 - theta (1 + 1/2 + 1/3 + 1/4)) x 2 mu. Inherited, one of four parental
    chromosomes has it (theta), it was missed (2^-15), and it was passed on (1/2). Two heterozygous parents are rarer.
    """
    parent = [1.0, 2.0**-15, 1e-30]
    new, inherited = (1 - 1e-3 * 25 / 12) * 2 * 1.2e-8, 1e-3 * 2.0**-15 / 2
    posterior = mutation_posterior([1e-30, 1.0, 1e-30], [parent, parent], is_single=True)
    assert posterior == pytest.approx(new / (new + inherited), rel=1e-3)


@given(st.lists(st.floats(1e-20, 1), min_size=9, max_size=9))
def test_a_posterior_is_a_probability(values):
    assert 0 <= mutation_posterior(values[:3], [values[3:6], values[6:]], is_single=False) <= 1 + 1e-9


def judge(calls, trio=DAUGHTER, inheritance=B, *, quality=100.0, is_shared=False):
    return judge_de_novo(trio, inheritance, calls, is_single=True, site_quality=quality, is_shared=is_shared)


def test_what_only_the_child_has_is_new_with_high_confidence():
    found = judge([call(1), call(0), call(0)])
    assert (found.confidence, found.doubts) == (Confidence.HIGH, ())
    assert found.posterior > 0.999
    assert judge([call(1), call(1), call(0)]) is None
    assert judge([call(0), call(0), call(0)]) is None
    assert judge([call(1), call(None), call(0)]) is None


def test_a_son_can_have_a_new_allele_on_x_whatever_his_father_has():
    assert judge([call(1, 1), call(1, 1), call(0)], SON, X).confidence is Confidence.HIGH


@pytest.mark.parametrize(
    ("calls", "more", "doubt"),
    [
        ([call(1), call(0, depth=9), call(0)], {}, Doubt.PARENT_DEPTH),
        ([call(1), call(0, alt=2), call(0)], {}, Doubt.PARENT_READS),
        ([call(1), call(0), call(0, quality=19)], {}, Doubt.GENOTYPE_QUALITY),
        ([call(1, alt=3), call(0), call(0)], {}, Doubt.CHILD_READS),
        ([call(1, depth=100, alt=24), call(0), call(0)], {}, Doubt.CHILD_READS),
        ([call(1), call(0), call(0)], {"is_shared": True}, Doubt.SHARED),
        ([call(1), call(0), call(0)], {"quality": 19.9}, Doubt.SITE_QUALITY),
    ],
)
def test_every_doubt_makes_it_low_and_is_named(calls, more, doubt):
    found = judge(calls, **more)
    assert found.confidence is Confidence.LOW
    assert found.doubts == (doubt,)


def test_parents_of_few_reads_leave_the_posterior_in_doubt():
    few = SampleCall(CallStatus.PASSED, 2, 0, 30, Evidence((0, 30, 255), 10, 10, 0))
    found = judge([call(1), few, few])
    assert found.doubts == (Doubt.POSTERIOR,)
    assert found.quality == 0
