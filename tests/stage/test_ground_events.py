"""EventBridge of the embedded AWS: what reaches a target, and when."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from local_stage import events as stage_events
from local_stage import server
from local_stage.event_inputs import fill_template, target_input
from local_stage.schedules import parse_schedule

EVENT = {"id": "1", "time": "2026-01-02T03:04:05Z", "source": "lab", "detail": {"key": 'a"b', "size": 3, "tags": ["x"]}}


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    aws = server.start(tmp_path_factory.mktemp("stage"), extensions=())
    yield aws
    aws.stop()


@pytest.fixture
def queue(aws, request):
    sqs = aws.context.client("sqs")
    url = sqs.create_queue(QueueName=f"q-{abs(hash(request.node.nodeid))}")["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(aws, url: str, wait_s: float = 30.0) -> list[dict]:
    sqs = aws.context.client("sqs")
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        if "Messages" in found:
            return found["Messages"]
        time.sleep(0.02)
    return []


def put(aws, source: str, detail: dict) -> None:
    entry = {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail)}
    aws.context.client("events").put_events(Entries=[entry])


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({}, json.dumps(EVENT)),
        ({"Input": '{"fixed": true}'}, '{"fixed": true}'),
        ({"InputPath": "$.detail.tags[0]"}, '"x"'),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"key": "$.detail.key", "size": "$.detail.size"},
                    "InputTemplate": '{"k": <key>, "text": "<key> has <size>", "n": <size>}',
                }
            },
            '{"k": "a\\"b", "text": "a\\"b has 3", "n": 3}',
        ),
    ],
    ids=["event", "constant", "path", "template"],
)
def test_a_target_gets_what_its_input_says(target, expected):
    assert json.loads(target_input(target, EVENT, "arn", "rule")) == json.loads(expected)


def test_a_place_without_a_value_is_left_as_it_stands():
    assert fill_template('"<unknown>"', {}) == '"<unknown>"'


def test_a_rule_that_is_off_or_only_scheduled_gets_no_events(aws, queue):
    url, arn = queue
    events = aws.context.client("events")
    events.put_rule(Name="off", EventPattern=json.dumps({"source": ["quiet"]}), State="DISABLED")
    events.put_rule(Name="scheduled", ScheduleExpression="rate(1 day)")
    for rule in ("off", "scheduled"):
        events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    put(aws, "quiet", {})
    assert receive(aws, url, wait_s=0.5) == []


def test_a_failed_target_leaves_the_event_and_the_cause_in_the_dead_letter_queue(aws, queue):
    url, arn = queue
    events = aws.context.client("events")
    events.put_rule(Name="failing", EventPattern=json.dumps({"source": ["failing"]}))
    missing = "arn:aws:sqs:us-east-1:123456789012:not-there"
    target = {"Id": "q", "Arn": missing, "DeadLetterConfig": {"Arn": arn}, "RetryPolicy": {"MaximumRetryAttempts": 0}}
    events.put_targets(Rule="failing", Targets=[target])
    put(aws, "failing", {"n": 1})
    (message,) = receive(aws, url)
    assert json.loads(message["Body"])["detail"] == {"n": 1}
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["TARGET_ARN"] == missing
    assert "NonExistentQueue" in attributes["ERROR_CODE"] or "QueueDoesNotExist" in attributes["ERROR_CODE"]


def test_a_topic_passes_an_event_on(aws, queue):
    url, arn = queue
    sns, events = aws.context.client("sns"), aws.context.client("events")
    topic = sns.create_topic(Name="passing-on")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    events.put_rule(Name="to-topic", EventPattern=json.dumps({"source": ["topical"]}))
    events.put_targets(Rule="to-topic", Targets=[{"Id": "t", "Arn": topic, "InputPath": "$.detail"}])
    put(aws, "topical", {"n": 2})
    (message,) = receive(aws, url)
    assert json.loads(message["Body"]) == {"n": 2}


def test_a_target_that_nothing_here_reaches_is_refused(aws):
    events = aws.context.client("events")
    events.put_rule(Name="refusing", EventPattern=json.dumps({"source": ["x"]}))
    target = {"Id": "k", "Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}
    with pytest.raises(ClientError, match="not to arn:aws:kinesis"):
        events.put_targets(Rule="refusing", Targets=[target])


def test_a_wrong_schedule_is_refused(aws):
    with pytest.raises(ClientError, match="ScheduleExpression is not valid"):
        aws.context.client("events").put_rule(Name="wrong", ScheduleExpression="every day")


def test_a_schedule_goes_off_when_it_is_due_and_not_before(aws, queue):
    url, arn = queue
    events = aws.context.client("events")
    events.put_rule(Name="minutely", ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule="minutely", Targets=[{"Id": "q", "Arn": arn}])
    deliverer = stage_events.Deliverer(aws.context)
    now = datetime.now(UTC)
    deliverer.tick(now)
    deliverer.tick(now + timedelta(seconds=59))
    assert receive(aws, url, wait_s=0.3) == []
    deliverer.tick(now + timedelta(seconds=60))
    (message,) = receive(aws, url)
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert event["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/minutely"]
    deliverer.stop()
    events.disable_rule(Name="minutely")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(2 hours)", "2026-01-01T02:00"),
        ("cron(15 10 * * ? *)", "2026-01-01T10:15"),
        ("cron(0/15 * * * ? *)", "2026-01-01T00:15"),
        ("cron(0 8 1 FEB ? *)", "2026-02-01T08:00"),
        ("cron(0 9 ? * 2#1 *)", "2026-01-05T09:00"),
        ("cron(0 9 ? * 6L *)", "2026-01-30T09:00"),
        ("cron(0 9 L * ? *)", "2026-01-31T09:00"),
        ("cron(0 9 3W * ? *)", "2026-01-02T09:00"),
        ("cron(0 9 1 1 ? 2027)", "2027-01-01T09:00"),
    ],
)
def test_schedules_name_the_next_moment(expression, expected):
    start = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday
    found = parse_schedule(expression).next_after(start)
    assert found is not None
    assert found.strftime("%Y-%m-%dT%H:%M") == expected


@pytest.mark.parametrize(
    "expression", ["rate(0 minutes)", "rate(1 minutes)", "rate(5 minute)", "cron(* * * * * *)", "cron(61 * * * ? *)"]
)
def test_schedules_that_eventbridge_refuses_are_refused(expression):
    with pytest.raises(ValueError, match=r"\S"):
        parse_schedule(expression)
