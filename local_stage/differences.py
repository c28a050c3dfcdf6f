"""What the embedded AWS does otherwise than AWS. `stage status` lists it; a difference that is not here is a bug."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a user of AWS would expect and not find, or find otherwise."""

    service: str
    on_aws: str
    here: str


_KNOWN = (
    Difference("all", "requests are signed and checked", "any credentials will do; only this machine can connect"),
    Difference(
        "API Gateway",
        "HTTP, REST and WebSocket APIs",
        "HTTP APIs with functions behind them; IAM signatures and tokens of the stage's user pools are checked",
    ),
    Difference(
        "all", "state survives for good", "state lives as long as `stage up`; objects are files in the stage's folder"
    ),
    Difference(
        "HealthLake", "data stores load bulk exports", "there is none: 'fhir load-healthlake' refuses and says so"
    ),
    Difference("all", "limits and throttling", "none, apart from this machine's processors, memory and disk"),
    Difference(
        "IAM",
        "every call is allowed or denied by policies",
        "policies decide for roles: those that were assumed with STS and those of functions, jobs and state machines. "
        "They are refused what is allowed on a condition, and what cannot be told from a request: services other than "
        "Athena, Batch, Cognito, DynamoDB, EventBridge, Glue, KMS, Lambda, Logs, S3, SNS, SQS, Step Functions. What a "
        "service does in a role's name (logs, network interfaces, queues of functions, keys of tables) is not judged. "
        "Whoever else asks may do everything",
    ),
    Difference(
        "STS", "a role's trust policy says who may assume it", "anybody may assume any role that is not a service's"
    ),
    Difference(
        "Lake Formation",
        "grants of several kinds on one table add up",
        "they are refused by name: one filter of cells, or grants of tables, columns and tags",
    ),
    Difference(
        "Lake Formation",
        "Glue shows a role the columns that it was granted",
        "Athena does; Glue's own calls show a role all columns of a table, their names alone",
    ),
    Difference(
        "KMS", "data is encrypted with the key", "keys exist and rotate on paper; objects lie on disk as they are"
    ),
    Difference(
        "S3 and KMS",
        "policies of buckets and keys decide with every condition",
        "statements without a condition decide, and those that deny an action to all but a role (aws:PrincipalArn)",
    ),
    Difference(
        "CloudTrail",
        "calls of every service are logged, and told by EventBridge",
        "sign-ins, changes of users and queries of Athena are told, those through this machine's port; none is logged",
    ),
    Difference("Cognito", "SRP, hosted sign-in, federation, e-mail and SMS", "passwords and codes of authenticators"),
    Difference("S3", "lifecycle rules move and expire objects", "rules are kept and shown; nothing moves or expires"),
    Difference("S3", "access logs are written", "none are written"),
    Difference("S3", "a copy of a multipart object has a new ETag", "it keeps the ETag of its source"),
    Difference("S3", "S3 Select, Glacier retrieval, replication", "not served"),
    Difference(
        "EC2", "packets pass only where the network lets them", "networks are kept and shown; there is one machine"
    ),
    Difference(
        "CloudFormation", "change sets, stack sets, drift, YAML", "create, update and delete from JSON templates"
    ),
    Difference(
        "CloudFormation", "a failed update is rolled back", "it stays as it is, in UPDATE_FAILED with the cause"
    ),
    Difference("CloudFormation", "replacing makes the new resource first", "the old one goes first, so names can stay"),
    Difference("EventBridge", "targets in every service", "SQS, Lambda, Step Functions, SNS, log groups, event buses"),
    Difference(
        "EventBridge", "failed deliveries are retried for 24 hours", "three attempts, then the dead-letter queue"
    ),
    Difference("CloudWatch", "alarms are evaluated and act", "alarms are kept and shown; none goes off by itself"),
    Difference(
        "Lambda", "runs on Amazon Linux in its own machine", "runs as a process of this machine with its Python"
    ),
    Difference(
        "Glue",
        "jobs run Python or Spark on workers of their own, which install --additional-python-modules",
        "jobs run as a process of this machine with its Python and libraries; there is no Spark",
    ),
    Difference("Glue", "triggers of several kinds", "those with a schedule go off; others are kept and shown"),
    Difference("Lambda", "sources of many kinds, with filters", "SQS queues, without filters"),
    Difference("Lambda", "failed asynchronous calls are tried again after minutes", "after one and two seconds"),
    Difference(
        "Batch", "jobs run in their container image", "jobs run the image's entry point as a process of this machine"
    ),
    Difference(
        "Batch", "every container starts anew", "after a first job of an image a process waits, its libraries imported"
    ),
    Difference("Batch", "30 s between SIGTERM and SIGKILL", "5 s"),
    Difference(
        "Batch", "a job waits until its vCPUs are free", "a job that asks for more than the machine has gets them all"
    ),
    Difference(
        "Batch", "fair shares hold machines back for idle labs", "the next place is the next lab's; none is held"
    ),
    Difference("Batch", "GPUs as the instances have them", "none: a job that asks for one fails and says so"),
    Difference("Step Functions", "executions write logs", "the history is kept; no log is written"),
    Difference(
        "Step Functions",
        "integrates with every service",
        "Lambda, Batch, Athena, DynamoDB, SNS, SQS, EventBridge; another is refused when the machine is created",
    ),
    Difference(
        "Step Functions",
        "a Distributed Map stops its other items once too many have failed",
        "they run to their end, then the state fails",
    ),
    Difference(
        "Athena",
        "Trino runs the query",
        "DuckDB runs what it means in Trino; a function, type or statement without such a meaning is an error by name",
    ),
    Difference("Athena", "approximate functions estimate", "they are exact, within every bound that Trino states"),
    Difference(
        "Athena",
        "tables of CSV, JSON, ORC and Avro, federated catalogs, EXPLAIN of plans, ALTER TABLE but for partitions",
        "refused by name; tables are Parquet or Iceberg",
    ),
    Difference(
        "Athena",
        "EXPLAIN (TYPE IO) tells a planner's estimate of rows, bytes and costs, and constraints of columns",
        "the bytes that would be billed for each table, and nothing else",
    ),
    Difference("Athena", "time zones are kept value by value", "a column has one; a mixture is refused"),
    Difference("Athena", "timestamps to the picosecond", "to the microsecond; finer ones are refused"),
    Difference("Athena", "DELETE and UPDATE of Iceberg write delete files", "they write the table's files anew"),
    Difference("Athena", "DROP TABLE and VACUUM delete an Iceberg table's files", "the files stay"),
    Difference(
        "Athena",
        "bytes scanned are those that a query comes to read",
        "those of the columns and row groups it may need by the footers' statistics, not by Bloom filters or LIMIT",
    ),
    Difference("Athena", "a query over its scan limit stops when it has read so much", "it stops before it reads"),
)


def differences() -> list[Difference]:
    """Return every known difference, those of template properties last."""
    return [*_KNOWN, *_of_templates()]


def _of_templates() -> Iterator[Difference]:
    from local_stage.cloudformation.catalogue import known_types  # noqa: PLC0415 - it brings moto, a second to load

    for name, known in sorted(known_types().items()):
        for path, reason in known.recorded.items():
            yield Difference("CloudFormation", f"{name} acts on {path}", f"accepted, not acted on: {reason}")
