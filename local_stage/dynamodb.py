"""DynamoDB of the embedded AWS: one request at a time, and a transaction undoes its own writes alone.

moto answers requests at once without a lock, copies the whole table before a transaction, and puts that copy back when
a condition fails: what any other request wrote in between is gone. It also sorts the whole table for each query, and
looks for each of the ten kinds of a value under five names before it writes it.
Source: "Isolation levels for transactions", DynamoDB developer guide (a transaction is serializable with every other
read and write of an item).
"""

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from local_stage.context import StageContext
from local_stage.replacing import replace

_request = threading.RLock()  # a handler may call another one


def install(context: StageContext) -> None:
    """Make requests exclude each other and transactions undo what they wrote."""
    del context
    replace(DynamoHandler, "call_action", _one_at_a_time(DynamoHandler.call_action))
    replace(DynamoDBBackend, "transact_write_items", _undoing(DynamoDBBackend.transact_write_items))
    replace(Table, "query", _in_one_partition(Table.query))
    written = BaseJSONSerializer._serialize_type_structure
    replace(BaseJSONSerializer, "_serialize_type_structure", _values_as_they_are(written))


def _one_at_a_time(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(original)
    def call_action(self: Any) -> Any:
        with _request:
            return original(self)

    return call_action


def _undoing(original: Callable[[Any, list[dict[str, Any]]], None]) -> Callable[[Any, list[dict[str, Any]]], None]:
    @wraps(original)
    def transact_write_items(self: Any, transact_items: list[dict[str, Any]]) -> None:
        with _request:
            before = _touched(self, transact_items)
            try:
                with _tables_not_copied():
                    original(self, transact_items)
            except Exception:
                for table, partition, sort, item in before:
                    _put_back(table, partition, sort, item)
                raise

    return transact_write_items


def _touched(backend: Any, transact_items: list[dict[str, Any]]) -> list[tuple[Any, Any, Any, Item | None]]:
    """Return table, partition key, sort key and a copy of each item that a transaction may write."""
    touched = []
    for entry in transact_items:
        for kind, operation in entry.items():
            table = backend.tables.get(operation.get("TableName"))
            keys = operation.get("Item" if kind == "Put" else "Key")
            if table is None or not keys or kind == "ConditionCheck":
                continue
            if any(name not in keys for name in table.table_key_attrs):
                continue  # the request fails for that
            partition, sort = backend.get_keys_value(table, keys)
            touched.append((table, partition, sort, copy.deepcopy(table.get_item(partition, sort) or None)))
    return touched


def _put_back(table: Any, partition: Any, sort: Any, item: Item | None) -> None:
    if item is None:
        table.delete_item(partition, sort)
    elif sort is None:
        table.items[partition] = item
    else:
        table.items[partition][sort] = item


@contextmanager
def _tables_not_copied() -> Iterator[None]:
    """Let moto's copy of a table be the table itself, so that putting the copy back changes nothing.

    Nobody else copies tables, and nobody else is here: the caller holds the lock.
    """
    setattr(Table, "__deepcopy__", lambda table, _: table)  # noqa: B010 - a table has no such attribute by itself
    try:
        yield
    finally:
        delattr(Table, "__deepcopy__")


def _in_one_partition(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def query(self: Any, hash_key: Any, *args: Any, **kwargs: Any) -> Any:
        index_name = kwargs.get("index_name", args[6] if len(args) > 6 else None)
        if index_name or hash_key is None or not self.has_range_key:
            return original(self, hash_key, *args, **kwargs)
        everything = self.items
        self.items = {hash_key: everything[hash_key]} if hash_key in everything else {}
        try:
            return original(self, hash_key, *args, **kwargs)
        finally:
            self.items = everything

    return query


def _values_as_they_are(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def serialize_structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        plain = _plain_value(value) if shape.name == "AttributeValue" and key else None
        if plain is None:
            original(self, serialized, value, shape, key)
        else:
            self._default_serialize(serialized, plain, shape, key)

    return serialize_structure


def _plain_value(value: Any) -> dict[str, Any] | None:
    """Return an attribute's value as DynamoDB writes it; None where it holds bytes, or is none, for moto to write."""
    if isinstance(value, DynamoType):
        kind, held = value.type, value.value
    elif isinstance(value, dict) and len(value) == 1:
        ((kind, held),) = value.items()
    else:
        return None
    match kind:
        case "S" | "N" if isinstance(held, str):
            return {kind: held}
        case "BOOL" | "NULL":
            return {kind: held}
        case "SS" | "NS" if all(isinstance(one, str) for one in held):
            return {kind: list(held)}
        case "L":
            values = [_plain_value(one) for one in held]
            return None if None in values else {kind: values}
        case "M":
            named = {name: _plain_value(one) for name, one in held.items()}
            return None if None in named.values() else {kind: named}
    return None
