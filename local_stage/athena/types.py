"""Types as Trino, Glue, sqlglot and DuckDB name them, and when Trino turns one into another by itself.

Source: https://trino.io/docs/current/language/types.html; `TypeCoercion` of Trino for what is coerced.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from local_stage.athena.failures import AthenaFailure, unsupported

UTC = "UTC"
_INTEGERS = ("tinyint", "smallint", "integer", "bigint")
_DIGITS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}
_WIDTH = {name: number for number, name in enumerate((*_INTEGERS, "decimal", "real", "double"))}
_MAX_DECIMAL = 38
_MICROSECONDS = 6


@dataclass(frozen=True, slots=True)
class TrinoType:
    """A type of Trino.

    `arguments` are the types within: the element of an array, key and value of a map, the fields of a row.
    `size` is the length of a varchar (None: any), the precision of a decimal or the digits of a second's fraction.
    `zone` is the time zone of all values of a timestamp with time zone: here, a column cannot mix them.
    """

    name: str
    arguments: tuple["TrinoType", ...] = ()
    fields: tuple[str | None, ...] = ()
    size: int | None = None
    scale: int = 0
    zone: str = UTC

    @property
    def is_integer(self) -> bool:
        """Whether it is tinyint, smallint, integer or bigint."""
        return self.name in _INTEGERS

    @property
    def is_real(self) -> bool:
        """Whether it is real or double."""
        return self.name in {"real", "double"}

    @property
    def is_number(self) -> bool:
        """Whether it is a number of any kind."""
        return self.name in _WIDTH

    @property
    def is_nested(self) -> bool:
        """Whether it is an array, a map or a row."""
        return self.name in {"array", "map", "row"}

    @property
    def element(self) -> "TrinoType":
        """The type of an array's elements, or of a map's values."""
        return self.arguments[-1]

    def show(self) -> str:
        """Return the type as `typeof` shows it."""
        if self.name == "row":
            parts = (f"{field} {kind.show()}" if field else kind.show() for field, kind in self._named())
            return f"row({', '.join(parts)})"
        if self.arguments:
            return f"{self.name}({', '.join(kind.show() for kind in self.arguments)})"
        if self.name == "decimal":
            return f"decimal({self.size},{self.scale})"
        if self.name in {"timestamp", "time"}:
            return f"{self.name}({self.size})"
        if self.name == "timestamp with time zone":
            return f"timestamp({self.size}) with time zone"
        return self.name if self.size is None else f"{self.name}({self.size})"

    def duckdb(self) -> str:
        """Return the type of DuckDB that holds its values.

        A timestamp with time zone is held as the timestamp of its instant in UTC, an interval as its milliseconds or
        months, JSON as its text.
        """
        if self.name == "row":
            parts = (f"{_field_name(number)} {kind.duckdb()}" for number, (_, kind) in enumerate(self._named(), 1))
            return f"STRUCT({', '.join(parts)})"
        if self.name == "array":
            return f"{self.element.duckdb()}[]"
        if self.name == "map":
            return f"MAP({self.arguments[0].duckdb()}, {self.element.duckdb()})"
        if self.name == "decimal":
            return f"DECIMAL({self.size}, {self.scale})"
        return _DUCKDB[self.name]

    def _named(self) -> Sequence[tuple[str | None, "TrinoType"]]:
        return list(zip(self.fields, self.arguments, strict=True))


_DUCKDB = {
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "double": "DOUBLE",
    "integer": "INTEGER",
    "interval day to second": "BIGINT",
    "interval year to month": "BIGINT",
    "json": "VARCHAR",
    "real": "FLOAT",
    "smallint": "SMALLINT",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMP",
    "tinyint": "TINYINT",
    "unknown": "INTEGER",
    "uuid": "VARCHAR",
    "varbinary": "BLOB",
    "varchar": "VARCHAR",
}
BIGINT, BOOLEAN, DATE, DOUBLE, INTEGER, JSON, REAL, UNKNOWN, VARBINARY, VARCHAR = (
    TrinoType(name)
    for name in (
        "bigint",
        "boolean",
        "date",
        "double",
        "integer",
        "json",
        "real",
        "unknown",
        "varbinary",
        "varchar",
    )
)
DAYS, MONTHS = TrinoType("interval day to second"), TrinoType("interval year to month")
TIME = TrinoType("time", size=3)


def timestamp(digits: int = 3) -> TrinoType:
    """Return a timestamp without time zone."""
    return TrinoType("timestamp", size=digits)


def zoned(digits: int = 3, zone: str = UTC) -> TrinoType:
    """Return a timestamp with time zone."""
    return TrinoType("timestamp with time zone", size=digits, zone=zone)


def varchar(length: int | None) -> TrinoType:
    """Return a varchar of a length."""
    return TrinoType("varchar", size=length)


def decimal(precision: int, scale: int) -> TrinoType:
    """Return a decimal."""
    return TrinoType("decimal", size=precision, scale=scale)


def array(element: TrinoType) -> TrinoType:
    """Return an array."""
    return TrinoType("array", (element,))


def map_of(key: TrinoType, value: TrinoType) -> TrinoType:
    """Return a map."""
    return TrinoType("map", (key, value))


def row(*kinds: TrinoType, fields: Sequence[str | None] = ()) -> TrinoType:
    """Return a row, its fields unnamed where no names are given."""
    return TrinoType("row", kinds, tuple(fields) or (None,) * len(kinds))


def _field_name(number: int) -> str:
    return f"f{number}"


def field_sql(value: str, number: int) -> str:
    """Return DuckDB's expression for field `number` (1-based) of a row."""
    return f"struct_extract({value}, '{_field_name(number)}')"


