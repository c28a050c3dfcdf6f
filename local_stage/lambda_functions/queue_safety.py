"""Makes moto's SQS safe, and fast enough, where functions poll a queue while others write to it.

moto rebuilds a queue's list of messages when one is deleted, without the lock under which others are added: a message
that arrives at that moment is lost. Here both happen under the queue's own lock. And for each message that is received
it counts all the others, with a calendar date made for each: a thousand messages would take minutes.
"""

import time
from collections.abc import Callable
from typing import Any

from moto.sqs import models
from moto.sqs.models import Queue, SQSBackend

from local_stage.replacing import replace


def keep_queues_safe() -> None:
    """Make receiving, deleting and changing the visibility of messages exclude each other. May be called twice."""
    if getattr(Queue.delete_message, "safe", False):
        return
    replace(Queue, "delete_message", _delete_safely(Queue.delete_message))
    for name in ("receive_message", "change_message_visibility"):
        replace(SQSBackend, name, _lock_queue(getattr(SQSBackend, name)))
    replace(SQSBackend, "is_message_valid_based_on_retention_period", _is_retained)
    replace(models, "unix_time_millis", _now_ms)


def _delete_safely(original: Callable[[Queue, str], None]) -> Callable[[Queue, str], None]:
    def delete_message(self: Queue, receipt_handle: str) -> None:
        with self._messages_lock:
            original(self, receipt_handle)

    setattr(delete_message, "safe", True)  # noqa: B010 - a function has no such attribute by itself
    return delete_message


def _lock_queue(original: Callable[..., Any]) -> Callable[..., Any]:
    def locked(self: SQSBackend, queue_name: str, *args: Any, **kwargs: Any) -> Any:
        # a condition: whoever waits for messages inside lets go of the lock meanwhile
        with self.get_queue(queue_name)._messages_lock:
            return original(self, queue_name, *args, **kwargs)

    return locked


def _is_retained(self: SQSBackend, queue_name: str, message: models.Message) -> bool:
    period_s = float(self.get_queue(queue_name).message_retention_period)  # type: ignore[attr-defined]
    return float(message.sent_timestamp or 0) / 1000 + period_s > time.time()


def _now_ms() -> float:
    return time.time() * 1000
