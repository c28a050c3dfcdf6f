"""Types as Athena, Glue, sqlglot and DuckDB name them."""

from dataclasses import dataclass

from sqlglot import exp

INTEGERS = exp.DataType.INTEGER_TYPES
_PRECISION = {exp.DType.TINYINT: 3, exp.DType.SMALLINT: 5, exp.DType.INT: 10, exp.DType.BIGINT: 19}
_ATHENA_NAMES = {
    "BIGINT": ("bigint", 19),
    "BLOB": ("varbinary", 1073741824),
    "BOOLEAN": ("boolean", 0),
    "DATE": ("date", 0),
    "DOUBLE": ("double", 17),
    "FLOAT": ("float", 17),
    "HUGEINT": ("bigint", 19),
    "INTEGER": ("integer", 10),
    "SMALLINT": ("smallint", 5),
    "TIMESTAMP": ("timestamp", 3),
    "TIMESTAMP WITH TIME ZONE": ("timestamp with time zone", 3),
    "TINYINT": ("tinyint", 3),
    "VARCHAR": ("varchar", 2147483647),
}


@dataclass(frozen=True, slots=True)
class AthenaType:
    """A column's type as GetQueryResults shows it."""

    name: str
    precision: int
    scale: int = 0


def athena_type(duckdb_type: str) -> AthenaType:
    """Return what Athena calls a type of DuckDB.

    >>> athena_type("DECIMAL(10,2)"), athena_type("INTEGER[]").name
    (AthenaType(name='decimal', precision=10, scale=2), 'array')
    """
    shown = duckdb_type.upper()
    if shown.endswith("]"):
        return AthenaType("array", 0)
    if shown.startswith("DECIMAL("):
        precision, _, scale = shown[8:-1].partition(",")
        return AthenaType("decimal", int(precision), int(scale))
    for prefix, name in (("STRUCT", "row"), ("MAP", "map"), ("TIMESTAMP_", "timestamp"), ("ENUM", "varchar")):
        if shown.startswith(prefix):
            return AthenaType(name, 3 if name == "timestamp" else 0)
    return AthenaType(*_ATHENA_NAMES.get(shown, ("varchar", 2147483647)))


def glue_type(duckdb_type: str) -> str:
    """Return a type of DuckDB as Glue writes it in a view's columns."""
    found = athena_type(duckdb_type)
    names = {"integer": "int", "varchar": "string", "varbinary": "binary", "timestamp with time zone": "timestamp"}
    if found.name == "decimal":
        return f"decimal({found.precision},{found.scale})"
    if found.name in {"array", "map", "row"}:
        return exp.DataType.build(duckdb_type, dialect="duckdb").sql("hive").lower()
    return names.get(found.name, found.name)


def is_integer(node: exp.Expr) -> bool:
    """Return whether an annotated expression is an integer."""
    return node.type is not None and node.type.this in INTEGERS


def is_kind(node: exp.Expr, *kinds: exp.DType) -> bool:
    """Return whether an annotated expression has one of these types."""
    return node.type is not None and node.type.this in kinds


def is_known(node: exp.Expr) -> bool:
    """Return whether the type of an expression was found."""
    return node.type is not None and node.type.this is not exp.DType.UNKNOWN


def decimal_shape(node: exp.Expr) -> tuple[int, int] | None:
    """Return precision and scale of a decimal (or of an integer taken as one); None where they are not known.

    Source: https://trino.io/docs/current/functions/decimal.html
    """
    if is_integer(node) and node.type is not None:
        return _PRECISION.get(node.type.this, 19), 0
    if isinstance(node, exp.Paren | exp.Neg | exp.Abs | exp.Min | exp.Max):
        return decimal_shape(node.this)
    if isinstance(node, exp.Sum):
        inner = decimal_shape(node.this)
        return None if inner is None else (38, inner[1])
    if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div):
        left, right = decimal_shape(node.left), decimal_shape(node.right)
        return None if left is None or right is None else _combine(node, left, right)
    kind = node.to if isinstance(node, exp.Cast) else node.type
    if kind is not None and kind.this is exp.DType.DECIMAL:
        sizes = [int(part.name) for part in kind.expressions]
        if len(sizes) == 2:
            return sizes[0], sizes[1]
    return None


def _combine(node: exp.Binary, left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    (p1, s1), (p2, s2) = left, right
    scale = max(s1, s2)
    if isinstance(node, exp.Mul):
        return min(38, p1 + p2), s1 + s2
    if isinstance(node, exp.Div):
        return min(38, p1 + s2 + max(s2 - s1, 0)), scale
    return min(38, max(p1 - s1, p2 - s2) + scale + 1), scale
