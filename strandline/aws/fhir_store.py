"""Releases in a DynamoDB table of their own, laid out so that every search reads by key.

| partition | sort | holds |
| --- | --- | --- |
| `RELEASE#{submission}` | `V#{version}`, `CURRENT` | a release without its resources |
| `CONTENT#{submission}#{version}` | `C#{cluster}#{chunk}` | a hundred resources, compressed; never changed |
| | `D#{digit}` | where resources are, by the first digit of their uuid; never changed |
| `SITE#{site}`, `ALL` | `{when}#{submission}` | current releases by time |
| `ID#{type}#{digest}` | `{digest}#{submission}` | submissions by the identifiers in them |

Identifiers are kept as digests: no key tells one.
"""

import hashlib
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import TypeAdapter

from strandline.aws.audit_entries import waiting_entry
from strandline.aws.submission_items import SubmissionItems
from strandline.errors import RejectedInputError, TemporaryError
from strandline.fhir.codes import Json
from strandline.fhir.served.releases import Place, Release, ReleasedBundle, ReleaseStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_RELEASE: Final = TypeAdapter(Release)
_LARGEST_ITEM_BYTES: Final = 390_000  # DynamoDB's limit is 400 KB with keys and names
_KEPT_RESOURCES: Final = 8_000  # some hundred MB
_KEPT_PLACES: Final = 40_000
_LISTED_AT_ONCE: Final = 20
_WRITTEN_AT_ONCE: Final = 25
_ATTEMPTS: Final = 6


class FhirStore:
    """`ReleaseStore` in the table. What a release contains never changes, so what was read last is kept in memory."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name
        self._contents = _Kept(_KEPT_RESOURCES)
        self._places = _Kept(_KEPT_PLACES)

    def release(self, submission_id: str, version: int | None = None) -> Release | None:
        item = self._get(f"RELEASE#{submission_id}", "CURRENT" if version is None else _version_key(version))
        return _RELEASE.validate_json(item["release"]["S"]) if item else None

    def versions(self, submission_id: str) -> list[Release]:
        items = self._query(f"RELEASE#{submission_id}", "begins_with(sk, :v)", {":v": {"S": "V#"}})
        return [_RELEASE.validate_json(item["release"]["S"]) for item in items]

    def chunk(self, release: Release, cluster: int, number: int) -> Sequence[Json]:
        chunk: Sequence[Json] = self._contents.take(
            (_content_key(release), f"C#{cluster:04d}#{number:06d}"), self._unpacked
        )
        return chunk

    def find(self, release: Release, uuid_digits: str) -> Place | None:
        places = self._places.take((_content_key(release), f"D#{uuid_digits[:1]}"), self._unpacked)
        return Place(*places[uuid_digits]) if uuid_digits in places else None

    def submissions_with(self, resource_type: str, system: str | None, value: str) -> list[str]:
        partition = _identifier_key(resource_type, value)
        if system is None:
            items = self._query(partition, "", {})
        else:
            items = self._query(partition, "begins_with(sk, :s)", {":s": {"S": f"{_digest(system)}#"}})
        return sorted({item["sk"]["S"].partition("#")[2] for item in items})

    def listed(self, site: str | None, before: str | None, since: datetime | None) -> Iterator[Release]:
        first = since.astimezone(UTC).isoformat(timespec="milliseconds") if since else "0"
        bounds = {":a": {"S": first}, ":z": {"S": before or "~"}}
        if before is not None and before < first:
            return
        for item in self._query(_list_key(site), "sk BETWEEN :a AND :z", bounds):
            yield _RELEASE.validate_json(item["release"]["S"])

    def _unpacked(self, partition: str, sort: str) -> Any:
        item = self._get(partition, sort)
        if item is None:
            raise TemporaryError("release_incomplete", "a part of a release is not there yet: try again")
        return orjson.loads(zlib.decompress(item["body"]["B"]))

    def _get(self, partition: str, sort: str) -> dict[str, Any] | None:
        return self._client.get_item(TableName=self._table, Key=_key(partition, sort)).get("Item")

    def _query(self, partition: str, condition: str, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the items of a partition, the greatest sort key first, read as they are taken."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"pk = :p{' AND ' + condition if condition else ''}",
            ExpressionAttributeValues={":p": {"S": partition}, **values},
            ScanIndexForward=False,
            PaginationConfig={"PageSize": _LISTED_AT_ONCE},
        )
        for page in pages:
            yield from page["Items"]


class FhirIndex(FhirStore):
    """Writes releases into the table, each version once; `log_table` is where audit entries wait."""

    def __init__(self, client: "DynamoDBClient", table_name: str, log_table: str) -> None:
        super().__init__(client, table_name)
        self._items = SubmissionItems(client, table_name)
        self._log_table = log_table

    def put(self, released: ReleasedBundle, now: datetime) -> bool:
        """Keep a version of a release, and show it where none is newer; False where it is there already.

        Raises:
            RejectedInputError: `bundle_too_large`, where a hundred resources are over what an item may hold;
                `release_replaced`, where the version is there with other resources.
            TemporaryError: `table_contended`.
        """
        release = released.release
        there = self.release(release.submission_id, release.version)
        if there is not None:
            if replace(there, released=release.released) != release:
                raise RejectedInputError("release_replaced", "a version that was released is another now: amend it")
            return False
        self._write(_content_items(released))
        return self._show(release, now, "indexed")

    def withdraw(self, submission_id: str, version: int, when: datetime, now: datetime) -> bool:
        """Show what is released of a submission as withdrawn, as a version of its own; False where it is already.

        Raises:
            TemporaryError: `release_incomplete`, where nothing was released yet; `table_contended`.
        """
        current = self.release(submission_id)
        if current is None:
            raise TemporaryError("release_incomplete", "a withdrawal came before its release: try again")
        if current.version >= version:
            return False
        gone = replace(current, version=version, status=ReleaseStatus.WITHDRAWN, released=when)
        return self._show(gone, now, "withdrew")

    def _show(self, release: Release, now: datetime, did: str) -> bool:
        """Write the version, and all that leads to it where it is the newest, in one transaction."""
        for attempt in range(_ATTEMPTS):
            time.sleep(0.05 * attempt)
            current = self.release(release.submission_id)
            done = f"{did} version {release.version} for the FHIR API"
            log = waiting_entry(
                self._log_table,
                "JOB_RUN",
                release.submission_id,
                who="index_release",
                role="service",
                why=done,
                now=now,
            )
            writes = [self._new(f"RELEASE#{release.submission_id}", _version_key(release.version), release), log]
            if current is None or current.version < release.version:
                writes += self._lead_to(release, current)
            refused = self._items.find_refused(writes)
            if not refused:
                return True
            if 0 in refused:
                return False
        raise TemporaryError("table_contended", "other versions of this release were in the way on every try")

    def _lead_to(self, release: Release, before: Release | None) -> "Iterator[TransactWriteItemTypeDef]":
        current: dict[str, Any] = {
            "TableName": self._table,
            "Item": {**_key(f"RELEASE#{release.submission_id}", "CURRENT"), **_held(release)},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        if before is not None:
            current["ConditionExpression"] = "version = :seen"
            current["ExpressionAttributeValues"] = {":seen": {"N": str(before.version)}}
        yield {"Put": current}  # type: ignore[typeddict-item]
        shown = {(partition, release.place) for partition in _lists(release)}
        if before is not None:
            for partition, place in {(name, before.place) for name in _lists(before)} - shown:
                yield {"Delete": {"TableName": self._table, "Key": _key(partition, place)}}
        for partition, place in shown:
            yield {"Put": {"TableName": self._table, "Item": {**_key(partition, place), **_held(release)}}}
        for resource_type, system, value in release.identifiers:
            key = _key(_identifier_key(resource_type, value), f"{_digest(system)}#{release.submission_id}")
            yield {"Put": {"TableName": self._table, "Item": key}}

    def _new(self, partition: str, sort: str, release: Release) -> "TransactWriteItemTypeDef":
        item = {**_key(partition, sort), **_held(release)}
        is_new = "attribute_not_exists(pk)"
        return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": is_new}}

    def _write(self, items: Iterable[dict[str, Any]]) -> None:
        """Write items that nothing leads to yet; once more the same items change nothing."""
        waiting = iter(items)
        while some := list(islice(waiting, _WRITTEN_AT_ONCE)):
            left: Any = {self._table: [{"PutRequest": {"Item": item}} for item in some]}
            for attempt in range(_ATTEMPTS):
                time.sleep(0.1 * attempt)
                left = self._client.batch_write_item(RequestItems=left).get("UnprocessedItems")
                if not left:
                    break
            else:
                raise TemporaryError("table_contended", "the table took not all parts of a release: try again")


class _Kept:
    """What was read last, as long as all of it has at most so many members."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._size = 0

    def take(self, key: tuple[str, str], read: Callable[[str, str], Any]) -> Any:
        if key not in self._held:
            self._held[key] = read(*key)
            self._size += len(self._held[key])
            while self._size > self._most and len(self._held) > 1:
                self._size -= len(self._held.popitem(last=False)[1])
        self._held.move_to_end(key)
        return self._held[key]


