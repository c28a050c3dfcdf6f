"""Object Lock as S3 keeps it.

Source: "How S3 Object Lock works", S3 user guide: a legal hold always protects; COMPLIANCE ends only with its date and
can only be made longer; GOVERNANCE yields to those who ask to bypass it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.s3.exceptions import AccessDeniedByLock, InvalidBucketState, MalformedXML, MissingKey, S3ClientError
from moto.s3.models import FakeBucket, FakeDeleteMarker, S3Backend
from moto.s3.responses import S3Response

from local_stage.replacing import replace

Lock = tuple[str | None, str | None, str | None]  # mode, retain until, legal hold


def install_locks() -> None:
    """Make moto keep what it records about retention and holds."""
    replace(S3Response, "_key_response_get", _wrap_key_get(S3Response._key_response_get))
    replace(S3Response, "put_object_retention", _wrap_put_retention(S3Response.put_object_retention))
    replace(S3Response, "put_object_legal_hold", _wrap_put_hold(S3Response.put_object_legal_hold))
    replace(S3Backend, "put_bucket_versioning", _wrap_put_versioning(S3Backend.put_bucket_versioning))


def is_locked(key: Any, *, bypass: bool, now: datetime) -> bool:
    """Say whether `key` (a version as moto holds it) must stay; `now` is UTC without a zone."""
    if key.lock_legal_status == "ON":
        return True
    if not key.lock_until or (key.lock_mode == "GOVERNANCE" and bypass):
        return False
    return parse_time(key.lock_until) > now


def default_lock(bucket: FakeBucket) -> Lock:
    """Return what the bucket gives to objects that ask for nothing."""
    if not bucket.has_default_lock:
        return None, None, None
    return bucket.default_lock_mode, bucket.default_retention(), None


def requested_lock(bucket: FakeBucket, header: Callable[[str], str | None]) -> Lock | None:
    """Return what an upload's headers ask for, or None when they say nothing."""
    lock = (
        header("x-amz-object-lock-mode"),
        header("x-amz-object-lock-retain-until-date"),
        header("x-amz-object-lock-legal-hold"),
    )
    if not any(lock):
        return None
    if not bucket.object_lock_enabled:
        raise S3ClientError("InvalidRequest", "Bucket is missing Object Lock Configuration")
    mode, until, hold = lock
    if bool(mode) != bool(until):
        raise S3ClientError("InvalidArgument", "x-amz-object-lock-mode and -retain-until-date go together")
    if not mode:
        mode, until, _ = default_lock(bucket)
    return mode, until, hold


def parse_time(text: str) -> datetime:
    """Return an ISO 8601 time as UTC without a zone, which is how moto counts time.

    >>> parse_time("2030-01-02T03:04:05.000Z")
    datetime.datetime(2030, 1, 2, 3, 4, 5)
    """
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo is None else parsed.astimezone(UTC).replace(tzinfo=None)


def _wrap_key_get(original: Callable[..., Any]) -> Callable[..., Any]:
    def key_response_get(self: Any, query: Mapping[str, Any], key_name: str) -> Any:
        if "retention" not in query:
            return original(self, query, key_name)
        key = _version(self, key_name)
        if not key.lock_mode or not key.lock_until:
            raise S3ClientError(
                "NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration"
            )
        self.data["Action"] = "GetObjectRetention"
        retention = {"Mode": key.lock_mode, "RetainUntilDate": parse_time(key.lock_until)}
        return self.serialized(ActionResult({"Retention": retention}))

    return key_response_get


def _wrap_put_retention(original: Callable[..., Any]) -> Callable[..., Any]:
    def put_object_retention(self: Any) -> Any:
        key = _version(self, self.parse_key_name())
        mode, until = self._mode_until_from_body()
        bypass = self.headers.get("x-amz-bypass-governance-retention", "").lower() == "true"
        now = utcnow()
        _refuse_weaker(key, mode, until, bypass=bypass, now=now)
        if mode is not None and mode not in {"GOVERNANCE", "COMPLIANCE"}:
            raise MalformedXML
        if (mode is None) != (until is None):
            raise MalformedXML
        if until is not None and parse_time(until) <= now:
            raise S3ClientError("InvalidArgument", "The retain until date must be in the future!")
        return original(self)

    return put_object_retention


def _refuse_weaker(key: Any, mode: str | None, until: str | None, *, bypass: bool, now: datetime) -> None:
    if not key.lock_mode or not key.lock_until or parse_time(key.lock_until) <= now:
        return
    if key.lock_mode == "GOVERNANCE" and bypass:
        return
    if mode not in {key.lock_mode, "COMPLIANCE"} or until is None or parse_time(until) < parse_time(key.lock_until):
        raise AccessDeniedByLock


def _wrap_put_hold(original: Callable[..., Any]) -> Callable[..., Any]:
    def put_object_legal_hold(self: Any) -> Any:
        _version(self, self.parse_key_name())
        if self._legal_hold_status_from_xml(self.body) not in {"ON", "OFF"}:
            raise MalformedXML
        return original(self)

    return put_object_legal_hold


def _wrap_put_versioning(original: Callable[..., None]) -> Callable[..., None]:
    def put_bucket_versioning(self: Any, bucket_name: str, status: str) -> None:
        if self.get_bucket(bucket_name).object_lock_enabled and status != "Enabled":
            raise InvalidBucketState(
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
            )
        original(self, bucket_name, status)

    return put_bucket_versioning


def _version(response: Any, key_name: str) -> Any:
    key = response.backend.get_object(
        response.bucket_name, key_name, version_id=response._get_param("versionId"), return_delete_marker=True
    )
    if key is None or isinstance(key, FakeDeleteMarker):
        raise MissingKey(key=key_name)
    return key
