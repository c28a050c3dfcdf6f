"""What a role may do, in the words of the design: read these objects, write those items.

Every function returns statements that name actions one by one and resources as narrowly as the service allows. Where a
resource ends in a wildcard, the permission says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from infra.names import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Actions on resources, with the reason for each wildcard among the resources, where `conditions` are met."""

    actions: Sequence[str]
    resources: Sequence[str]
    wildcard_reason: str = ""
    conditions: Mapping[str, Mapping[str, str]] | None = None

    def statement(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            actions=list(self.actions), resources=list(self.resources), conditions=self.conditions
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBucket:
    """A bucket by its fixed name, with the key of its data class."""

    name: str
    key: kms.IKey

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTable:
    """A DynamoDB table by its fixed name, with the key of its data class."""

    name: str
    arn: str
    key: kms.IKey


TABLE_INDEXES = {"by_state": "gsi1", "by_sample": "gsi2", "by_site": "gsi3", "by_day": "gsi4"}
"""Indexes of the submissions table, and what their key attributes begin with."""

_OBJECT_KEYS = "object keys derive from submission ids or sizes, which are not known when the stack is deployed"


def read_objects(bucket: DataBucket, *, prefix: str = "", versions: bool = True) -> list[Permission]:
    """Get objects under `prefix`, of any version where `versions`.

    Listing covers the whole bucket: only who may list without condition is told that a missing key is missing.
    """
    return [
        Permission(
            actions=["s3:GetObject", *(["s3:GetObjectVersion"] if versions else [])],
            resources=[f"{bucket.arn}/{prefix}*"],
            wildcard_reason=_OBJECT_KEYS,
        ),
        Permission(actions=["s3:ListBucket"], resources=[bucket.arn]),
        Permission(actions=["kms:Decrypt"], resources=[bucket.key.key_arn]),
    ]


def list_versions(bucket: DataBucket) -> list[Permission]:
    """See which versions of objects there are."""
    return [Permission(actions=["s3:ListBucketVersions"], resources=[bucket.arn])]


def write_objects(bucket: DataBucket, *, prefix: str = "", tags: bool = True) -> list[Permission]:
    """Put objects under `prefix`, whole or in parts, and with tags where `tags`; never delete one."""
    return [
        Permission(
            actions=["s3:PutObject", *(["s3:PutObjectTagging"] if tags else []), "s3:AbortMultipartUpload"],
            resources=[f"{bucket.arn}/{prefix}*"],
            wildcard_reason=_OBJECT_KEYS,
        ),
        # S3 decrypts the parts of a multipart upload when it puts them together.
        Permission(actions=["kms:GenerateDataKey", "kms:Decrypt"], resources=[bucket.key.key_arn]),
    ]


def read_items(table: DataTable, *, indexes: Sequence[str] = (), one_by_one: bool = False) -> list[Permission]:
    """Read items of the table, and of the indexes that are named; `one_by_one` those whose whole key is known."""
    return [
        Permission(actions=["dynamodb:GetItem", *([] if one_by_one else ["dynamodb:Query"])], resources=[table.arn]),
        *(Permission(actions=["dynamodb:Query"], resources=[f"{table.arn}/index/{index}"]) for index in indexes),
        Permission(actions=["kms:Decrypt"], resources=[table.key.key_arn]),
    ]


def write_items(table: DataTable, *, checks_others: bool = False) -> list[Permission]:
    """Put and update items, and none deleted; `checks_others` in transactions that hold others to a condition."""
    checks = ["dynamodb:ConditionCheckItem"] if checks_others else []
    return [
        Permission(actions=["dynamodb:PutItem", "dynamodb:UpdateItem", *checks], resources=[table.arn]),
        Permission(actions=["kms:GenerateDataKey", "kms:Decrypt"], resources=[table.key.key_arn]),
    ]


def append_items(table: DataTable) -> list[Permission]:
    """Put items, one or several at a time."""
    return [
        Permission(actions=["dynamodb:PutItem", "dynamodb:BatchWriteItem"], resources=[table.arn]),
        Permission(actions=["kms:GenerateDataKey", "kms:Decrypt"], resources=[table.key.key_arn]),
    ]


def tell_audit_log(queue: DataTable) -> list[Permission]:
    """Put entries into the queue of the audit log, and neither see, change nor delete one that waits."""
    return [
        Permission(actions=["dynamodb:PutItem"], resources=[queue.arn]),
        Permission(actions=["kms:GenerateDataKey", "kms:Decrypt"], resources=[queue.key.key_arn]),
    ]


def seal_audit_log(queue: DataTable, log: DataTable) -> list[Permission]:
    """Take entries out of the queue, and keep how far the log is."""
    return [
        Permission(actions=["dynamodb:Query", "dynamodb:BatchWriteItem", "dynamodb:DeleteItem"], resources=[queue.arn]),
        Permission(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[queue.key.key_arn, log.key.key_arn]),
        Permission(actions=["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], resources=[log.arn]),
    ]


def replace_items(table: DataTable, *, checks_others: bool = False) -> list[Permission]:
    """Also delete items: a job forgets the cause of an attempt that failed before."""
    return [
        *write_items(table, checks_others=checks_others),
        Permission(actions=["dynamodb:DeleteItem"], resources=[table.arn]),
    ]


def sign_with(key: kms.IKey) -> list[Permission]:
    """Sign with an asymmetric key, and read its public half."""
    return [Permission(actions=["kms:Sign", "kms:GetPublicKey"], resources=[key.key_arn])]


def read_public_key(key: kms.IKey) -> list[Permission]:
    """Read the public half of a key, which verifies."""
    return [Permission(actions=["kms:GetPublicKey"], resources=[key.key_arn])]


def load_tables(names: Names, *, makes_others: bool = False) -> list[Permission]:
    """Read and commit to the lake's tables: an Iceberg commit is an update of the Glue table.

    `makes_others` also lists them, and makes those that the templates do not.
    """
    more = ["glue:GetTables", "glue:CreateTable"] if makes_others else []
    return [
        Permission(
            actions=["glue:GetDatabase", "glue:GetTable", "glue:UpdateTable", *more],
            resources=[
                names.arn("glue", "catalog"),
                names.arn("glue", f"database/{names.glue_database}"),
                names.arn("glue", f"table/{names.glue_database}/*"),
            ],
            wildcard_reason="the lake's database holds nothing but the lake's tables, and a load may touch each",
        )
    ]


def drop_tables(names: Names) -> list[Permission]:
    """Take tables and views out of the lake's catalog; their files stay."""
    return [
        Permission(
            actions=["glue:DeleteTable"],
            resources=[
                names.arn("glue", "catalog"),
                names.arn("glue", f"database/{names.glue_database}"),
                names.arn("glue", f"table/{names.glue_database}/*"),
            ],
            wildcard_reason="whoever looks after the lake may drop what was made beside its own tables",
        )
    ]


def ask_athena(names: Names, workgroup: str, lake: DataBucket) -> list[Permission]:
    """Ask the lake in one workgroup, whose results lie in a folder of its own.

    The data itself comes by way of Lake Formation, never by these permissions. Source: Athena user guide, "Manage Lake
    Formation and Athena user permissions".
    """
    results = f"athena-results/{workgroup}/"
    return [
        Permission(
            actions=[
                *("athena:StartQueryExecution", "athena:StopQueryExecution", "athena:GetQueryExecution"),
                *("athena:GetQueryResults", "athena:ListQueryExecutions", "athena:GetWorkGroup"),
                *("athena:ListNamedQueries", "athena:GetNamedQuery", "athena:GetPreparedStatement"),
                *("athena:CreatePreparedStatement", "athena:UpdatePreparedStatement"),
                *("athena:DeletePreparedStatement", "athena:ListPreparedStatements"),
            ],
            resources=[names.arn("athena", f"workgroup/{workgroup}")],
        ),
        Permission(
            actions=["glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartitions"],
            resources=[
                names.arn("glue", "catalog"),
                names.arn("glue", f"database/{names.glue_database}"),
                names.arn("glue", f"table/{names.glue_database}/*"),
            ],
            wildcard_reason="Lake Formation decides which tables and columns of the lake a group is shown",
        ),
        Permission(
            actions=["lakeformation:GetDataAccess"],
            resources=["*"],
            wildcard_reason="Lake Formation gives this action no resource to name: its grants say what is opened",
        ),
        Permission(
            actions=["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            resources=[f"{lake.arn}/{results}*"],
            wildcard_reason="Athena names results after queries, in the folder of the group's own workgroup",
        ),
        Permission(actions=["s3:GetBucketLocation"], resources=[lake.arn]),
        Permission(
            actions=["s3:ListBucket"], resources=[lake.arn], conditions={"StringLike": {"s3:prefix": f"{results}*"}}
        ),
        Permission(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[lake.key.key_arn]),
    ]


def write_logs(log_group_arn: str) -> list[Permission]:
    """Write lines into streams of one group; the group itself belongs to the stack."""
    return [
        Permission(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[f"{log_group_arn}:*"],
            wildcard_reason="the service names log streams when it makes them",
        )
    ]


def trace() -> list[Permission]:
    return [
        Permission(
            actions=["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
            resources=["*"],
            wildcard_reason="X-Ray gives these actions no resource to name",
        )
    ]


def send_messages(queue_arn: str, key: kms.IKey) -> list[Permission]:
    return [
        Permission(actions=["sqs:SendMessage"], resources=[queue_arn]),
        Permission(actions=["kms:GenerateDataKey", "kms:Decrypt"], resources=[key.key_arn]),
    ]


def receive_messages(queue_arn: str, key: kms.IKey) -> list[Permission]:
    return [
        Permission(
            actions=[
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
            ],
            resources=[queue_arn],
        ),
        Permission(actions=["kms:Decrypt"], resources=[key.key_arn]),
    ]


def publish(topic_arn: str, key: kms.IKey) -> list[Permission]:
    return [
        Permission(actions=["sns:Publish"], resources=[topic_arn]),
        Permission(actions=["kms:GenerateDataKey", "kms:Decrypt"], resources=[key.key_arn]),
    ]


def use_network_interfaces() -> list[Permission]:
    """What Lambda needs to stand in a subnet."""
    return [
        Permission(
            actions=[
                "ec2:CreateNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:DeleteNetworkInterface",
                "ec2:AssignPrivateIpAddresses",
                "ec2:UnassignPrivateIpAddresses",
            ],
            resources=["*"],
            wildcard_reason="Lambda attaches its network interfaces with these; EC2 describes them without a resource",
        )
    ]


def pull_images(names: Names) -> list[Permission]:
    """Pull from the registry into which `cdk deploy` pushes the stage's images."""
    return [
        Permission(
            actions=["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            resources=[names.arn("ecr", f"repository/cdk-hnb659fds-container-assets-{names.account}-{names.region}")],
        ),
        Permission(
            actions=["ecr:GetAuthorizationToken"],
            resources=["*"],
            wildcard_reason="a registry token is for the whole account: ECR gives this action no resource to name",
        ),
    ]


def join_cluster(names: Names) -> list[Permission]:
    """What the container agent on Batch's instances needs; it can neither read data nor take on a job's role."""
    clusters = [names.arn("ecs", f"{kind}/{names.of('')}*") for kind in ("cluster", "container-instance")]
    return [
        Permission(
            actions=[
                "ecs:DeregisterContainerInstance",
                "ecs:Poll",
                "ecs:RegisterContainerInstance",
                "ecs:StartTelemetrySession",
                "ecs:SubmitAttachmentStateChanges",
                "ecs:SubmitContainerStateChange",
                "ecs:SubmitTaskStateChange",
                "ecs:UpdateContainerInstancesState",
            ],
            resources=clusters,
            wildcard_reason="Batch names its clusters after the compute environment and a suffix of its own",
        ),
        Permission(
            actions=["ecs:DiscoverPollEndpoint", "ec2:DescribeTags"],
            resources=["*"],
            wildcard_reason="ECS and EC2 give these actions no resource to name",
        ),
    ]
