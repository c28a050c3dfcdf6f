"""Who may see and do what, from the matrix: each role, table, column and kind of statement, on the deployed templates.

What is expected comes from `access.json` by way of `strandline.trust.access`; what answers is the embedded Athena,
which goes by the Lake Formation resources of the templates alone. SEC-02, LAK-06.
"""

import re
import time
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from strandline.errors import RejectedInputError
from strandline.lake.asking import questions
from strandline.lake.tables import lake_tables
from strandline.trust.access import access_matrix, in_words_of, split_role

MATRIX = access_matrix()
ROLES = ("lab-north", "researcher", "clinician-south", "compliance", "admin")
SITES = ("north", "south", None)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
WRITES = {
    "INSERT": "INSERT INTO {table} SELECT * FROM {table} WHERE false",
    "DELETE": "DELETE FROM {table} WHERE false",
    "UPDATE": "UPDATE {table} SET {column} = {column} WHERE false",
    "MERGE": "MERGE INTO {table} t USING (SELECT 1 AS x) s ON s.x = 0 WHEN MATCHED THEN DELETE",
    "OPTIMIZE": "OPTIMIZE {table} REWRITE DATA USING BIN_PACK",
    "DROP": "DROP TABLE {table}",
    "CREATE": "CREATE VIEW matrix_view AS SELECT 1 AS x",
}
INSUFFICIENT = "Insufficient Lake Formation permission(s): Required"


REQUIRED = {"string": "matrix", "long": 1, "int": 1, "double": 0.5, "boolean": False, "timestamptz": NOW}


def made_up(table, site):
    """A row of a table, of one site where its rows tell sites apart."""
    made = {column.name: REQUIRED[column.type] for column in table.columns if column.required}
    return made | ({"site": site} if tells_site(table) else {})


def tells_site(table):
    return any(column.name == MATRIX.site_column for column in table.columns)


@pytest.fixture(scope="module")
def lake(deployed):
    """The lake with three rows a table of samples, one a site and one without, and taken out again."""
    tables = {name: table for name, table in lake_tables().items() if table.copy_of is None}
    for name, table in tables.items():
        sites = SITES if tells_site(table) else (None,)
        rows = pa.Table.from_pylist([made_up(table, site) for site in sites], schema=table.arrow_schema())
        deployed.lake.replace_rows(name, "matrix", lambda rows=rows: [rows])
    yield deployed
    for name in tables:
        deployed.lake.replace_rows(name, "matrix", list)


class People:
    """Somebody in a role, who asks many questions at once."""

    def __init__(self, deployment, role):
        self.name, self.role = role, MATRIX.roles[split_role(role)[0]]
        self.site = split_role(role)[1]
        self._athena = deployment.queries_as(role)._client
        self._database = deployment.queries.database
        self._workgroup = f"strandline-local-{role}"

    def ask(self, statements):
        """Run statements and return, of each, the rows with their header, or why it was refused."""
        ids = [
            self._athena.start_query_execution(
                QueryString=sql, WorkGroup=self._workgroup, QueryExecutionContext={"Database": self._database}
            )["QueryExecutionId"]
            for sql in statements
        ]
        return [self._answer(one) for one in ids]

    def _answer(self, query_id):
        while True:
            status = self._athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
            if status["State"] in {"FAILED", "CANCELLED"}:
                return status["StateChangeReason"]
            if status["State"] == "SUCCEEDED":
                rows = self._athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]["Rows"]
                return [[cell.get("VarCharValue") for cell in one["Data"]] for one in rows]
            time.sleep(0.01)


@pytest.fixture(scope="module", params=ROLES)
def people(request, lake):
    return People(lake, request.param)


def seen(people, table):
    return [column.name for column in MATRIX.sees(people.role, table)]


