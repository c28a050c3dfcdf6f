"""Events of AWS and lines of access logs become entries of the audit log, each once however often it is handed over."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from strandline.aws.audit_entries import waiting_entry
from strandline.aws.submission_items import SubmissionItems
from strandline.trust.access_logs import is_delivery, refusals_of
from strandline.trust.acts import Act, act_of

_REMEMBERED: Final = timedelta(days=2)
"""EventBridge and CloudWatch Logs try a function for a day."""


class ActRecords(SubmissionItems):
    """Writes entries beside the submissions table, in which it remembers events under `EVENT#{id}` for two days."""

    def note(self, event: Mapping[str, Any], now: datetime) -> bool:
        """Put what an event says into the queue of the log; False where it was, or says nothing that is told.

        Args:
            event: of EventBridge, or lines of an access log as CloudWatch Logs sends them.
            now: in UTC.

        Raises:
            ValueError: where it is neither.
        """
        if is_delivery(event):
            told = list(refusals_of(event))
        else:
            act = act_of(event)
            told = [(str(event["id"]), act)] if act else []
        noted = [self._note(event_id, act, now) for event_id, act in told]
        return any(noted)

    def _note(self, event_id: str, act: Act, now: datetime) -> bool:
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
            "pk": {"S": f"EVENT#{event_id}"},
            "sk": {"S": "NOTED"},
            "expires_at": {"N": str(int((now + _REMEMBERED).timestamp()))},
        }
        once = "attribute_not_exists(pk)"
        return self.transact([{"Put": {"TableName": self._table, "Item": seen, "ConditionExpression": once}}, entry])
