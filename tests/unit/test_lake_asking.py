"""The named questions. LAK-04: what is told to them is told as a value, never as SQL."""

import re

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from strandline.cli.main import invoke
from strandline.errors import RejectedInputError
from strandline.lake.asking import Parameter, find_question, questions
from strandline.lake.tables import lake_tables

ASKED = {
    "absence", "carriers", "clinvar_pathogenic", "cohort_frequency", "de_novo", "gene", "rare_loss_of_function",
    "region", "rsid", "sample",
}  # fmt: skip


def test_there_are_ten_questions_each_with_what_it_asks():
    assert set(questions()) == ASKED
    assert all(question.asks.endswith("?") for question in questions().values())


@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_question_names_its_parameters_and_columns_that_there_are(name):
    question = find_question(name)
    assert set(re.findall(r":([a-z]\w*)", question.sql)) == {parameter.name for parameter in question.parameters}
    tree = sqlglot.parse_one(question.sql, read="athena")
    known = {column.name for table in lake_tables().values() for column in table.columns}
    defined = {alias.alias for alias in tree.find_all(sqlglot.exp.Alias)}
    assert {column.name for column in tree.find_all(sqlglot.exp.Column)} <= known | defined
    tables = {table.name for table in tree.find_all(sqlglot.exp.Table)}
    assert tables <= set(lake_tables()) | {expression.alias for expression in tree.find_all(sqlglot.exp.CTE)}


def test_values_take_the_places_of_their_names_in_order_also_twice():
    sql, literals = find_question("region").bind({"contig": "chr20", "first": "5", "last": "9"})
    assert "contig = ? AND position <= ? AND end_position >= ?" in sql
    assert literals == ["'chr20'", "9", "5"]
    sql, literals = find_question("de_novo").bind({"child": "C", "father": "F", "mother": "M"})
    assert sql.count("?") == len(literals) == 5
    assert literals.count("'F'") == 2


def test_several_texts_become_as_many_places():
    sql, literals = find_question("rare_loss_of_function").bind({"genes": "BRCA1, BRCA2", "most": "0.001"})
    assert "gene IN (?, ?)" in sql
    assert literals == ["'BRCA1'", "'BRCA2'", "0.001"]


@given(st.text(min_size=1).filter(str.strip))
def test_a_text_is_one_literal_whatever_is_in_it(value):
    (literal,) = Parameter("gene", "text", "").literals(value)
    assert sqlglot.tokenize(literal, read="athena")[0].text == value.strip()
    assert len(sqlglot.tokenize(literal, read="athena")) == 1


@pytest.mark.parametrize("given_values", [{}, {"gen": "BRCA2"}, {"gene": "BRCA2", "more": "1"}])
def test_what_is_missing_or_too_much_is_refused_and_what_is_needed_said(given_values):
    with pytest.raises(RejectedInputError, match=r"gene=\.\.\."):
        find_question("gene").bind(given_values)


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "1 OR 1=1"])
def test_a_position_that_is_no_whole_number_is_refused(value):
    with pytest.raises(RejectedInputError, match="first has to be a whole number"):
        find_question("region").bind({"contig": "chr1", "first": value, "last": "9"})


def test_an_unknown_question_is_refused_with_those_there_are():
    with pytest.raises(RejectedInputError, match="absence, carriers"):
        find_question("genes")


def test_the_command_lists_the_questions_and_refuses_what_it_cannot_ask(capsys):
    assert invoke(["ask", "--format", "csv"]) == 0
    assert "gene,Which samples carry which alleles in a gene?,gene=" in capsys.readouterr().out
    assert invoke(["ask", "genes"]) == 65
    assert invoke(["ask", "gene", "BRCA2"]) == 65
    refused = capsys.readouterr().err
    assert "question_unknown" in refused
    assert "not of the form PARAMETER=VALUE" in refused
