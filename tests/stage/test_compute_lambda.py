"""Functions of the embedded AWS run as on AWS: what they see, what they answer, how they fail."""

import base64
import json
import os
import signal
import threading
import time

import psutil
import pytest
from botocore.exceptions import ClientError
from moto.awslambda.models import lambda_backends

from local_stage.lambda_functions import invocation
from local_stage.lambda_functions.function import describe_function
from local_stage.lambda_functions.packages import PackageStore
from local_stage.lambda_functions.pool import WorkerPool
from local_stage.lambda_functions.runtime import link_runtime
from tests.stage.compute_stage import (
    ROLE,
    invoke,
    log_lines,
    make_function,
    new_name,
    running_stage,
    wait_until,
    zip_of,
)

FAILING = """
class RejectedInputError(Exception):
    pass

def lambda_handler(event, context):
    raise RejectedInputError("checksum_mismatch: r1.fastq.gz")
"""
ECHO = """
def lambda_handler(event, context):
    print("got", event)
    return event
"""
SLEEPING = """
import time

def lambda_handler(event, context):
    print("sleeping", flush=True)
    time.sleep(30)
"""
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with running_stage(tmp_path_factory.mktemp("stage")) as context:
        yield context


@pytest.fixture
def fast_retries(monkeypatch):
    monkeypatch.setattr(invocation, "RETRY_DELAYS_S", (0.05, 0.05))


def test_a_function_answers_with_what_it_returns(stage):
    assert invoke(stage, make_function(stage, ECHO), {"a": [1, None]}) == ({"a": [1, None]}, None)


def test_a_warm_worker_answers_again_in_milliseconds(stage):
    name = make_function(stage, "import os\ndef lambda_handler(event, context): return os.getpid()")
    first, _ = invoke(stage, name)
    started = time.perf_counter()

    again = {invoke(stage, name)[0] for _ in range(10)}

    assert again == {first}
    assert (time.perf_counter() - started) / 10 < 0.1


def test_a_raised_error_is_named_by_its_class(stage):
    answer, error = invoke(stage, make_function(stage, FAILING))

    assert (answer["errorType"], answer["errorMessage"]) == ("RejectedInputError", "checksum_mismatch: r1.fastq.gz")
    assert error == "Unhandled"


def test_a_function_that_cannot_be_imported_says_so(stage):
    answer, error = invoke(stage, make_function(stage, "import no_such_package\n"))

    assert (answer["errorType"], error) == ("Runtime.ImportModuleError", "Unhandled")


def test_a_function_sees_no_package_of_this_environment(stage):
    answer, _ = invoke(stage, make_function(stage, "import moto\n"))

    assert "No module named 'moto'" in answer["errorMessage"]


def test_a_function_reaches_the_embedded_aws_with_the_sdk_of_the_runtime(stage):
    stage.client("s3").create_bucket(Bucket="reached")
    name = make_function(
        stage,
        "import boto3\n"
        "def lambda_handler(event, context):\n"
        "    boto3.client('s3').put_object(Bucket='reached', Key='k', Body=b'x')\n",
    )

    assert invoke(stage, name) == (None, None)
    assert stage.client("s3").get_object(Bucket="reached", Key="k")["Body"].read() == b"x"


def test_layers_are_importable_and_a_later_one_wins(stage):
    client = stage.client("lambda")
    arns = [
        client.publish_layer_version(
            LayerName=new_name("layer"), Content={"ZipFile": zip_of({"python/shared.py": f"WHO = {who!r}\n"})}
        )["LayerVersionArn"]
        for who in ("first", "second")
    ]
    name = make_function(stage, "import shared\ndef lambda_handler(event, context): return shared.WHO", Layers=arns)

    assert invoke(stage, name)[0] == "second"


