"""The matrix of who may see what is sound, and the documentation says what it says. SEC-02, LAK-06."""

from pathlib import Path

import pytest

from strandline.errors import RejectedInputError
from strandline.lake.asking import questions
from strandline.lake.tables import lake_tables
from strandline.trust.access import access_matrix, in_words_of, matrix_lines, split_role

MATRIX = access_matrix()
PAGE = Path(__file__).resolve().parents[2] / "docs" / "access.md"
# 45 CFR 164.514(b)(2)(i)(R), any other code that identifies somebody; and texts that may hold one
NAMES_OF_PEOPLE = {
    *((table, "sample_id") for table in ("variants", "sample_variants", "samples", "callable_regions")),
    *((table, "sample_id") for table in ("gene_burden", "cohorts")),
    ("samples", "subject_id"),
    ("cohorts", "query"),
}


def columns_of_class(name):
    return {
        (table.name, column.name)
        for table in lake_tables().values()
        for column in table.columns
        if column.data_class == name
    }


def seen(role):
    return {
        (table.name, column.name)
        for table in lake_tables().values()
        for column in MATRIX.sees(MATRIX.roles[role], table)
    }


def test_the_documentation_shows_the_matrix():
    shown = PAGE.read_text().partition("<!-- matrix -->\n")[2].partition("\n<!-- end of matrix -->")[0]

    assert shown.splitlines() == matrix_lines(), "paste what `python -m strandline.trust.access` prints"


def test_the_groups_are_the_five():
    assert set(MATRIX.roles) == {"lab", "researcher", "clinician", "compliance", "admin"}


def test_every_class_that_is_named_is_one():
    used = {column.data_class for table in lake_tables().values() for column in table.columns}
    used |= {name for role in MATRIX.roles.values() for name in role.reads}
    assert used | set(MATRIX.views.values()) | {MATRIX.unclassified} == set(MATRIX.classes)


def test_names_of_samples_and_subjects_and_texts_that_may_hold_one_are_phi_and_nothing_else():
    assert columns_of_class("phi") == NAMES_OF_PEOPLE


def test_a_researcher_sees_no_name_and_everything_that_was_found():
    assert not seen("researcher") & NAMES_OF_PEOPLE
    assert columns_of_class("genotype") <= seen("researcher")


def test_compliance_sees_no_genotype_and_no_name():
    assert not seen("compliance") & (columns_of_class("genotype") | NAMES_OF_PEOPLE)


def test_admin_sees_everything():
    everything = {(table.name, column.name) for table in lake_tables().values() for column in table.columns}
    assert seen("admin") == everything


@pytest.mark.parametrize("role", ["lab", "clinician"])
def test_a_role_of_a_site_sees_nothing_of_anybody_where_rows_do_not_tell_the_site(role):
    without_site = {"gene_burden", "cohorts"}

    assert {table for table, _ in seen(role)} & without_site == set()
    assert {table for table, _ in seen(role)} >= {"variants", "samples", "annotations"}


def test_only_admin_changes_anything():
    assert {name for name, role in MATRIX.roles.items() if set(role.may) - {"read"}} == {"admin"}
    assert [MATRIX.deed_of(word) for word in ("SELECT", "MERGE", "DROP")] == ["read", "write", "define"]


@pytest.mark.parametrize("name", sorted(questions()))
def test_a_question_in_a_researchers_words_names_no_column_that_is_hidden(name):
    sql = in_words_of("researcher", questions()[name].sql)

    assert "sample_id" not in sql
    assert "subject_id" not in sql


@pytest.mark.parametrize("name", ["nobody", "researcher-north", "lab-", "LAB-north", "lab-no rth", "admin-north", ""])
def test_a_role_that_is_none_is_refused_with_those_there_are(name):
    with pytest.raises(RejectedInputError, match=r"^role_unknown: .*lab-SITE, researcher, clinician-SITE"):
        split_role(name)


def test_a_role_of_a_site_has_to_say_which():
    with pytest.raises(RejectedInputError, match=r"^role_site_missing: "):
        split_role("clinician")
