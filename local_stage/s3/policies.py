"""Bucket policies: what has a condition is kept and shown, but only AWS decides by it.

moto takes a statement with a condition for one without. The usual "deny what does not come over TLS" would then deny
everything on the loopback interface.
"""

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket, S3Backend

from local_stage.replacing import replace


def install_policies() -> None:
    """Leave conditional statements, and server access logs, out of moto's work."""
    replace(FakeBucket, "get_permission", _get_permission)
    replace(S3Backend, "log_incoming_request", _keep_no_access_log)
    # S3 takes a logging target before its policy lets the logs in; templates name them in that order
    replace(FakeBucket, "_log_permissions_enabled_policy", staticmethod(_may_log))


def _get_permission(self: Any, action: str, resource: str) -> Any:
    if self.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(self.policy)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    decidable = [statement for statement in statements if not statement.get("Condition")]
    if not decidable:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps({**document, "Statement": decidable})).is_action_permitted(action, resource)


def _may_log(target_bucket: Any, target_prefix: str | None) -> bool:
    del target_bucket, target_prefix
    return True


def _keep_no_access_log(self: Any, request: Any, bucket_name: str) -> None:
    """Write nothing: moto would store one object more for each request, with made-up contents."""
