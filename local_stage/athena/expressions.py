"""Expressions of a query: names are looked up, types worked out, and DuckDB's text written."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from sqlglot import exp

from local_stage.athena import operators
from local_stage.athena.calls import Call, call_function, check_orderable
from local_stage.athena.casts import cast, coerce, instant_sql
from local_stage.athena.collection_functions import entry_sql, item_sql
from local_stage.athena.failures import NOT_SUPPORTED, AthenaFailure, unsupported
from local_stage.athena.grammar import LITERAL
from local_stage.athena.json_values import parse_json
from local_stage.athena.lambdas import Lambda
from local_stage.athena.moment_functions import EXTRACTED, check_zone, zone_of
from local_stage.athena.moments import read_timestamp
from local_stage.athena.names import resolve_name, step_into
from local_stage.athena.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DAYS,
    DOUBLE,
    INTEGER,
    JSON,
    MONTHS,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    TrinoType,
    array,
    decimal,
    from_sqlglot,
    row,
    row_sql,
    timestamp,
    varchar,
    zoned,
)
from local_stage.athena.values import Read, Scope, Value, quote

_COMPARISONS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_ARITHMETIC: Mapping[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_INTERVALS = {
    "SECOND": (DAYS, 1000),
    "MINUTE": (DAYS, 60_000),
    "HOUR": (DAYS, 3_600_000),
    "DAY": (DAYS, 86_400_000),
    "MONTH": (MONTHS, 1),
    "YEAR": (MONTHS, 12),
}
_NULLS = {True: "NULLS FIRST", False: "NULLS LAST"}


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
        try:
            shown = "".join(f"\\x{byte:02X}" for byte in bytes.fromhex(node.this))
        except ValueError:
            raise AthenaFailure("SYNTAX_ERROR", f"Binary literal is not valid: X'{node.this}'") from None
        return Value(f"CAST('{shown}' AS BLOB)", VARBINARY)

    def _json(self, node: exp.Expr, scope: Scope) -> Value:
        return self._typed_literal(self.write(node.this, scope).constant, JSON)

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
        return self._called("concat", sides, scope)

    def _row(self, node: exp.Expr, scope: Scope) -> Value:
        values = [self.write(part, scope) for part in node.expressions]
        return operators.combine(
            row(*(value.type for value in values)), row_sql([_typed(value) for value in values]), *values
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
            return self._typed_literal(text, _literal_type(node.args["to"]))
        return cast(self.write(node.this, scope), from_sqlglot(node.args["to"]))

    def _try_cast(self, node: exp.Expr, scope: Scope) -> Value:
        return _tried(cast(self.write(node.this, scope), from_sqlglot(node.args["to"])))

    def _typed_literal(self, text: object, kind: TrinoType) -> Value:
        if not isinstance(text, str):
            raise AthenaFailure("SYNTAX_ERROR", "a typed literal has to be a text")
        if kind.name in {"timestamp", "timestamp with time zone"}:
            return _moment_literal(text)
        if kind.name == "decimal":
            return decimal_literal(text)
        if kind == JSON:
            return Value(quote(parse_json(text)), JSON)
        if kind.name == "time":
            raise unsupported("TIME literals")
        value = Value(quote(text), VARCHAR, constant=text)
        constant = int(text) if kind.is_integer and text.lstrip("+-").isdigit() else text
        return replace(cast(value, kind), constant=constant if kind != DATE else None)

    def _interval(self, node: exp.Expr, scope: Scope) -> Value:
        text = self.write(node.this, scope).constant
        unit = node.args.get("unit")
        if not isinstance(text, str) or not isinstance(unit, exp.Var) or unit.name.upper() not in _INTERVALS:
            raise unsupported(f"the interval {node.sql('trino')}")
        kind, size = _INTERVALS[unit.name.upper()]
        digits = text.strip()
        if not digits.lstrip("+-").isdigit():
            raise unsupported(f"the interval {node.sql('trino')}")
        return Value(f"CAST({int(digits) * size} AS BIGINT)", kind)

    def _if(self, node: exp.Expr, scope: Scope) -> Value:
        test = self.condition(node.this, scope, "IF condition")
        chosen = [self.write(node.args["true"], scope)]
        chosen.append(
            self.write(node.args["false"], scope) if node.args.get("false") is not None else Value("NULL", UNKNOWN)
        )
        one, other = operators.unify(chosen, "Result types for IF must be the same")
        sql = f"CASE WHEN {test.sql} THEN {_typed(one)} ELSE {_typed(other)} END"
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
            f"WHEN {test.sql} THEN {_typed(one)}" for test, one in zip(tests, results[:-1], strict=True)
        )
        return operators.combine(results[0].type, f"CASE {branches} ELSE {_typed(results[-1])} END", *tests, *results)

    def _extract(self, node: exp.Expr, scope: Scope) -> Value:
        name = node.name.lower()
        if name not in EXTRACTED:
            raise unsupported(f"extract of {name}")
        return self._called(name, [self.write(node.args["expression"], scope)], scope)

    def _trim(self, node: exp.Expr, scope: Scope) -> Value:
        side = str(node.args.get("position") or "BOTH").upper()
        name = {"LEADING": "ltrim", "TRAILING": "rtrim", "BOTH": "trim"}[side]
        parts = [node.this, *([node.args["expression"]] if node.args.get("expression") is not None else [])]
        return self._called(name, [self.write(part, scope) for part in parts], scope)

    def _substring(self, node: exp.Expr, scope: Scope) -> Value:
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        return self._called("substring", [self.write(part, scope) for part in parts if part is not None], scope)

    def _position(self, node: exp.Expr, scope: Scope) -> Value:
        return self._called("strpos", [self.write(node.args[name], scope) for name in ("this", "substr")], scope)

    def _at_time_zone(self, node: exp.Expr, scope: Scope) -> Value:
        zone = check_zone(str(self.write(node.args["zone"], scope).constant))
        return _in_zone(self.write(node.this, scope), zone)

    def _now(self, node: exp.Expr, scope: Scope) -> Value:
        del scope
        shown = f"CAST('{self._started.isoformat(sep=' ', timespec='milliseconds')}' AS TIMESTAMP)"
        if type(node) is exp.CurrentDate:
            return Value(f"CAST({shown} AS DATE)", DATE)
        return Value(shown, zoned(3) if type(node) is exp.CurrentTimestamp else timestamp(3))

    def _call(self, node: exp.Anonymous, scope: Scope) -> Value:
        return self._call_with(node, scope, Call())

    def _call_with(self, node: exp.Anonymous, scope: Scope, call: Call) -> Value:
        name = node.name.lower()
        special = _SPECIAL.get(name)
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
        return self._called(name, given, scope, call)

    @staticmethod
    def _count_rows(call: Call) -> Value:
        if call.distinct:
            raise AthenaFailure("SYNTAX_ERROR", "DISTINCT is not allowed in count(*)")
        return Value(f"count(*){call.filter}{call.over or ''}", BIGINT, aggregates=call.over is None)

    def _called(self, name: str, given: Sequence[exp.Expr | Value], scope: Scope, call: Call | None = None) -> Value:
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
            parts.append(_frame(node.args["spec"]))
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

    def _coalesce(self, node: exp.Anonymous, scope: Scope) -> Value:
        if len(node.expressions) < 2:
            raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", "The 'coalesce' function must have at least two arguments")
        values = operators.unify(
            [self.write(part, scope) for part in node.expressions], "All COALESCE operands must be the same type"
        )
        return operators.combine(values[0].type, f"coalesce({', '.join(map(_typed, values))})", *values)

    def _nullif(self, node: exp.Anonymous, scope: Scope) -> Value:
        one, other = self._arguments(node, scope, 2)
        equal = operators.compare("=", one, other)
        return operators.combine(one.type, f"CASE WHEN {equal.sql} THEN NULL ELSE {_typed(one)} END", one, other)

    def _try(self, node: exp.Anonymous, scope: Scope) -> Value:
        (value,) = self._arguments(node, scope, 1)
        return _tried(value)

    def _typeof(self, node: exp.Anonymous, scope: Scope) -> Value:
        (value,) = self._arguments(node, scope, 1)
        return Value(quote(value.type.show()), VARCHAR, constant=value.type.show())

    def _mod(self, node: exp.Anonymous, scope: Scope) -> Value:
        return operators.arithmetic("%", *self._arguments(node, scope, 2))

    def _grouping(self, node: exp.Anonymous, scope: Scope) -> Value:
        values = [self.write(part, scope) for part in node.expressions]
        sql = f"CAST(grouping({', '.join(value.sql for value in values)}) AS BIGINT)"
        return replace(operators.combine(BIGINT, sql, *values), aggregates=True)

    def _current_timestamp_of(self, node: exp.Anonymous, scope: Scope) -> Value:
        digits = self._arguments(node, scope, 1)[0].constant
        if digits != 3:
            raise unsupported(f"{node.sql('trino')}: the clock has 3 digits of a second's fraction")
        return self._now(
            exp.CurrentTimestamp() if node.name.lower() != "localtimestamp" else exp.Localtimestamp(), scope
        )

    def _now_call(self, node: exp.Anonymous, scope: Scope) -> Value:
        self._arguments(node, scope, 0)
        return self._now(exp.CurrentTimestamp(), scope)

    def _at_timezone(self, node: exp.Anonymous, scope: Scope) -> Value:
        moment, zone = self._arguments(node, scope, 2)
        return _in_zone(moment, zone_of(zone))

    def _with_timezone(self, node: exp.Anonymous, scope: Scope) -> Value:
        moment, zone = self._arguments(node, scope, 2)
        if moment.type == DATE:
            moment = coerce(moment, timestamp(0))
        if moment.type.name != "timestamp":
            raise AthenaFailure(
                "FUNCTION_NOT_FOUND", f"Unexpected parameters ({moment.type.show()}) for function with_timezone"
            )
        name = zone_of(zone)
        return moment.typed(instant_sql(moment.sql, name), zoned(moment.type.size or 0, name))

    def _from_unixtime(self, node: exp.Anonymous, scope: Scope) -> Value:
        given = [self.write(part, scope) for part in node.expressions]
        found = self._called("from_unixtime", given[:1], scope)
        if len(given) == 2 and given[1].type.name == "varchar":
            return _in_zone(found, zone_of(given[1]))
        if len(given) != 1:
            raise unsupported("from_unixtime with an offset")
        return found

    def _normalize(self, node: exp.Anonymous, scope: Scope) -> Value:
        if len(node.expressions) == 1:
            return self._called("normalize", node.expressions, scope)
        form = node.expressions[1].name.upper() if len(node.expressions) == 2 else ""
        text = coerce(self.write(node.expressions[0], scope), VARCHAR)
        if form not in {"NFC", "NFD", "NFKC", "NFKD"}:
            raise AthenaFailure("SYNTAX_ERROR", f"mismatched input: {node.sql('trino')}")
        return text.typed(f"athena_normalize({text.sql}, '{form}')", VARCHAR)

    def _arguments(self, node: exp.Anonymous, scope: Scope, count: int) -> list[Value]:
        if len(node.expressions) != count:
            raise AthenaFailure(
                "FUNCTION_NOT_FOUND", f"Unexpected parameters for function {node.name.lower()}: {count} expected"
            )
        return [self.write(part, scope) for part in node.expressions]


def order_item(item: exp.Expr, sql: str) -> str:
    """Return one item of ORDER BY over the text of its value."""
    if item.args.get("with_fill") is not None:
        raise unsupported(item.sql("trino"))
    return f"{sql} {'DESC' if item.args.get('desc') else 'ASC'} {_NULLS[bool(item.args.get('nulls_first'))]}"


def _typed(value: Value) -> str:
    """Return a value's text, NULL with its type."""
    return f"CAST(NULL AS {value.type.duckdb()})" if value.sql == "NULL" else value.sql


