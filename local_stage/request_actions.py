"""What a request asks for in the words of IAM: its actions, each with the resource that it touches.

Source: AWS Service Authorization Reference (actions, resource types); for S3 also "Required permissions for Amazon S3
API operations". A request that is not understood is no action, and whoever is held to policies is refused it.
"""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

from local_stage.context import ACCOUNT, REGION

ANY: Final = "*any*"
"""A resource that cannot be told from the request: whoever may do it with some resource may do it."""

_CREDENTIAL: Final = re.compile(r"Credential=([^/,\s]+)/[^/,\s]+/[^/,\s]+/([^/,\s]+)/aws4_request")
_SIGNED_ADDRESS: Final = re.compile(r"([^/]+)/[^/]+/[^/]+/([^/]+)/aws4_request")
_LOCAL_HOST: Final = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
_BODY_LIMIT_BYTES: Final = 16 << 20
_SERVICE_BY_TARGET: Final = {
    "AmazonAthena": "athena",
    "AWSGlue": "glue",
    "DynamoDB_20120810": "dynamodb",
    "TrentService": "kms",
    "AmazonSQS": "sqs",
    "AWSStepFunctions": "states",
    "Logs_20140328": "logs",
    "AWSEvents": "events",
    "AWSCognitoIdentityProviderService": "cognito-idp",
}

