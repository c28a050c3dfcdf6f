"""A request is held to the actions and resources that AWS names for it. SEC-01.

Expected values: AWS Service Authorization Reference, one page a service; S3 user guide, "Required permissions for
Amazon S3 API operations"; DynamoDB developer guide, "Using IAM with DynamoDB transactions".
"""

import io
import json

import pytest

from local_stage.request_actions import ANY, actions_of, signed_by

SCOPE = "20261122/us-east-1/{}/aws4_request"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/t"
BUCKET = "arn:aws:s3:::bucket"


def request(method="POST", path="/", *, query="", body=b"", **headers):
    given = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": "127.0.0.1:5000",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **given,
    }


def of_target(service, target, **asked):
    body = json.dumps(asked).encode()
    environ = request(body=body, x_amz_target=target)
    found = actions_of(environ, service, lambda _, asked: asked.get("WorkGroup"))
    assert environ["wsgi.input"].read() == body  # whoever answers still reads it
    return found


def of_s3(method, path, **more):
    return actions_of(request(method, path, **more), "s3", lambda *_: None)


@pytest.mark.parametrize(
    ("method", "path", "more", "expected"),
    [
        ("GET", "/bucket/a/b", {}, [("s3:GetObject", f"{BUCKET}/a/b")]),
        ("HEAD", "/bucket/a/b", {}, [("s3:GetObject", f"{BUCKET}/a/b")]),
        ("GET", "/bucket/a", {"query": "versionId=1"}, [("s3:GetObjectVersion", f"{BUCKET}/a")]),
        ("GET", "/bucket", {"query": "list-type=2&prefix=a"}, [("s3:ListBucket", BUCKET)]),
        ("HEAD", "/bucket", {}, [("s3:ListBucket", BUCKET)]),
        ("GET", "/bucket", {"query": "versions&prefix=a"}, [("s3:ListBucketVersions", BUCKET)]),
        ("GET", "/bucket", {"query": "location"}, [("s3:GetBucketLocation", BUCKET)]),
        ("PUT", "/bucket/a", {}, [("s3:PutObject", f"{BUCKET}/a")]),
        (
            "PUT",
            "/bucket/a",
            {"x_amz_tagging": "tier=cool", "x_amz_object_lock_mode": "GOVERNANCE"},
            [(f"s3:{name}", f"{BUCKET}/a") for name in ("PutObject", "PutObjectTagging", "PutObjectRetention")],
        ),
        ("POST", "/bucket/a", {"query": "uploads"}, [("s3:PutObject", f"{BUCKET}/a")]),
        ("GET", "/bucket/a", {"query": "uploadId=u"}, [("s3:ListMultipartUploadParts", f"{BUCKET}/a")]),
        ("DELETE", "/bucket/a", {"query": "uploadId=u"}, [("s3:AbortMultipartUpload", f"{BUCKET}/a")]),
        ("DELETE", "/bucket/a", {}, [("s3:DeleteObject", f"{BUCKET}/a")]),
        ("DELETE", "/bucket/a", {"query": "versionId=1"}, [("s3:DeleteObjectVersion", f"{BUCKET}/a")]),
        ("PUT", "/bucket/a", {"query": "legal-hold"}, [("s3:PutObjectLegalHold", f"{BUCKET}/a")]),
        (
            "PUT",
            "/bucket/a",
            {"x_amz_copy_source": "/other/b%20c?versionId=9"},
            [("s3:GetObjectVersion", "arn:aws:s3:::other/b c"), ("s3:PutObject", f"{BUCKET}/a")],
        ),
        ("PUT", "/bucket/a", {"query": "x-id=PutObject&X-Amz-Signature=s"}, [("s3:PutObject", f"{BUCKET}/a")]),
    ],
)
def test_a_request_to_s3_is_the_action_that_aws_names(method, path, more, expected):
    assert of_s3(method, path, **more) == expected


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/bucket/a", "acl"),
        ("PUT", "/bucket/a", "torrent"),
        ("GET", "/bucket/../other/a", ""),
        ("GET", "/bucket/a", "tagging&acl"),
        ("GET", "/bucket", "policy"),
    ],
)
def test_what_is_not_understood_of_s3_is_no_action(method, path, query):
    assert of_s3(method, path, query=query) == []


def test_a_host_that_names_a_service_or_a_bucket_is_not_understood():
    environ = request("GET", "/a") | {"HTTP_HOST": "bucket.s3.amazonaws.com"}
    assert actions_of(environ, "s3", lambda *_: None) == []


