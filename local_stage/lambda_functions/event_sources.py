"""Event source mappings: queues that functions are fed from."""

import json
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from moto.awslambda.models import EventSourceMapping
from moto.awslambda.utils import get_backend
from moto.core.exceptions import JsonRESTError
from moto.sqs.exceptions import QueueDoesNotExist
from moto.sqs.models import Message, SQSBackend, sqs_backends

from local_stage.context import StageContext
from local_stage.lambda_functions.invocation import Invoker

_log = logging.getLogger(__name__)

_RECEIVE_LIMIT = 10  # messages one ReceiveMessage returns at most
_LONG_POLL_S = 1
_PAUSE_S = 0.2
_DEFAULT_CONCURRENCY = 5


class UnsupportedMappingError(JsonRESTError):
    """The embedded AWS does not run this kind of mapping."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterValueException", message)


class QueuePoller:
    """Feeds one queue to one function until `stop()`.

    A batch that fails stays in the queue: it returns when its visibility timeout ends, and the queue's redrive policy
    takes it to the dead-letter queue after `maxReceiveCount` receives, both as on AWS.
    """

    def __init__(self, mapping: EventSourceMapping, context: StageContext, invoker: Invoker) -> None:
        self._mapping = mapping
        self._context = context
        self._invoker = invoker
        self._queue_name = mapping.event_source_arn.rsplit(":", 1)[-1]
        self._backend: SQSBackend = sqs_backends[context.account][context.region]
        concurrency = int((mapping.scaling_config or {}).get("MaximumConcurrency", _DEFAULT_CONCURRENCY))
        self._room = threading.BoundedSemaphore(concurrency)
        self._stopped = threading.Event()
        threading.Thread(target=self._poll, name=f"poll-{self._queue_name}", daemon=True).start()

    def stop(self) -> None:
        """Receive no more. A batch that the function has already is finished."""
        self._stopped.set()

    def _poll(self) -> None:
        while not self._stopped.is_set():
            if not self._mapping.enabled:
                self._stopped.wait(_PAUSE_S)
                continue
            self._room.acquire()
            messages: list[Message] = []
            try:
                messages = self._collect()
            except QueueDoesNotExist:
                self._stopped.wait(_PAUSE_S)
            except Exception:
                _log.exception("polling %s", self._queue_name)
                self._stopped.wait(_PAUSE_S)
            if messages and not self._stopped.is_set() and self._mapping.enabled:
                threading.Thread(
                    target=self._process, args=(messages,), name=f"feed-{self._queue_name}", daemon=True
                ).start()
            else:
                self._put_back(messages)
                self._room.release()

    def _collect(self) -> list[Message]:
        """Receive up to a batch, and no longer than the batching window after the first message."""
        size = int(self._mapping.batch_size)
        messages = self._receive(min(size, _RECEIVE_LIMIT), _LONG_POLL_S)
        window_ends = time.monotonic() + float(self._mapping.max_batch_window or 0)
        while messages and len(messages) < size and not self._stopped.is_set():
            more = self._receive(min(size - len(messages), _RECEIVE_LIMIT), 0)
            messages += more
            if not more:
                if time.monotonic() >= window_ends:
                    break
                self._stopped.wait(0.05)
        return messages

    def _receive(self, count: int, wait_s: int) -> list[Message]:
        visibility_s = self._visibility_s()
        messages = self._backend.receive_message(self._queue_name, count, wait_s, visibility_s, ["All"])
        if (now_s := self._visibility_s()) != visibility_s:  # set during the wait: what counts is when they came
            for message in messages:
                self._backend.change_message_visibility(self._queue_name, str(message.receipt_handle), now_s)
        return messages

    def _visibility_s(self) -> int:
        return int(self._backend.get_queue(self._queue_name).visibility_timeout)  # type: ignore[attr-defined]

    def _put_back(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._backend.change_message_visibility(self._queue_name, str(message.receipt_handle), 0)

    def _process(self, messages: Sequence[Message]) -> None:
        try:
            backend = get_backend(self._context.account, self._context.region)
            function = backend.get_function(self._mapping.function_arn)
            records = [self._record(message) for message in messages]
            outcome = self._invoker.run(function, json.dumps({"Records": records}).encode())
            if outcome.failed:
                return
            failed: set[str] | None = set()
            if "ReportBatchItemFailures" in (self._mapping.function_response_types or []):
                failed = failed_items(outcome.payload, {message.id for message in messages})
            if failed is None:
                return
            for message in messages:
                if message.id not in failed:
                    self._backend.delete_message(self._queue_name, str(message.receipt_handle))
        except QueueDoesNotExist:
            pass  # deleted while the function ran
        except Exception:
            _log.exception("feeding %s", self._queue_name)
        finally:
            self._room.release()

    def _record(self, message: Message) -> dict[str, Any]:
        """Return a message as a function sees it.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
        """
        attributes = {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        }
        if message.group_id is not None:
            attributes["MessageGroupId"] = message.group_id
        if message.deduplication_id is not None:
            attributes["MessageDeduplicationId"] = message.deduplication_id
        return {
            "messageId": message.id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": attributes,
            "messageAttributes": {
                name: {_lower_first(key): part for key, part in value.items()}
                for name, value in message.message_attributes.items()
            },
            "md5OfBody": message.body_md5,
            "eventSource": "aws:sqs",
            "eventSourceARN": self._mapping.event_source_arn,
            "awsRegion": self._context.region,
        }


def failed_items(payload: bytes, sent: set[str]) -> set[str] | None:
    """Return which messages a function reports as failed; None where its answer makes all of them fail.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

    >>> failed_items(b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', {"a", "b"})
    {'b'}
    >>> failed_items(b"null", {"a"})
    set()
    >>> failed_items(b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}', {"a"}) is None
    True
    """
    try:
        answer = json.loads(payload)
        if not answer or not answer.get("batchItemFailures"):
            return set()
        failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return failed if failed <= sent else None


def refuse_unsupported(spec: dict[str, Any]) -> None:
    """Fail loudly for what the pollers here cannot do.

    Raises:
        UnsupportedMappingError: another source than a queue, or filters.
    """
    arn = str(spec.get("EventSourceArn") or "")
    if arn.split(":")[2:3] != ["sqs"]:
        raise UnsupportedMappingError(f"{arn}: the embedded AWS feeds functions from SQS queues only")
    if (spec.get("FilterCriteria") or {}).get("Filters"):
        raise UnsupportedMappingError("FilterCriteria: the embedded AWS does not filter what it feeds to functions")


def refuse_short_visibility(queue_timeout_s: int, function_timeout_s: int) -> None:
    """Refuse what Lambda refuses: a message that turns visible again while its function may still run.

    Raises:
        UnsupportedMappingError: the queue's visibility timeout is shorter than the function's timeout.
    """
    if queue_timeout_s < function_timeout_s:
        raise UnsupportedMappingError(
            f"Queue visibility timeout: {queue_timeout_s} seconds is less than"
            f" Function timeout: {function_timeout_s} seconds"
        )


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]
