"""What validation said of each file of a submission, and what exactly it spoke of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from strandline.aws.submission_items import SubmissionItems, item_key
from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What was said of one version of one file; it holds no cell value.

    The first seven fields are as `strandline validate --format json` prints them. `version_id` is S3's, `sha256` what
    the manifest declared, `unit` the digest of all that the verdict rests on (see `LandedUnit`), `checked_at` ISO 8601
    in UTC.
    """

    file: str
    verdict: str
    code: str | None = None
    message: str | None = None
    summary: str | None = None
    findings: Sequence[Mapping[str, Any]] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    version_id: str = ""
    sha256: str = ""
    unit: str = ""
    checked_at: str = ""

    @property
    def refusal(self) -> RejectedInputError | None:
        """What keeps the file out, or None where it was accepted."""
        return RejectedInputError(self.code, self.message or "") if self.code is not None else None

    def describe(self) -> dict[str, Any]:
        """Return the verdict as a JSON object."""
        return asdict(self)


class Verdicts(SubmissionItems):
    """Verdicts on files: of each file the last one."""

    def record_verdicts(self, submission_id: str, verdicts: Sequence[FileVerdict], *, manifest_version: str) -> bool:
        """Keep what validation said of files that belong together, instead of what it said before; all or none.

        False, and nothing is kept, where one of them or the manifest has another version by now: a verdict that comes
        late never hides that on the file which took its file's place.
        """
        versions = {verdict.file: verdict.version_id for verdict in verdicts} | {MANIFEST_NAME: manifest_version}
        checks: list[TransactWriteItemTypeDef] = [
            {
                "ConditionCheck": {
                    "TableName": self._table,
                    "Key": item_key(submission_id, f"FILE#{name}"),
                    "ConditionExpression": "version_id = :version",
                    "ExpressionAttributeValues": {":version": {"S": version_id}},
                }
            }
            for name, version_id in versions.items()
        ]
        puts: list[TransactWriteItemTypeDef] = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": {
                        **item_key(submission_id, f"VERDICT#{verdict.file}"),
                        "verdict": {"S": json.dumps(verdict.describe(), sort_keys=True)},
                    },
                }
            }
            for verdict in verdicts
        ]
        return self.transact([*checks, *puts])

    def verdicts(self, submission_id: str) -> list[FileVerdict]:
        """Return what validation said of each file that it looked at, in the order of the names."""
        return [FileVerdict(**json.loads(item["verdict"]["S"])) for item in self.items(submission_id, "VERDICT#")]