Action = tuple[str, str]
FindWorkgroup = Callable[[str, Mapping[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a request, by the id of the key, and for which service."""

    key_id: str
    service: str


def signed_by(environ: Mapping[str, Any]) -> Signed | None:
    """Return who signed a request, in its header or its address; None where nobody did."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        found = _SIGNED_ADDRESS.fullmatch(query.get("X-Amz-Credential", [""])[0])
    return Signed(found[1], found[2]) if found else None


def actions_of(environ: Any, service: str, find_workgroup: FindWorkgroup) -> list[Action]:
    """Return the actions that a request to a service is, each with its resource; none where that cannot be told."""
    # moto also looks for a service or a bucket in the name of the host
    if not _LOCAL_HOST.fullmatch(environ.get("HTTP_HOST", "")):
        return []
    if service == "s3":
        return list(_s3_actions(environ))
    prefix, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
    if prefix:
        return _target_actions(environ, service, prefix, operation, find_workgroup)
    if service in {"sts", "sns"}:
        return list(_query_actions(service, parse_qs(_body(environ).decode("utf-8", "replace"))))
    if service in {"lambda", "batch"}:
        return list(_path_actions(environ, service))
    return []


def arn(service: str, rest: str) -> str:
    """Return the name of a resource of this account."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def _target_actions(
    environ: Any, service: str, prefix: str, operation: str, find_workgroup: FindWorkgroup
) -> list[Action]:
    if _SERVICE_BY_TARGET.get(prefix) != service:
        return []
    try:
        asked = json.loads(_body(environ) or b"{}")
    except ValueError:
        return []
    if not isinstance(asked, dict):
        return []
    if service == "dynamodb":
        return list(_dynamodb_actions(operation, asked))
    if service == "athena":
        workgroup = find_workgroup(operation, asked)
        return [(f"athena:{operation}", arn("athena", f"workgroup/{workgroup}") if workgroup else "")]
    resources = {"glue": _glue_resources, "kms": _kms_key, "sqs": _queue, "states": _machine, "logs": _log_group}
    named = resources.get(service, _unnamed)(operation, asked)
    return [(f"{service}:{operation}", resource) for resource in ([named] if isinstance(named, str) else named)]


def _dynamodb_actions(operation: str, asked: Mapping[str, Any]) -> Iterator[Action]:
    if operation in {"TransactWriteItems", "TransactGetItems"}:
        by_kind = {"ConditionCheck": "ConditionCheckItem", "Put": "PutItem", "Update": "UpdateItem"}
        by_kind |= {"Delete": "DeleteItem", "Get": "GetItem"}
        for one in asked.get("TransactItems", []):
            for kind, inner in one.items():
                yield f"dynamodb:{by_kind.get(kind, kind)}", _table(inner.get("TableName", ""))
        return
    if operation in {"BatchGetItem", "BatchWriteItem"}:
        for name in asked.get("RequestItems", {}):
            yield f"dynamodb:{operation}", _table(name)
        return
    index = asked.get("IndexName")
    table = _table(asked.get("TableName", ""))
    yield f"dynamodb:{operation}", f"{table}/index/{index}" if index else table


def _table(name: str) -> str:
    return name if name.startswith("arn:") else arn("dynamodb", f"table/{name}")


def _glue_resources(operation: str, asked: Mapping[str, Any]) -> list[str]:
    """Return the catalog, the database and, where one is meant, the table: a caller needs them all."""
    if operation.endswith(("JobRun", "JobRuns", "Job")):
        return [arn("glue", f"job/{asked.get('JobName') or asked.get('Name')}")]
    table = asked.get("TableInput", {}).get("Name") or asked.get("TableName")
    table = table or (asked.get("Name") if operation in {"GetTable", "DeleteTable"} else None)
    database = asked.get("DatabaseName") or (asked.get("Name") if operation == "GetDatabase" else None)
    named = [arn("glue", "catalog")]
    if database:
        named.append(arn("glue", f"database/{database}"))
        if table or operation == "GetTables":
            named.append(arn("glue", f"table/{database}/{table or '*'}"))
    return named


def _kms_key(operation: str, asked: Mapping[str, Any]) -> str:
    del operation
    return key_arn(str(asked.get("KeyId", "")))


def key_arn(name: str) -> str:
    """Return the name of a key that is given by id, alias or name."""
    return arn("kms", f"key/{kms_backends[ACCOUNT][REGION].any_id_to_key_id(name)}") if name else ""


def _queue(operation: str, asked: Mapping[str, Any]) -> str:
    name = asked.get("QueueName") if operation == "GetQueueUrl" else str(asked.get("QueueUrl", "")).rpartition("/")[2]
    return arn("sqs", str(name))


def _machine(operation: str, asked: Mapping[str, Any]) -> str:
    del operation
    return str(asked.get("stateMachineArn") or asked.get("executionArn") or ANY)  # a task's token names neither


def _log_group(operation: str, asked: Mapping[str, Any]) -> str:
    del operation
    group = str(asked.get("logGroupIdentifier") or asked.get("logGroupName") or "")
    name = group.removeprefix(arn("logs", "log-group:")).removesuffix(":*")
    stream = asked.get("logStreamName", "*")
    return arn("logs", f"log-group:{name}:log-stream:{stream}") if name else "*"


def _unnamed(operation: str, asked: Mapping[str, Any]) -> str:
    """Of other services a request names its resource in some way of its own."""
    pool = asked.get("UserPoolId")
    del operation
    return arn("cognito-idp", f"userpool/{pool}") if pool else ANY


def _query_actions(service: str, asked: Mapping[str, list[str]]) -> Iterator[Action]:
    operation = asked.get("Action", [""])[0]
    if service == "sns" and operation == "Publish":
        yield "sns:Publish", asked.get("TopicArn", [""])[0]
    elif service == "sts" and operation == "GetCallerIdentity":
        yield "sts:GetCallerIdentity", "*"


def _path_actions(environ: Any, service: str) -> Iterator[Action]:
    path = unquote(environ["PATH_INFO"])
    invoked = re.fullmatch(r"/2015-03-31/functions/([^/]+)/invocations", path)
    if service == "lambda" and invoked:
        name = invoked[1] if invoked[1].startswith("arn:") else arn("lambda", f"function:{invoked[1]}")
        yield "lambda:InvokeFunction", name
    if service != "batch" or not path.startswith("/v1/"):
        return
    asked = json.loads(_body(environ) or b"{}")
    match path.removeprefix("/v1/"):
        case "submitjob":
            for kind, given in (("job-queue", asked.get("jobQueue", "")), ("job-definition", asked["jobDefinition"])):
                yield "batch:SubmitJob", given if given.startswith("arn:") else arn("batch", f"{kind}/{given}")
        case "describejobs":
            yield "batch:DescribeJobs", "*"
        case "terminatejob":
            yield "batch:TerminateJob", arn("batch", f"job/{asked.get('jobId')}")


_S3_SUBRESOURCES: Final = {
    ("GET", "tagging"): "s3:GetObjectTagging",
    ("PUT", "tagging"): "s3:PutObjectTagging",
    ("GET", "retention"): "s3:GetObjectRetention",
    ("PUT", "retention"): "s3:PutObjectRetention",
    ("GET", "legal-hold"): "s3:GetObjectLegalHold",
    ("PUT", "legal-hold"): "s3:PutObjectLegalHold",
    ("GET", "attributes"): "s3:GetObjectAttributes",
}
_S3_BUCKET_QUESTIONS: Final = {
    "location": "s3:GetBucketLocation",
    "versions": "s3:ListBucketVersions",
    "uploads": "s3:ListBucketMultipartUploads",
    "object-lock": "s3:GetBucketObjectLockConfiguration",
    "versioning": "s3:GetBucketVersioning",
}
_S3_PLAIN: Final = frozenset(
    {
        *("uploads", "uploadId", "partNumber", "x-id", "list-type", "prefix", "delimiter", "max-keys", "encoding-type"),
        *("continuation-token", "start-after", "key-marker", "version-id-marker", "part-number-marker", "max-parts"),
        *("versionId", "fetch-owner", "response-content-disposition", "response-content-type"),
    }
)


def _s3_actions(environ: Any) -> Iterator[Action]:
    method, query = environ["REQUEST_METHOD"], parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    query = {name: values for name, values in query.items() if not name.lower().startswith("x-amz-")}
    bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    if not bucket or ".." in key.split("/"):
        return
    if not key:
        yield from _s3_bucket_actions(method, query, bucket)
        return
    named = f"arn:aws:s3:::{bucket}/{key}"
    asked = [name for name in query if name not in _S3_PLAIN]
    if asked:
        if len(asked) == 1 and (method, asked[0]) in _S3_SUBRESOURCES:
            yield _S3_SUBRESOURCES[method, asked[0]], named
        return
    if source := environ.get("HTTP_X_AMZ_COPY_SOURCE"):
        path, _, version = unquote(source).lstrip("/").partition("?versionId=")
        yield ("s3:GetObjectVersion" if version else "s3:GetObject"), f"arn:aws:s3:::{path}"
        yield from _s3_key_actions(path.partition("/")[0], "kms:Decrypt")
    yield from _s3_object_actions(environ, method, query, named, bucket)


def _s3_object_actions(
    environ: Any, method: str, query: Mapping[str, list[str]], named: str, bucket: str
) -> Iterator[Action]:
    """Source for the keys: S3 user guide, "Uploading and copying objects using multipart upload" (permissions)."""
    match method:
        case "GET" | "HEAD" if "uploadId" in query:
            yield "s3:ListMultipartUploadParts", named
        case "GET" | "HEAD":
            yield ("s3:GetObjectVersion" if "versionId" in query else "s3:GetObject"), named
            if method == "GET":
                yield from _s3_key_actions(bucket, "kms:Decrypt")
        case "PUT" | "POST":
            yield "s3:PutObject", named
            if environ.get("HTTP_X_AMZ_TAGGING"):
                yield "s3:PutObjectTagging", named
            if environ.get("HTTP_X_AMZ_OBJECT_LOCK_MODE"):
                yield "s3:PutObjectRetention", named
            if environ.get("HTTP_X_AMZ_OBJECT_LOCK_LEGAL_HOLD"):
                yield "s3:PutObjectLegalHold", named
            yield from _s3_key_actions(bucket, "kms:GenerateDataKey")
            if "uploadId" in query:
                yield from _s3_key_actions(bucket, "kms:Decrypt")
        case "DELETE" if "uploadId" in query:
            yield "s3:AbortMultipartUpload", named
        case "DELETE":
            yield ("s3:DeleteObjectVersion" if "versionId" in query else "s3:DeleteObject"), named


def _s3_bucket_actions(method: str, query: Mapping[str, list[str]], bucket: str) -> Iterator[Action]:
    named = f"arn:aws:s3:::{bucket}"
    if method in {"GET", "HEAD"}:
        asked = [name for name in query if name in _S3_BUCKET_QUESTIONS]
        if asked or set(query) <= _S3_PLAIN:
            yield _S3_BUCKET_QUESTIONS[asked[0]] if asked else "s3:ListBucket", named
    elif method == "POST" and "delete" in query:
        yield "s3:DeleteObject", f"{named}/*"
    else:
        yield f"s3:{method}", named


def _s3_key_actions(bucket: str, action: str) -> Iterator[Action]:
    """Yield what a caller needs of the key that a bucket encrypts with, where it is one of ours."""
    found = s3_backends[ACCOUNT]["aws"].buckets.get(bucket)
    rules = ((found.encryption or {}).get("Rule", {}) if found else {}) or {}
    applied = (rules[0] if isinstance(rules, list) else rules).get("ApplyServerSideEncryptionByDefault", {})
    if applied.get("KMSMasterKeyID"):
        yield action, key_arn(applied["KMSMasterKeyID"])


def _body(environ: Any) -> bytes:
    """Return the body of a request, and put it back for whoever answers; nothing of one that is too long to look at."""
    size = int(environ.get("CONTENT_LENGTH") or 0)
    if size > _BODY_LIMIT_BYTES:
        return b""
    body: bytes = environ["wsgi.input"].read(size)
    environ["wsgi.input"] = io.BytesIO(body)
    return body
