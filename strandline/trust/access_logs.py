"""Whom API Gateway refused before a function of ours ran, read from its access log as CloudWatch Logs hands it over.

Sources: CloudWatch Logs user guide, "Log group-level subscription filters" (what a function is sent); API Gateway
developer guide, "Customize HTTP API access logs" (`integrationStatus` is `-` where no integration was called).
"""

import base64
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from strandline.trust.acts import UNKNOWN, Act, Event

_GZIP: Final = 16 + zlib.MAX_WBITS
_LIMIT_BYTES: Final = 32 << 20  # a function is sent 6 MiB at most, in base64
_REFUSED: Final = frozenset({"401", "403"})
_NOT_PLAIN: Final = re.compile(r"[^\w $/{}+=.:-]", re.ASCII)
_LONGEST: Final = 128


def is_delivery(event: Event) -> bool:
    """Whether an event is lines of a log group, and none of EventBridge."""
    return "awslogs" in event


def refusals_of(event: Event) -> Iterator[tuple[str, Act]]:
    """Yield a delivery's refusals, those of one route and answer as one act, each with an id that it always has.

    Whoever knocks a thousand times is one entry of the audit log with their number; the access log has each of them.

    Args:
        event: what CloudWatch Logs sends a function; its lines are those of `infra/constructs/access_log.py`.

    Raises:
        ValueError: where it is none, or far too large.
    """
    delivery = _unpack(event)
    if delivery["messageType"] != "DATA_MESSAGE":
        return  # CloudWatch tries whether the function can be reached
    door = _plain(str(delivery["logGroup"]).rpartition("/")[2])
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in delivery["logEvents"]:
        line = json.loads(one["message"])
        if line["status"] in _REFUSED and line["integrationStatus"] == "-":
            grouped.setdefault((str(line["routeKey"]), line["status"]), []).append({**one, "line": line})
    for (route, status), events in grouped.items():
        first = min(events, key=lambda one: (int(one["timestamp"]), str(one["id"])))
        when = datetime.fromtimestamp(int(first["timestamp"]) / 1000, UTC)
        often = f", {len(events)} times, the first" if len(events) > 1 else ""
        request = _plain(str(first["line"]["requestId"]))
        why = f"{status} by API Gateway: {_plain(route)}{often} as request {request}"
        yield str(first["id"]), Act("REFUSED", f"door/{door}", UNKNOWN, UNKNOWN, why, when)


def _unpack(event: Event) -> Mapping[str, Any]:
    packed = base64.b64decode(event["awslogs"]["data"], validate=True)
    inflater = zlib.decompressobj(_GZIP)
    try:
        text = inflater.decompress(packed, _LIMIT_BYTES)
    except zlib.error as error:
        raise ValueError(f"a delivery of CloudWatch Logs cannot be decompressed: {error}") from None
    if inflater.unconsumed_tail or not inflater.eof:
        raise ValueError("a delivery of CloudWatch Logs is cut off, or larger than any can be")
    delivery: Mapping[str, Any] = json.loads(text)
    return delivery


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub("", text)[:_LONGEST] or UNKNOWN
