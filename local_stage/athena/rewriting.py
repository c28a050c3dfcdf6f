"""DELETE, UPDATE and MERGE as queries that give what the table holds afterwards.

Source: https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-updating-iceberg-table-data.html and
https://trino.io/docs/current/sql/merge.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.scans import TableName

_MATCHED, _FOUND, _ROW = "athena_matched", "athena_found", "athena_row"


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What a statement makes of a table: the rows it holds afterwards are those of all `queries` together.

    `conflicts` counts rows that the statement would change twice, which it must not.
    """

    queries: Sequence[exp.Select]
    conflicts: exp.Select | None = None


def target_of(tree: exp.Expr, database: str) -> TableName:
    """Return the table that a statement changes."""
    table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        raise AthenaFailure("SYNTAX_ERROR", f"mismatched input: {tree.sql('trino')}")
    if table.catalog not in {"", "awsdatacatalog"}:
        raise unsupported(f"statements over the catalog {table.catalog}")
    return TableName(table.db or database, table.name)


def rewrite(tree: exp.Expr, columns: Sequence[str]) -> Rewriting:
    """Return what a DELETE, UPDATE or MERGE makes of a table with these columns."""
    if isinstance(tree, exp.Delete):
        return _delete(tree, columns)
    if isinstance(tree, exp.Update):
        return _update(tree, columns)
    if isinstance(tree, exp.Merge):
        return _merge(tree, columns)
    raise unsupported(type(tree).__name__.upper())


def _delete(tree: exp.Delete, columns: Sequence[str]) -> Rewriting:
    _check(tree, {"this", "where"})
    query = _select([_column(name) for name in columns], tree.this)
    condition = _condition(tree) or exp.Boolean(this=True)
    query.set("where", exp.Where(this=exp.NullSafeNEQ(this=condition, expression=exp.Boolean(this=True))))
    return Rewriting([query])


def _update(tree: exp.Update, columns: Sequence[str]) -> Rewriting:
    _check(tree, {"this", "expressions", "where"})
    given = _assignments(tree.expressions, columns)
    condition = _condition(tree) or exp.Boolean(this=True)
    items = [
        exp.Case(ifs=[exp.If(this=condition.copy(), true=given[name])], default=_column(name))
        if name in given
        else _column(name)
        for name in columns
    ]
    return Rewriting([_select(items, tree.this)])


def _merge(tree: exp.Merge, columns: Sequence[str]) -> Rewriting:
    _check(tree, {"this", "using", "on", "whens"})
    target = tree.this.alias or tree.this.name
    whens = list(tree.args["whens"].expressions)
    if any(when.args.get("source") for when in whens):
        raise unsupported("WHEN NOT MATCHED BY SOURCE")
    matched = [when for when in whens if when.args.get("matched")]
    inserts = [when for when in whens if not when.args.get("matched")]
    if len(inserts) > 1:
        raise unsupported("MERGE with several WHEN NOT MATCHED")
    queries = [_changed(tree, target, columns, matched)]
    if inserts:
        queries.append(_inserted(tree, target, columns, inserts[0]))
    return Rewriting(queries, _conflicts(tree, target, matched) if matched else None)


def _changed(tree: exp.Merge, target: str, columns: Sequence[str], matched: Sequence[exp.When]) -> exp.Select:
    """Return the rows of the target, changed or left out as the first clause says that applies."""
    action = _action(matched)
    changes = {
        number: _assignments(when.args["then"].expressions, columns)
        for number, when in enumerate(matched, 1)
        if isinstance(when.args["then"], exp.Update)
    }
    items = []
    for name in columns:
        ifs = [
            exp.If(this=exp.Literal.number(number), true=given[name])
            for number, given in changes.items()
            if name in given
        ]
        own = _column(name, target)
        items.append(exp.Case(this=action.copy(), ifs=ifs, default=own) if ifs else own)
    query = _select(items, _aliased(tree.this, target))
    query.set("joins", [exp.Join(this=_marked(tree.args["using"], _MATCHED), side="LEFT", on=_on(tree, matched))])
    deletes = [
        exp.NEQ(this=action.copy(), expression=exp.Literal.number(number))
        for number, when in enumerate(matched, 1)
        if isinstance(when.args["then"], exp.Var) and when.args["then"].name.upper() == "DELETE"
    ]
    if len(deletes) + len(changes) != len(matched):
        raise unsupported(tree.sql("trino"))
    if deletes:
        query.set("where", exp.Where(this=_all(deletes)))
    return query


