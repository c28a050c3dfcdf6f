"""Families from PED files; what is refused is named. ANA-03."""

import pytest

from strandline.errors import RejectedInputError
from strandline.landing.manifest import Sex
from strandline.variants.joint_pedigree import Relation, agreed_sexes, find_trios, read_pedigree

TRIO = b"#family\tid\tfather\tmother\tsex\tphenotype\nF\tKID\tDAD\tMUM\t2\t2\nF\tDAD\t0\t0\t1\t1\nF\tMUM\t0\t0\t2\t1\n"


def test_a_trio_is_read_as_it_stands():
    kid, dad, mum = read_pedigree(TRIO, "trio.ped")
    assert kid == Relation(sample_id="KID", father="DAD", mother="MUM", sex=Sex.FEMALE)
    assert (dad.sex, mum.sex, dad.father) == (Sex.MALE, Sex.FEMALE, None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"F A B C 1 0\nF B A D 1 0\nF C 0 0 2 0\nF D 0 0 2 0\n", "ped_loop"),
        (b"F A A C 1 0\nF C 0 0 2 0\n", "ped_own_parent"),
        (b"F A 0 0 1\n", "ped_columns"),
        (b"F A 0 0 1 0\nG A 0 0 2 0\n", "pedigree_ambiguous"),
        (b"#" * (1 << 20) + b"##", "pedigree_too_large"),
        (b"", "ped_empty"),
    ],
)
def test_what_is_no_family_is_refused(body, code):
    with pytest.raises(RejectedInputError) as refused:
        read_pedigree(body, "family.ped")
    assert refused.value.code == code


def test_only_a_child_with_both_parents_among_the_samples_makes_a_trio():
    relations = read_pedigree(TRIO + b"F\tAUNT\t0\t0\t2\t1\nF\tCOUSIN\t0\tAUNT\t1\t1\n", "family.ped")
    sexes = {"KID": Sex.FEMALE}
    (trio,) = find_trios(relations, ["MUM", "COUSIN", "AUNT", "KID", "DAD"], sexes)
    assert (trio.child, trio.father, trio.mother, trio.sex) == (3, 4, 0, Sex.FEMALE)
    assert find_trios(relations, ["MUM", "KID"], sexes) == []


def test_the_pedigree_fills_in_a_sex_that_no_lab_declared_and_contradicts_none():
    relations = read_pedigree(TRIO, "trio.ped")
    declared = {"KID": Sex.UNKNOWN, "DAD": Sex.MALE, "OTHER": Sex.UNKNOWN}
    assert agreed_sexes(relations, declared) == {"KID": Sex.FEMALE, "DAD": Sex.MALE, "OTHER": Sex.UNKNOWN}
    with pytest.raises(RejectedInputError, match=r"^sex_conflict: individual 2 "):
        agreed_sexes(relations, {"DAD": Sex.FEMALE})
