"""What became of a subject's consent after the sample landed: item `CONSENT` of a submission.

The manifest stays as it was sent; what is recorded here stands above it.
"""

from datetime import datetime

from strandline.aws.audit_entries import STATE_CHANGED, digest_of, waiting_entry
from strandline.aws.submission_items import SubmissionItems, iso_time, item_key
from strandline.errors import RejectedInputError
from strandline.interpretation.scope import refuse_withdrawn
from strandline.landing.manifest import Consent

_SHORTEST_REASON = 10
_LONGEST_REASON = 500


class Consents(SubmissionItems):
    """Withdrawals of consent."""

    def withdraw(self, submission_id: str, *, who: str, why: str, now: datetime) -> None:
        """Record that the subject withdrew consent, with an entry for the audit log, in one transaction.

        Twice is once: the first record stays.

        Raises:
            RejectedInputError: `submission_unknown` or `reason_missing`.
        """
        if not _SHORTEST_REASON <= len(why.strip()) <= _LONGEST_REASON:
            raise RejectedInputError(
                "reason_missing", f"say why in {_SHORTEST_REASON} to {_LONGEST_REASON} characters: it stays in the log"
            )
        if not self.items(submission_id, "STATE"):
            raise RejectedInputError("submission_unknown", f"no submission {submission_id}")
        said = {"consent": str(Consent.WITHDRAWN), "when": iso_time(now), "who": who}
        entry = waiting_entry(
            self._table,
            STATE_CHANGED,
            f"consent/{submission_id}",
            who=who,
            role="person",
            why=why,
            now=now,
            after=digest_of(said),
        )
        item = item_key(submission_id, "CONSENT") | {name: {"S": value} for name, value in said.items()}
        self.transact(
            [
                {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}},
                entry,
            ]
        )

    def is_withdrawn(self, submission_id: str) -> bool:
        """Return whether the subject withdrew consent after the sample landed."""
        response = self._client.get_item(
            TableName=self._table, Key=item_key(submission_id, "CONSENT"), ConsistentRead=True
        )
        return response.get("Item", {}).get("consent", {}).get("S") == Consent.WITHDRAWN

    def require(self, submission_id: str) -> None:
        """Refuse what needs consent.

        Raises:
            RejectedInputError: `consent_withdrawn`.
        """
        refuse_withdrawn(Consent.WITHDRAWN if self.is_withdrawn(submission_id) else None)
