"""Synchronous and asynchronous invocations of the functions that moto knows."""

import base64
import json
import logging
import threading
import time
from collections.abc import Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.core.exceptions import JsonRESTError

from local_stage.context import StageContext
from local_stage.lambda_functions.function import NotRunnableError, describe_function
from local_stage.lambda_functions.packages import PackageStore
from local_stage.lambda_functions.pool import ThrottledError, WorkerPool
from local_stage.lambda_functions.worker import Outcome

_log = logging.getLogger(__name__)

# AWS waits one minute, then two. Nobody at a desk does.
RETRY_DELAYS_S = (1.0, 2.0)
_THROTTLE_DELAY_S = 1.0
_MAX_EVENT_AGE_S = 21600
_LOG_TAIL_BYTES = 4096


class TooManyRequestsError(JsonRESTError):
    """What Lambda answers a throttled caller."""

    code = 429

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


class InvalidRuntimeError(JsonRESTError):
    """What Lambda answers where the function cannot run."""

    code = 502

    def __init__(self, message: str) -> None:
        super().__init__("InvalidRuntimeException", message)


class Invoker:
    """Runs functions. `stop()` ends retries that wait; workers belong to the pool."""

    def __init__(self, context: StageContext, packages: PackageStore, pool: WorkerPool) -> None:
        self._context = context
        self._packages = packages
        self._pool = pool
        self._stopped = threading.Event()
        self._background = ThreadPoolExecutor(max_workers=64, thread_name_prefix="lambda-event")

    def run(self, function: LambdaFunction, payload: bytes, *, client_context: str | None = None) -> Outcome:
        """Run a function now and wait for it.

        Raises:
            TooManyRequestsError: its reserved concurrency is used up.
            InvalidRuntimeError: it is not a Python function in a zip file.
        """
        try:
            spec = describe_function(function, self._packages)
            reserved = function.reserved_concurrency
            return self._pool.invoke(
                spec,
                payload,
                reserved=None if reserved is None else int(reserved),
                client_context=client_context,
            )
        except NotRunnableError as error:
            raise InvalidRuntimeError(str(error)) from None
        except ThrottledError:
            raise TooManyRequestsError from None

    def answer(
        self,
        function: LambdaFunction,
        body: str | bytes | None,
        request_headers: Mapping[str, Any],
        response_headers: MutableMapping[str, Any],
    ) -> bytes:
        """Answer one call of the Invoke API."""
        headers = {str(name).lower(): str(value) for name, value in dict(request_headers or {}).items()}
        payload = body.encode() if isinstance(body, str) else (body or b"{}")
        kind = headers.get("x-amz-invocation-type", "RequestResponse")
        if kind == "DryRun":
            return b""
        if kind == "Event":
            self.run_later(function, payload)
            return b""
        client_context = headers.get("x-amz-client-context")
        if client_context:
            client_context = base64.b64decode(client_context).decode()
        outcome = self.run(function, payload, client_context=client_context)
        if outcome.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        response_headers["x-amz-executed-version"] = str(function.version)
        response_headers["x-amz-log-result"] = base64.b64encode(outcome.log.encode()[-_LOG_TAIL_BYTES:]).decode()
        return outcome.payload

    def run_later(self, function: LambdaFunction, payload: bytes) -> None:
        """Queue an asynchronous invocation: retried twice, then handed to the failure destination."""
        self._background.submit(self._run_event, function, payload, time.monotonic())

    def stop(self) -> None:
        """Take no more events and drop those that wait."""
        self._stopped.set()
        self._background.shutdown(wait=False, cancel_futures=True)

    def _run_event(self, function: LambdaFunction, payload: bytes, accepted: float) -> None:
        try:
            config = function.event_invoke_config[-1].config if function.event_invoke_config else {}
            oldest = accepted + int(config.get("MaximumEventAgeInSeconds", _MAX_EVENT_AGE_S))
            retries = int(config.get("MaximumRetryAttempts", len(RETRY_DELAYS_S)))
            outcome, condition, attempts = self._attempts(function, payload, retries, oldest)
            destinations = config.get("DestinationConfig") or {}
            side = destinations.get("OnFailure" if condition != "Success" else "OnSuccess") or {}
            record = _record(function, payload, outcome, condition, attempts)
            if side.get("Destination"):
                self._deliver(side["Destination"], record)
            dead_letter = _dead_letter_target(function)
            if condition != "Success" and dead_letter:
                self._deliver(dead_letter, payload.decode("utf-8", "replace"))
        except Exception:
            _log.exception("asynchronous invocation of %s", function.function_name)

    def _attempts(
        self, function: LambdaFunction, payload: bytes, retries: int, oldest: float
    ) -> tuple[Outcome | None, str, int]:
        """Return the last outcome, how it ended in the words of a destination's record, and how often it ran."""
        outcome: Outcome | None = None
        attempts = 0
        while time.monotonic() < oldest:
            try:
                outcome = self.run(function, payload)
            except TooManyRequestsError:
                if self._stopped.wait(_THROTTLE_DELAY_S):
                    break
                continue
            attempts += 1
            if not outcome.failed:
                return outcome, "Success", attempts
            if attempts > retries:
                return outcome, "RetriesExhausted", attempts
            if self._stopped.wait(RETRY_DELAYS_S[attempts - 1]):
                break
        return outcome, "EventAgeExceeded", attempts

    def _deliver(self, arn: str, body: str) -> None:
        service = arn.split(":")[2]
        client = self._context.client(service)
        if service == "sqs":
            url = client.get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
            client.send_message(QueueUrl=url, MessageBody=body)
        elif service == "sns":
            client.publish(TopicArn=arn, Message=body)
        elif service == "lambda":
            client.invoke(FunctionName=arn, InvocationType="Event", Payload=body.encode())
        elif service == "events":
            entry = {"Source": "lambda", "DetailType": "Lambda Function Invocation Result", "Detail": body}
            client.put_events(Entries=[entry | {"EventBusName": arn.rsplit("/", 1)[-1]}])
        else:
            raise NotRunnableError(f"{arn}: the embedded AWS does not deliver to {service}")


def _dead_letter_target(function: LambdaFunction) -> str | None:
    config = getattr(function, "dead_letter_config", None) or {}
    target = config.get("TargetArn")
    return str(target) if target else None


def _record(function: LambdaFunction, payload: bytes, outcome: Outcome | None, condition: str, attempts: int) -> str:
    """Return the invocation record.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    response: dict[str, Any] = {"statusCode": 200, "executedVersion": str(function.version)}
    if outcome is not None and outcome.failed:
        response["functionError"] = "Unhandled"
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "requestContext": {
                "functionArn": f"{function.function_arn}:{function.version}",
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": _as_json(payload),
            "responseContext": response,
            "responsePayload": None if outcome is None else _as_json(outcome.payload),
        }
    )


def _as_json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode("utf-8", "replace")
