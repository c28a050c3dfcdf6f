"""Names in a query: the columns, fields of rows and arguments of lambdas that they stand for."""

from collections.abc import Callable, Sequence

from local_stage.athena.failures import AthenaFailure
from local_stage.athena.types import field_sql
from local_stage.athena.values import Field, Read, Scope, Value

Mark = Callable[[frozenset[Read]], None]
# Athena's words for a column that is not there and for one that is not granted: nobody can tell the two apart
_UNRESOLVED = "cannot be resolved or requester is not authorized to access requested resources"


def resolve_name(parts: Sequence[str], scope: Scope, mark: Mark) -> Value:
    """Return what a name stands for: here, or in a query around this one.

    `mark` is told of columns of the queries around, which are read whatever becomes of the value.

    Raises:
        AthenaFailure: COLUMN_NOT_FOUND, nothing; AMBIGUOUS_NAME, more than one thing.
    """
    if parts[0] in scope.arguments:
        return _fields(scope.arguments[parts[0]], parts[1:])
    here: Scope | None = scope
    while here is not None:
        found = _in_fields(parts, here.fields)
        if found is not None:
            if here is not scope:
                mark(found.reads)
            return found
        here = here.outer
    raise AthenaFailure("COLUMN_NOT_FOUND", f"Column '{'.'.join(parts)}' {_UNRESOLVED}")


def _in_fields(parts: Sequence[str], fields: Sequence[Field]) -> Value | None:
    for size in range(min(len(parts) - 1, 3), -1, -1):
        qualifier, name, rest = tuple(parts[:size]), parts[size], parts[size + 1 :]
        found = [
            field
            for field in fields
            if field.name == name and (not size or field.qualifiers[len(field.qualifiers) - size :] == qualifier)
        ]
        if len(found) > 1:
            raise AthenaFailure("AMBIGUOUS_NAME", f"Column '{'.'.join(parts)}' is ambiguous")
        if found:
            return _fields(found[0].value, rest)
    return None


def _fields(value: Value, names: Sequence[str]) -> Value:
    for name in names:
        if value.type.name != "row" or name not in value.type.fields:
            raise AthenaFailure("COLUMN_NOT_FOUND", f"Column '{name}' {_UNRESOLVED}")
        value = step_into(value, value.type.fields.index(name) + 1)
    return value


def step_into(value: Value, number: int) -> Value:
    """Return field `number` (1-based) of a row."""
    return value.typed(field_sql(value.sql, number), value.type.arguments[number - 1])