def row_sql(values: Sequence[str]) -> str:
    """Return DuckDB's expression for a row of these values."""
    return f"struct_pack({', '.join(f'{_field_name(number)} := {value}' for number, value in enumerate(values, 1))})"


def as_decimal(kind: TrinoType) -> TrinoType:
    """Return a decimal that holds every value of an exact number's type."""
    return kind if kind.name == "decimal" else decimal(_DIGITS[kind.name], 0)


def common_type(one: TrinoType, other: TrinoType) -> TrinoType | None:
    """Return the type that values of both can become without being asked; None where there is none."""
    if other in (one, UNKNOWN):
        return one
    if one == UNKNOWN:
        return other
    if one.name == other.name:
        return _common_size(one, other)
    if one.is_number and other.is_number:
        return _common_number(one, other)
    names = {one.name, other.name}
    moments = [kind for kind in (one, other) if kind.name.startswith("timestamp")]
    if names <= {"date", "timestamp", "timestamp with time zone"}:
        digits = max(kind.size or 0 for kind in moments)
        with_zone = [kind for kind in moments if kind.name == "timestamp with time zone"]
        return zoned(digits, with_zone[0].zone) if with_zone else timestamp(digits)
    return None


def _common_number(one: TrinoType, other: TrinoType) -> TrinoType:
    wide, narrow = (one, other) if _WIDTH[one.name] > _WIDTH[other.name] else (other, one)
    if wide.name == "decimal":
        return _common_decimal(wide, as_decimal(narrow))
    return wide


def _common_decimal(one: TrinoType, other: TrinoType) -> TrinoType:
    scale = max(one.scale, other.scale)
    whole = max((one.size or 0) - one.scale, (other.size or 0) - other.scale)
    return decimal(min(_MAX_DECIMAL, whole + scale), scale)


def _common_size(one: TrinoType, other: TrinoType) -> TrinoType | None:
    if one.name == "decimal":
        return _common_decimal(one, other)
    if one.name == "varchar":
        return varchar(None if one.size is None or other.size is None else max(one.size, other.size))
    if one.name == "timestamp with time zone" and one.zone != other.zone:
        raise unsupported(f"values with time zones {one.zone} and {other.zone} in one place")
    if one.size is not None:
        return replace(one, size=max(one.size, other.size or 0))
    if len(one.arguments) != len(other.arguments):
        return None
    parts = [common_type(left, right) for left, right in zip(one.arguments, other.arguments, strict=True)]
    if any(part is None for part in parts):
        return None
    fields = tuple(left if left == right else None for left, right in zip(one.fields, other.fields, strict=True))
    return TrinoType(one.name, tuple(part for part in parts if part is not None), fields)


def coerces(given: TrinoType, wanted: TrinoType) -> bool:
    """Return whether Trino turns a value of one type into another without being asked."""
    if given in (wanted, UNKNOWN):
        return True
    if given.name == wanted.name == "varchar":
        return wanted.size is None or (given.size is not None and given.size <= wanted.size)
    if given.name == wanted.name and given.is_nested:
        inner = zip(given.arguments, wanted.arguments, strict=False)
        return len(given.arguments) == len(wanted.arguments) and all(coerces(one, other) for one, other in inner)
    common = common_type(given, wanted)
    return common is not None and common.name == wanted.name and _fits(common, wanted)


def _fits(given: TrinoType, wanted: TrinoType) -> bool:
    if wanted.name == "decimal":
        whole = (given.size or 0) - given.scale
        return given.scale <= wanted.scale and whole <= (wanted.size or 0) - wanted.scale
    return (given.size or 0) <= (wanted.size or 0)


@dataclass(frozen=True, slots=True)
class AthenaType:
    """A column's type as GetQueryResults shows it."""

    name: str
    precision: int
    scale: int = 0


_SHOWN = {
    "bigint": ("bigint", 19),
    "boolean": ("boolean", 0),
    "date": ("date", 0),
    "double": ("double", 17),
    "integer": ("integer", 10),
    "json": ("json", 0),
    "real": ("float", 17),
    "smallint": ("smallint", 5),
    "time": ("time", 3),
    "timestamp": ("timestamp", 3),
    "timestamp with time zone": ("timestamp with time zone", 3),
    "tinyint": ("tinyint", 3),
    "unknown": ("unknown", 0),
    "varbinary": ("varbinary", 1073741824),
}


