"""The queue in front of registration: what failed comes again soon, and what failed for good can be replayed."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_LONGEST_PAUSE_S: Final = 120
_BATCH: Final = 10
_HELD_S: Final = 60


class IntakeQueue:
    """One queue of EventBridge events about landed objects."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def retry_soon(self, records: Iterable[Mapping[str, Any]]) -> int:
        """Let failed messages come again after 2, 4, 8 ... seconds, at most two minutes; return how many will not.

        Those come after the queue's visibility timeout, which is made for workers that were killed.
        """
        left = 0
        for record in records:
            received = int(record.get("attributes", {}).get("ApproximateReceiveCount", "1"))
            pause_s = min(2 ** min(received, 10), _LONGEST_PAUSE_S)
            try:
                self._client.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=pause_s
                )
            except ClientError:
                left += 1
        return left

    def replay_from(self, dead_letters: "IntakeQueue") -> int:
        """Move events about objects back from the dead-letter queue; return how many.

        Each is sent before it is deleted there: cut in between, it is in both, which registration does not mind.
        Other messages stay where they are.
        """
        moved = 0
        while messages := dead_letters._receive():
            for message in messages:
                if not _tells_of_object(message["Body"]):
                    continue  # it is seen again when its visibility timeout ends, after this command
                self._client.send_message(QueueUrl=self._url, MessageBody=message["Body"])
                self._client.delete_message(QueueUrl=dead_letters._url, ReceiptHandle=message["ReceiptHandle"])
                moved += 1
        return moved

    def depth(self) -> int:
        """Return about how many messages wait."""
        found = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(found["Attributes"]["ApproximateNumberOfMessages"])

    def _receive(self) -> list[Any]:
        found = self._client.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=_BATCH, VisibilityTimeout=_HELD_S, WaitTimeSeconds=1
        )
        return list(found.get("Messages", []))


def _tells_of_object(body: str) -> bool:
    try:
        return bool(json.loads(body)["detail"]["object"]["key"])
    except (ValueError, KeyError, TypeError):
        return False
