"""Queries: what FROM, WHERE, GROUP BY, ORDER BY and the set operators make of tables, in Trino's order and scopes.

Every relation gets a name and columns of its own (r1.c0, r1.c1...), so that nothing of a query can be taken for another
thing by DuckDB. A WITH is written out at each place that names it, as Trino does.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlglot import exp

from local_stage.athena.calls import check_orderable
from local_stage.athena.casts import coerce
from local_stage.athena.expressions import Expressions, order_item
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.grammar import parse_query
from local_stage.athena.operators import combine, compare, unify
from local_stage.athena.scans import Condition, Scan, TableName, conditions_of
from local_stage.athena.types import BIGINT, UNKNOWN, TrinoType, common_type, field_sql
from local_stage.athena.values import Field, Read, Scope, Value

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

_UNUSUAL = {"sample": "TABLESAMPLE", "match": "MATCH_RECOGNIZE"}


@dataclass(frozen=True, slots=True)
class View:
    """A view of the catalog: its query, the database in which it was made, and the columns that it had then."""

    sql: str
    database: str
    columns: Mapping[str, TrinoType]


class Catalog(Protocol):
    """Knows the tables and views."""

    def find(self, table: TableName) -> Mapping[str, TrinoType] | View:
        """Return the columns of a table, hidden ones with names that begin with `$`; or a view."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A query's text, whose columns are c0, c1..., with their names and values over whatever it reads."""

    sql: str
    names: tuple[str | None, ...]
    values: tuple[Value, ...]
    origins: tuple[Read | None, ...] = ()


@dataclass(frozen=True, slots=True)
class _Names:
    """What FROM may name beside tables: the queries of WITH, each with the names known where it stands."""

    database: str
    queries: Mapping[str, tuple[exp.Expr, "_Names"]]
    depth: int = 0


@dataclass(slots=True)
class _Relation:
    sql: str
    fields: list[Field]


