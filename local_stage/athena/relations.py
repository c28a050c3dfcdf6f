"""Queries: what FROM, WHERE, GROUP BY, ORDER BY and the set operators make of tables, in Trino's order and scopes.

Every relation gets a name and columns of its own (r1.c0, r1.c1...), so that nothing of a query can be taken for another
thing by DuckDB. A WITH is written out at each place that names it, as Trino does.
"""

import datetime
from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from local_stage.athena.calls import check_orderable
from local_stage.athena.expressions import Expressions
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.from_clause import FromClause
from local_stage.athena.operators import unify
from local_stage.athena.ordering import order_item
from local_stage.athena.rows import Catalog, Names, Rows, check_clauses, retyped
from local_stage.athena.scans import Condition, Scan, conditions_of
from local_stage.athena.types import common_type, field_sql
from local_stage.athena.values import Field, Read, Scope, Value, typed_sql

_MAX_DEPTH = 32
_CLAUSES = frozenset(
    {
        "expressions",
        "from_",
        "joins",
        "where",
        "group",
        "having",
        "order",
        "limit",
        "offset",
        "distinct",
        "with_",
        "windows",
    }
)
_SET_CLAUSES = frozenset({"this", "expression", "distinct", "with_", "order", "limit", "offset"})
_SET_WORDS = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}


