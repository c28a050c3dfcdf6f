"""Turns a query of Athena into one of DuckDB that means the same, or refuses it.

The types of all expressions are worked out first, for what an operator means depends on them. Where a meaning cannot
be kept, or not be known, the query fails and the message names what it was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import OptimizeError, ParseError, SchemaError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.schema import MappingSchema

from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.functions import SAME
from local_stage.athena.types import decimal_shape, is_integer, is_kind, is_known

INFORMATION_SCHEMA = "athena_information_schema"
_UNNAMED = "athena_unnamed_"
_TEXT = (exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.CHAR)
_REAL = (exp.DType.DOUBLE, exp.DType.FLOAT)
_TIMES = (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ)
_EXACT_UNITS = frozenset({"MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK"})

TableName = tuple[str, str]
Schema = Mapping[str, Mapping[str, Mapping[str, str]]]


class AthenaQuery(Trino):
    """Trino's grammar with array indexes left as they are written."""

    INDEX_OFFSET = 0


@dataclass(slots=True)
class Use:
    """How a query uses one table: the columns it reads, and the conditions that each row has to meet."""

    columns: set[str] = field(default_factory=set)
    conditions: list[exp.Expr] = field(default_factory=list)
    references: int = 0


def parse(sql: str, parameters: Sequence[str] = ()) -> exp.Expr:
    """Parse a query, with its parameters (each a literal) in place of the question marks.

    Raises:
        AthenaFailure: it is not one query, or the parameters are not as many as the question marks.
    """
    try:
        trees = [tree for tree in sqlglot.parse(sql, read=AthenaQuery) if tree is not None]
        values = [sqlglot.parse_one(value, read=AthenaQuery) for value in parameters]
    except ParseError as error:
        raise AthenaFailure("SYNTAX_ERROR", str(error).splitlines()[0]) from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query | exp.Values):
        raise AthenaFailure("SYNTAX_ERROR", "expected one query")
    tree = trees[0]
    marks = list(tree.find_all(exp.Placeholder))
    if len(marks) != len(values):
        raise AthenaFailure("INVALID_PARAMETER_USAGE", f"expected {len(marks)} parameters, got {len(values)}")
    for mark, value in zip(marks, values, strict=True):
        if value.find(exp.Query, exp.Column):
            raise AthenaFailure("INVALID_PARAMETER_USAGE", "a parameter has to be a literal")
        mark.replace(value)
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("this", identifier.this.lower())
    for table in tree.find_all(exp.Table):
        if table.catalog not in {"", "awsdatacatalog"}:
            raise unsupported(f"queries over the catalog {table.catalog}")
        table.set("catalog", None)
        if table.db == "information_schema":
            table.set("db", exp.to_identifier(INFORMATION_SCHEMA))
    return tree


def tables_of(tree: exp.Expr, database: str) -> set[TableName]:
    """Return the tables and views that a query names."""
    names: set[TableName] = set()
    for scope in traverse_scope(tree):
        for source in scope.sources.values():
            if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
                names.add((source.db or database, source.name))
    return names


def translate(tree: exp.Expr, database: str, schema: Schema) -> tuple[str, dict[TableName, Use]]:
    """Return the query for DuckDB, and how it uses each table.

    `schema` maps databases to tables to columns to types, as Trino writes them.

    Raises:
        AthenaFailure: a name is unknown, a type does not fit, or something cannot be run here.
    """
    _name_outputs(tree)
    for literal in list(tree.find_all(exp.Literal)):
        _type_decimal(literal)
    try:
        typed = qualify(
            tree,
            dialect=AthenaQuery,
            db=database,
            schema=MappingSchema(dict(schema), dialect=AthenaQuery),
            quote_identifiers=True,
        )
    except (OptimizeError, SchemaError) as error:
        code = "COLUMN_NOT_FOUND" if "could not be resolved" in str(error) else "SYNTAX_ERROR"
        raise AthenaFailure(code, str(error).splitlines()[0]) from None
    typed = annotate_types(typed, schema=MappingSchema(dict(schema), dialect=AthenaQuery), dialect=AthenaQuery)
    uses = _uses(typed)
    _number_outputs(typed)
    translated = _translate_nodes(typed)
    return translated.sql(dialect="duckdb"), uses


