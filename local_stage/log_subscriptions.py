"""Subscription filters of CloudWatch Logs that filter, and deliver in a thread of their own.

moto hands every line to the function, whatever the pattern, and has the writer of the line wait for it.
"""

import base64
import gzip
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogsBackend, LogStream

from local_stage.context import StageContext
from local_stage.log_patterns import Pattern, parse_pattern
from local_stage.replacing import replace

_log = logging.getLogger(__name__)
_running: list["_Subscriptions"] = []
_parsed: Callable[[str], Pattern] = cache(parse_pattern)


class _Subscriptions:
    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="log-subscriptions")

    def send(self, function: str, delivery: dict[str, Any]) -> None:
        self._pool.submit(self._invoke, function, delivery)

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _invoke(self, function: str, delivery: dict[str, Any]) -> None:
        packed = base64.b64encode(gzip.compress(json.dumps(delivery).encode())).decode()
        payload = json.dumps({"awslogs": {"data": packed}}).encode()
        try:
            self._context.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=payload)
        except Exception:  # whoever wrote the line is not waiting
            _log.exception("lines of %s could not be handed to %s", delivery["logGroup"], function)


def install(context: StageContext) -> None:
    """Deliver the lines of this embedded AWS."""
    _running.append(_Subscriptions(context))
    replace(LogStream, "_send_log_events", _send_log_events)
    replace(LogsBackend, "put_subscription_filter", _checking(LogsBackend.put_subscription_filter))


def stop() -> None:
    """Deliver nothing more."""
    while _running:
        _running.pop().stop()


def _send_log_events(
    self: Any, service: str, destination_arn: str, filter_name: str, log_events: list[dict[str, Any]]
) -> None:
    del service  # checked when the filter was put
    fits = _parsed(self.log_group.subscription_filters[filter_name].filter_pattern)
    found = [event for event in log_events if fits(event["message"])]
    for subscriptions in _running if found else ():
        delivery = {
            "messageType": "DATA_MESSAGE",
            "owner": self.account_id,
            "logGroup": self.log_group.name,
            "logStream": self.log_stream_name,
            "subscriptionFilters": [filter_name],
            "logEvents": found,
        }
        subscriptions.send(destination_arn, delivery)


def _checking(original: Callable[..., None]) -> Callable[..., None]:
    def put_subscription_filter(
        self: Any, log_group_name: str, filter_name: str, filter_pattern: str, *destination_and_role: str
    ) -> None:
        if destination_and_role[0].split(":")[2] != "lambda":
            raise InvalidParameterException("the embedded AWS delivers lines of logs to functions alone")
        try:
            parse_pattern(filter_pattern)
        except ValueError as error:
            raise InvalidParameterException(str(error)) from None
        original(self, log_group_name, filter_name, filter_pattern, *destination_and_role)

    return put_subscription_filter