def test_the_functions_own_package_comes_before_its_layers(stage):
    layer = stage.client("lambda").publish_layer_version(
        LayerName=new_name("layer"), Content={"ZipFile": zip_of({"python/shared.py": "WHO = 'layer'\n"})}
    )["LayerVersionArn"]
    name = new_name("function")
    stage.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=ROLE,
        Handler="handler.lambda_handler",
        Layers=[layer],
        Code={
            "ZipFile": zip_of(
                {
                    "handler.py": "import shared\ndef lambda_handler(event, context): return shared.WHO",
                    "shared.py": "WHO = 'function'\n",
                }
            )
        },
    )

    assert invoke(stage, name)[0] == "function"


def test_a_package_in_a_bucket_runs_like_one_in_the_request(stage):
    stage.client("s3").create_bucket(Bucket="assets")
    package = zip_of({"handler.py": "def lambda_handler(event, context): return 'from s3'"})
    stage.client("s3").put_object(Bucket="assets", Key="code.zip", Body=package)
    name = new_name("function")
    stage.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=ROLE,
        Handler="handler.lambda_handler",
        Code={"S3Bucket": "assets", "S3Key": "code.zip"},
    )

    assert invoke(stage, name)[0] == "from s3"


def test_the_bytes_of_a_package_are_not_kept_in_memory(stage):
    name = make_function(stage, ECHO)
    function = lambda_backends[stage.account][stage.region].get_function(name)

    assert function.code_bytes == b""
    assert "ZipFile" not in function.code
    assert function.code_size > 0


def test_new_code_replaces_the_old_at_once(stage):
    name = make_function(stage, "def lambda_handler(event, context): return 1")
    assert invoke(stage, name)[0] == 1

    code = zip_of({"handler.py": "def lambda_handler(event, context): return 2"})
    stage.client("lambda").update_function_code(FunctionName=name, ZipFile=code)

    assert invoke(stage, name)[0] == 2


def test_new_variables_reach_the_next_invocation(stage):
    name = make_function(stage, "import os\ndef lambda_handler(event, context): return os.environ.get('TABLE')")
    assert invoke(stage, name)[0] is None

    stage.client("lambda").update_function_configuration(FunctionName=name, Environment={"Variables": {"TABLE": "t"}})

    assert invoke(stage, name)[0] == "t"


def test_a_function_that_takes_too_long_is_ended(stage):
    started = time.monotonic()

    answer, error = invoke(stage, make_function(stage, SLEEPING, Timeout=1))

    assert (answer["errorType"], error) == ("Sandbox.Timedout", "Unhandled")
    assert answer["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert time.monotonic() - started < 5


def test_a_function_over_its_memory_is_ended(stage):
    name = make_function(
        stage,
        "import time\ndef lambda_handler(event, context):\n    held = b'x' * (400 << 20)\n    time.sleep(20)\n",
        MemorySize=128,
        Timeout=20,
    )

    answer, _ = invoke(stage, name)

    assert answer["errorType"] == "Runtime.OutOfMemory"


def test_a_worker_that_is_killed_ends_its_invocation_at_once(stage):
    name = make_function(stage, SLEEPING, Timeout=30)
    answers = []
    caller = threading.Thread(target=lambda: answers.append(invoke(stage, name)))
    before = set(stage.keeper.running_pids())
    caller.start()
    (pid,) = wait_until(lambda: set(stage.keeper.running_pids()) - before)
    time.sleep(0.3)

    os.kill(pid, signal.SIGKILL)
    caller.join(15)

    assert answers[0][0]["errorType"] == "Runtime.ExitError"
    assert answers[0][0]["errorMessage"].endswith("signal: killed")


def test_a_function_runs_again_after_its_worker_was_killed(stage):
    name = make_function(stage, "import os\ndef lambda_handler(event, context): return os.getpid()")
    pid, _ = invoke(stage, name)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(pid))

    again, error = invoke(stage, name)

    assert (again != pid, error) == (True, None)


