"""The public keys that labs sign with, kept in the submissions table, and the check of a landed signature.

Partition key `pk` = `SITE#{code}`:

| `sk` | holds |
| --- | --- |
| `KEY#{key id}` | public key, from when it is valid, who registered it when; who revoked it when and why |
| `SIGNATURES` | whether this site must sign; under `SITE#*`, whether every site must |
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from strandline.aws.objects import S3Objects
from strandline.aws.submissions import LandedFile, SubmissionsTable
from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, SIGNATURE_NAME, landing_key
from strandline.landing.manifest import MANIFEST_LIMIT_BYTES, Manifest, parse_manifest
from strandline.landing.signing import (
    SIGNATURE_LIMIT_BYTES,
    name_key,
    parse_signature,
    verify_signature,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EVERY_SITE: Final = "*"
"""Stands for all sites in a requirement; no code of a site holds it."""


@dataclass(frozen=True, slots=True)
class LabKey:
    """A registered key. Times are in UTC; `revoked_at` None while it is good."""

    site: str
    key_id: str
    public_key: bytes
    valid_from: datetime
    registered_by: str
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    reason: str | None = None


class LabKeys:
    """Registers and revokes the keys of labs."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name

    def register(self, site: str, public_key: bytes, *, who: str, now: datetime, valid_from: datetime) -> LabKey:
        """Trust a raw public key (32 bytes) of a site from `valid_from` on. Done twice, the first registration stays.

        Raises:
            RejectedInputError: `signer_revoked`: what was revoked is never trusted again.
        """
        key_id = name_key(public_key)
        item = {
            **_key(site, f"KEY#{key_id}"),
            "public_key": {"S": b64encode(public_key).decode()},
            "valid_from": {"S": _iso(valid_from)},
            "registered_by": {"S": who},
            "registered_at": {"S": _iso(now)},
        }
        try:
            self._client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
        registered = self.find(site, key_id)
        if registered is None:
            raise RuntimeError("a key that was just written is there")
        if registered.revoked_at is not None:
            raise RejectedInputError("signer_revoked", f"key {key_id} of {site} was revoked: make another")
        return registered

    def revoke(self, site: str, key_id: str, *, who: str, reason: str, now: datetime) -> LabKey:
        """Trust a key no longer. Done twice, the first revocation stays.

        Raises:
            RejectedInputError: `signer_unknown`.
        """
        known = self.find(site, key_id)
        if known is None:
            raise RejectedInputError("signer_unknown", f"{site} has no key {key_id}: see 'strandline package keys'")
        self._client.update_item(
            TableName=self._table,
            Key=_key(site, f"KEY#{key_id}"),
            UpdateExpression="SET revoked_at = if_not_exists(revoked_at, :at), "
            "revoked_by = if_not_exists(revoked_by, :who), reason = if_not_exists(reason, :why)",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":at": {"S": _iso(now)}, ":who": {"S": who}, ":why": {"S": reason}},
        )
        return self.find(site, key_id) or known

    def find(self, site: str, key_id: str) -> LabKey | None:
        """Return a key of a site, revoked or not."""
        found = self._get(site, f"KEY#{key_id}")
        return _lab_key(site, found) if found else None

    def list(self, site: str) -> list[LabKey]:
        """Return the keys of a site, revoked ones too."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :p AND begins_with(sk, :s)",
            ExpressionAttributeValues={":p": _key(site, "")["pk"], ":s": {"S": "KEY#"}},
            ConsistentRead=True,
        )
        return [_lab_key(site, item) for page in pages for item in page["Items"]]

    def require(self, site: str, required: bool, *, who: str, now: datetime) -> None:
        """Say whether a site, or `EVERY_SITE`, must sign what it sends."""
        self._client.put_item(
            TableName=self._table,
            Item={
                **_key(site, "SIGNATURES"),
                "required": {"BOOL": required},
                "who": {"S": who},
                "when": {"S": _iso(now)},
            },
        )

    def must_sign(self, site: str | None) -> bool:
        """Tell whether what a site sends, or what names no site, must be signed."""
        asked = [EVERY_SITE, *([site] if site else [])]
        return any((self._get(one, "SIGNATURES") or {}).get("required", {}).get("BOOL", False) for one in asked)

    def _get(self, site: str, sort_key: str) -> dict[str, Any] | None:
        found = self._client.get_item(TableName=self._table, Key=_key(site, sort_key), ConsistentRead=True)
        return found.get("Item")


def check_signature(
    submission_id: str,
    manifest: Manifest,
    landed: Mapping[str, LandedFile],
    *,
    table: SubmissionsTable,
    landing: S3Objects,
    now: datetime,
) -> None:
    """Check the signature of a landed submission, where there is one or must be one.

    It covers the bytes of the manifest, and through it every file, whose checksums are verified as they are read. It
    may come after the workflow has started, so what lies in the bucket counts where none was registered.

    Raises:
        RejectedInputError: `signature_missing`, `signature_invalid`, `signer_unknown` or `signer_revoked`.
    """
    keys, site = LabKeys(*table.place), manifest.sample.site
    body = _read_signature(submission_id, landed, landing)
    if body is None:
        if keys.must_sign(site):
            raise RejectedInputError(
                "signature_missing",
                f"what this site sends must be signed, and no {SIGNATURE_NAME} landed: send it as a signed package",
            )
        return
    signature = parse_signature(body)
    key = keys.find(site, signature.key_id) if site else None
    if key is None or now < key.valid_from:
        raise RejectedInputError(
            "signer_unknown",
            f"key {signature.key_id} signed, which is not registered for the site of the manifest: register it, or "
            "correct the site",
        )
    if key.revoked_at is not None and key.revoked_at <= now:
        raise RejectedInputError("signer_revoked", f"key {key.key_id} was revoked: sign with another and send anew")
    key_of_manifest = landing_key(submission_id, MANIFEST_NAME)
    version_id = landed[MANIFEST_NAME].version_id
    manifest_body = landing.read(key_of_manifest, limit_bytes=MANIFEST_LIMIT_BYTES, version_id=version_id)
    if parse_manifest(manifest_body) != manifest:
        raise RejectedInputError("signature_invalid", f"{key_of_manifest} is not the manifest that was registered")
    verify_signature(signature, key.public_key, manifest, manifest_body)


def _read_signature(submission_id: str, landed: Mapping[str, LandedFile], landing: S3Objects) -> bytes | None:
    key = landing_key(submission_id, SIGNATURE_NAME)
    found = landed.get(SIGNATURE_NAME) or landing.current(key)
    if found is None:
        return None
    return landing.read(key, limit_bytes=SIGNATURE_LIMIT_BYTES, version_id=found.version_id)


def _key(site: str, sort_key: str) -> dict[str, Any]:
    return {"pk": {"S": f"SITE#{site}"}, "sk": {"S": sort_key}}


def _lab_key(site: str, item: dict[str, Any]) -> LabKey:
    revoked_at = item.get("revoked_at", {}).get("S")
    return LabKey(
        site=site,
        key_id=item["sk"]["S"].removeprefix("KEY#"),
        public_key=b64decode(item["public_key"]["S"]),
        valid_from=datetime.fromisoformat(item["valid_from"]["S"]),
        registered_by=item["registered_by"]["S"],
        revoked_at=datetime.fromisoformat(revoked_at) if revoked_at else None,
        revoked_by=item.get("revoked_by", {}).get("S"),
        reason=item.get("reason", {}).get("S"),
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
