"""Writes what children print into CloudWatch Logs of the embedded AWS, as it comes."""

import threading
import time
from collections.abc import Sequence

from moto.logs.models import LogsBackend, logs_backends

from local_stage.context import StageContext

_creating = threading.Lock()


class LogStream:
    """One stream of one log group. Lines are shown at once; safe to use from several threads."""

    def __init__(self, context: StageContext, group: str, name: str) -> None:
        self.group = group
        self.name = name
        self._backend: LogsBackend = logs_backends[context.account][context.region]
        self._lock = threading.Lock()
        with _creating:
            self._backend.ensure_log_group(group)
            self._backend.ensure_log_stream(group, name)

    def write(self, lines: Sequence[str]) -> None:
        """Append `lines` with the time of now."""
        if not lines:
            return
        now_ms = int(time.time() * 1000)
        events = [{"timestamp": now_ms, "message": line} for line in lines]
        with self._lock:
            self._backend.put_log_events(self.group, self.name, events)
