"""One event per object, sent once everything about the object stands.

moto announces an object before its metadata and tags are set, announces a multipart object twice, and keeps errors to
itself. Here an event leaves after the request is done, and EventBridge gets it in the documented shape.
Source: "EventBridge event message structure", S3 user guide.
"""

import itertools
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from moto.core.utils import iso_8601_datetime_without_milliseconds, utcnow
from moto.s3 import notifications
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from local_stage.replacing import replace
from local_stage.s3.scope import after_request

Publish = Callable[[dict[str, Any]], None]

_REASONS = {
    "ObjectCreated:Put": "PutObject",
    "ObjectCreated:Post": "POST Object",
    "ObjectCreated:Copy": "CopyObject",
    "ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "ObjectRemoved:Delete": "DeleteObject",
    "ObjectRemoved:DeleteMarkerCreated": "DeleteObject",
}
_sequence = itertools.count(time.time_ns())


def install_notices(publish: Publish) -> None:
    """Send events to EventBridge by `publish`, after the request that caused them."""
    original = notifications.send_event

    def send_event(account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
        if bucket.notification_configuration is not None and key is not None:
            after_request(lambda: original(account_id, event_name, bucket, key))

    def send_to_event_bridge(account_id: str, bucket: Any, event_name: Any, key: Any) -> None:
        publish(object_event(account_id, bucket, str(getattr(event_name, "value", event_name)), key))

    replace(notifications, "send_event", send_event)
    replace(notifications, "_send_event_bridge_message", send_to_event_bridge)
    replace(S3Response, "get_bucket_notification", _wrap_get_configuration(S3Response.get_bucket_notification))
    replace(S3Backend, "_set_delete_marker", _wrap_delete_marker(S3Backend._set_delete_marker))


def object_event(account_id: str, bucket: Any, event_name: str, key: Any) -> dict[str, Any]:
    """Return the EventBridge event for one change of one object."""
    short_name = event_name.removeprefix("s3:")
    described = {"key": key.name, "sequencer": f"{next(_sequence):016X}"}
    if short_name.startswith("ObjectCreated:"):
        described |= {"size": key.size, "etag": key.etag.strip('"')}
    if bucket.is_versioned:
        described["version-id"] = key.version_id
    detail = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": described,
        "request-id": uuid.uuid4().hex[:16].upper(),
        "requester": account_id,
        "source-ip-address": "127.0.0.1",
        "reason": _REASONS.get(short_name, short_name),
    }
    if short_name.startswith("ObjectRemoved:"):
        marker = short_name.endswith("DeleteMarkerCreated")
        detail["deletion-type"] = "Delete Marker Created" if marker else "Permanently Deleted"
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": notifications._detail_type(event_name),
        "source": "aws.s3",
        "account": account_id,
        "time": iso_8601_datetime_without_milliseconds(utcnow()),
        "region": bucket.region_name,
        "resources": [bucket.arn],
        "detail": detail,
    }


def _wrap_get_configuration(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_bucket_notification(self: Any) -> Any:
        status, headers, body = original(self)
        configuration = self.backend.get_bucket_notification_configuration(self.bucket_name)
        if configuration is None or configuration.event_bridge is None:
            return status, headers, body
        text = body if isinstance(body, str) else body.decode()
        opening = re.search(r"<NotificationConfiguration[^>]*?(/?)>", text)
        if opening is None:
            raise ValueError("moto's answer to GetBucketNotificationConfiguration has changed")
        ours = "<EventBridgeConfiguration></EventBridgeConfiguration>"
        if opening.group(1):
            text = f"{opening.group(0)[:-2]}>{ours}</NotificationConfiguration>"
        else:
            text = text[: opening.end()] + ours + text[opening.end() :]
        return status, headers, text

    return get_bucket_notification


def _wrap_delete_marker(original: Callable[..., Any]) -> Callable[..., Any]:
    def set_delete_marker(self: Any, bucket_name: str, key_name: str) -> Any:
        marker = original(self, bucket_name, key_name)
        marker.etag, marker.size = '""', 0  # the classic event formats read both of any key
        notifications.send_event(
            self.account_id,
            notifications.S3NotificationEvent.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT,
            self.get_bucket(bucket_name),
            marker,
        )
        return marker

    return set_delete_marker