class QueryWriter:
    """Writes queries. After a query is written, `scans` tells what is to be read."""

    def __init__(self, catalog: Catalog, now: datetime.datetime) -> None:
        self._catalog = catalog
        self._expressions = Expressions(self, now)
        self._count = 0
        self._origins: dict[str, Read] = {}
        self._names = _Names("default", {})
        self.scans: list[Scan] = []

    def write(self, query: exp.Expr, database: str) -> Rows:
        """Return a query for DuckDB, and note that all its columns are read."""
        rows = self._query(query, _Names(database, {}), None)
        for value in rows.values:
            self.mark(value.reads)
        return rows

    def write_expression(self, node: exp.Expr, scope: Scope) -> Value:
        """Return an expression over columns that are known."""
        return self._expressions.write(node, scope)

    # what expressions ask for

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
        rows = self._query(query, self._names, scope)
        for value in rows.values:
            self.mark(value.reads)
        return rows.sql, rows.values

    def mark(self, reads: frozenset[Read]) -> None:
        """Note that columns are read."""
        for number, column in reads:
            self.scans[number].used.add(column)

    # queries

    def _query(self, node: exp.Expr, names: _Names, outer: Scope | None) -> Rows:
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

    def _with(self, node: exp.Expr, names: _Names) -> _Names:
        clause = node.args.get("with_")
        if clause is None:
            return names
        if clause.args.get("recursive"):
            raise unsupported("WITH RECURSIVE")
        known = names
        for query in clause.expressions:
            known = replace(known, queries={**known.queries, query.alias: (query, known)})
        return known

    def _parenthesized(self, node: exp.Subquery, names: _Names, outer: Scope | None) -> Rows:
        _check_clauses(node, frozenset({"this", "with_", "order", "limit", "offset", "alias"}))
        if node.args.get("with_"):
            names = self._with(node, names)
        rows = self._query(node.this, names, outer)
        return self._ordered(rows, node, outer) if _has_order(node) else rows

    def _set_operation(self, node: exp.SetOperation, names: _Names, outer: Scope | None) -> Rows:
        _check_clauses(node, _SET_CLAUSES)
        sides = [self._query(node.args[name], names, outer) for name in ("this", "expression")]
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
        sql = f" {word} ".join(f"({_retyped(side, kinds)})" for side in sides)
        pairs = zip(one.values, other.values, kinds, strict=True)
        values = tuple(Value(f"c{n}", kind, left.reads | right.reads) for n, (left, right, kind) in enumerate(pairs))
        return self._ordered(Rows(sql, one.names, values), node, outer)

    def _ordered(self, rows: Rows, node: exp.Expr, outer: Scope | None) -> Rows:
        """Put ORDER BY, OFFSET and LIMIT after a query whose columns alone they may name."""
        if not _has_order(node):
            return rows
        name = self._new_name()
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

    def _select(self, node: exp.Select, names: _Names, outer: Scope | None) -> Rows:
        _check_clauses(node, _CLAUSES)
        relation = self._from(node, names, outer)
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
        shown = ", ".join(f"{_typed(value)} AS c{number}" for number, value in enumerate(items))
        source = f" FROM {relation.sql}" if relation.sql else ""
        word = "SELECT DISTINCT" if distinct is not None else "SELECT"
        sql = f"{word} {shown}{source}{where}{group}{having}{order}{_limit(node)}"
        plain = not grouped and not node.args.get("limit") and not node.args.get("offset") and not node.find(exp.Window)
        origins = tuple(self._origins.get(value.sql) if plain else None for value in items)
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
            if known.sql in self._origins:
                origins[id(column)] = self._origins[known.sql]
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

    def _from(self, node: exp.Select, names: _Names, outer: Scope | None) -> _Relation:
        clause = node.args.get("from_")
        if clause is None:
            if node.args.get("joins"):
                raise AthenaFailure("SYNTAX_ERROR", "mismatched input 'JOIN'")
            return _Relation("", [])
        relation = self._source(clause.this, names, outer, ())
        since_comma = 0
        for join in [*(clause.this.args.get("joins") or []), *(node.args.get("joins") or [])]:
            _check_clauses(join, frozenset({"this", "on", "using", "kind", "side", "method"}))
            if _is_comma(join):
                since_comma = len(relation.fields)
            relation = self._join(relation, join, names, outer, since_comma)
        return relation

    def _join(self, left: _Relation, join: exp.Join, names: _Names, outer: Scope | None, since_comma: int) -> _Relation:
        kind, side, method = (str(join.args.get(name) or "").upper() for name in ("kind", "side", "method"))
        if method or kind not in {"", "INNER", "CROSS", "OUTER"}:
            raise unsupported(f"{method} {kind} JOIN".strip())
        lateral = isinstance(join.this, exp.Unnest | exp.Lateral)
        right = self._source(join.this, names, outer, left.fields)
        fields = [*left.fields, *right.fields]
        if _is_comma(join) or kind == "CROSS":
            return _Relation(f"{left.sql} CROSS JOIN {right.sql}", fields)
        if since_comma and side in {"RIGHT", "FULL"}:
            raise unsupported(f"{side} JOIN after a comma")
        if lateral and (side not in {"", "LEFT"} or not _is_true(join.args.get("on"))):
            raise AthenaFailure(
                "NOT_SUPPORTED", f"{side} JOIN involving UNNEST is only supported with condition ON TRUE"
            )
        words = f"{side} JOIN" if side else "JOIN"
        if join.args.get("using"):
            return self._join_using(left, right, [part.name for part in join.args["using"]], words, side)
        if join.args.get("on") is None:
            raise AthenaFailure("SYNTAX_ERROR", "mismatched input: JOIN without ON or USING")
        scope = Scope(tuple(fields[since_comma:]), outer)
        value = self._expressions.condition(join.args["on"], scope, "JOIN ON clause")
        self.mark(value.reads)
        return _Relation(f"{left.sql} {words} {right.sql} ON {value.sql}", fields)

    def _join_using(self, left: _Relation, right: _Relation, using: Sequence[str], words: str, side: str) -> _Relation:
        tests, merged = [], []
        for name in using:
            one, other = (self._only(relation.fields, name) for relation in (left, right))
            tests.append(compare("=", one.value, other.value))
            first, second = unify([one.value, other.value], "JOIN USING")
            chosen = {"": first.sql, "LEFT": first.sql, "RIGHT": second.sql}.get(
                side, f"coalesce({first.sql}, {second.sql})"
            )
            merged.append(Field((), name, combine(first.type, chosen, first, second)))
        for test in tests:
            self.mark(test.reads)
        rest = [field for field in (*left.fields, *right.fields) if field.name not in using]
        return _Relation(
            f"{left.sql} {words} {right.sql} ON {' AND '.join(test.sql for test in tests)}", [*merged, *rest]
        )

    @staticmethod
    def _only(fields: Sequence[Field], name: str) -> Field:
        found = [field for field in fields if field.name == name]
        if len(found) != 1:
            code = "AMBIGUOUS_NAME" if found else "COLUMN_NOT_FOUND"
            raise AthenaFailure(code, f"Column '{name}' is {'ambiguous' if found else 'missing'} in a side of the join")
        return found[0]

    def _source(self, node: exp.Expr, names: _Names, outer: Scope | None, before: Sequence[Field]) -> _Relation:
        for unwanted in (
            "sample",
            "pivots",
            "hints",
            "ordinality",
            "when",
            "only",
            "partition",
            "changes",
            "rows_from",
            "match",
        ):
            if node.args.get(unwanted):
                raise unsupported(_UNUSUAL.get(unwanted, unwanted.upper()))
        alias = node.args.get("alias")
        given = [column.name for column in alias.columns] if alias is not None else []
        qualifier = alias.name if alias is not None else ""
        if isinstance(node, exp.Unnest):
            return self._unnest(node, qualifier, given, Scope(tuple(before), outer))
        if isinstance(node, exp.Lateral):
            if not isinstance(node.this, exp.Subquery):
                raise unsupported(node.sql("trino"))
            rows = self._query(node.this, names, Scope(tuple(before), outer))
            return self._named(rows, qualifier, given, lateral=True)
        if isinstance(node, exp.Table):
            return self._table(node, names, qualifier, given)
        if isinstance(node, exp.Paren):
            return self._source(node.this, names, outer, before)
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
            if qualifier:
                raise unsupported(f"an alias of joined tables: {qualifier}")
            inner = exp.Select(from_=exp.From(this=node.this), joins=[])
            return self._from(inner, names, outer)
        if isinstance(node, exp.Values | exp.Subquery | exp.Query):
            return self._named(self._query(node, names, outer), qualifier, given)
        raise unsupported(node.sql("trino"))

    def _named(self, rows: Rows, qualifier: str, given: Sequence[str], *, lateral: bool = False) -> _Relation:
        if given and len(given) != len(rows.values):
            raise _other_count(len(given), qualifier, len(rows.values))
        name = self._new_name()
        fields = []
        for number, value in enumerate(rows.values):
            text = f"{name}.c{number}"
            fields.append(
                Field(
                    (qualifier,), given[number] if given else rows.names[number], Value(text, value.type, value.reads)
                )
            )
            if rows.origins and rows.origins[number] is not None:
                self._origins[text] = rows.origins[number]  # type: ignore[assignment]
        return _Relation(f"{'LATERAL ' if lateral else ''}({rows.sql}) {name}", fields)

    def _table(self, node: exp.Table, names: _Names, qualifier: str, given: Sequence[str]) -> _Relation:
        if not isinstance(node.this, exp.Identifier):
            name = node.this.name if isinstance(node.this, exp.Anonymous) else node.this.sql("trino")
            raise unsupported(f"the table function {name}")
        name, database, catalog = node.name, node.db, node.catalog
        if not database and name in names.queries:
            query, known = names.queries[name]
            alias = query.args["alias"]
            columns = [column.name for column in alias.columns]
            rows = self._query(query.this, replace(known, depth=names.depth + 1), None)
            if columns:
                if len(columns) != len(rows.names):
                    raise AthenaFailure(
                        "MISMATCHED_COLUMN_ALIASES", f"WITH {name}: {len(columns)} names, {len(rows.names)} columns"
                    )
                rows = replace(rows, names=tuple(columns))
            return self._named(rows, qualifier or name, given)
        if catalog not in {"", "awsdatacatalog"}:
            raise unsupported(f"queries over the catalog {catalog}")
        table = TableName(database or names.database, name, node.args.get("version"))
        found = self._catalog.find(table)
        if isinstance(found, View):
            return self._view(found, table, names, qualifier, given)
        return self._scan(found, table, qualifier, given)

    def _view(self, view: View, table: TableName, names: _Names, qualifier: str, given: Sequence[str]) -> _Relation:
        rows = self._query(parse_query(view.sql), _Names(view.database, {}, names.depth + 1), None)
        if len(rows.values) != len(view.columns):
            raise AthenaFailure(
                "VIEW_IS_STALE", f"View '{table.database}.{table.name}' is stale; it must be re-created"
            )
        values = []
        for value, kind in zip(rows.values, view.columns.values(), strict=True):
            try:
                values.append(coerce(value, kind))
            except AthenaFailure:
                raise AthenaFailure(
                    "VIEW_IS_STALE", f"View '{table.database}.{table.name}' is stale; it must be re-created"
                ) from None
        rows = replace(
            rows, sql=_retyped(rows, [value.type for value in values]), values=tuple(values), names=tuple(view.columns)
        )
        relation = self._named(rows, qualifier or table.name, given)
        qualifiers = (qualifier,) if qualifier else (table.database, table.name)
        return _Relation(relation.sql, [replace(field, qualifiers=qualifiers) for field in relation.fields])

    def _scan(
        self, columns: Mapping[str, TrinoType], table: TableName, qualifier: str, given: Sequence[str]
    ) -> _Relation:
        scan = Scan(len(self.scans), table, dict(columns))
        self.scans.append(scan)
        qualifiers = (qualifier,) if qualifier else ("awsdatacatalog", table.database, table.name)
        fields = []
        shown = [name for name in columns if not name.startswith("$")]
        if given and len(given) != len(shown):
            raise _other_count(len(given), table.name, len(shown))
        renamed = dict(zip(shown, given, strict=True)) if given else {}
        for name, kind in columns.items():
            read = (scan.number, name)
            text = scan.column_sql(name)
            self._origins[text] = read
            value = Value(text, kind, frozenset([read]))
            fields.append(Field(qualifiers, renamed.get(name, name), value, hidden=name.startswith("$")))
        return _Relation(scan.view, fields)

    def _unnest(self, node: exp.Unnest, qualifier: str, given: Sequence[str], scope: Scope) -> _Relation:
        names = list(given)
        offset = node.args.get("offset")
        ordinal: str | None = None
        if isinstance(offset, exp.Identifier):
            ordinal = offset.name
        values = [self._expressions.write(part, scope) for part in node.expressions]
        for value in values:
            self.mark(value.reads)
        inner, columns, lists = self._new_name(), [], []
        for value in values:
            lists += _lists_of(value)
            columns += _columns_of(value, f"{inner}.u{len(lists) - 1}", f"{inner}.u{len(lists) - 2}")
        longest = f"greatest({', '.join(f'coalesce(len({one}), 0)' for one in lists)}, 0)"
        parts = [f"unnest({one}) AS u{number}" for number, one in enumerate(lists)]
        parts.append(f"unnest(range(1, {longest} + 1)) AS o")
        reads = frozenset().union(*(value.reads for value in values))
        fields_out = [Value(text, kind, reads) for text, kind in columns]
        if offset:
            fields_out.append(Value(f"{inner}.o", BIGINT, reads))
            if names:
                names.append(ordinal or "")
        if names and len(names) != len(fields_out):
            raise _other_count(len(names), qualifier, len(fields_out))
        shown = ", ".join(f"{value.sql} AS c{number}" for number, value in enumerate(fields_out))
        sql = f"SELECT {shown} FROM (SELECT {', '.join(parts)}) {inner}"  # noqa: S608 - likewise
        outputs = tuple(Value(f"c{number}", value.type, value.reads) for number, value in enumerate(fields_out))
        own = tuple(names) if names else tuple(None for _ in outputs)
        return self._named(Rows(sql, own, outputs), qualifier, (), lateral=True)

    def _new_name(self) -> str:
        self._count += 1
        return f"r{self._count}"