def test_what_a_role_may_see_answers_and_nothing_else_is_in_a_star(people):
    tables = [table for table in lake_tables().values() if seen(people, table)]

    answers = people.ask([f"SELECT * FROM {table.name}" for table in tables])

    for table, answer in zip(tables, answers, strict=True):
        assert isinstance(answer, list), (table.name, answer)
        assert sorted(answer[0]) == sorted(seen(people, table)), table.name


def test_rows_are_those_of_the_roles_site_or_all(people):
    tables = [table for table in lake_tables().values() if tells_site(table) and seen(people, table)]

    answers = people.ask([f"SELECT count(*) FROM {one.name} WHERE submission_id = 'matrix'" for one in tables])

    expected = "3" if people.site is None else "1"
    assert [answer[1:] for answer in answers] == [[[expected]] for _ in tables]


def test_each_column_that_is_not_granted_is_not_there(people):
    asked = [
        (table, column.name)
        for table in lake_tables().values()
        for column in table.columns
        if seen(people, table) and column.name not in seen(people, table)
    ]

    answers = people.ask([f"SELECT count({column}) FROM {table.name}" for table, column in asked])

    assert (people.name in {"lab-north", "admin"}) == (not asked)
    for (_, column), answer in zip(asked, answers, strict=True):
        assert answer == (
            f"COLUMN_NOT_FOUND: Column '{column}' cannot be resolved"
            " or requester is not authorized to access requested resources"
        )


def test_each_table_of_which_nothing_is_granted_is_refused_by_name(people):
    names = [table.name for table in lake_tables().values() if not seen(people, table)]
    names += [
        view
        for view, kind in MATRIX.views.items()
        if kind not in people.role.reads or (people.site and MATRIX.classes[kind].belongs_to_site)
    ]

    answers = people.ask([f"SELECT count(*) FROM {name}" for name in names])

    for name, answer in zip(names, answers, strict=True):
        assert str(answer).endswith(f"{INSUFFICIENT} Select on {name}"), name


def test_each_kind_of_statement_is_run_or_refused_by_name(people):
    table, column = "annotations", "filters"
    asked = {word: sql for word, sql in WRITES.items() if MATRIX.deed_of(word) not in people.role.may}

    answers = people.ask([sql.format(table=table, column=column) for sql in asked.values()])

    assert (people.name == "admin") == (not asked)
    for word, answer in zip(asked, answers, strict=True):
        assert INSUFFICIENT in answer, word


def test_admin_may_write_and_define(lake):
    admin = People(lake, "admin")
    for word in ("INSERT", "DELETE", "UPDATE", "MERGE", "CREATE"):
        (answer,) = admin.ask([WRITES[word].format(table="annotations", column="filters")])
        assert isinstance(answer, list), (word, answer)
    assert admin.ask(["DROP VIEW matrix_view"]) == [[]]
    assert admin.ask(["SELECT count(*) FROM annotations WHERE source = 'matrix'"])[0][1:] == [["1"]]


def test_a_researcher_may_ask_every_question_of_the_lake(lake):
    values = {"text": "'matrix'", "texts": "'matrix'", "whole": "1", "number": "0.5"}
    asked = []
    for question in questions().values():
        sql = in_words_of("researcher", question.sql)
        for parameter in question.parameters:
            sql = re.sub(rf":{parameter.name}\b", values[parameter.kind], sql)
        asked.append(sql)

    for question, answer in zip(questions(), People(lake, "researcher").ask(asked), strict=True):
        assert isinstance(answer, list), (question, answer)
        assert "sample_id" not in answer[0]


def test_there_is_no_role_of_a_site_that_has_none(lake):
    with pytest.raises(RejectedInputError, match=r"^role_refused: strandline-local-lab-nowhere may not be taken on"):
        lake.queries_as("lab-nowhere")


def test_a_workgroup_is_for_its_own_role(lake):
    client = lake.queries_as("researcher")._client

    for other in ("strandline-local", "strandline-local-admin", "strandline-local-lab-north"):
        with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
            client.start_query_execution(QueryString="SELECT 1", WorkGroup=other)