def athena_type(kind: TrinoType) -> AthenaType:
    """Return what Athena calls a type.

    >>> athena_type(decimal(10, 2)), athena_type(array(INTEGER)).name
    (AthenaType(name='decimal', precision=10, scale=2), 'array')
    """
    if kind.name == "decimal":
        return AthenaType("decimal", kind.size or 0, kind.scale)
    if kind.name == "varchar":
        return AthenaType("varchar", 2147483647 if kind.size is None else kind.size)
    return AthenaType(*_SHOWN.get(kind.name, (kind.name, 0)))


def glue_type(kind: TrinoType) -> str:
    """Return a type as Glue writes it.

    >>> glue_type(array(row(INTEGER, VARCHAR, fields=("a", "b"))))
    'array<struct<a:int,b:string>>'
    """
    if kind.name == "decimal":
        return f"decimal({kind.size},{kind.scale})"
    if kind.name == "row":
        named = zip(kind.fields, kind.arguments, strict=True)
        return f"struct<{','.join(f'{field}:{glue_type(part)}' for field, part in named)}>"
    if kind.arguments:
        return f"{kind.name}<{','.join(glue_type(part) for part in kind.arguments)}>"
    names = {
        "integer": "int",
        "real": "float",
        "timestamp with time zone": "timestamp",
        "varbinary": "binary",
        "varchar": "string",
    }
    return names.get(kind.name, kind.name)


def parse_glue_type(text: str) -> TrinoType:
    """Return the type of a column as Glue or Hive writes it.

    >>> parse_glue_type("array<struct<a:int>>").show()
    'array(row(a integer))'
    """
    built = exp.DataType.build(text, dialect="hive")
    return from_sqlglot(built, digits=3)


def parse_trino_type(text: str) -> TrinoType:
    """Return a type as Trino writes it."""
    return from_sqlglot(exp.DataType.build(text, dialect="trino"))


_FROM_SQLGLOT = {
    exp.DType.BIGINT: BIGINT,
    exp.DType.BINARY: VARBINARY,
    exp.DType.BOOLEAN: BOOLEAN,
    exp.DType.DATE: DATE,
    exp.DType.DOUBLE: DOUBLE,
    exp.DType.FLOAT: REAL,
    exp.DType.INT: INTEGER,
    exp.DType.JSON: JSON,
    exp.DType.SMALLINT: TrinoType("smallint"),
    exp.DType.TEXT: VARCHAR,
    exp.DType.TINYINT: TrinoType("tinyint"),
    exp.DType.VARBINARY: VARBINARY,
}


def from_sqlglot(kind: exp.DataType, digits: int = 3) -> TrinoType:
    """Return the type that a parsed query names. `digits` is the precision of a timestamp that names none.

    Raises:
        AthenaFailure: Trino has no such type, or the embedded Athena has not.
    """
    known = _FROM_SQLGLOT.get(kind.this)
    if known is not None:
        return known
    if kind.this in {exp.DType.ARRAY, exp.DType.LIST, exp.DType.MAP, exp.DType.STRUCT}:
        return _nested_from_sqlglot(kind)
    try:
        sizes = [int(part.name) for part in kind.expressions]
    except ValueError:
        raise AthenaFailure("SYNTAX_ERROR", f"Unknown type: {kind.sql('trino').lower()}") from None
    if kind.this is exp.DType.DECIMAL:
        precision, scale = sizes[0] if sizes else 38, sizes[1] if len(sizes) > 1 else 0
        if not 1 <= precision <= _MAX_DECIMAL or not 0 <= scale <= precision:
            raise AthenaFailure(
                "INVALID_FUNCTION_ARGUMENT", f"Invalid DECIMAL precision or scale: {precision}, {scale}"
            )
        return decimal(precision, scale)
    if kind.this is exp.DType.VARCHAR:
        return varchar(sizes[0] if sizes else None)
    moments = {
        exp.DType.TIMESTAMP: timestamp,
        exp.DType.TIMESTAMPNTZ: timestamp,
        exp.DType.TIMESTAMPTZ: zoned,
        exp.DType.TIMESTAMPLTZ: zoned,
    }
    if kind.this in moments:
        size = sizes[0] if sizes else digits
        if size > _MICROSECONDS:
            raise unsupported(f"timestamps with {size} digits of a second's fraction")
        return moments[kind.this](size)
    if kind.this is exp.DType.TIME:
        return TrinoType("time", size=sizes[0] if sizes else 3)
    raise unsupported(f"the type {kind.sql('trino').lower()}")


def _nested_from_sqlglot(kind: exp.DataType) -> TrinoType:
    parts = list(kind.expressions)
    if kind.this is exp.DType.STRUCT:
        named = [
            (part.name.lower(), from_sqlglot(part.args["kind"]))
            if isinstance(part, exp.ColumnDef)
            else (None, from_sqlglot(part))
            for part in parts
        ]
        return row(*(inner for _, inner in named), fields=[name for name, _ in named])
    wanted = 2 if kind.this is exp.DType.MAP else 1
    if len(parts) != wanted:
        raise AthenaFailure("SYNTAX_ERROR", f"Unknown type: {kind.sql('trino').lower()}")
    return TrinoType("map" if wanted == 2 else "array", tuple(from_sqlglot(part) for part in parts))