def _name_outputs(tree: exp.Expr) -> None:
    """Mark the columns that Athena calls `_col0`, `_col1`...: those that are neither columns nor named."""
    first = _first_select(tree)
    if first is None:
        return
    for number, projection in enumerate(list(first.expressions)):
        if not isinstance(projection, exp.Alias | exp.Column | exp.Star):
            projection.replace(exp.alias_(projection.copy(), f"{_UNNAMED}{number}"))


def _number_outputs(tree: exp.Expr) -> None:
    first = _first_select(tree)
    names: dict[str, str] = {}
    for number, projection in enumerate([] if first is None else first.expressions):
        if projection.alias.startswith(_UNNAMED):
            names[projection.alias] = f"_col{number}"
    for identifier in tree.find_all(exp.Identifier):  # ORDER BY 2 has become a reference to the name
        if identifier.this in names:
            identifier.set("this", names[identifier.this])


def _first_select(tree: exp.Expr) -> exp.Select | None:
    while isinstance(tree, exp.SetOperation | exp.Subquery):
        tree = tree.this
    return tree if isinstance(tree, exp.Select) else None


def _type_decimal(literal: exp.Literal) -> None:
    """Give a literal with a decimal point the type that Trino gives it, which is not double."""
    if literal.is_string or "." not in literal.this or "e" in literal.this.lower():
        return
    whole, _, fraction = literal.this.partition(".")
    precision = len(whole.lstrip("0")) + len(fraction)
    literal.replace(exp.cast(literal.copy(), f"DECIMAL({max(precision, 1)}, {len(fraction)})"))


def _uses(tree: exp.Expr) -> dict[TableName, Use]:
    uses: dict[TableName, Use] = {}
    for scope in traverse_scope(tree):
        where = scope.expression.args.get("where") if isinstance(scope.expression, exp.Select) else None
        conditions = list(where.this.flatten()) if where and isinstance(where.this, exp.And) else []
        if where and not conditions:
            conditions = [where.this]
        for alias, source in scope.sources.items():
            if not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier):
                continue
            use = uses.setdefault((source.db, source.name), Use())
            use.references += 1
            use.columns |= {column.name for column in scope.columns if column.table == alias}
            for condition in conditions:
                columns = list(condition.find_all(exp.Column))
                if columns and all(column.table == alias for column in columns):
                    use.conditions.append(condition.copy())
    return uses


def _translate_nodes(tree: exp.Expr) -> exp.Expr:
    """Replace nodes from the leaves up: a node's operands are done, and keep their types, when its turn comes."""
    for node in reversed(list(tree.walk(bfs=True))):
        replacement = _translate_node(node)
        if replacement is not node:
            replacement.type = node.type
            if node is tree:
                return replacement
            node.replace(replacement)
    return tree


def _translate_node(node: exp.Expr) -> exp.Expr:
    for kind, translate_kind in _TRANSLATIONS.items():
        if isinstance(node, kind):
            return translate_kind(node)
    if isinstance(node, exp.Anonymous) and node.name.lower().startswith("athena_"):
        return node
    if isinstance(node, exp.Func) and type(node) not in SAME:
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        raise unsupported(f"the function {name.lower()}")
    if isinstance(node, exp.TableSample | exp.Pivot | exp.Lateral | exp.MatchRecognize):
        raise unsupported(type(node).__name__.upper())
    return node


def _divide(node: exp.Expr) -> exp.Expr:
    left, right = node.args["this"], node.args["expression"]
    if is_integer(left) and is_integer(right):
        return exp.paren(exp.IntDiv(this=_group(left), expression=_group(right)))
    if is_kind(left, *_REAL) or is_kind(right, *_REAL):
        # DuckDB, like Trino, answers infinity; typed so that nothing else is made of the quotient
        return exp.paren(exp.Div(this=_double(left), expression=_double(right), typed=False, safe=False))
    shape, left_shape, right_shape = decimal_shape(node), decimal_shape(left), decimal_shape(right)
    if shape is None or left_shape is None or right_shape is None:
        raise unsupported(f"the division {node.sql(AthenaQuery)}, as it cannot tell its types: cast its operands")
    quotient = exp.Anonymous(
        this="athena_decimal_divide",
        expressions=[exp.cast(left, "VARCHAR"), exp.cast(right, "VARCHAR"), exp.Literal.number(shape[1])],
    )
    return exp.cast(quotient, f"DECIMAL({shape[0]}, {shape[1]})")


