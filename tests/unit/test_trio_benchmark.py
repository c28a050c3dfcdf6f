"""Mendel's rules, counted by hand."""

import pytest

from benchmarks.trio import count_violations, is_violation, read_trio


@pytest.mark.parametrize(
    ("father", "mother", "possible"),
    [
        (0, 0, {0}),
        (0, 1, {0, 1}),
        (0, 2, {1}),
        (1, 1, {0, 1, 2}),
        (1, 2, {1, 2}),
        (2, 2, {2}),
    ],
)
def test_a_child_has_one_gamete_of_each_parent(father, mother, possible):
    for child in range(3):
        assert is_violation(child, father, mother) is (child not in possible)
        assert is_violation(child, mother, father) is (child not in possible)


def test_alleles_of_unknown_genotype_or_that_nobody_has_are_not_counted():
    fine, broken, unknown, nobody = (("c", position, "A", "G") for position in range(1, 5))
    child = {fine: 1, broken: 1, unknown: 1, nobody: 0}
    father = {fine: 1, unknown: None}
    assert count_violations([child, father, {}]) == {"alleles": 2, "violations": 1}


def test_the_child_is_the_one_with_both_parents(tmp_path):
    pedigree = tmp_path / "trio.ped"
    pedigree.write_text("F\tDAD\t0\t0\t1\t0\nF\tMUM\t0\t0\t2\t0\nF\tKID\tDAD\tMUM\t2\t0\n")
    assert read_trio(pedigree) == ["KID", "DAD", "MUM"]
