"""What landed of each submission: files in their versions, files that came too late, and the manifest."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from strandline.aws.submission_items import iso_time, item_key
from strandline.aws.submission_states import SubmissionRecord, SubmissionStates
from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, SubmissionState
from strandline.landing.manifest import Manifest, parse_manifest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import PutTypeDef, TransactWriteItemTypeDef, UpdateTypeDef


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One object version in the landing bucket. `size_bytes` is of the object as stored."""

    name: str
    version_id: str
    size_bytes: int


class LandedFiles(SubmissionStates):
    """Files and manifests, which a submission takes until it starts."""

    def register_file(self, submission_id: str, file: LandedFile, *, sequencer: str, now: datetime) -> bool:
        """Note that a file landed; False where the submission has started already and takes no more files.

        An event that comes twice changes nothing; of two versions of a file the one with the later `sequencer`
        (S3's order of events on one key) stays.
        """
        put: PutTypeDef = {
            "TableName": self._table,
            "Item": {
                **item_key(submission_id, f"FILE#{file.name}"),
                "version_id": {"S": file.version_id},
                "size_bytes": {"N": str(file.size_bytes)},
                "sequencer": {"S": sequencer},
                "landed_at": {"S": iso_time(now)},
            },
            "ConditionExpression": "attribute_not_exists(pk) OR sequencer < :s",
            "ExpressionAttributeValues": {":s": {"S": sequencer}},
        }
        return self._write_while_received(submission_id, {"Put": put}, now)

    def adopt_file(self, submission_id: str, file: LandedFile, *, instead_of: str | None, now: datetime) -> bool:
        """Note a file that no event told of, where the table still holds version `instead_of` of it (None: nothing).

        False where the submission has started. The next event on the file still counts as later than this.
        """
        condition = "attribute_not_exists(pk)" if instead_of is None else "version_id = :seen"
        values: dict[str, Any] = {
            ":v": {"S": file.version_id},
            ":n": {"N": str(file.size_bytes)},
            ":t": {"S": iso_time(now)},
            ":before": {"S": ""},
        }
        update: UpdateTypeDef = {
            "TableName": self._table,
            "Key": item_key(submission_id, f"FILE#{file.name}"),
            "UpdateExpression": "SET version_id = :v, size_bytes = :n, landed_at = :t, "
            "sequencer = if_not_exists(sequencer, :before)",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values if instead_of is None else values | {":seen": {"S": instead_of}},
        }
        return self._write_while_received(submission_id, {"Update": update}, now)

    def note_late_file(self, submission_id: str, file: LandedFile, now: datetime) -> bool:
        """Keep that a file came after the start; False where it is the version that the submission started with."""
        known = {landed.name: landed.version_id for landed in self.landed_files(submission_id)}
        if known.get(file.name) == file.version_id:
            return False
        self._client.put_item(
            TableName=self._table,
            Item={
                **item_key(submission_id, f"LATE#{file.name}#{file.version_id}"),
                "size_bytes": {"N": str(file.size_bytes)},
                "landed_at": {"S": iso_time(now)},
            },
        )
        return True

    def late_files(self, submission_id: str) -> list[LandedFile]:
        """Return the files that came after the start."""
        files = []
        for item in self.items(submission_id, "LATE#"):
            _, name, version_id = item["sk"]["S"].split("#", 2)
            files.append(LandedFile(name, version_id, int(item["size_bytes"]["N"])))
        return files

    def register_manifest(self, submission_id: str, manifest: Manifest, *, version_id: str) -> bool:
        """Keep the manifest with the submission; False where the submission has started already.

        False also where `version_id` is not the manifest that landed last: whoever registers that one goes on.
        """
        sample, site = manifest.sample.sample_id, manifest.sample.site
        sets = ["sample_id = :sample", "gsi2pk = :by_sample", "gsi2sk = created_at"]
        values: dict[str, Any] = {
            ":received": {"S": SubmissionState.RECEIVED},
            ":sample": {"S": sample},
            ":by_sample": {"S": f"SAMPLE#{sample}"},
        }
        if site:
            sets += ["site = :site", "gsi3pk = :by_site", "gsi3sk = created_at"]
            values |= {":site": {"S": site}, ":by_site": {"S": f"SITE#{site}"}}
        note_sample: UpdateTypeDef = {
            "TableName": self._table,
            "Key": item_key(submission_id, "STATE"),
            "UpdateExpression": f"SET {', '.join(sets)}" + ("" if site else " REMOVE site, gsi3pk, gsi3sk"),
            "ConditionExpression": "#s = :received",
            "ExpressionAttributeNames": {"#s": "state"},
            "ExpressionAttributeValues": values,
        }
        put: PutTypeDef = {
            "TableName": self._table,
            "Item": {**item_key(submission_id, "MANIFEST"), "body": {"S": manifest.to_json().decode()}},
        }
        content: PutTypeDef = {
            "TableName": self._table,
            "Item": {
                "pk": {"S": f"CONTENT#{manifest.content_fingerprint()}"},
                "sk": {"S": f"{_of_sample(manifest)}{submission_id}"},
            },
        }
        read_last: TransactWriteItemTypeDef = {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": item_key(submission_id, f"FILE#{MANIFEST_NAME}"),
                "ConditionExpression": "version_id = :version",
                "ExpressionAttributeValues": {":version": {"S": version_id}},
            }
        }
        return self.transact([read_last, {"Update": note_sample}, {"Put": put}, {"Put": content}])

    def with_same_content(self, manifest: Manifest) -> list[SubmissionRecord]:
        """Return the submissions of the same sample whose manifests name the same bytes in the same roles.

        The oldest come first. Submissions of other samples are not looked up, however many hold the same bytes.
        """
        prefix = _of_sample(manifest)
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :p AND begins_with(sk, :s)",
            ExpressionAttributeValues={
                ":p": {"S": f"CONTENT#{manifest.content_fingerprint()}"},
                ":s": {"S": prefix},
            },
            ConsistentRead=True,
        )
        found = (self.get(item["sk"]["S"].removeprefix(prefix)) for page in pages for item in page["Items"])
        return sorted((record for record in found if record), key=lambda r: (r.created_at, r.submission_id))

    def file_under_subject(self, subject_id: str, submission_id: str) -> None:
        """Keep that a submission's reads are of a subject; twice is once."""
        self._client.put_item(
            TableName=self._table, Item={"pk": {"S": f"SUBJECT#{subject_id}"}, "sk": {"S": submission_id}}
        )

    def submissions_of_subject(self, subject_id: str) -> list[SubmissionRecord]:
        """Return the submissions that were filed under a subject, the oldest first, read consistently."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": f"SUBJECT#{subject_id}"}},
            ConsistentRead=True,
        )
        found = (self.get(item["sk"]["S"]) for page in pages for item in page["Items"])
        return sorted((record for record in found if record), key=lambda r: (r.created_at, r.submission_id))

    def landed_files(self, submission_id: str) -> list[LandedFile]:
        """Return the files that landed so far, the manifest among them, read consistently."""
        return [
            LandedFile(item["sk"]["S"].removeprefix("FILE#"), item["version_id"]["S"], int(item["size_bytes"]["N"]))
            for item in self.items(submission_id, "FILE#")
        ]

    def last_landing(self, submission_id: str, *, since: str) -> datetime:
        """Return when the last file landed, at least `since` (ISO 8601)."""
        times = [item["landed_at"]["S"] for item in self.items(submission_id, "FILE#")]
        return datetime.fromisoformat(max([since, *times]))

    def manifest(self, submission_id: str) -> Manifest:
        """Return the registered manifest.

        Raises:
            RejectedInputError: `manifest_missing`.
        """
        response = self._client.get_item(
            TableName=self._table, Key=item_key(submission_id, "MANIFEST"), ConsistentRead=True
        )
        if "Item" not in response:
            raise RejectedInputError("manifest_missing", f"submission {submission_id} has no readable manifest")
        return parse_manifest(response["Item"]["body"]["S"].encode())

    def _write_while_received(self, submission_id: str, write: "TransactWriteItemTypeDef", now: datetime) -> bool:
        """Write where the submission has not started, and make it where it is not there; False where it has started."""
        guard: TransactWriteItemTypeDef = {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": item_key(submission_id, "STATE"),
                "ConditionExpression": "#s = :received",
                "ExpressionAttributeNames": {"#s": "state"},
                "ExpressionAttributeValues": {":received": {"S": SubmissionState.RECEIVED}},
            }
        }
        refused = self.find_refused([guard, write])
        if 0 not in refused:
            return True  # written, or nothing newer than what is there
        record = self.get(submission_id)
        if record is None and self.transact([*self.creation(submission_id, now), write]):
            return True  # the first file: all others find the submission there
        if record is not None and record.state is not SubmissionState.RECEIVED:
            return False
        # another may have made the submission since the first try: only what is refused now is refused for itself
        return 0 not in self.find_refused([guard, write])


def _of_sample(manifest: Manifest) -> str:
    """Return what the sort key of a sample's content begins with: two sites may use the same name for a sample.

    Neither a site's code nor a sample id holds a slash or a hash.
    """
    return f"SAMPLE#{manifest.sample.site or ''}/{manifest.sample.sample_id}#"