def _subscript(node: exp.Expr) -> exp.Expr:
    container, index = node.this, node.expressions[0]
    if len(node.expressions) != 1:
        raise unsupported("slices")
    lenient = bool(node.args.get("safe"))  # element_at
    if is_kind(container, exp.DType.ARRAY, exp.DType.LIST) or isinstance(container, exp.Split):
        return _call("athena_element" if lenient else "athena_item", container, index)
    if is_kind(container, exp.DType.MAP):
        return _call("athena_entry" if lenient else "athena_value", container, index)
    raise unsupported(f"{node.sql(AthenaQuery)}, as it cannot tell whether that is an array or a map")


def _cast(node: exp.Expr) -> exp.Expr:
    value, target = node.this, node.args["to"]
    if isinstance(value, exp.Null) or (isinstance(value, exp.Literal) and value.is_string and target.this in _TEXT):
        return node
    if target.this in _TEXT:
        return _cast_to_text(node)
    if target.this in exp.DataType.INTEGER_TYPES:
        if is_kind(value, *_TEXT):
            lenient = isinstance(node, exp.TryCast)
            node.set("this", _call("athena_integer_text_or_null" if lenient else "athena_integer_text", value))
        elif is_kind(value, *_REAL, exp.DType.DECIMAL):
            node.set("this", exp.Round(this=value))  # DuckDB rounds halves to even
        elif not is_known(value):
            raise unsupported(f"{node.sql(AthenaQuery)}, as it cannot tell the type of what is cast")
    return node


def _cast_to_text(node: exp.Expr) -> exp.Expr:
    value = node.this
    if is_kind(value, *_REAL):
        return _call("athena_double_text", _double(value))
    if is_kind(value, exp.DType.TIMESTAMP):
        return _call("athena_timestamp_text", value)
    plain = (*_TEXT, exp.DType.BOOLEAN, exp.DType.DATE, exp.DType.DECIMAL, exp.DType.NULL, *exp.DataType.INTEGER_TYPES)
    if not is_kind(value, *plain):
        raise unsupported(f"the cast to varchar of {value.sql(AthenaQuery)}")
    return node


def _shift_date(node: exp.Expr) -> exp.Expr:
    """Keep a date a date when an interval is added to it."""
    date = node.this if isinstance(node, exp.DateAdd | exp.DateSub) else _dated(node)
    if date is None:
        return node
    if is_kind(date, exp.DType.DATE):
        return exp.cast(exp.paren(node.copy()), "DATE")
    if not is_kind(date, *_TIMES):
        raise unsupported(f"{node.sql(AthenaQuery)}, as it cannot tell whether that is a date or a timestamp")
    return node


def _dated(node: exp.Expr) -> exp.Expr | None:
    left, right = node.args["this"], node.args["expression"]
    if isinstance(right, exp.Interval):
        return left  # type: ignore[no-any-return]  # sqlglot leaves its arguments untyped
    return right if isinstance(left, exp.Interval) else None


def _truncate_date(node: exp.Expr) -> exp.Expr:
    if is_kind(node.this, exp.DType.DATE):
        return exp.cast(node.copy(), "DATE")
    if not is_kind(node.this, *_TIMES):
        raise unsupported("date_trunc, as it cannot tell whether that is of a date or a timestamp")
    return node


def _date_difference(node: exp.Expr) -> exp.Expr:
    unit = node.args["unit"].name.upper() if node.args.get("unit") else "DAY"
    if unit not in _EXACT_UNITS:
        raise unsupported(f"date_diff in units of {unit.lower()}")
    # complete units, as in Trino; date_diff of DuckDB counts the boundaries between
    return exp.Anonymous(this="date_sub", expressions=[exp.Literal.string(unit.lower()), node.expression, node.this])


def _sum(node: exp.Expr) -> exp.Expr:
    """Make the sum of integers a bigint that overflows, where DuckDB makes it a wider integer."""
    inner = node
    while isinstance(inner, exp.Window | exp.Filter):
        inner = inner.this
    if not isinstance(inner, exp.Sum | exp.CountIf) or isinstance(node.parent, exp.Window | exp.Filter):
        return _unmeant_average(inner, node)
    if isinstance(inner, exp.CountIf) or is_integer(inner):
        return exp.cast(node.copy(), "BIGINT")
    return node