def test_what_a_function_prints_stands_between_start_and_report(stage):
    name = make_function(stage, ECHO)
    invoke(stage, name, {"a": 1})

    start, printed, end, report = log_lines(stage, f"/aws/lambda/{name}")

    assert (start.split()[0], printed, end.split()[0]) == ("START", "got {'a': 1}", "END")
    assert "Max Memory Used:" in report
    assert "Init Duration:" in report


def test_the_tail_of_the_log_comes_with_the_answer_when_asked_for(stage):
    name = make_function(stage, ECHO)

    answer = stage.client("lambda").invoke(FunctionName=name, Payload=b'{"b": 2}', LogType="Tail")

    assert "got {'b': 2}" in base64.b64decode(answer["LogResult"]).decode()


def test_reserved_concurrency_throttles(stage):
    name = make_function(stage, ECHO)
    stage.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    with pytest.raises(ClientError, match="TooManyRequestsException"):
        stage.client("lambda").invoke(FunctionName=name)


def test_a_runtime_that_is_not_python_is_refused_by_name(stage):
    name = make_function(stage, ECHO)
    stage.client("lambda").update_function_configuration(FunctionName=name, Runtime="nodejs20.x")

    with pytest.raises(ClientError, match=r"only Python functions run here, not nodejs20\.x"):
        stage.client("lambda").invoke(FunctionName=name)


def test_an_asynchronous_event_is_tried_three_times_and_then_handed_to_its_destination(stage, fast_retries):
    url = stage.client("sqs").create_queue(QueueName="failed-events")["QueueUrl"]
    name = make_function(stage, FAILING)
    stage.client("lambda").put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": f"{QUEUE_ARN}failed-events"}}
    )

    stage.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b'{"sample": 1}')

    (message,) = stage.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"] == {"sample": 1}
    assert record["responsePayload"]["errorType"] == "RejectedInputError"


def test_an_asynchronous_event_that_fails_reaches_the_dead_letter_queue(stage, fast_retries):
    url = stage.client("sqs").create_queue(QueueName="dead-events")["QueueUrl"]
    name = make_function(stage, FAILING, DeadLetterConfig={"TargetArn": f"{QUEUE_ARN}dead-events"})

    stage.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b'{"sample": 2}')

    (message,) = stage.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert json.loads(message["Body"]) == {"sample": 2}


def make_fed_function(stage, source, **settings):
    """Create a queue with a dead-letter queue and a function that is fed from it."""
    sqs = stage.client("sqs")
    queue, dead = new_name("queue"), new_name("dead")
    dead_url = sqs.create_queue(QueueName=dead)["QueueUrl"]
    redrive = {"deadLetterTargetArn": f"{QUEUE_ARN}{dead}", "maxReceiveCount": "2"}
    url = sqs.create_queue(
        QueueName=queue, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": json.dumps(redrive)}
    )["QueueUrl"]
    name = make_function(stage, source, Timeout=1)
    mapping = stage.client("lambda").create_event_source_mapping(
        FunctionName=name, EventSourceArn=f"{QUEUE_ARN}{queue}", **settings
    )["UUID"]
    return name, url, dead_url, mapping


def messages_in(stage, url):
    attributes = stage.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])


def test_a_queue_feeds_a_function_and_is_emptied(stage):
    name, url, _, _ = make_fed_function(stage, ECHO)

    stage.client("sqs").send_message(QueueUrl=url, MessageBody="hello")

    wait_until(lambda: not messages_in(stage, url))
    (line,) = [line for line in log_lines(stage, f"/aws/lambda/{name}") if line.startswith("got")]
    assert "'body': 'hello'" in line
    assert "'eventSource': 'aws:sqs'" in line


