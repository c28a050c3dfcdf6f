"""The items of one submission: their keys, and reading and writing them whole or not at all."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from strandline.errors import TemporaryError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_TRANSACTION_ATTEMPTS = 6
_CONFLICT_PAUSE_S = 0.05
_REFUSED = "ConditionalCheckFailed"


class SubmissionItems:
    """Reads and writes item collections of the submissions table through a DynamoDB client."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name

    @property
    def place(self) -> "tuple[DynamoDBClient, str]":
        """The client and the name of the table, for what else is kept in it."""
        return self._client, self._table

    def transact(self, items: "Sequence[TransactWriteItemTypeDef]") -> bool:
        """Write all or nothing; False where a condition did not hold.

        Raises:
            TemporaryError: `table_contended`, where others were in the way on every try.
        """
        return not self.find_refused(items)

    def find_refused(self, items: "Sequence[TransactWriteItemTypeDef]") -> frozenset[int]:
        """Write all or nothing; return the places (0-based) of the items whose conditions did not hold, if any.

        A conflict with another transaction says nothing about the conditions, so the write is tried again.

        Raises:
            TemporaryError: `table_contended`, where others were in the way on every try.
        """
        for attempt in range(_TRANSACTION_ATTEMPTS):
            if attempt:
                time.sleep(_CONFLICT_PAUSE_S * attempt)
            try:
                self._client.transact_write_items(TransactItems=items)
            except ClientError as error:
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                reasons = [str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])]
                if not set(reasons) <= {"None", _REFUSED, "TransactionConflict"}:
                    raise
                if _REFUSED in reasons:
                    return frozenset(place for place, reason in enumerate(reasons) if reason == _REFUSED)
            else:
                return frozenset()
        raise TemporaryError("table_contended", "other writers of this submission were in the way on every try")

    def items(self, submission_id: str, prefix: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :p AND begins_with(sk, :s)",
            ExpressionAttributeValues={":p": item_key(submission_id, "")["pk"], ":s": {"S": prefix}},
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]


def item_key(submission_id: str, sort_key: str) -> dict[str, Any]:
    return {"pk": {"S": f"SUBMISSION#{submission_id}"}, "sk": {"S": sort_key}}


def iso_time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