def _unmeant_average(inner: exp.Expr, node: exp.Expr) -> exp.Expr:
    if isinstance(inner, exp.Avg) and is_kind(inner.this, exp.DType.DECIMAL):
        raise unsupported("avg of a decimal: cast it to double")
    if isinstance(inner, exp.Func) and type(inner) not in SAME:
        raise unsupported(f"the function {inner.sql_name().lower()}")
    return node


def _compare(node: exp.Expr) -> exp.Expr:
    left, right = node.args["this"], node.args["expression"]
    numbers = (*_REAL, exp.DType.DECIMAL, *exp.DataType.INTEGER_TYPES)
    for one, other in ((left, right), (right, left)):
        if is_kind(one, *_TEXT) and is_kind(other, *numbers, exp.DType.BOOLEAN):
            raise AthenaFailure("TYPE_MISMATCH", f"Cannot compare varchar with {other.type}: {node.sql(AthenaQuery)}")
    return node


def _unnest(node: exp.Expr) -> exp.Expr:
    if len(node.expressions) != 1:
        raise unsupported("UNNEST of several arrays")
    unnested = node.expressions[0]
    element = unnested.type.expressions[0] if is_kind(unnested, exp.DType.ARRAY) and unnested.type.expressions else None
    if element is None and not isinstance(unnested, exp.Split | exp.Array | exp.GenerateSeries | exp.Anonymous):
        raise unsupported(f"{node.sql(AthenaQuery)}, as it cannot tell what kind of array that is")
    if element is not None and element.this is exp.DType.STRUCT:
        raise unsupported("UNNEST of rows")
    return node


def _substring(node: exp.Expr) -> exp.Expr:
    size = node.args.get("length")
    if size is None:
        return _call("athena_substring", node.this, node.args["start"])
    return _call("athena_substring_of", node.this, node.args["start"], size)


def _regexp_extract(node: exp.Expr) -> exp.Expr:
    group = node.args.get("group") or exp.Literal.number(0)
    return _call("athena_regexp_extract", node.this, node.args["expression"], group)


def _regexp_replace(node: exp.Expr) -> exp.Expr:
    replacement = node.args.get("replacement")
    if isinstance(replacement, exp.Literal) and "$" in replacement.this:
        raise unsupported("regexp_replace with references to groups")
    return node


def _json_scalar(node: exp.Expr) -> exp.Expr:
    path = node.args["expression"]
    shown = path.sql(AthenaQuery).strip("'") if not isinstance(path, exp.Literal) else path.this
    return _call("athena_json_scalar", node.this, exp.Literal.string(shown))


def _double(node: exp.Expr) -> exp.Expr:
    return node if is_kind(node, exp.DType.DOUBLE) and isinstance(node, exp.Column) else exp.cast(node, "DOUBLE")


def _group(node: exp.Expr) -> exp.Expr:
    return exp.paren(node) if isinstance(node, exp.Binary) else node


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _keep(node: exp.Expr) -> exp.Expr:
    return node


_TRANSLATIONS: dict[type[exp.Expr] | tuple[type[exp.Expr], ...], Callable[..., exp.Expr]] = {
    exp.Div: _divide,
    exp.Bracket: _subscript,
    exp.Cast: _cast,
    (exp.DateAdd, exp.DateSub, exp.Add, exp.Sub): lambda node: (
        _shift_date(node) if not isinstance(node, exp.Add | exp.Sub) or _dated(node) is not None else node
    ),
    (exp.TimestampTrunc, exp.DateTrunc): _truncate_date,
    exp.DateDiff: _date_difference,
    (exp.Sum, exp.CountIf, exp.Window, exp.Filter, exp.Avg): _sum,
    (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE): _compare,
    exp.Unnest: _unnest,
    exp.Substring: _substring,
    exp.SplitPart: lambda node: _call("athena_split_part", node.this, node.args["delimiter"], node.args["part_index"]),
    exp.Split: _keep,
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpReplace: _regexp_replace,
    exp.JSONExtractScalar: _json_scalar,
}
