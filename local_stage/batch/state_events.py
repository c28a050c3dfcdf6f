"""Tells EventBridge what becomes of jobs."""

import json
import logging
import queue
import threading

from moto.events.models import events_backends

from local_stage.batch.job import Job
from local_stage.context import StageContext

_log = logging.getLogger(__name__)
_SOURCE = "aws.batch"


class StateEvents:
    """Sends "Batch Job State Change" events, in order, from a thread of its own, while a rule asks for them."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._waiting: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._send, name="batch-events", daemon=True).start()

    def tell(self, job: Job) -> None:
        """Queue an event about the job's new state. Costs nothing while no rule names Batch."""
        if self._someone_listens():
            self._waiting.put(json.dumps(job.describe()))

    def stop(self) -> None:
        """Send no more."""
        self._waiting.put(None)

    def _someone_listens(self) -> bool:
        buses = events_backends[self._context.account][self._context.region].event_buses.values()
        rules = [rule for bus in list(buses) for rule in list(bus.rules.values())]
        return any(_SOURCE in json.dumps(rule.event_pattern.get_pattern()) for rule in rules)

    def _send(self) -> None:
        while (detail := self._waiting.get()) is not None:
            try:
                self._context.client("events").put_events(
                    Entries=[
                        {
                            "Source": _SOURCE,
                            "DetailType": "Batch Job State Change",
                            "Detail": detail,
                            "Resources": [json.loads(detail)["jobArn"]],
                        }
                    ]
                )
            except Exception:
                _log.exception("an event about a job was not sent")