def as_wanted(rows: Rows, kinds: Sequence[TrinoType]) -> Rows:
    """Return a query with its columns as ones of the types of a table that it is written into.

    Raises:
        AthenaFailure: TYPE_MISMATCH, they are not as many, or are not turned into them without being asked.
    """
    given = [value.type for value in rows.values]
    try:
        if len(given) != len(kinds):
            raise AthenaFailure("TYPE_MISMATCH", "not as many")
        values = tuple(coerce(value, kind) for value, kind in zip(rows.values, kinds, strict=True))
    except AthenaFailure:
        shown = [", ".join(kind.show() for kind in one) for one in (kinds, given)]
        raise AthenaFailure(
            "TYPE_MISMATCH", f"Insert query has mismatched column types: Table: [{shown[0]}], Query: [{shown[1]}]"
        ) from None
    return replace(rows, sql=_retyped(rows, kinds), values=values)


def _other_count(given: int, name: str, count: int) -> AthenaFailure:
    return AthenaFailure(
        "MISMATCHED_COLUMN_ALIASES", f"Column alias list has {given} entries but '{name}' has {count} columns available"
    )


def _lists_of(value: Value) -> list[str]:
    if value.type.name == "map":
        return [f"map_keys({value.sql})", f"map_values({value.sql})"]
    if value.type.name != "array":
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"Cannot unnest type: {value.type.show()}")
    return [value.sql]


