"""How executions start, stop and end: by name once, at once, and always."""

import datetime
import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped, ProgramTimedOut
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.parser.utils import TMP_THREADS
from moto.stepfunctions.responses import StepFunctionResponse

_log = logging.getLogger(__name__)

_ENDED = (ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.ABORTED, ExecutionStatus.TIMED_OUT)
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}\Z")
_starting = threading.RLock()
_KEPT_DEFINITIONS = 64

Told = Callable[[Execution], None]


class InvalidNameError(JsonRESTError):
    """The name of an execution is not one."""

    def __init__(self, name: str) -> None:
        super().__init__("InvalidName", f"Invalid Name: '{name}'")


class InvalidDefinitionError(JsonRESTError):
    """A state machine's definition is wrong, or asks what the embedded AWS cannot do."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidDefinition", f"Invalid State Machine Definition: {message}")


def parse_once(original: Callable[[str], tuple[Any, Any]]) -> Callable[[str], tuple[Any, Any]]:
    """Return AmazonStateLanguageParser.parse that reads a text once and makes a program of it for each execution.

    Reading takes most of the time that an execution's start takes.
    """

    @lru_cache(_KEPT_DEFINITIONS)
    def read(definition: str) -> Any:
        return original(definition)[1]

    def parse(definition: str) -> tuple[Any, Any]:
        tree = read(definition)
        return Preprocessor().visit(tree), tree

    return parse


def start_once(original: Callable[..., Execution], told: Told) -> Callable[..., Execution]:
    """Return StepFunctionsParserBackend.start_execution so that two callers cannot start one name twice."""

    def start_execution(
        self: StepFunctionsParserBackend,
        state_machine_arn: str,
        name: str | None = None,
        execution_input: str | None = None,
        trace_header: str | None = None,
    ) -> Execution:
        name = name or str(uuid.uuid4())
        if not _NAME.match(name):
            raise InvalidNameError(name)
        with _starting:
            execution = original(self, state_machine_arn, name, execution_input, trace_header)
        told(execution)
        return execution

    return start_execution


def end_always(original: Callable[..., None]) -> Callable[..., None]:
    """Return ExecutionWorker._execution_logic so that a defect in the interpreter ends the execution as failed."""

    def execution_logic(self: ExecutionWorker) -> None:
        try:
            original(self)
        except Exception as error:
            _log.exception("the interpreter failed")
            communication: Any = self._execution_communication
            _end(communication.execution, ExecutionStatus.FAILED, "States.Runtime", f"{type(error).__name__}: {error}")
        finally:
            TMP_THREADS[:] = [thread for thread in TMP_THREADS if thread.is_alive()]

    return execution_logic


def reflect_once(original: Callable[..., None], told: Told) -> Callable[..., None]:
    """Return _reflect_execution_status so that the first end of an execution stands."""

    def reflect(self: BaseExecutionWorkerCommunication) -> None:
        execution: Any = self.execution  # moto types its worker as one that may be missing
        if execution.exec_status in _ENDED:
            return
        original(self)
        if isinstance(execution.exec_worker.env.program_state(), ProgramTimedOut):
            execution.error = "States.Timeout"
        told(execution)

    return reflect


def interrupt_waits(original: Callable[..., None]) -> Callable[..., None]:
    """Return Environment.set_stop so that states which wait for a task token stop waiting."""

    def set_stop(self: Environment, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if not self.is_frame():
            for endpoint in list(self.callback_pool_manager._pool.values()):
                endpoint.interrupt_all()

    return set_stop


def keep_the_end(original: Callable[..., None]) -> Callable[..., None]:
    """Return Environment.set_error so that what a stopped execution stumbles over is no error of its own."""

    def set_error(self: Environment, error: Any) -> None:
        if not isinstance(self.program_state(), ProgramStopped | ProgramTimedOut):
            original(self, error=error)

    return set_error


def validate_definition(definition: str) -> None:
    """Stand in for StepFunctionsParserBackend._validate_definition, whose error has no code that a client can read."""
    try:
        AmazonStateLanguageParser.parse(definition)
    except Exception as error:
        raise InvalidDefinitionError(str(error) or repr(error)) from error


def running_executions(original: Callable[..., list[Execution]]) -> Callable[..., list[Execution]]:
    """Return _get_executions without those that have not come as far as to have an environment."""

    def get_executions(self: StepFunctionsParserBackend, execution_status: Any = None) -> list[Execution]:
        found = original(self, execution_status)
        return [one for one in found if one.exec_worker is not None and one.exec_worker.env is not None]

    return get_executions


def answer_stop(told: Told) -> Callable[..., ActionResult]:
    """Return what answers StopExecution: the execution has ended when the answer comes."""

    def stop_execution(self: StepFunctionResponse) -> ActionResult:
        execution = _asked(self)
        error, cause = self._get_param("error"), self._get_param("cause")
        if execution.exec_status not in _ENDED:
            _end(execution, ExecutionStatus.ABORTED, error, cause)
            _stop_worker(execution, error, cause)
            told(execution)
        return ActionResult({"stopDate": execution.stop_date})

    return stop_execution


def answer_describe(self: StepFunctionResponse) -> ActionResult:
    """Answer DescribeExecution; moto leaves out when a timed out execution ended, and how text was quoted."""
    execution = _asked(self)
    answer: dict[str, Any] = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": execution.start_date,
        "stopDate": execution.stop_date,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "error": execution.error,
        "cause": execution.cause,
        "redriveCount": 0,
    }
    if execution.exec_status == ExecutionStatus.SUCCEEDED:
        answer |= {
            "output": json.dumps(execution.output, separators=(",", ":")),
            "outputDetails": {"included": True},
        }
    return ActionResult({name: value for name, value in answer.items() if value is not None})


def answer_task_failure(self: StepFunctionResponse) -> EmptyResult:
    """Answer SendTaskFailure; moto loses the cause."""
    backend: Any = self.stepfunction_backend
    backend.send_task_failure(
        self._get_param("taskToken"), error=self._get_param("error"), cause=self._get_param("cause")
    )
    return EmptyResult()


def describe_change(execution: Execution) -> dict[str, Any]:
    """Return the detail of a "Step Functions Execution Status Change" event."""
    stopped = execution.stop_date
    succeeded = execution.exec_status == ExecutionStatus.SUCCEEDED
    return {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": int(execution.start_date.timestamp() * 1000),
        "stopDate": int(stopped.timestamp() * 1000) if stopped else None,
        "input": execution.execution_input,
        "output": json.dumps(execution.output) if succeeded else None,
        "error": execution.error,
        "cause": execution.cause,
    }


def _asked(response: StepFunctionResponse) -> Any:
    """Return the execution that a request names."""
    return response.stepfunction_backend.describe_execution(response._get_param("executionArn"))


def _end(execution: Any, status: ExecutionStatus, error: str | None, cause: str | None) -> None:
    execution.stop_date = datetime.datetime.now(tz=datetime.UTC)
    execution.error, execution.cause = error, cause
    execution.exec_status = status


def _stop_worker(execution: Any, error: str | None, cause: str | None) -> None:
    deadline = time.monotonic() + 2
    while execution.exec_worker.env is None and time.monotonic() < deadline:
        time.sleep(0.005)  # it was started this instant
    if execution.exec_worker.env is not None:
        execution.exec_worker.stop(stop_date=execution.stop_date, error=error, cause=cause)