class QueryWriter:
    """Writes queries. After a query is written, `scans` tells what is to be read."""

    def __init__(self, catalog: Catalog, now: datetime.datetime) -> None:
        self._expressions = Expressions(self, now)
        self._from = FromClause(catalog, self)
        self._names = Names("default", {})

    @property
    def scans(self) -> Sequence[Scan]:
        """The tables that are read, one scan for each place that names one."""
        return self._from.scans

    def write(self, query: exp.Expr, database: str) -> Rows:
        """Return a query for DuckDB, and note that all its columns are read."""
        rows = self.write_rows(query, Names(database, {}), None)
        for value in rows.values:
            self.mark(value.reads)
        return rows

    def write_expression(self, node: exp.Expr, scope: Scope) -> Value:
        """Return an expression over columns that are known."""
        return self._expressions.write(node, scope)

    # what expressions and FROM ask for

    def condition(self, node: exp.Expr, scope: Scope, where: str) -> Value:
        """Return an expression that has to be a boolean."""
        return self._expressions.condition(node, scope, where)

    def scalar(self, query: exp.Expr, scope: Scope) -> Value:
        """Return a query of one column as a value."""
        sql, values = self.rows(query, scope)
        if len(values) != 1:
            raise AthenaFailure(
                "NOT_SUPPORTED", f"Multiple columns returned by subquery are not yet supported. Found {len(values)}"
            )
        return Value(f"({sql})", values[0].type, values[0].reads)

    def rows(self, query: exp.Expr, scope: Scope) -> tuple[str, Sequence[Value]]:
        """Return a query within an expression, and its columns."""
        rows = self.write_rows(query, self._names, scope)
        for value in rows.values:
            self.mark(value.reads)
        return rows.sql, rows.values

    def mark(self, reads: frozenset[Read]) -> None:
        """Note that columns are read."""
        for number, column in reads:
            self.scans[number].used.add(column)

    # queries

    def write_rows(self, node: exp.Expr, names: Names, outer: Scope | None) -> Rows:
        """Return a query that stands where these names are known, and the columns of the queries around it."""
        if names.depth > _MAX_DEPTH:
            raise AthenaFailure("VIEW_IS_RECURSIVE", "queries are nested too deeply")
        before, self._names = self._names, names
        try:
            if isinstance(node, exp.Subquery):
                return self._parenthesized(node, names, outer)
            names = self._with(node, names)
            self._names = names
            if isinstance(node, exp.SetOperation):
                return self._set_operation(node, names, outer)
            if isinstance(node, exp.Values):
                return self._values(node, outer)
            if isinstance(node, exp.Select):
                return self._select(node, names, outer)
            raise unsupported(type(node).__name__.upper())
        finally:
            self._names = before

    def _with(self, node: exp.Expr, names: Names) -> Names:
        clause = node.args.get("with_")
        if clause is None:
            return names
        if clause.args.get("recursive"):
            raise unsupported("WITH RECURSIVE")
        known = names
        for query in clause.expressions:
            known = replace(known, queries={**known.queries, query.alias: (query, known)})
        return known

    def _parenthesized(self, node: exp.Subquery, names: Names, outer: Scope | None) -> Rows:
        check_clauses(node, frozenset({"this", "with_", "order", "limit", "offset", "alias"}))
        if node.args.get("with_"):
            names = self._with(node, names)
        rows = self.write_rows(node.this, names, outer)
        return self._ordered(rows, node, outer) if _has_order(node) else rows

    def _set_operation(self, node: exp.SetOperation, names: Names, outer: Scope | None) -> Rows:
        check_clauses(node, _SET_CLAUSES)
        sides = [self.write_rows(node.args[name], names, outer) for name in ("this", "expression")]
        one, other = sides
        if len(one.values) != len(other.values):
            word = _SET_WORDS[type(node)]
            raise AthenaFailure(
                "TYPE_MISMATCH",
                f"{word} query has different number of fields: {len(one.values)}, {len(other.values)}",
            )
        kinds = []
        for left, right in zip(one.values, other.values, strict=True):
            kind = common_type(left.type, right.type)
            if kind is None:
                raise AthenaFailure(
                    "TYPE_MISMATCH",
                    f"column in {_SET_WORDS[type(node)]} query has incompatible types:"
                    f" {left.type.show()}, {right.type.show()}",
                )
            kinds.append(kind)
        every = not node.args.get("distinct")
        if not every or not isinstance(node, exp.Union):
            for value in (*one.values, *other.values):
                self.mark(value.reads)
        word = _SET_WORDS[type(node)] + (" ALL" if every else "")
        sql = f" {word} ".join(f"({retyped(side, kinds)})" for side in sides)
        pairs = zip(one.values, other.values, kinds, strict=True)
        values = tuple(Value(f"c{n}", kind, left.reads | right.reads) for n, (left, right, kind) in enumerate(pairs))
        return self._ordered(Rows(sql, one.names, values), node, outer)

    def _ordered(self, rows: Rows, node: exp.Expr, outer: Scope | None) -> Rows:
        """Put ORDER BY, OFFSET and LIMIT after a query whose columns alone they may name."""
        if not _has_order(node):
            return rows
        name = self._from.new_name()
        fields = tuple(
            Field((), column, replace(value, sql=f"{name}.c{number}"))
            for number, (column, value) in enumerate(zip(rows.names, rows.values, strict=True))
        )
        order = self._order(node, [field.value for field in fields], rows.names, Scope(fields, outer))
        sql = f"SELECT * FROM ({rows.sql}) {name}{order}{_limit(node)}"  # noqa: S608 - texts that were written here
        return replace(rows, sql=sql, origins=())

    def _values(self, node: exp.Values, outer: Scope | None) -> Rows:
        scope = Scope((), outer)
        lines = []
        for line in node.expressions:
            parts = line.expressions if isinstance(line, exp.Tuple) else [line]
            values = [self._expressions.write(part, scope) for part in parts]
            if len(values) == 1 and isinstance(parts[0], exp.Anonymous) and values[0].type.name == "row":
                value = values[0]
                values = [
                    value.typed(field_sql(value.sql, number), kind)
                    for number, kind in enumerate(value.type.arguments, 1)
                ]
            lines.append(values)
        if len({len(line) for line in lines}) != 1:
            raise AthenaFailure("TYPE_MISMATCH", "Values rows have mismatched sizes")
        columns = [unify(column, "Values rows have mismatched types") for column in zip(*lines, strict=True)]
        texts = [", ".join(f"{column[n].sql} AS c{m}" for m, column in enumerate(columns)) for n in range(len(lines))]
        sql = " UNION ALL ".join(f"SELECT {text}" for text in texts)
        values_out = tuple(Value(f"c{n}", column[0].type) for n, column in enumerate(columns))
        return Rows(sql, (None,) * len(columns), values_out)

    def _select(self, node: exp.Select, names: Names, outer: Scope | None) -> Rows:
        check_clauses(node, _CLAUSES)
        relation = self._from.write(node, names, outer)
        windows = {window.this.name: window for window in node.args.get("windows") or []}
        scope = Scope(tuple(relation.fields), outer, windows=windows)
        where = self._where(node, scope)
        columns, items = self._items(node, scope)
        group, grouped = self._group(node, scope, items)
        having = ""
        if node.args.get("having") is not None:
            value = self._expressions.condition(node.args["having"].this, scope, "HAVING clause")
            self.mark(value.reads)
            having = f" HAVING {value.sql}"
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is not None:
            raise AthenaFailure("SYNTAX_ERROR", "mismatched input 'ON'")
        if distinct is not None:
            for value in items:
                self.mark(value.reads)
        order = self._order(node, items, columns, scope, distinct=distinct is not None)
        shown = ", ".join(f"{typed_sql(value)} AS c{number}" for number, value in enumerate(items))
        source = f" FROM {relation.sql}" if relation.sql else ""
        word = "SELECT DISTINCT" if distinct is not None else "SELECT"
        sql = f"{word} {shown}{source}{where}{group}{having}{order}{_limit(node)}"
        plain = not grouped and not node.args.get("limit") and not node.args.get("offset") and not node.find(exp.Window)
        origins = tuple(self._from.origins.get(value.sql) if plain else None for value in items)
        return Rows(sql, tuple(columns), tuple(items), origins)

    def _where(self, node: exp.Select, scope: Scope) -> str:
        clause = node.args.get("where")
        if clause is None:
            return ""
        value = self._expressions.condition(clause.this, scope, "WHERE clause")
        if value.aggregates:
            raise AthenaFailure(
                "EXPRESSION_NOT_SCALAR",
                "WHERE clause cannot contain aggregations, window functions or grouping operations",
            )
        self.mark(value.reads)
        origins: dict[int, Read] = {}
        here = Scope(scope.fields)
        for column in clause.find_all(exp.Column):
            try:
                known = self._expressions.write(column, here)
            except AthenaFailure:
                continue  # of a query around this one, or a field of a row
            if known.sql in self._from.origins:
                origins[id(column)] = self._from.origins[known.sql]
        for (number, column_name), operator, values in conditions_of(clause.this, origins):
            self.scans[number].conditions.append(Condition(column_name, operator, values))
        return f" WHERE {value.sql}"

    def _items(self, node: exp.Select, scope: Scope) -> tuple[list[str | None], list[Value]]:
        columns: list[str | None] = []
        items: list[Value] = []
        for item in node.expressions:
            if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
                for field in _expand(item, scope):
                    columns.append(field.name)
                    items.append(field.value)
            elif isinstance(item, exp.Dot) and isinstance(item.args["expression"], exp.Star):
                raise unsupported(f"{item.sql('trino')}")
            else:
                inner = item.this if isinstance(item, exp.Alias) else item
                columns.append(item.alias or _own_name(inner))
                items.append(self._expressions.write(inner, scope))
        return columns, items

    def _group(self, node: exp.Select, scope: Scope, items: Sequence[Value]) -> tuple[str, bool]:
        clause = node.args.get("group")
        aggregated = any(item.aggregates for item in items) or node.args.get("having") is not None
        if clause is None:
            return "", aggregated
        if clause.args.get("all") or clause.args.get("totals"):
            raise AthenaFailure("SYNTAX_ERROR", f"mismatched input: {clause.sql('trino')}")
        return " GROUP BY " + ", ".join(self._grouping(part, scope, items) for part in clause.expressions), True

    def _grouping(self, node: exp.Expr, scope: Scope, items: Sequence[Value]) -> str:
        words = {exp.GroupingSets: "GROUPING SETS", exp.Rollup: "ROLLUP", exp.Cube: "CUBE"}
        for kind, word in words.items():
            if isinstance(node, kind):
                return f"{word} ({', '.join(self._grouping(part, scope, items) for part in node.expressions)})"
        if isinstance(node, exp.Tuple):
            return f"({', '.join(self._grouping(part, scope, items) for part in node.expressions)})"
        if isinstance(node, exp.Literal) and node.is_int:
            value = items[_ordinal(node, len(items))]
        else:
            value = self._expressions.write(node, scope)
        if value.aggregates:
            raise AthenaFailure(
                "EXPRESSION_NOT_SCALAR", "GROUP BY clause cannot contain aggregations or window functions"
            )
        self.mark(value.reads)
        return value.sql

    def _order(
        self,
        node: exp.Expr,
        items: Sequence[Value],
        columns: Sequence[str | None],
        scope: Scope,
        *,
        distinct: bool = False,
    ) -> str:
        clause = node.args.get("order")
        if clause is None:
            return ""
        shown = []
        for item in clause.expressions:
            value = self._order_value(item.this, items, columns, scope)
            check_orderable(value.type, "ORDER BY")
            if distinct and value.sql not in {one.sql for one in items}:
                raise AthenaFailure(
                    "EXPRESSION_NOT_IN_DISTINCT", "For SELECT DISTINCT, ORDER BY expressions must appear in select list"
                )
            self.mark(value.reads)
            shown.append(
                order_item(item, str([one.sql for one in items].index(value.sql) + 1) if distinct else value.sql)
            )
        return f" ORDER BY {', '.join(shown)}"

    def _order_value(
        self, node: exp.Expr, items: Sequence[Value], columns: Sequence[str | None], scope: Scope
    ) -> Value:
        if isinstance(node, exp.Literal) and node.is_int:
            return items[_ordinal(node, len(items))]
        # a name is that of an output column first; within an expression too
        outputs: dict[str, Value] = {}
        for name, value in zip(columns, items, strict=True):
            if name is None:
                continue
            if name in outputs and outputs[name].sql != value.sql and _names_column(node, name):
                raise AthenaFailure("AMBIGUOUS_NAME", f"Column '{name}' is ambiguous")
            outputs[name] = value
        return self._expressions.write(node, replace(scope, arguments={**scope.arguments, **outputs}))

    # FROM