def _tried(value: Value) -> Value:
    """Return a value, or NULL where it fails; what cannot be run here must not become NULL."""
    if f"athena_fail('{NOT_SUPPORTED}'" in value.sql:
        raise unsupported("TRY around what is run for some values only")
    return replace(value, sql=f"TRY({_typed(value)})", constant=None)


def number_literal(text: str) -> Value:
    """Return a number as it is written.

    Raises:
        AthenaFailure: INVALID_LITERAL, it is beyond bigint.
    """
    if "e" in text.lower():
        return Value(f"CAST('{text}' AS DOUBLE)", DOUBLE, constant=float(text))
    if "." in text:
        return decimal_literal(text)
    number = int(text)
    if -(2**31) <= number < 2**31:
        return Value(f"CAST({number} AS INTEGER)", INTEGER, constant=number)
    if -(2**63) <= number < 2**63:
        return Value(f"CAST({number} AS BIGINT)", BIGINT, constant=number)
    raise AthenaFailure("INVALID_LITERAL", f"Invalid numeric literal: {text}")


def decimal_literal(text: str) -> Value:
    """Return a decimal of as many digits as are written."""
    whole, _, fraction = text.lstrip("+-").partition(".")
    if not (whole + fraction).isdigit() or not (whole + fraction).isascii():
        raise AthenaFailure("INVALID_LITERAL", f"Invalid decimal literal: {text}")
    precision = len(whole) + len(fraction)
    if precision > 38:
        raise AthenaFailure("INVALID_LITERAL", f"Invalid decimal literal: {text}: more than 38 digits")
    kind = decimal(precision, len(fraction))
    return Value(f"CAST('{text}' AS {kind.duckdb()})", kind, constant=float(text))


