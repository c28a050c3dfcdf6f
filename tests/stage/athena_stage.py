"""An embedded AWS with Athena, two buckets and a database, and what its tests ask of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_stage.athena import iceberg
from local_stage.context import StageContext
from tests.stage.compute_stage import new_name, rows_of, run_query, running_stage

OUTPUT = "s3://results/some/where/"
COLUMNS = [
    ("sample_id", "string", True),
    ("contig", "string", True),
    ("position", "long", True),
    ("quality", "double", False),
    ("depth", "int", False),
    ("phased", "boolean", False),
    ("loaded_at", "timestamptz", False),
]
# What a job does: only the endpoint of the environment, and pyarrow's own door to S3.
_WRITER = """
import datetime, json, os, sys
import boto3
import pyarrow as pa
from pyiceberg.catalog import load_catalog

endpoint, region = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"]
catalog = load_catalog("lake", type="glue", **{"s3.endpoint": endpoint, "s3.region": region})
table = catalog.load_table(sys.argv[1])
rows = json.loads(sys.argv[2])
for row in rows:
    row["loaded_at"] = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.timezone.utc)
data = pa.Table.from_pylist(rows, schema=table.schema().as_arrow())
if len(sys.argv) > 3:
    table.overwrite(data, overwrite_filter=sys.argv[3])
else:
    table.append(data)
"""
ROWS = [
    {"sample_id": "S1", "contig": "chr1", "position": 100, "quality": 30.5, "depth": 10, "phased": True},
    {"sample_id": "S1", "contig": "chr1", "position": 200, "quality": None, "depth": 3, "phased": False},
    {"sample_id": "S1", "contig": "chr2", "position": 50, "quality": 1e10, "depth": None, "phased": None},
]


@contextmanager
def athena_stage(folder: Path) -> Iterator[StageContext]:
    """Start the embedded AWS with the buckets `results` and `lake` and the database `db`."""
    with running_stage(folder) as context:
        for bucket in ("results", "lake"):
            context.client("s3").create_bucket(Bucket=bucket)
        context.client("glue").create_database(DatabaseInput={"Name": "db"})
        yield context


def table_name() -> str:
    """Return the name of a table that no other test uses."""
    return new_name("table").replace("-", "_")


def ask(context: StageContext, sql: str, *parameters: str) -> list[list[Any]]:
    """Run a statement and return its rows."""
    return rows_of(context, sql, "db", OUTPUT, parameters)


def fail(context: StageContext, sql: str, *parameters: str) -> str:
    """Run a statement that has to fail, and return why it does."""
    query = run_query(context, sql, "db", OUTPUT, parameters)
    assert query["Status"]["State"] == "FAILED"
    return str(query["Status"]["StateChangeReason"])


def table_properties(
    name: str, columns: Sequence[tuple[str, str, bool]] = COLUMNS, partition: str | None = "contig"
) -> dict[str, Any]:
    """Return an Iceberg table as a template describes it."""
    ids = {column: number for number, (column, _, _) in enumerate(columns, start=1)}
    fields = [{"Id": ids[name_], "Name": name_, "Type": kind, "Required": needed} for name_, kind, needed in columns]
    order = {"SourceId": ids["position"], "Transform": "identity", "Direction": "asc", "NullOrder": "nulls-first"}
    table = {
        "Location": f"s3://lake/{name}",
        "Schema": {"Type": "struct", "SchemaId": 0, "Fields": fields},
        "WriteOrder": {"OrderId": 1, "Fields": [order]},
        "Properties": {"comment": "a table"},
    }
    if partition:
        spec = {"FieldId": 1000, "Name": partition, "SourceId": ids[partition], "Transform": "identity"}
        table["PartitionSpec"] = {"SpecId": 0, "Fields": [spec]}
    iceberg_input = {"MetadataOperation": "CREATE", "Version": "2", "IcebergTableInput": table}
    return {"DatabaseName": "db", "Name": name, "OpenTableFormatInput": {"IcebergInput": iceberg_input}}


def write(context: StageContext, table: str, rows: Sequence[Mapping[str, Any]], *overwrite: str) -> None:
    """Write rows into an Iceberg table as a job does, in a process of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_ENDPOINT_URL": context.endpoint_url,
        "AWS_ACCESS_KEY_ID": "embedded",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    argv = [sys.executable, "-c", _WRITER, f"db.{table}", json.dumps(rows), *overwrite]
    subprocess.run(argv, env=environment, check=True, timeout=60)


def make_variants(context: StageContext, name: str = "variants") -> str:
    """Create an Iceberg table with three rows and return its name."""
    iceberg.create_table(context, table_properties(name))
    write(context, name, ROWS)
    return name