def _expand(item: exp.Expr, scope: Scope) -> list[Field]:
    star = item if isinstance(item, exp.Star) else item.this
    if star.args.get("except_") or star.args.get("replace") or star.args.get("rename"):
        raise AthenaFailure("SYNTAX_ERROR", f"mismatched input: {item.sql('trino')}")
    fields = [field for field in scope.fields if not field.hidden]
    if isinstance(item, exp.Column):
        qualifier = tuple(part.name for part in item.parts[:-1])
        fields = [field for field in fields if field.qualifiers[len(field.qualifiers) - len(qualifier) :] == qualifier]
        if not fields:
            raise AthenaFailure("TABLE_NOT_FOUND", f"Unable to resolve reference {'.'.join(qualifier)}")
    if not fields:
        raise AthenaFailure("COLUMN_NOT_FOUND", "SELECT * not allowed in queries without FROM clause")
    return fields


def _own_name(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Column):
        return node.name
    if isinstance(node, exp.Dot) and isinstance(node.args["expression"], exp.Identifier):
        return str(node.args["expression"].name)
    return None


def _names_column(node: exp.Expr, name: str) -> bool:
    return any(column.name == name and not column.table for column in node.find_all(exp.Column))


def _ordinal(node: exp.Literal, count: int) -> int:
    place = int(node.this)
    if not 1 <= place <= count:
        raise AthenaFailure("INVALID_COLUMN_REFERENCE", f"ORDER BY or GROUP BY position {place} is not in select list")
    return place - 1


def _has_order(node: exp.Expr) -> bool:
    return any(node.args.get(name) is not None for name in ("order", "limit", "offset"))


def _limit(node: exp.Expr) -> str:
    text = ""
    limit, offset = node.args.get("limit"), node.args.get("offset")
    if limit is not None:
        count = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.args.get("expression")
        options = limit.args.get("limit_options")
        if options is not None and (options.args.get("with_ties") or options.args.get("percent")):
            raise unsupported("FETCH FIRST ... WITH TIES")
        if count is None:
            count = exp.Literal.number(1)
        if not (isinstance(count, exp.Var) and count.name.upper() == "ALL"):
            text += f" LIMIT {_count(count)}"
    if offset is not None:
        text += f" OFFSET {_count(offset.args['expression'])}"
    return text


def _count(node: exp.Expr) -> int:
    if not isinstance(node, exp.Literal) or not node.is_int:
        raise AthenaFailure("SYNTAX_ERROR", f"mismatched input: {node.sql('trino')}: an integer is expected")
    return int(node.this)
