"""Views of the lake, from files that say their columns and their query, in the form in which Athena keeps a view."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from aws_cdk import aws_glue as glue
from constructs import Construct

VIEWS = Path(__file__).resolve().parents[2] / "strandline" / "lake" / "views"
_HIVE_TYPES = {"varchar": "string", "integer": "int"}


def lake_views() -> Mapping[str, str]:
    """The views' text by name: a line that describes it, a line a column with its type, and the query."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(VIEWS.glob("*.sql"))}


class LakeView(Construct):
    """A view as `CREATE VIEW` in Athena leaves it in the catalog: the query and Trino's types in base64 JSON.

    Source: Trino's Hive connector, ViewReaderUtil (PrestoViewReader); AWS::Glue::Table TableInput.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, text: str, catalog_id: str, database: str
    ) -> None:
        super().__init__(scope, construct_id)
        lines = text.splitlines()
        head = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
        columns = [tuple(line.split(": ", 1)) for line in head[1:]]
        stored = {
            "originalSql": "\n".join(lines[len(head) :]),
            "catalog": "awsdatacatalog",
            "schema": database,
            "columns": [{"name": column, "type": kind} for column, kind in columns],
        }
        encoded = base64.b64encode(json.dumps(stored).encode()).decode()
        self.table = glue.CfnTable(
            self,
            "View",
            catalog_id=catalog_id,
            database_name=database,
            table_input=glue.CfnTable.TableInputProperty(
                name=name,
                description=head[0],
                table_type="VIRTUAL_VIEW",
                parameters={"presto_view": "true", "comment": "Presto View"},
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    columns=[
                        glue.CfnTable.ColumnProperty(name=column, type=hive_type(kind)) for column, kind in columns
                    ],
                    location="",
                    serde_info=glue.CfnTable.SerdeInfoProperty(),
                ),
                view_original_text=f"/* Presto View: {encoded} */",
                view_expanded_text="/* Presto View */",
            ),
        )


def hive_type(kind: str) -> str:
    """Return Trino's name of a type as Glue writes it.

    >>> hive_type("map(varchar,array(integer))")
    'map<string,array<int>>'
    """
    outer, bracket, inner = kind.partition("(")
    if not bracket:
        return _HIVE_TYPES.get(kind, kind)
    parts, depth, start = [], 0, 0
    inside = inner.removesuffix(")")
    for place, character in enumerate(inside):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append(inside[start:place])
            start = place + 1
    return f"{outer}<{','.join(hive_type(part.strip()) for part in [*parts, inside[start:]])}>"
