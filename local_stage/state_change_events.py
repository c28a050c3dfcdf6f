"""Tells EventBridge what becomes of jobs and executions."""

import json
import logging
import queue
import threading
from typing import Any

from moto.events.models import events_backends

from local_stage.context import StageContext

_log = logging.getLogger(__name__)


class StateChangeEvents:
    """Sends one kind of event, in order, from a thread of its own, while a rule asks for its source."""

    def __init__(self, context: StageContext, source: str, detail_type: str) -> None:
        self._context = context
        self._source = source
        self._detail_type = detail_type
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._send, name=f"events-{source}", daemon=True).start()

    @property
    def wanted(self) -> bool:
        """Whether a rule names the source: only then is it worth building the event."""
        buses = events_backends[self._context.account][self._context.region].event_buses.values()
        rules = [rule for bus in list(buses) for rule in list(bus.rules.values())]
        return any(self._source in json.dumps(rule.event_pattern.get_pattern()) for rule in rules)

    def tell(self, arn: str, detail: dict[str, Any]) -> None:
        """Queue an event about the resource `arn`."""
        entry = {"Source": self._source, "DetailType": self._detail_type, "Resources": [arn]}
        self._waiting.put(entry | {"Detail": json.dumps(detail)})

    def stop(self) -> None:
        """Send no more."""
        self._waiting.put(None)

    def _send(self) -> None:
        while (entry := self._waiting.get()) is not None:
            try:
                self._context.client("events").put_events(Entries=[entry])
            except Exception:
                _log.exception("an event of %s was not sent", self._source)