def _columns_of(value: Value, last: str, before: str) -> list[tuple[str, TrinoType]]:
    if value.type.name == "map":
        return [(before, value.type.arguments[0]), (last, value.type.element)]
    element = value.type.element
    if element.name == "row":
        return [(field_sql(last, number), kind) for number, kind in enumerate(element.arguments, 1)]
    return [(last, element)]


def _retyped(rows: Rows, kinds: Sequence[TrinoType]) -> str:
    """Return a query with its columns as ones of other types."""
    if all(
        value.type.duckdb() == kind.duckdb() and value.type != UNKNOWN
        for value, kind in zip(rows.values, kinds, strict=True)
    ):
        return rows.sql
    parts = [
        f"{coerce(Value(f's.c{number}', value.type), kind).sql} AS c{number}"
        for number, (value, kind) in enumerate(zip(rows.values, kinds, strict=True))
    ]
    return f"SELECT {', '.join(parts)} FROM ({rows.sql}) s"  # noqa: S608 - likewise


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


def _is_comma(join: exp.Join) -> bool:
    return not any(join.args.get(name) for name in ("kind", "side", "method", "on", "using"))


def _is_true(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Boolean) and bool(node.this)


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


def _typed(value: Value) -> str:
    return f"CAST(NULL AS {value.type.duckdb()})" if value.sql == "NULL" else value.sql


def _check_clauses(node: exp.Expr, known: frozenset[str]) -> None:
    """Refuse what a node carries that is not looked at."""
    for name, value in node.args.items():
        if value and name not in known:
            raise unsupported(_UNUSUAL.get(name, f"{name.strip('_').upper()} in {type(node).__name__.upper()}"))
