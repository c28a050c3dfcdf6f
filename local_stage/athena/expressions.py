"""Expressions of a query: names are looked up, types worked out, and DuckDB's text written."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from sqlglot import exp

from local_stage.athena import operators
from local_stage.athena.calls import Call, call_function, check_orderable
from local_stage.athena.casts import cast, coerce
from local_stage.athena.collection_functions import entry_sql, item_sql
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.grammar import LITERAL
from local_stage.athena.lambdas import Lambda
from local_stage.athena.literals import (
    bytes_literal,
    in_zone,
    interval_literal,
    literal_type,
    number_literal,
    typed_literal,
)
from local_stage.athena.moment_functions import EXTRACTED, check_zone
from local_stage.athena.names import resolve_name, step_into
from local_stage.athena.ordering import frame, order_item
from local_stage.athena.special_calls import SPECIAL_CALLS, tried
from local_stage.athena.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    JSON,
    UNKNOWN,
    TrinoType,
    array,
    from_sqlglot,
    row,
    row_sql,
    timestamp,
    varchar,
    zoned,
)
from local_stage.athena.values import Read, Scope, Value, quote, typed_sql

_COMPARISONS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_ARITHMETIC: Mapping[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}


class Subqueries(Protocol):
    """Writes the queries within a query."""

    def scalar(self, query: exp.Expr, scope: Scope) -> Value:
        """Return a query of one column as a value."""

    def rows(self, query: exp.Expr, scope: Scope) -> tuple[str, Sequence[Value]]:
        """Return a query's text and columns."""

    def mark(self, reads: frozenset[Read]) -> None:
        """Note that columns are read whatever becomes of the expression."""