def _literal_type(kind: exp.DataType) -> TrinoType:
    if kind.this in {exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPLTZ}:
        return timestamp(0)
    return from_sqlglot(kind)


def _moment_literal(text: str) -> Value:
    moment, digits, zone = read_timestamp(text)
    sql = f"CAST('{moment.isoformat(sep=' ')}' AS TIMESTAMP)"
    if zone is None:
        return Value(sql, timestamp(digits))
    name = check_zone(zone)
    return Value(instant_sql(sql, name), zoned(digits, name))


def _in_zone(moment: Value, zone: str) -> Value:
    """Return a moment with another time zone; one without is taken to be in UTC."""
    if moment.type == DATE:
        moment = coerce(moment, timestamp(0))
    if not moment.type.name.startswith("timestamp"):
        raise AthenaFailure("TYPE_MISMATCH", f"Type of value must be a time or timestamp (actual {moment.type.show()})")
    return moment.typed(moment.sql, zoned(moment.type.size or 0, zone))


def _frame(spec: exp.WindowSpec) -> str:
    kind = str(spec.args.get("kind") or "").upper()
    if kind not in {"ROWS", "RANGE", "GROUPS"} or spec.args.get("exclude"):
        raise unsupported(f"the window frame {spec.sql('trino')}")
    start = _bound(spec.args.get("start"), spec.args.get("start_side"), kind)
    if spec.args.get("end") is None:
        return f"{kind} {start}"
    return f"{kind} BETWEEN {start} AND {_bound(spec.args['end'], spec.args.get('end_side'), kind)}"


