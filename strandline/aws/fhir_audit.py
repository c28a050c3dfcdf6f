"""What the FHIR server tells the audit log: every read, before it is answered, and what was refused for good cause."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from strandline.aws.audit_entries import MOST_IN_ONE, entry_fields, put_waiting, waiting_entries
from strandline.fhir.served.access import Caller
from strandline.fhir.served.service import Read

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class FhirAudit:
    """Puts entries into the queue of the log; `table` is the one that it stands beside."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def __call__(self, caller: Caller, reads: Sequence[Read]) -> None:
        """Write one entry a submission that was read; where one cannot be written, this raises and none is answered."""
        for at in range(0, len(reads), MOST_IN_ONE):
            self._write("READ", caller, reads[at : at + MOST_IN_ONE], turn=at)

    def refused(self, caller: Caller, record: str, why: str) -> None:
        """Write that somebody asked for what is not theirs, or with what was tampered with."""
        self._write("REFUSED", caller, [Read(record, why)])

    def _write(self, what: str, caller: Caller, reads: Sequence[Read], *, turn: int = 0) -> None:
        now = self._clock()
        told = [
            entry_fields(what, read.record, who=caller.name, role=caller.role, why=read.why, now=now) for read in reads
        ]
        put_waiting(self._client, waiting_entries(self._table, told, now, turn=turn))
