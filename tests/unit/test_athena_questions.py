"""What the lake asks of Athena is what Athena takes: every question and view, by Trino's names and types."""

import json
import re
from pathlib import Path

import pytest

import strandline.lake
from local_stage.athena.session import Session
from local_stage.athena.types import TrinoType, parse_glue_type, zoned
from tests.unit.trino_sessions import NOW, MemoryCatalog

LAKE = Path(strandline.lake.__file__).parent
VALUES = {"texts": "'a', 'b'", "text": "'a'", "number": "1", "whole": "1"}


def column_type(text: str) -> TrinoType:
    if text == "timestamptz":
        return zoned(6)
    return parse_glue_type(re.sub(r"\blong\b", "bigint", text).replace("list<", "array<"))


def lake_catalog():
    described = json.loads((LAKE / "tables.json").read_text())
    tables = {}
    for name, table in described.items():
        columns = described[table.get("copy_of", name)]["columns"]
        tables[name] = ({column["name"]: column_type(column["type"]) for column in columns}, None)
    return MemoryCatalog(tables)


def columns_of(sql):
    session = Session(lake_catalog(), "lake", NOW)
    try:
        return session.describe(sql)
    finally:
        session.close()


def described_names(sql):
    return dict(re.findall(r"^-- (\w+): (\S+)", sql, re.MULTILINE))


@pytest.mark.parametrize("path", sorted(LAKE.glob("questions/*.sql")), ids=lambda path: path.stem)
def test_a_question_is_one_that_athena_takes(path):
    sql = path.read_text()
    for name, kind in described_names(sql).items():
        sql = re.sub(rf":{name}\b", VALUES[kind.rstrip(",")], sql)

    assert columns_of(sql)


@pytest.mark.parametrize("path", sorted(LAKE.glob("views/*.sql")), ids=lambda path: path.stem)
def test_a_view_has_the_columns_that_it_states(path):
    sql = path.read_text()

    found = {column.name: re.sub(r"varchar\(\d+\)", "varchar", column.kind.show()) for column in columns_of(sql)}

    stated = {name: kind.replace(",", ", ") for name, kind in described_names(sql).items()}
    assert {name: kind.replace("timestamp(6)", "timestamp") for name, kind in found.items()} == stated