def _bound(bound: object, side: object, kind: str) -> str:
    side_text = f" {str(side).upper()}" if side else ""
    if isinstance(bound, str):
        return f"{bound.upper()}{side_text}"
    if kind == "RANGE" or not isinstance(bound, exp.Literal) or bound.is_string or not bound.this.isdigit():
        raise unsupported(f"the bound of a window frame: {bound} {side_text}")
    return f"{bound.this}{side_text}"


_Write = Callable[..., Value]
_NODES: dict[type[exp.Expr], _Write] = {
    exp.Add: Expressions._arithmetic, exp.And: Expressions._and, exp.Anonymous: Expressions._call,
    exp.Array: Expressions._array, exp.AtTimeZone: Expressions._at_time_zone, exp.Between: Expressions._between,
    exp.Boolean: Expressions._boolean, exp.Bracket: Expressions._subscript, exp.Case: Expressions._case,
    exp.Cast: Expressions._cast, exp.Column: Expressions._name, exp.CurrentDate: Expressions._now,
    exp.CurrentTimestamp: Expressions._now, exp.Localtimestamp: Expressions._now, exp.DPipe: Expressions._concatenate,
    exp.Div: Expressions._arithmetic, exp.Dot: Expressions._field, exp.Escape: Expressions._escape,
    exp.Exists: Expressions._exists, exp.Extract: Expressions._extract, exp.Filter: Expressions._filter,
    exp.HexString: Expressions._bytes, exp.Identifier: Expressions._argument, exp.If: Expressions._if,
    exp.In: Expressions._in, exp.Interval: Expressions._interval, exp.Is: Expressions._is, exp.Like: Expressions._like,
    exp.Literal: Expressions._literal, exp.Mod: Expressions._arithmetic, exp.Mul: Expressions._arithmetic,
    exp.Neg: Expressions._negate, exp.Not: Expressions._not, exp.Null: Expressions._null,
    exp.NullSafeEQ: Expressions._same, exp.NullSafeNEQ: Expressions._same, exp.Or: Expressions._or,
    exp.Paren: Expressions._paren, exp.ParseJSON: Expressions._json, exp.StrPosition: Expressions._position,
    exp.Sub: Expressions._arithmetic, exp.Subquery: Expressions._subquery, exp.Substring: Expressions._substring,
    exp.Trim: Expressions._trim, exp.TryCast: Expressions._try_cast, exp.Tuple: Expressions._row,
    exp.Window: Expressions._window, exp.WithinGroup: Expressions._within_group,
    **dict.fromkeys(_COMPARISONS, Expressions._compare),
}  # fmt: skip
_SPECIAL: dict[str, _Write] = {
    "at_timezone": Expressions._at_timezone, "coalesce": Expressions._coalesce,
    "current_timestamp": Expressions._current_timestamp_of, "from_unixtime": Expressions._from_unixtime,
    "grouping": Expressions._grouping, "localtimestamp": Expressions._current_timestamp_of, "mod": Expressions._mod,
    "normalize": Expressions._normalize, "now": Expressions._now_call, "nullif": Expressions._nullif,
    "row": Expressions._row, "try": Expressions._try, "typeof": Expressions._typeof,
    "with_timezone": Expressions._with_timezone,
}  # fmt: skip