def test_only_the_failed_messages_of_a_batch_end_in_the_dead_letter_queue(stage):
    source = """
def lambda_handler(event, context):
    failed = [record["messageId"] for record in event["Records"] if record["body"] == "bad"]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}
"""
    _, url, dead_url, _ = make_fed_function(stage, source, FunctionResponseTypes=["ReportBatchItemFailures"])

    for body in ("good", "bad", "fine"):
        stage.client("sqs").send_message(QueueUrl=url, MessageBody=body)

    wait_until(lambda: messages_in(stage, dead_url) == 1)
    (message,) = stage.client("sqs").receive_message(QueueUrl=dead_url)["Messages"]
    assert message["Body"] == "bad"
    assert messages_in(stage, url) == 0


def test_a_message_whose_function_raises_ends_in_the_dead_letter_queue(stage):
    _, url, dead_url, _ = make_fed_function(stage, FAILING)

    stage.client("sqs").send_message(QueueUrl=url, MessageBody="anything")

    wait_until(lambda: messages_in(stage, dead_url) == 1)


def test_a_message_that_comes_during_a_long_poll_is_hidden_as_long_as_the_queue_says_then(stage):
    _, url, dead_url, _ = make_fed_function(stage, FAILING)
    stage.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "600"})
    time.sleep(1.3)  # until a poll has begun that knows nothing of what is set next
    stage.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})

    stage.client("sqs").send_message(QueueUrl=url, MessageBody="anything")

    wait_until(lambda: messages_in(stage, dead_url) == 1)


def test_a_disabled_mapping_feeds_nothing(stage):
    _, url, _, mapping = make_fed_function(stage, ECHO)
    stage.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
    time.sleep(0.1)

    stage.client("sqs").send_message(QueueUrl=url, MessageBody="kept")
    time.sleep(1.3)

    assert messages_in(stage, url) == 1


def test_no_message_is_lost_while_many_arrive_and_leave(stage):
    name, url, dead_url, _ = make_fed_function(stage, ECHO)
    sqs = stage.client("sqs")

    def send(worker):
        for number in range(30):
            sqs.send_message(QueueUrl=url, MessageBody=f"message {worker}/{number}")

    senders = [threading.Thread(target=send, args=(worker,)) for worker in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    wait_until(lambda: not messages_in(stage, url))

    seen = "\n".join(log_lines(stage, f"/aws/lambda/{name}"))
    assert [n for w in range(4) for n in range(30) if f"message {w}/{n}'" not in seen] == []
    assert messages_in(stage, dead_url) == 0


def test_a_queue_that_shows_messages_too_soon_is_refused(stage):
    stage.client("sqs").create_queue(QueueName="hasty", Attributes={"VisibilityTimeout": "5"})
    name = make_function(stage, ECHO, Timeout=10)

    with pytest.raises(ClientError, match="visibility timeout: 5 seconds is less than Function timeout: 10 seconds"):
        stage.client("lambda").create_event_source_mapping(FunctionName=name, EventSourceArn=f"{QUEUE_ARN}hasty")


def test_filters_of_a_mapping_are_refused(stage):
    stage.client("sqs").create_queue(QueueName="filtered")
    name = make_function(stage, ECHO)

    with pytest.raises(ClientError, match="does not filter"):
        stage.client("lambda").create_event_source_mapping(
            FunctionName=name,
            EventSourceArn=f"{QUEUE_ARN}filtered",
            FilterCriteria={"Filters": [{"Pattern": "{}"}]},
        )


@pytest.mark.parametrize(
    ("source", "failed"),
    [(ECHO, False), (FAILING, True), ("import no_such_package", True)],
    ids=["ok", "raises", "broken"],
)
def test_functions_also_run_where_the_native_runtime_client_is_missing(stage, tmp_path, source, failed):
    pool = WorkerPool(stage, link_runtime(tmp_path / "runtime", None))
    packages = PackageStore(stage.state_dir / "lambda" / "packages")
    function = lambda_backends[stage.account][stage.region].get_function(make_function(stage, source))

    outcome = pool.invoke(describe_function(function, packages), b'{"a": 1}')
    pool.stop()

    assert outcome.failed is failed
    assert failed or json.loads(outcome.payload) == {"a": 1}