def test_a_transaction_is_the_actions_of_its_parts():
    parts = [
        {"ConditionCheck": {"TableName": "t"}},
        {"Put": {"TableName": "t"}},
        {"Update": {"TableName": "u"}},
        {"Delete": {"TableName": TABLE}},
    ]
    assert of_target("dynamodb", "DynamoDB_20120810.TransactWriteItems", TransactItems=parts) == [
        ("dynamodb:ConditionCheckItem", TABLE),
        ("dynamodb:PutItem", TABLE),
        ("dynamodb:UpdateItem", TABLE.replace("/t", "/u")),
        ("dynamodb:DeleteItem", TABLE),
    ]


@pytest.mark.parametrize(
    ("target", "asked", "expected"),
    [
        ("DynamoDB_20120810.Query", {"TableName": "t"}, [("dynamodb:Query", TABLE)]),
        ("DynamoDB_20120810.Query", {"TableName": "t", "IndexName": "i"}, [("dynamodb:Query", f"{TABLE}/index/i")]),
        ("DynamoDB_20120810.BatchWriteItem", {"RequestItems": {"t": []}}, [("dynamodb:BatchWriteItem", TABLE)]),
        (
            "AWSGlue.GetTable",
            {"DatabaseName": "d", "Name": "t"},
            [
                ("glue:GetTable", f"arn:aws:glue:us-east-1:123456789012:{part}")
                for part in ("catalog", "database/d", "table/d/t")
            ],
        ),
        (
            "AmazonSQS.SendMessage",
            {"QueueUrl": "http://127.0.0.1:1/123456789012/q"},
            [("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q")],
        ),
        (
            "AWSStepFunctions.StartExecution",
            {"stateMachineArn": "arn:m"},
            [("states:StartExecution", "arn:m")],
        ),
        ("AWSStepFunctions.SendTaskSuccess", {"taskToken": "x"}, [("states:SendTaskSuccess", ANY)]),
        (
            "AmazonAthena.StartQueryExecution",
            {"WorkGroup": "w"},
            [("athena:StartQueryExecution", "arn:aws:athena:us-east-1:123456789012:workgroup/w")],
        ),
        ("AmazonAthena.StartQueryExecution", {}, [("athena:StartQueryExecution", "")]),
    ],
)
def test_a_request_that_names_its_operation_is_that_action_on_what_it_names(target, asked, expected):
    service = expected[0][0].partition(":")[0]
    assert of_target(service, target, **asked) == expected


def test_an_operation_of_another_service_than_the_one_it_was_signed_for_is_not_understood():
    assert of_target("s3", "DynamoDB_20120810.GetItem", TableName="t") == []
    assert of_target("glue", "DynamoDB_20120810.GetItem", TableName="t") == []
    assert of_target("dynamodb", "Unknown.GetItem", TableName="t") == []


def test_a_body_that_is_no_object_is_not_understood():
    environ = request(body=b"[1]", x_amz_target="DynamoDB_20120810.GetItem")
    assert actions_of(environ, "dynamodb", lambda *_: None) == []


def test_functions_and_jobs_are_named_by_the_address():
    invoke = request(path="/2015-03-31/functions/f/invocations")
    function = "arn:aws:lambda:us-east-1:123456789012:function:f"
    assert actions_of(invoke, "lambda", lambda *_: None) == [("lambda:InvokeFunction", function)]
    submit = request(path="/v1/submitjob", body=json.dumps({"jobQueue": "q", "jobDefinition": "arn:d"}).encode())
    assert actions_of(submit, "batch", lambda *_: None) == [
        ("batch:SubmitJob", "arn:aws:batch:us-east-1:123456789012:job-queue/q"),
        ("batch:SubmitJob", "arn:d"),
    ]
    assert actions_of(request(path="/2015-03-31/functions/f"), "lambda", lambda *_: None) == []


def test_who_signed_stands_in_the_header_or_in_the_address():
    header = f"AWS4-HMAC-SHA256 Credential=ASIAONE/{SCOPE.format('s3')}, SignedHeaders=host, Signature=0"
    found = signed_by(request(authorization=header))
    assert (found.key_id, found.service) == ("ASIAONE", "s3")
    address = f"X-Amz-Credential=ASIATWO%2F{SCOPE.format('s3').replace('/', '%2F')}&X-Amz-Signature=0"
    found = signed_by(request(query=address))
    assert (found.key_id, found.service) == ("ASIATWO", "s3")
    assert signed_by(request()) is None
