"""What validation said of each file of a submission."""

import json
from collections.abc import Mapping
from typing import Any

from strandline.aws.submission_items import SubmissionItems, item_key


class Verdicts(SubmissionItems):
    """Verdicts on files, one a file: the last one."""

    def record_verdict(self, submission_id: str, name: str, verdict: Mapping[str, Any]) -> None:
        """Keep what validation said of one file, instead of what an earlier attempt said. It holds no cell value."""
        item = {**item_key(submission_id, f"VERDICT#{name}"), "verdict": {"S": json.dumps(verdict, sort_keys=True)}}
        self._client.put_item(TableName=self._table, Item=item)

    def verdicts(self, submission_id: str) -> list[dict[str, Any]]:
        """Return what validation said of each file that it looked at."""
        return [json.loads(item["verdict"]["S"]) for item in self.items(submission_id, "VERDICT#")]
