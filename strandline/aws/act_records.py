"""Events of AWS become entries of the audit log, each once however often it is handed over."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from strandline.aws.audit_entries import waiting_entry
from strandline.aws.submission_items import SubmissionItems
from strandline.trust.acts import act_of

_REMEMBERED: Final = timedelta(days=2)
"""EventBridge tries a function for a day."""


class ActRecords(SubmissionItems):
    """Writes entries beside the submissions table, in which it remembers events under `EVENT#{id}` for two days."""

    def note(self, event: Mapping[str, Any], now: datetime) -> bool:
        """Put what an event says into the queue of the log; False where it was, or says nothing that is told."""
        act = act_of(event)
        if act is None:
            return False
        entry = waiting_entry(
            self._table,
            act.what,
            act.record,
            who=act.who,
            role=act.role,
            why=act.why,
            now=min(act.when, now),  # nothing was done later than it is told
        )
        seen = {
            "pk": {"S": f"EVENT#{event['id']}"},
            "sk": {"S": "NOTED"},
            "expires_at": {"N": str(int((now + _REMEMBERED).timestamp()))},
        }
        once = "attribute_not_exists(pk)"
        return self.transact([{"Put": {"TableName": self._table, "Item": seen, "ConditionExpression": once}}, entry])
