"""The private parts of moto that S3, EventBridge, Glue and the server replace are as they were.

When this fails after an upgrade: compare the named part with what replaces it, then change the expectation here.
"""

import hashlib
import inspect
from importlib.metadata import version

import pytest
from moto.core.common_models import BaseModel
from moto.core.responses import BaseResponse
from moto.core.utils import convert_to_flask_response
from moto.events.models import EventPattern, EventsBackend, Rule
from moto.glue.models import FakeJob, FakeJobRun, FakeTrigger
from moto.iam.models import Role
from moto.lakeformation.models import LakeFormationBackend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler
from moto.s3 import notifications, utils
from moto.s3.models import FakeBucket, FakeKey, FakeMultipart, S3Backend
from moto.s3.responses import S3Response
from moto.sts.models import AssumedRole, STSBackend

from local_stage import replacing, server


def fingerprint(part: object) -> str:
    """Return a short hash of a part's source without its layout."""
    return hashlib.sha256("".join(inspect.getsource(part).split()).encode()).hexdigest()[:12]


REPLACED = {
    "BaseModel.__new__": (BaseModel.__new__, "71c1a7a4c382"),
    "BaseResponse.setup_class": (BaseResponse.setup_class, "3e22d2962dc9"),
    "BaseResponse._dispatch": (BaseResponse._dispatch, "3ea3e20537c4"),
    "BaseResponse.serialized": (BaseResponse.serialized, "fa175db48e19"),
    "BaseResponse.call_action": (BaseResponse.call_action, "b89874e1cae7"),
    "convert_to_flask_response": (convert_to_flask_response, "dd898fa94dfa"),
    "DomainDispatcherApplication.get_backend_for_host": (
        DomainDispatcherApplication.get_backend_for_host,
        "211aef54e34a",
    ),
    "DomainDispatcherApplication.get_application": (DomainDispatcherApplication.get_application, "35691b0d86e1"),
    "MotoRequestHandler.make_environ": (MotoRequestHandler.make_environ, "5a45181ad358"),
    "FakeJob.start_job_run": (FakeJob.start_job_run, "eba4f6b091c2"),
    "FakeJobRun": (FakeJobRun, "c8906f54e06c"),
    "FakeTrigger": (FakeTrigger, "43327c983763"),
    "FakeKey": (FakeKey, "2eb1cabc25d7"),
    "FakeMultipart": (FakeMultipart, "737cdc6f0dcf"),
    "FakeBucket.get_permission": (FakeBucket.get_permission, "6a42b9d82de6"),
    "FakeBucket._log_permissions_enabled_policy": (FakeBucket._log_permissions_enabled_policy, "c7e1bb844081"),
    "FakeBucket.default_retention": (FakeBucket.default_retention, "3e84b737ad0c"),
    "S3Backend._set_delete_marker": (S3Backend._set_delete_marker, "2f2d533319a8"),
    "S3Backend.complete_multipart_upload": (S3Backend.complete_multipart_upload, "238a55c4c144"),
    "S3Backend.copy_object": (S3Backend.copy_object, "51f124b97ce9"),
    "S3Backend.create_multipart_upload": (S3Backend.create_multipart_upload, "eef51b246c16"),
    "S3Backend.delete_object": (S3Backend.delete_object, "5249998950b4"),
    "S3Backend.list_object_versions": (S3Backend.list_object_versions, "d13e5bc4519c"),
    "S3Backend.log_incoming_request": (S3Backend.log_incoming_request, "a508348e585c"),
    "S3Backend.put_bucket_versioning": (S3Backend.put_bucket_versioning, "0e087c0cebc4"),
    "S3Backend.put_object": (S3Backend.put_object, "9b20117dcf49"),
    "S3Backend.upload_part": (S3Backend.upload_part, "d0bb41dfc058"),
    "S3Backend.upload_part_copy": (S3Backend.upload_part_copy, "6f7dcd8b96c8"),
    "S3Response._complete_multipart_body": (S3Response._complete_multipart_body, "7c37afb02b92"),
    "S3Response._handle_range_header": (S3Response._handle_range_header, "297e493c869b"),
    "S3Response._key_response_get": (S3Response._key_response_get, "dd3de2603789"),
    "S3Response._key_response_post": (S3Response._key_response_post, "4d87fac3e21d"),
    "S3Response._key_response_put": (S3Response._key_response_put, "daa40db05f47"),
    "S3Response.get_bucket_notification": (S3Response.get_bucket_notification, "50b2db3f4333"),
    "S3Response.get_object": (S3Response.get_object, "ac70023ea055"),
    "S3Response.key_response": (S3Response.key_response, "40b7750d23ba"),
    "S3Response.put_object": (S3Response.put_object, "e725986d19f5"),
    "S3Response.put_object_legal_hold": (S3Response.put_object_legal_hold, "32f5e787e1a7"),
    "S3Response.put_object_retention": (S3Response.put_object_retention, "63ad7a57b5e0"),
    "S3Response.setup_class": (S3Response.setup_class, "9d456c62f566"),
    "notifications.send_event": (notifications.send_event, "dab9021ec9aa"),
    "notifications._send_event_bridge_message": (notifications._send_event_bridge_message, "144c1de95651"),
    "notifications._detail_type": (notifications._detail_type, "59058e3f923a"),
    "utils.compute_checksum": (utils.compute_checksum, "0db73418b980"),
    "EventPattern.matches_event": (EventPattern.matches_event, "0e529e378600"),
    "EventsBackend.put_events": (EventsBackend.put_events, "1db45eac6c78"),
    "EventsBackend.put_rule": (EventsBackend.put_rule, "3137d3688f0a"),
    "EventsBackend.put_targets": (EventsBackend.put_targets, "e8d0664843c3"),
    "Rule.send_to_targets": (Rule.send_to_targets, "ba4a2cf588d1"),
    "STSBackend.assume_role": (STSBackend.assume_role, "aaff6c0b5eea"),
    "STSBackend.get_assumed_role_from_access_key": (STSBackend.get_assumed_role_from_access_key, "c51589b73613"),
    "LakeFormationBackend.add_lf_tags_to_resource": (LakeFormationBackend.add_lf_tags_to_resource, "0d112943d2f8"),
    "LakeFormationBackend.grant_permissions": (LakeFormationBackend.grant_permissions, "125c44c9b38a"),
    "LakeFormationBackend.list_data_cells_filter": (LakeFormationBackend.list_data_cells_filter, "fdefdd0ab854"),
    "DomainDispatcherApplication.infer_service_region_host": (
        DomainDispatcherApplication.infer_service_region_host,
        "940803c79c34",
    ),
}