def _inserted(tree: exp.Merge, target: str, columns: Sequence[str], when: exp.When) -> exp.Select:
    """Return the rows of the source that become rows of the target."""
    then = when.args["then"]
    if not isinstance(then, exp.Insert) or not isinstance(then.expression, exp.Tuple):
        raise unsupported(tree.sql("trino"))
    names = [part.name for part in then.this.expressions] if isinstance(then.this, exp.Tuple) else list(columns)
    values = list(then.expression.expressions)
    unknown = set(names) - set(columns)
    if len(names) != len(values) or unknown:
        raise AthenaFailure(
            "MISMATCHED_COLUMN_ALIASES", f"MERGE inserts {len(values)} values into {len(names)} columns"
        )
    given = dict(zip(names, values, strict=True))
    query = _select([given.get(name, exp.Null()) for name in columns], _marked(tree.args["using"], _MATCHED))
    inner = exp.Subquery(this=_select([exp.Star(), _flag(_FOUND)], tree.this.copy()), alias=_alias(target))
    query.set("joins", [exp.Join(this=inner, side="LEFT", on=tree.args["on"].copy())])
    conditions: list[exp.Expr] = [exp.Is(this=_column(_FOUND, target), expression=exp.Null())]
    if when.args.get("condition") is not None:
        conditions.append(when.args["condition"])
    query.set("where", exp.Where(this=_all(conditions)))
    return query


def _conflicts(tree: exp.Merge, target: str, matched: Sequence[exp.When]) -> exp.Select:
    """Count the rows of the target that more than one row of the source would change."""
    numbered = exp.Alias(
        this=exp.Window(this=exp.Anonymous(this="row_number"), over="OVER"), alias=exp.to_identifier(_ROW)
    )
    inner = exp.Subquery(this=_select([exp.Star(), numbered], tree.this.copy()), alias=_alias(target))
    twice = _select([_column(_ROW, target)], inner)
    twice.set("joins", [exp.Join(this=_marked(tree.args["using"], _MATCHED), on=_on(tree, matched))])
    twice.set("group", exp.Group(expressions=[_column(_ROW, target)]))
    count = exp.Anonymous(this="count", expressions=[exp.Star()])
    twice.set("having", exp.Having(this=exp.GT(this=count, expression=exp.Literal.number(1))))
    return _select([count.copy()], exp.Subquery(this=twice, alias=_alias("t")))


def _on(tree: exp.Merge, matched: Sequence[exp.When]) -> exp.Expr:
    """Return when a row of the source changes a row of the target."""
    conditions = [when.args.get("condition") for when in matched]
    on: exp.Expr = tree.args["on"].copy()
    if not conditions or any(condition is None for condition in conditions):
        return on
    either = exp.Paren(this=exp.or_(*(exp.Paren(this=one.copy()) for one in conditions if one is not None), wrap=False))
    return exp.And(this=exp.Paren(this=on), expression=either)


def _action(matched: Sequence[exp.When]) -> exp.Case:
    ifs = []
    for number, when in enumerate(matched, 1):
        found: list[exp.Expr] = [_column(_MATCHED)]
        if when.args.get("condition") is not None:
            found.append(when.args["condition"].copy())
        ifs.append(exp.If(this=_all(found), true=exp.Literal.number(number)))
    if not ifs:
        ifs = [exp.If(this=exp.Boolean(this=False), true=exp.Literal.number(0))]
    return exp.Case(ifs=ifs, default=exp.Literal.number(0))


def _assignments(items: Sequence[exp.Expr], columns: Sequence[str]) -> Mapping[str, exp.Expr]:
    found = {}
    for item in items:
        if not isinstance(item, exp.EQ) or item.this.name not in columns:
            raise AthenaFailure("COLUMN_NOT_FOUND", f"The UPDATE SET target column does not exist: {item.sql('trino')}")
        found[item.this.name] = item.expression
    return found


def _marked(source: exp.Expr, name: str) -> exp.Subquery:
    alias = source.alias or source.name
    if not alias:
        raise unsupported("MERGE with a source that has no name")
    return exp.Subquery(this=_select([exp.Star(), _flag(name)], source.copy()), alias=_alias(alias))


def _aliased(table: exp.Expr, alias: str) -> exp.Expr:
    found = table.copy()
    found.set("alias", _alias(alias))
    return found


def _flag(name: str) -> exp.Alias:
    return exp.Alias(this=exp.Boolean(this=True), alias=exp.to_identifier(name))


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name))


def _all(conditions: Sequence[exp.Expr]) -> exp.Expr:
    found = conditions[0]
    for condition in conditions[1:]:
        found = exp.And(this=exp.Paren(this=found), expression=exp.Paren(this=condition))
    return found


def _condition(tree: exp.Expr) -> exp.Expr | None:
    where = tree.args.get("where")
    return None if where is None else where.this


def _column(name: str, table: str | None = None) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name), table=exp.to_identifier(table) if table else None)


def _select(items: Sequence[exp.Expr], source: exp.Expr) -> exp.Select:
    return exp.Select(expressions=list(items), from_=exp.From(this=source))


def _check(tree: exp.Expr, known: set[str]) -> None:
    for name, value in tree.args.items():
        if value and name not in known:
            raise unsupported(f"{name.upper()} in {type(tree).__name__.upper()}")
