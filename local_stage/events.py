"""EventBridge that delivers: events and schedules to their targets, failures to the dead-letter queue.

moto delivers to queues, log groups and buses in the caller's own thread, lets no schedule go off and keeps errors to
itself.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.core.utils import iso_8601_datetime_without_milliseconds, utcfromtimestamp
from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend, Rule, events_backends

from local_stage.context import StageContext
from local_stage.event_inputs import target_input
from local_stage.replacing import replace
from local_stage.schedules import Schedule, parse_schedule

_log = logging.getLogger(__name__)
_PAUSES_S = (0.2, 1.0)  # between attempts; AWS goes on for a day
_TICK_S = 0.5
Event = dict[str, Any]


@dataclass(slots=True)
class _Due:
    expression: str
    schedule: Schedule
    moment: datetime | None


@dataclass(slots=True)
class Deliverer:
    """Delivers for one embedded AWS, in threads of its own."""

    context: StageContext
    _stopped: threading.Event = field(default_factory=threading.Event)
    _due_by_rule: dict[str, _Due] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4, thread_name_prefix="events"))

    def offer(self, rule: Any, event: Event) -> None:
        """Deliver an event to a rule's targets if the rule is on and its pattern fits."""
        if (
            rule.state == "DISABLED"
            or not rule.event_pattern.get_pattern()
            or not rule.event_pattern.matches_event(event)
        ):
            return
        self.send(rule, event)

    def send(self, rule: Any, event: Event) -> None:
        """Deliver an event to each of a rule's targets, whatever its pattern says."""
        for target in list(rule.targets):
            if not self._stopped.is_set():
                self._pool.submit(self._deliver, rule.arn, rule.name, dict(target), event)

    def tick_until_stopped(self) -> None:
        """Let schedules go off."""
        while not self._stopped.wait(_TICK_S):
            try:
                self.tick(datetime.now(UTC))
            except Exception:  # one bad rule must not silence the others for good
                _log.exception("schedules")

    def tick(self, now: datetime) -> None:
        """Send what is due at `now`."""
        backend = events_backends[self.context.account][self.context.region]
        rules = {rule.arn: rule for bus in list(backend.event_buses.values()) for rule in list(bus.rules.values())}
        for arn in set(self._due_by_rule) - set(rules):
            del self._due_by_rule[arn]
        for arn, rule in rules.items():
            expression = rule.scheduled_expression
            if not expression or rule.state == "DISABLED":
                self._due_by_rule.pop(arn, None)
                continue
            due = self._due_by_rule.get(arn)
            if due is None or due.expression != expression:
                schedule = parse_schedule(expression)
                self._due_by_rule[arn] = _Due(expression, schedule, schedule.next_after(now))
            elif due.moment is not None and due.moment <= now:
                due.moment = due.schedule.next_after(now)
                self.send(rule, self._scheduled_event(arn, now))

    def stop(self) -> None:
        """Deliver nothing more."""
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _scheduled_event(self, rule_arn: str, now: datetime) -> Event:
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self.context.account,
            "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.context.region,
            "resources": [rule_arn],
            "detail": {},
        }

    def _deliver(self, rule_arn: str, rule_name: str, target: dict[str, Any], event: Event) -> None:
        attempts = 1 + min(len(_PAUSES_S), int(target.get("RetryPolicy", {}).get("MaximumRetryAttempts", 185)))
        for attempt in range(attempts):
            try:
                text = target_input(target, event, rule_arn, rule_name)
                _senders()[_service(target["Arn"])](self.context, target, text, event)
                return
            except Exception as error:
                if attempt + 1 == attempts:
                    self._give_up(rule_arn, target, event, error)
                elif self._stopped.wait(_PAUSES_S[attempt]):
                    return

    def _give_up(self, rule_arn: str, target: dict[str, Any], event: Event, error: Exception) -> None:
        dead_letters = target.get("DeadLetterConfig", {}).get("Arn")
        if self._stopped.is_set():
            return
        _log.error("rule %s could not reach %s: %s", rule_arn, target["Arn"], error)
        if not dead_letters:
            return
        code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
        attributes = {
            "RULE_ARN": rule_arn,
            "TARGET_ARN": target["Arn"],
            "ERROR_CODE": code,
            "ERROR_MESSAGE": str(error),
        }
        try:
            self.context.client("sqs").send_message(
                QueueUrl=_queue_url(self.context, dead_letters),
                MessageBody=json.dumps(event),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value or "-"} for name, value in attributes.items()
                },
            )
        except Exception:  # nobody is left to be told
            _log.exception("dead-letter queue %s", dead_letters)


