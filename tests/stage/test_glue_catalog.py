"""The Glue catalog refuses an update of a table version that is no longer current, which Iceberg's commits rest on.

Source: `UpdateTable`, AWS Glue API reference (`VersionId`, `ConcurrentModificationException`).
"""

import inspect
from concurrent.futures import ThreadPoolExecutor

import pytest
from moto.glue.models import FakeTable, GlueBackend
from moto.glue.responses import GlueResponse

from tests.stage.compute_stage import running_stage


@pytest.fixture(scope="module")
def glue(tmp_path_factory):
    with running_stage(tmp_path_factory.mktemp("glue")) as context:
        client = context.client("glue")
        client.create_database(DatabaseInput={"Name": "lake"})
        yield client


@pytest.fixture
def table(glue, request):
    name = request.node.name[:60].lower()
    glue.create_table(DatabaseName="lake", TableInput={"Name": name, "Parameters": {"count": "0"}})
    return name


def read(glue, table):
    found = glue.get_table(DatabaseName="lake", Name=table)["Table"]
    return int(found["Parameters"]["count"]), found["VersionId"]


def write(glue, table, count, **version):
    described = {"Name": table, "Parameters": {"count": str(count)}}
    glue.update_table(DatabaseName="lake", TableInput=described, **version)


def test_an_update_of_the_current_version_is_taken_and_of_an_older_one_refused(glue, table):
    _, version = read(glue, table)
    write(glue, table, 1, VersionId=version)
    with pytest.raises(glue.exceptions.ConcurrentModificationException):
        write(glue, table, 2, VersionId=version)
    assert read(glue, table)[0] == 1


def test_an_update_that_names_no_version_is_taken(glue, table):
    write(glue, table, 5)
    write(glue, table, 6)
    assert read(glue, table)[0] == 6


def test_of_many_writers_at_once_none_loses_what_another_wrote(glue, table):
    def add_one(_):
        while True:
            count, version = read(glue, table)
            try:
                return write(glue, table, count + 1, VersionId=version)
            except glue.exceptions.ConcurrentModificationException:
                continue

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(24)))
    assert read(glue, table)[0] == 24


def test_what_is_replaced_of_moto_is_as_it_was():
    """An upgrade of moto that changes these has to be looked at again."""
    assert list(inspect.signature(GlueBackend.get_table).parameters) == ["self", "database_name", "table_name"]
    assert "VersionId" in inspect.getsource(FakeTable.as_dict)
    assert hasattr(GlueResponse, "update_table")