@pytest.mark.parametrize("name", REPLACED)
def test_a_replaced_part_of_moto_is_as_it_was_when_it_was_replaced(name):
    part, expected = REPLACED[name]
    assert fingerprint(part) == expected, f"moto {version('moto')} has another {name}"


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (
            FakeKey,
            {"value", "etag", "size", "contentsize", "lock_mode", "lock_until", "lock_legal_status", "multipart"},
        ),
        (FakeMultipart, {"parts", "metadata", "storage", "tags", "acl", "sse_encryption", "kms_key_id", "key_name"}),
        (FakeBucket, {"multiparts", "keys", "object_lock_enabled", "default_lock_mode", "notification_configuration"}),
        (Rule, {"targets", "state", "scheduled_expression", "event_pattern"}),
        (AssumedRole, {"access_key_id", "expiration", "role_arn"}),
        (Role, {"managed_policies", "policies", "name", "arn"}),
        (LakeFormationBackend, {"lf_columns_tags", "lf_table_tags", "lf_database_tags", "grants"}),
    ],
    ids=["key", "multipart", "bucket", "rule", "assumed role", "role", "lake formation"],
)
def test_the_attributes_that_are_relied_on_are_set(owner, names):
    source = inspect.getsource(owner)
    assert {name for name in names if f"self.{name}" not in source and f"def {name}" not in source} == set()


def test_starting_and_stopping_leaves_moto_as_it_was(tmp_path):
    parts = [(owner, name) for owner in (S3Backend, S3Response, Rule, BaseModel) for name in vars(owner)]
    before = {(owner.__name__, name): vars(owner)[name] for owner, name in parts}

    server.start(tmp_path, extensions=()).stop()

    assert {(owner.__name__, name): vars(owner)[name] for owner, name in parts} == before


def test_replacing_what_is_not_there_is_an_error():
    with pytest.raises(AttributeError, match="has no no_such_part any more: moto has changed"):
        replacing.replace(S3Backend, "no_such_part", None)
