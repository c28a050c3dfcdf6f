"""FROM: tables, views, queries of WITH, subqueries, UNNEST and the joins between them.

Source: https://trino.io/docs/current/sql/select.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from sqlglot import exp

from local_stage.athena.casts import coerce
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.grammar import parse_query
from local_stage.athena.operators import combine, compare, unify
from local_stage.athena.rows import Catalog, Names, Relation, Rows, View, check_clauses, refuse_clauses, retyped
from local_stage.athena.scans import Scan, TableName
from local_stage.athena.types import BIGINT, TrinoType, field_sql
from local_stage.athena.values import Field, Read, Scope, Value

_UNWANTED = (
    "sample", "pivots", "hints", "ordinality", "when", "only", "partition", "changes", "rows_from", "match",
)  # fmt: skip


class Writer(Protocol):
    """Writes what FROM has within it."""

    def write_rows(self, node: exp.Expr, names: Names, outer: Scope | None) -> Rows:
        """Return a query."""

    def write_expression(self, node: exp.Expr, scope: Scope) -> Value:
        """Return an expression."""

    def condition(self, node: exp.Expr, scope: Scope, where: str) -> Value:
        """Return an expression that has to be a boolean."""

    def mark(self, reads: frozenset[Read]) -> None:
        """Note that columns are read."""


class FromClause:
    """Writes what stands in FROM, and keeps the scans and whose columns are columns of tables."""

    def __init__(self, catalog: Catalog, writer: Writer) -> None:
        self._catalog = catalog
        self._writer = writer
        self._count = 0
        self.scans: list[Scan] = []
        self.origins: dict[str, Read] = {}

    def write(self, node: exp.Select, names: Names, outer: Scope | None) -> Relation:
        """Return what FROM offers, all its joins made.

        Raises:
            AthenaFailure: a table or name is unknown, or something cannot be run here.
        """
        clause = node.args.get("from_")
        if clause is None:
            if node.args.get("joins"):
                raise AthenaFailure("SYNTAX_ERROR", "mismatched input 'JOIN'")
            return Relation("", [])
        relation = self._source(clause.this, names, outer, ())
        since_comma = 0
        for join in [*(clause.this.args.get("joins") or []), *(node.args.get("joins") or [])]:
            check_clauses(join, frozenset({"this", "on", "using", "kind", "side", "method"}))
            if _is_comma(join):
                since_comma = len(relation.fields)
            relation = self._join(relation, join, names, outer, since_comma)
        return relation

    def _join(self, left: Relation, join: exp.Join, names: Names, outer: Scope | None, since_comma: int) -> Relation:
        kind, side, method = (str(join.args.get(name) or "").upper() for name in ("kind", "side", "method"))
        if method or kind not in {"", "INNER", "CROSS", "OUTER"}:
            raise unsupported(f"{method} {kind} JOIN".strip())
        lateral = isinstance(join.this, exp.Unnest | exp.Lateral)
        right = self._source(join.this, names, outer, left.fields)
        fields = [*left.fields, *right.fields]
        if _is_comma(join) or kind == "CROSS":
            return Relation(f"{left.sql} CROSS JOIN {right.sql}", fields)
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
        value = self._writer.condition(join.args["on"], scope, "JOIN ON clause")
        self._writer.mark(value.reads)
        return Relation(f"{left.sql} {words} {right.sql} ON {value.sql}", fields)

    def _join_using(self, left: Relation, right: Relation, using: Sequence[str], words: str, side: str) -> Relation:
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
            self._writer.mark(test.reads)
        rest = [field for field in (*left.fields, *right.fields) if field.name not in using]
        return Relation(
            f"{left.sql} {words} {right.sql} ON {' AND '.join(test.sql for test in tests)}", [*merged, *rest]
        )

    @staticmethod
    def _only(fields: Sequence[Field], name: str) -> Field:
        found = [field for field in fields if field.name == name]
        if len(found) != 1:
            code = "AMBIGUOUS_NAME" if found else "COLUMN_NOT_FOUND"
            raise AthenaFailure(code, f"Column '{name}' is {'ambiguous' if found else 'missing'} in a side of the join")
        return found[0]

    def _source(self, node: exp.Expr, names: Names, outer: Scope | None, before: Sequence[Field]) -> Relation:
        refuse_clauses(node, _UNWANTED)
        alias = node.args.get("alias")
        given = [column.name for column in alias.columns] if alias is not None else []
        qualifier = alias.name if alias is not None else ""
        if isinstance(node, exp.Unnest):
            return self._unnest(node, qualifier, given, Scope(tuple(before), outer))
        if isinstance(node, exp.Lateral):
            if not isinstance(node.this, exp.Subquery):
                raise unsupported(node.sql("trino"))
            rows = self._writer.write_rows(node.this, names, Scope(tuple(before), outer))
            return self.named(rows, qualifier, given, lateral=True)
        if isinstance(node, exp.Table):
            return self._table(node, names, qualifier, given)
        if isinstance(node, exp.Paren):
            return self._source(node.this, names, outer, before)
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
            if qualifier:
                raise unsupported(f"an alias of joined tables: {qualifier}")
            inner = exp.Select(from_=exp.From(this=node.this), joins=[])
            return self.write(inner, names, outer)
        if isinstance(node, exp.Values | exp.Subquery | exp.Query):
            return self.named(self._writer.write_rows(node, names, outer), qualifier, given)
        raise unsupported(node.sql("trino"))

    def named(self, rows: Rows, qualifier: str, given: Sequence[str], *, lateral: bool = False) -> Relation:
        if given and len(given) != len(rows.values):
            raise _other_count(len(given), qualifier, len(rows.values))
        name = self.new_name()
        fields = []
        for number, value in enumerate(rows.values):
            text = f"{name}.c{number}"
            fields.append(
                Field(
                    (qualifier,), given[number] if given else rows.names[number], Value(text, value.type, value.reads)
                )
            )
            if rows.origins and rows.origins[number] is not None:
                self.origins[text] = rows.origins[number]  # type: ignore[assignment]
        return Relation(f"{'LATERAL ' if lateral else ''}({rows.sql}) {name}", fields)

    def _table(self, node: exp.Table, names: Names, qualifier: str, given: Sequence[str]) -> Relation:
        if not isinstance(node.this, exp.Identifier):
            name = node.this.name if isinstance(node.this, exp.Anonymous) else node.this.sql("trino")
            raise unsupported(f"the table function {name}")
        name, database, catalog = node.name, node.db, node.catalog
        if not database and name in names.queries:
            query, known = names.queries[name]
            alias = query.args["alias"]
            columns = [column.name for column in alias.columns]
            rows = self._writer.write_rows(query.this, replace(known, depth=names.depth + 1), None)
            if columns:
                if len(columns) != len(rows.names):
                    raise AthenaFailure(
                        "MISMATCHED_COLUMN_ALIASES", f"WITH {name}: {len(columns)} names, {len(rows.names)} columns"
                    )
                rows = replace(rows, names=tuple(columns))
            return self.named(rows, qualifier or name, given)
        if catalog not in {"", "awsdatacatalog"}:
            raise unsupported(f"queries over the catalog {catalog}")
        table = TableName(database or names.database, name, node.args.get("version"))
        found = self._catalog.find(table)
        if isinstance(found, View):
            return self._view(found, table, names, qualifier, given)
        return self._scan(found, table, qualifier, given)

    def _view(self, view: View, table: TableName, names: Names, qualifier: str, given: Sequence[str]) -> Relation:
        rows = self._writer.write_rows(parse_query(view.sql), Names(view.database, {}, names.depth + 1), None)
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
            rows, sql=retyped(rows, [value.type for value in values]), values=tuple(values), names=tuple(view.columns)
        )
        relation = self.named(rows, qualifier or table.name, given)
        qualifiers = (qualifier,) if qualifier else (table.database, table.name)
        return Relation(relation.sql, [replace(field, qualifiers=qualifiers) for field in relation.fields])

    def _scan(
        self, columns: Mapping[str, TrinoType], table: TableName, qualifier: str, given: Sequence[str]
    ) -> Relation:
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
            self.origins[text] = read
            value = Value(text, kind, frozenset([read]))
            fields.append(Field(qualifiers, renamed.get(name, name), value, hidden=name.startswith("$")))
        return Relation(scan.view, fields)

    def _unnest(self, node: exp.Unnest, qualifier: str, given: Sequence[str], scope: Scope) -> Relation:
        names = list(given)
        offset = node.args.get("offset")
        ordinal: str | None = None
        if isinstance(offset, exp.Identifier):
            ordinal = offset.name
        values = [self._writer.write_expression(part, scope) for part in node.expressions]
        for value in values:
            self._writer.mark(value.reads)
        inner, columns, lists = self.new_name(), [], []
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
        return self.named(Rows(sql, own, outputs), qualifier, (), lateral=True)

    def new_name(self) -> str:
        """Return a name for a relation that no other has."""
        self._count += 1
        return f"r{self._count}"


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


def _is_comma(join: exp.Join) -> bool:
    return not any(join.args.get(name) for name in ("kind", "side", "method", "on", "using"))


def _is_true(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Boolean) and bool(node.this)
