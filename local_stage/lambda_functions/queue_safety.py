"""Makes moto's SQS safe where functions poll a queue while others write to it.

moto rebuilds a queue's list of messages when one is deleted, without the lock under which others are added: a message
that arrives at that moment is lost. Here both happen under the queue's own lock.
"""

from collections.abc import Callable
from typing import Any

from moto.sqs.models import Queue, SQSBackend

from local_stage.replacing import replace


def keep_queues_safe() -> None:
    """Make receiving, deleting and changing the visibility of messages exclude each other. May be called twice."""
    if getattr(Queue.delete_message, "safe", False):
        return
    replace(Queue, "delete_message", _delete_safely(Queue.delete_message))
    for name in ("receive_message", "change_message_visibility"):
        replace(SQSBackend, name, _lock_queue(getattr(SQSBackend, name)))


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