def _content_items(released: ReleasedBundle) -> Iterator[dict[str, Any]]:
    partition = _content_key(released.release)
    for (cluster, number), resources in released.chunks.items():
        yield _packed(partition, f"C#{cluster:04d}#{number:06d}", list(resources))
    for digit in "0123456789abcdef":
        places = {name: _numbers(place) for name, place in released.places.items() if name.startswith(digit)}
        yield _packed(partition, f"D#{digit}", places)


def _packed(partition: str, sort: str, body: object) -> dict[str, Any]:
    packed = zlib.compress(orjson.dumps(body), 6)
    if len(packed) > _LARGEST_ITEM_BYTES:
        raise RejectedInputError("bundle_too_large", "resources of the bundle are too large to serve: report fewer")
    return {**_key(partition, sort), "body": {"B": packed}}


def _numbers(place: Place) -> tuple[int, int, int]:
    return place.cluster, place.chunk, place.offset


def _held(release: Release) -> dict[str, Any]:
    return {"release": {"S": _RELEASE.dump_json(release).decode()}, "version": {"N": str(release.version)}}


def _lists(release: Release) -> list[str]:
    return [_list_key(None), *([_list_key(release.site)] if release.site else [])]


def _list_key(site: str | None) -> str:
    return "ALL" if site is None else f"SITE#{site}"


def _content_key(release: Release) -> str:
    return f"CONTENT#{release.submission_id}#{release.content:06d}"


def _version_key(version: int) -> str:
    return f"V#{version:06d}"


def _identifier_key(resource_type: str, value: str) -> str:
    return f"ID#{resource_type}#{_digest(value)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _key(partition: str, sort: str) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"S": sort}}