class Expressions:
    """Writes expressions. `now` is the time at which the query started, in UTC."""

    def __init__(self, subqueries: Subqueries, now: datetime.datetime) -> None:
        self._subqueries = subqueries
        self._started = now.replace(tzinfo=None, microsecond=now.microsecond // 1000 * 1000)

    def write(self, node: exp.Expr, scope: Scope) -> Value:
        """Return an expression.

        Raises:
            AthenaFailure: it is wrong, or cannot be run here with Trino's meaning.
        """
        for kind, write in _NODES.items():
            if type(node) is kind:
                return write(self, node, scope)
        raise unsupported(f"{type(node).__name__.upper()}: {node.sql('trino')}")

    def condition(self, node: exp.Expr, scope: Scope, where: str) -> Value:
        """Return an expression that has to be a boolean."""
        return operators.as_condition(self.write(node, scope), where)

    def order(self, items: Sequence[exp.Expr], scope: Scope) -> str:
        """Return what follows ORDER BY in a call or a window."""
        values = [self.write(item.this, scope) for item in items]
        for value in values:
            check_orderable(value.type, "ORDER BY")
            self._subqueries.mark(value.reads)
        return ", ".join(map(order_item, items, (value.sql for value in values)))

    def _paren(self, node: exp.Expr, scope: Scope) -> Value:
        return self.write(node.this, scope)

    def _argument(self, node: exp.Identifier, scope: Scope) -> Value:
        return resolve_name([node.this], scope, self._subqueries.mark)

    def _name(self, node: exp.Column, scope: Scope) -> Value:
        return resolve_name([part.name for part in node.parts], scope, self._subqueries.mark)

    def _literal(self, node: exp.Literal, scope: Scope) -> Value:
        del scope
        if node.is_string:
            if "\0" in node.this:
                raise unsupported("texts with the character 0")
            return Value(quote(node.this), varchar(len(node.this)), constant=node.this)
        return number_literal(node.this)

    def _boolean(self, node: exp.Expr, scope: Scope) -> Value:
        del scope
        return Value(str(node.this).lower(), BOOLEAN, constant=node.this)

    def _null(self, node: exp.Expr, scope: Scope) -> Value:
        del node, scope
        return Value("NULL", UNKNOWN)

    def _bytes(self, node: exp.Expr, scope: Scope) -> Value:
        del scope
        return bytes_literal(node)

    def _json(self, node: exp.Expr, scope: Scope) -> Value:
        return typed_literal(self.write(node.this, scope).constant, JSON)

    def _and(self, node: exp.Expr, scope: Scope) -> Value:
        return self._logical("AND", node, scope)

    def _or(self, node: exp.Expr, scope: Scope) -> Value:
        return self._logical("OR", node, scope)

    def _logical(self, word: str, node: exp.Expr, scope: Scope) -> Value:
        sides = [self.condition(part, scope, f"Logical expression term of {word}") for part in node.flatten()]
        return operators.combine(BOOLEAN, f"({f' {word} '.join(side.sql for side in sides)})", *sides)

    def _not(self, node: exp.Expr, scope: Scope) -> Value:
        value = self.condition(node.this, scope, "Value of logical NOT expression")
        return operators.combine(BOOLEAN, f"(NOT {value.sql})", value)

    def _arithmetic(self, node: exp.Expr, scope: Scope) -> Value:
        left, right = self.write(node.args["this"], scope), self.write(node.args["expression"], scope)
        return operators.arithmetic(_ARITHMETIC[type(node)], left, right)

    def _negate(self, node: exp.Expr, scope: Scope) -> Value:
        inner = node.this
        if isinstance(inner, exp.Literal) and not inner.is_string:
            return number_literal(f"-{inner.this}")
        return operators.negate(self.write(inner, scope))

    def _compare(self, node: exp.Expr, scope: Scope) -> Value:
        operator = _COMPARISONS[type(node)]
        left, right = node.args["this"], node.args["expression"]
        quantified = isinstance(right, exp.Any | exp.All) or (
            isinstance(right, exp.Anonymous) and right.name.lower() in {"all", "any", "some"}
        )
        if quantified:
            return self._quantified(operator, left, right, scope)
        return operators.compare(operator, self.write(left, scope), self.write(right, scope))

    def _quantified(self, operator: str, left: exp.Expr, right: exp.Expr, scope: Scope) -> Value:
        word = "ALL" if isinstance(right, exp.All) or right.name.lower() == "all" else "ANY"
        query = right.expressions[0] if isinstance(right, exp.Anonymous) else right.this
        value = self.write(left, scope)
        sql, item = self._single_column(query, scope, value)
        value = coerce(value, item.type)
        if item.type.is_nested or item.type.is_real or item.type == JSON:
            raise unsupported(f"{operator} {word} of {item.type.show()}")
        return operators.combine(BOOLEAN, f"({value.sql} {operator} {word} ({sql}))", value, item)

    def _single_column(self, query: exp.Expr, scope: Scope, beside: Value) -> tuple[str, Value]:
        """Return a query of one column, as of the type that it has in common with a value beside it."""
        sql, columns = self._subqueries.rows(query, scope)
        if len(columns) != 1:
            raise AthenaFailure(
                "NOT_SUPPORTED", f"Multiple columns returned by subquery are not yet supported. Found {len(columns)}"
            )
        _, item = operators.unify(
            [beside, replace(columns[0], sql="s.c0")], "value and result of subquery must be of the same type"
        )
        return f"SELECT {item.sql} FROM ({sql}) s", item  # noqa: S608 - texts that were written here

    def _same(self, node: exp.Expr, scope: Scope) -> Value:
        sides = [self.write(node.args[name], scope) for name in ("this", "expression")]
        return operators.distinct_from(*sides, negated=type(node) is exp.NullSafeEQ)

    def _between(self, node: exp.Expr, scope: Scope) -> Value:
        if node.args.get("symmetric") is not None:
            raise unsupported("BETWEEN SYMMETRIC")
        value, low, high = (self.write(node.args[name], scope) for name in ("this", "low", "high"))
        from_low, to_high = operators.compare(">=", value, low), operators.compare("<=", value, high)
        return operators.combine(BOOLEAN, f"({from_low.sql} AND {to_high.sql})", value, low, high)

    def _in(self, node: exp.Expr, scope: Scope) -> Value:
        value = self.write(node.this, scope)
        query = node.args.get("query")
        if query is None and len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Values | exp.Query):
            query = node.expressions[0]
        if query is not None:
            if value.type.name in {"row", "map", "json"} or value.type.is_real:
                raise unsupported(f"IN of a subquery with {value.type.show()}")
            sql, item = self._single_column(query, scope, value)
            value = coerce(value, item.type)
            return operators.combine(BOOLEAN, f"({value.sql} IN ({sql}))", value, item)
        if not node.expressions:
            raise AthenaFailure("SYNTAX_ERROR", f"mismatched input: {node.sql('trino')}")
        return operators.member(value, [self.write(item, scope) for item in node.expressions])

    def _like(self, node: exp.Expr, scope: Scope) -> Value:
        return operators.like(self.write(node.this, scope), self.write(node.args["expression"], scope), None)

    def _escape(self, node: exp.Expr, scope: Scope) -> Value:
        inner = node.this
        if type(inner) is not exp.Like:
            raise unsupported(f"ESCAPE in {node.sql('trino')}")
        parts = [self.write(part, scope) for part in (inner.this, inner.args["expression"], node.args["expression"])]
        return operators.like(parts[0], parts[1], parts[2])

    def _is(self, node: exp.Expr, scope: Scope) -> Value:
        if not isinstance(node.args["expression"], exp.Null):
            raise AthenaFailure("SYNTAX_ERROR", f"mismatched input: {node.sql('trino')}")
        value = self.write(node.this, scope)
        return operators.combine(BOOLEAN, f"({value.sql} IS NULL)", value)

    def _exists(self, node: exp.Expr, scope: Scope) -> Value:
        sql, _ = self._subqueries.rows(node.this, scope)
        return Value(f"EXISTS ({sql})", BOOLEAN)

    def _subquery(self, node: exp.Expr, scope: Scope) -> Value:
        if scope.in_lambda:
            raise AthenaFailure("NOT_SUPPORTED", "Lambda expression cannot contain subqueries")
        return self._subqueries.scalar(node, scope)

    def _concatenate(self, node: exp.Expr, scope: Scope) -> Value:
        sides = [self.write(node.args[name], scope) for name in ("this", "expression")]
        arrays = [side.type.name == "array" for side in sides]
        if not any(arrays):
            return operators.concatenate(*sides)
        for number, (side, is_array) in enumerate(zip(list(sides), arrays, strict=True)):
            if not is_array:
                sides[number] = replace(side, sql=f"[{side.sql}]", type=array(side.type), constant=None)
        return self.called("concat", sides, scope)

    def _tuple(self, node: exp.Expr, scope: Scope) -> Value:
        return self.row(node.expressions, scope)

    def row(self, parts: Sequence[exp.Expr], scope: Scope) -> Value:
        """Return a row."""
        values = [self.write(part, scope) for part in parts]
        return operators.combine(
            row(*(value.type for value in values)), row_sql([typed_sql(value) for value in values]), *values
        )

    def _array(self, node: exp.Expr, scope: Scope) -> Value:
        values = operators.unify(
            [self.write(part, scope) for part in node.expressions], "All ARRAY elements must be the same type"
        )
        kind = values[0].type if values else UNKNOWN
        sql = f"CAST([{', '.join(value.sql for value in values)}] AS {array(kind).duckdb()})"
        constants = [value.constant for value in values]
        found = operators.combine(array(kind), sql, *values)
        return replace(found, constant=None if None in constants else constants)

    def _subscript(self, node: exp.Expr, scope: Scope) -> Value:
        base = self.write(node.this, scope)
        if len(node.expressions) != 1:
            raise AthenaFailure("SYNTAX_ERROR", f"mismatched input: {node.sql('trino')}")
        index = self.write(node.expressions[0], scope)
        if base.type.name == "row":
            if not isinstance(index.constant, int) or not 1 <= index.constant <= len(base.type.arguments):
                raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"ROW index out of bounds: {index.sql}")
            return step_into(base, index.constant)
        if base.type.name == "map":
            key = coerce(index, base.type.arguments[0])
            return operators.combine(base.type.element, entry_sql(base, key, base.type.element), base, index)
        if base.type.name == "array" and index.type.is_integer:
            place = coerce(index, BIGINT)
            return operators.combine(base.type.element, item_sql(base, place, base.type.element), base, index)
        raise AthenaFailure("TYPE_MISMATCH", f"Cannot use {index.type.show()} for subscript of {base.type.show()}")

    def _field(self, node: exp.Expr, scope: Scope) -> Value:
        base = self.write(node.this, scope)
        name = node.args["expression"].name
        if base.type.name != "row" or name not in base.type.fields:
            raise AthenaFailure("TYPE_MISMATCH", f"Expression {node.this.sql('trino')} has no field {name}")
        return step_into(base, base.type.fields.index(name) + 1)

    def _cast(self, node: exp.Expr, scope: Scope) -> Value:
        if node.meta.get(LITERAL):
            text = self.write(node.this, scope).constant
            if node.args["to"].this is exp.DType.CHAR:
                raise unsupported("the type char")
            return typed_literal(text, literal_type(node.args["to"]))
        return cast(self.write(node.this, scope), from_sqlglot(node.args["to"]))

    def _try_cast(self, node: exp.Expr, scope: Scope) -> Value:
        return tried(cast(self.write(node.this, scope), from_sqlglot(node.args["to"])))

    def _interval(self, node: exp.Expr, scope: Scope) -> Value:
        return interval_literal(node, self.write(node.this, scope).constant)

    def _if(self, node: exp.Expr, scope: Scope) -> Value:
        test = self.condition(node.this, scope, "IF condition")
        chosen = [self.write(node.args["true"], scope)]
        chosen.append(
            self.write(node.args["false"], scope) if node.args.get("false") is not None else Value("NULL", UNKNOWN)
        )
        one, other = operators.unify(chosen, "Result types for IF must be the same")
        sql = f"CASE WHEN {test.sql} THEN {typed_sql(one)} ELSE {typed_sql(other)} END"
        return operators.combine(one.type, sql, test, one, other)

    def _case(self, node: exp.Expr, scope: Scope) -> Value:
        operand = self.write(node.this, scope) if node.this is not None else None
        tests = []
        for branch in node.args["ifs"]:
            if operand is None:
                tests.append(self.condition(branch.this, scope, "CASE WHEN clause"))
            else:
                tests.append(operators.compare("=", operand, self.write(branch.this, scope)))
        results = [self.write(branch.args["true"], scope) for branch in node.args["ifs"]]
        default = node.args.get("default")
        results.append(self.write(default, scope) if default is not None else Value("NULL", UNKNOWN))
        results = operators.unify(results, "All CASE results must be the same type")
        branches = " ".join(
            f"WHEN {test.sql} THEN {typed_sql(one)}" for test, one in zip(tests, results[:-1], strict=True)
        )
        return operators.combine(
            results[0].type, f"CASE {branches} ELSE {typed_sql(results[-1])} END", *tests, *results
        )

    def _extract(self, node: exp.Expr, scope: Scope) -> Value:
        name = node.name.lower()
        if name not in EXTRACTED:
            raise unsupported(f"extract of {name}")
        return self.called(name, [self.write(node.args["expression"], scope)], scope)

    def _trim(self, node: exp.Expr, scope: Scope) -> Value:
        side = str(node.args.get("position") or "BOTH").upper()
        name = {"LEADING": "ltrim", "TRAILING": "rtrim", "BOTH": "trim"}[side]
        parts = [node.this, *([node.args["expression"]] if node.args.get("expression") is not None else [])]
        return self.called(name, [self.write(part, scope) for part in parts], scope)

    def _substring(self, node: exp.Expr, scope: Scope) -> Value:
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        return self.called("substring", [self.write(part, scope) for part in parts if part is not None], scope)

    def _position(self, node: exp.Expr, scope: Scope) -> Value:
        return self.called("strpos", [self.write(node.args[name], scope) for name in ("this", "substr")], scope)

    def _at_time_zone(self, node: exp.Expr, scope: Scope) -> Value:
        zone = check_zone(str(self.write(node.args["zone"], scope).constant))
        return in_zone(self.write(node.this, scope), zone)

    def now(self, node: exp.Expr, scope: Scope) -> Value:
        """Return the time at which the query began, as the kind of time that a node asks for."""
        del scope
        shown = f"CAST('{self._started.isoformat(sep=' ', timespec='milliseconds')}' AS TIMESTAMP)"
        if type(node) is exp.CurrentDate:
            return Value(f"CAST({shown} AS DATE)", DATE)
        return Value(shown, zoned(3) if type(node) is exp.CurrentTimestamp else timestamp(3))

    def _call(self, node: exp.Anonymous, scope: Scope) -> Value:
        return self._call_with(node, scope, Call())

    def _call_with(self, node: exp.Anonymous, scope: Scope, call: Call) -> Value:
        name = node.name.lower()
        special = SPECIAL_CALLS.get(name)
        if special is not None:
            return special(self, node, scope)
        given = list(node.expressions)
        if given and isinstance(given[-1], exp.Order):
            order = given[-1]
            if order.this is not None:
                given[-1] = order.this
            else:
                given.pop()
            call = replace(call, order=f" ORDER BY {self.order(order.expressions, scope)}")
        if len(given) == 1 and isinstance(given[0], exp.Distinct):
            call = replace(call, distinct=True)
            given = list(given[0].expressions)
        if given and isinstance(given[0], exp.IgnoreNulls | exp.RespectNulls):
            call = replace(call, ignore_nulls=isinstance(given[0], exp.IgnoreNulls))
            given[0] = given[0].this
        if name == "count" and (not given or isinstance(given[0], exp.Star)):
            return self._count_rows(call)
        return self.called(name, given, scope, call)

    @staticmethod
    def _count_rows(call: Call) -> Value:
        if call.distinct:
            raise AthenaFailure("SYNTAX_ERROR", "DISTINCT is not allowed in count(*)")
        return Value(f"count(*){call.filter}{call.over or ''}", BIGINT, aggregates=call.over is None)

    def called(self, name: str, given: Sequence[exp.Expr | Value], scope: Scope, call: Call | None = None) -> Value:
        """Return a call of a function, with what stands around it."""
        arguments = [part if isinstance(part, exp.Lambda | Value) else self.write(part, scope) for part in given]

        def write_lambda(node: exp.Lambda, kinds: Sequence[TrinoType]) -> Lambda:
            return self._lambda(node, kinds, scope)

        return call_function(name, arguments, call or Call(), write_lambda)

    def _lambda(self, node: exp.Lambda, kinds: Sequence[TrinoType], scope: Scope) -> Lambda:
        names = [argument.name for argument in node.expressions]

        def write(texts: Sequence[str]) -> Value:
            given = {name: Value(text, kind) for name, text, kind in zip(names, texts, kinds, strict=True)}
            return self.write(node.this, scope.with_arguments(given))

        probe = write([f"p{number}" for number, _ in enumerate(names)])
        if probe.aggregates:
            raise AthenaFailure(
                "EXPRESSION_NOT_SCALAR", "Lambda expression cannot contain aggregations or window functions"
            )
        return Lambda(lambda texts: write(texts).sql, probe.type, probe.reads)

    def _window(self, node: exp.Window, scope: Scope) -> Value:
        if node.args.get("first") is not None:
            raise unsupported(node.sql("trino"))
        spec, call, inner = self._over(node, scope), Call(), node.this
        if isinstance(inner, exp.IgnoreNulls | exp.RespectNulls):
            call = replace(call, ignore_nulls=isinstance(inner, exp.IgnoreNulls))
            inner = inner.this
        if isinstance(inner, exp.Filter):
            call, inner = replace(call, filter=self._filter_sql(inner, scope)), inner.this
        if not isinstance(inner, exp.Anonymous):
            raise unsupported(node.sql("trino"))
        return self._call_with(inner, scope, replace(call, over=f" OVER ({spec})"))

    def _over(self, node: exp.Window, scope: Scope) -> str:
        if node.args.get("alias") is not None:
            named = scope.windows.get(node.args["alias"].name)
            if named is None or node.args.get("partition_by") or node.args.get("order") or node.args.get("spec"):
                raise unsupported(f"the window {node.sql('trino')}")
            return self._over(named, scope)
        parts = []
        if node.args.get("partition_by"):
            keys = [self.write(part, scope) for part in node.args["partition_by"]]
            for key in keys:
                self._subqueries.mark(key.reads)
            parts.append(f"PARTITION BY {', '.join(key.sql for key in keys)}")
        if node.args.get("order") is not None:
            parts.append(f"ORDER BY {self.order(node.args['order'].expressions, scope)}")
        if node.args.get("spec") is not None:
            parts.append(frame(node.args["spec"]))
        return " ".join(parts)

    def _filter(self, node: exp.Filter, scope: Scope) -> Value:
        inner = node.this
        if isinstance(inner, exp.WithinGroup):
            return self._within_group(inner, scope, self._filter_sql(node, scope))
        if not isinstance(inner, exp.Anonymous):
            raise unsupported(node.sql("trino"))
        return self._call_with(inner, scope, Call(filter=self._filter_sql(node, scope)))

    def _filter_sql(self, node: exp.Filter, scope: Scope) -> str:
        condition = self.condition(node.expression.this, scope, "FILTER")
        self._subqueries.mark(condition.reads)
        return f" FILTER (WHERE {condition.sql})"

    def _within_group(self, node: exp.WithinGroup, scope: Scope, condition: str = "") -> Value:
        inner = node.this
        if not isinstance(inner, exp.Anonymous) or inner.name.lower() != "listagg":
            raise unsupported(node.sql("trino"))
        order = self.order(node.expression.expressions, scope)
        return self._call_with(inner, scope, Call(order=f" ORDER BY {order}", filter=condition))


