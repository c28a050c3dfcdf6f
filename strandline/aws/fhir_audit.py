"""What the FHIR server tells the audit log: every read, before it is answered, and what was refused for good cause."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from strandline.aws.audit_entries import waiting_entry
from strandline.errors import TemporaryError
from strandline.fhir.served.access import Caller
from strandline.fhir.served.service import Read

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_AT_ONCE: Final = 25


class FhirAudit:
    """Puts entries into the queue of the log; `table` is where it waits."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def __call__(self, caller: Caller, reads: Sequence[Read]) -> None:
        """Write one entry a submission that was read.

        Raises:
            TemporaryError: `audit_log_busy`: not all could be written, so that nothing may be answered.
        """
        items = [self._entry("READ", caller, read, turn) for turn, read in enumerate(reads)]
        if len(items) == 1:
            self._client.put_item(TableName=self._table, Item=items[0])
            return
        for at in range(0, len(items), _AT_ONCE):
            puts: Any = [{"PutRequest": {"Item": item}} for item in items[at : at + _AT_ONCE]]
            if self._client.batch_write_item(RequestItems={self._table: puts}).get("UnprocessedItems"):
                raise TemporaryError("audit_log_busy", "the audit log took not every entry: ask again")

    def refused(self, caller: Caller, record: str, why: str) -> None:
        """Write that somebody asked for what is not theirs, or with what was tampered with."""
        entry = self._entry("REFUSED", caller, Read(record, why), 0)
        self._client.put_item(TableName=self._table, Item=entry)

    def _entry(self, what: str, caller: Caller, read: Read, turn: int) -> Any:
        entry = waiting_entry(
            self._table,
            what,
            read.record,
            who=caller.name,
            role=caller.role,
            why=read.why,
            now=self._clock(),
            turn=turn,
        )
        return entry["Put"]["Item"]