_running: list[Deliverer] = []


def install(context: StageContext) -> None:
    """Deliver the events of this embedded AWS."""
    deliverer = Deliverer(context)
    _running.append(deliverer)
    replace(Rule, "send_to_targets", _send_to_targets)
    replace(EventsBackend, "put_targets", _checking_targets(EventsBackend.put_targets))
    replace(EventsBackend, "put_rule", _checking_schedule(EventsBackend.put_rule))
    threading.Thread(target=deliverer.tick_until_stopped, name="schedules", daemon=True).start()


def stop() -> None:
    """Deliver nothing more."""
    while _running:
        _running.pop().stop()


def publish(event: Event) -> None:
    """Offer an event of an AWS service to every rule of the default bus."""
    for deliverer in _running:
        backend = events_backends[deliverer.context.account][deliverer.context.region]
        for rule in list(backend.event_buses["default"].rules.values()):
            deliverer.offer(rule, event)


def _send_to_targets(self: Any, original_event: Mapping[str, Any], transform_input: bool = True) -> None:
    """Take what PutEvents gives a rule."""
    del transform_input
    event = {key: value for key, value in original_event.items() if key != "ingestion-time"}
    moment = event.get("time", time.time())
    if isinstance(moment, int | float):
        event["time"] = iso_8601_datetime_without_milliseconds(utcfromtimestamp(int(moment)))
    else:
        event["time"] = str(moment)
    for deliverer in _running:
        deliverer.offer(self, event)


def _checking_targets(original: Callable[..., None]) -> Callable[..., None]:
    def put_targets(self: Any, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
        for target in targets:
            if _service(target["Arn"]) not in _senders():
                raise ValidationException(
                    f"the embedded AWS delivers to {', '.join(_senders())}, not to {target['Arn']}"
                )
        original(self, name, event_bus_arn, targets)

    return put_targets


def _checking_schedule(original: Callable[..., Any]) -> Callable[..., Any]:
    def put_rule(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        expression = kwargs.get("scheduled_expression")
        if expression:
            try:
                parse_schedule(expression)
            except ValueError as error:
                raise ValidationException(f"Parameter ScheduleExpression is not valid: {error}") from None
        return original(self, name, *args, **kwargs)

    return put_rule


def _service(arn: str) -> str:
    return arn.split(":")[2]


def _queue_url(context: StageContext, arn: str) -> str:
    return str(context.client("sqs").get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"])


Sender = Callable[[StageContext, Mapping[str, Any], str, Event], object]


def _senders() -> Mapping[str, Sender]:
    return {
        "sqs": _to_queue,
        "lambda": _to_function,
        "states": _to_machine,
        "sns": _to_topic,
        "logs": _to_log_group,
        "events": _to_bus,
    }


def _to_queue(context: StageContext, target: Mapping[str, Any], text: str, event: Event) -> None:
    group = target.get("SqsParameters", {}).get("MessageGroupId")
    ordered = {"MessageGroupId": group, "MessageDeduplicationId": event["id"]} if group else {}
    context.client("sqs").send_message(QueueUrl=_queue_url(context, target["Arn"]), MessageBody=text, **ordered)


def _to_function(context: StageContext, target: Mapping[str, Any], text: str, event: Event) -> None:
    del event
    context.client("lambda").invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=text.encode())


def _to_machine(context: StageContext, target: Mapping[str, Any], text: str, event: Event) -> None:
    del event
    context.client("stepfunctions").start_execution(stateMachineArn=target["Arn"], input=text)


def _to_topic(context: StageContext, target: Mapping[str, Any], text: str, event: Event) -> None:
    del event
    context.client("sns").publish(TopicArn=target["Arn"], Message=text)


def _to_log_group(context: StageContext, target: Mapping[str, Any], text: str, event: Event) -> None:
    group = target["Arn"].split(":log-group:")[1].removesuffix(":*")
    logs = context.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName=event["id"])
    entry = {"timestamp": int(time.time() * 1000), "message": text}
    logs.put_log_events(logGroupName=group, logStreamName=event["id"], logEvents=[entry])


def _to_bus(context: StageContext, target: Mapping[str, Any], text: str, event: Event) -> None:
    del text
    entry = {
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "Resources": event["resources"],
        "EventBusName": target["Arn"],
    }
    answer = context.client("events").put_events(Entries=[entry])
    if answer.get("FailedEntryCount"):
        raise RuntimeError(str(answer["Entries"][0]))