_Write = Callable[..., Value]
_NODES: dict[type[exp.Expr], _Write] = {
    exp.Add: Expressions._arithmetic, exp.And: Expressions._and, exp.Anonymous: Expressions._call,
    exp.Array: Expressions._array, exp.AtTimeZone: Expressions._at_time_zone, exp.Between: Expressions._between,
    exp.Boolean: Expressions._boolean, exp.Bracket: Expressions._subscript, exp.Case: Expressions._case,
    exp.Cast: Expressions._cast, exp.Column: Expressions._name, exp.CurrentDate: Expressions.now,
    exp.CurrentTimestamp: Expressions.now, exp.Localtimestamp: Expressions.now, exp.DPipe: Expressions._concatenate,
    exp.Div: Expressions._arithmetic, exp.Dot: Expressions._field, exp.Escape: Expressions._escape,
    exp.Exists: Expressions._exists, exp.Extract: Expressions._extract, exp.Filter: Expressions._filter,
    exp.HexString: Expressions._bytes, exp.Identifier: Expressions._argument, exp.If: Expressions._if,
    exp.In: Expressions._in, exp.Interval: Expressions._interval, exp.Is: Expressions._is, exp.Like: Expressions._like,
    exp.Literal: Expressions._literal, exp.Mod: Expressions._arithmetic, exp.Mul: Expressions._arithmetic,
    exp.Neg: Expressions._negate, exp.Not: Expressions._not, exp.Null: Expressions._null,
    exp.NullSafeEQ: Expressions._same, exp.NullSafeNEQ: Expressions._same, exp.Or: Expressions._or,
    exp.Paren: Expressions._paren, exp.ParseJSON: Expressions._json, exp.StrPosition: Expressions._position,
    exp.Sub: Expressions._arithmetic, exp.Subquery: Expressions._subquery, exp.Substring: Expressions._substring,
    exp.Trim: Expressions._trim, exp.TryCast: Expressions._try_cast, exp.Tuple: Expressions._tuple,
    exp.Window: Expressions._window, exp.WithinGroup: Expressions._within_group,
    **dict.fromkeys(_COMPARISONS, Expressions._compare),
}  # fmt: skip
