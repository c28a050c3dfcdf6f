"""Where moto's Step Functions is replaced. Each name used here is pinned by a contract test."""

from functools import lru_cache
from typing import Any

from jsonpath_ng.ext.parser import parse as parse_extended_path
from jsonpath_ng.parser import parse as parse_path
from moto.core.config import default_user_config
from moto.stepfunctions.parser import models
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.state.choice.choice_rule import ChoiceRule
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
    DistributedIterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_batch import (
    StateTaskServiceBatch,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_factory import (
    state_task_service_for,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.jsonata import jsonata
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.responses import StepFunctionResponse

from local_stage.context import StageContext
from local_stage.replacing import replace
from local_stage.state_change_events import StateChangeEvents
from local_stage.step_functions import choices, errors, executions, integrations, map_runs
from local_stage.step_functions.clients import use_one_client
from local_stage.step_functions.jsonata_engine import evaluate

_POLL_S = 0.02
_KEPT_PATHS = 1024
_running: list[StateChangeEvents] = []  # none or one
_Callback = state_task_service_callback.StateTaskServiceCallback
_Backend = models.StepFunctionsParserBackend


def install(context: StageContext) -> None:
    """Make state machines run."""
    stop()
    default_user_config.setdefault("stepfunctions", {})["execute_state_machine"] = True
    _running.append(StateChangeEvents(context, "aws.states", "Step Functions Execution Status Change"))
    use_one_client(context)
    if StateTaskService._normalise_parameters is not integrations.normalise_parameters:
        _replace()


def stop() -> None:
    """Tell of no more changes. Executions are threads of the server and end with it."""
    while _running:
        _running.pop().stop()
    default_user_config.get("stepfunctions", {}).pop("execute_state_machine", None)


def _told(execution: Execution) -> None:
    if _running and _running[0].wanted:
        _running[0].tell(execution.exec_arn, executions.describe_change(execution))


def _replace() -> None:
    replaced: dict[tuple[Any, str], Any] = {
        (StateTaskService, "_normalise_parameters"): integrations.normalise_parameters,
        (StateTaskService, "_normalise_response"): integrations.normalise_response,
        (StateTaskServiceBatch, "_build_sync_resolver"): integrations.batch_resolver,
        (StateTaskServiceBatch, "_get_supported_parameters"): integrations.batch_parameters(
            StateTaskServiceBatch._get_supported_parameters
        ),
        (StateTaskServiceBatch, "_from_error"): integrations.name_sdk_errors(StateTaskServiceBatch._from_error),
        (StateTaskServiceLambda, "_from_error"): integrations.name_sdk_errors(StateTaskServiceLambda._from_error),
        (_Callback, "_eval_sync"): integrations.abandon_when_over(_Callback._eval_sync),
        (state_task_service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK"): _POLL_S,
        (state_task_factory, "state_task_service_for"): integrations.choose_service(state_task_service_for),
        (jsonata, "_eval_jsonata"): evaluate,
        (json_path, "parse"): lru_cache(_KEPT_PATHS)(parse_extended_path),  # else each read of a path builds a parser
        (result_path, "parse"): lru_cache(_KEPT_PATHS)(parse_path),
        (DistributedIterationComponent, "_map_run"): map_runs.fail_beyond_tolerance(
            DistributedIterationComponent._map_run
        ),
        (ChoiceRule, "_eval_body"): choices.eval_choice_rule,
        (Preprocessor, "visitChoice_rule_comparison_variable"): choices.keep_assign(
            Preprocessor.visitChoice_rule_comparison_variable
        ),
        (ErrorEqualsDecl, "_eval_body"): errors.eval_error_equals,
        (CustomErrorName, "__init__"): errors.init_custom_error_name,
        (AmazonStateLanguageParser, "parse"): staticmethod(executions.parse_once(AmazonStateLanguageParser.parse)),
        (Environment, "set_stop"): executions.interrupt_waits(Environment.set_stop),
        (Environment, "set_error"): executions.keep_the_end(Environment.set_error),
        (ExecutionWorker, "_execution_logic"): executions.end_always(ExecutionWorker._execution_logic),
        (BaseExecutionWorkerCommunication, "_reflect_execution_status"): executions.reflect_once(
            BaseExecutionWorkerCommunication._reflect_execution_status, _told
        ),
        (_Backend, "start_execution"): executions.start_once(_Backend.start_execution, _told),
        (_Backend, "_validate_definition"): staticmethod(executions.validate_definition),
        (_Backend, "_get_executions"): executions.running_executions(_Backend._get_executions),
        (StepFunctionResponse, "stop_execution"): executions.answer_stop(_told),
        (StepFunctionResponse, "describe_execution"): executions.answer_describe,
        (StepFunctionResponse, "send_task_failure"): executions.answer_task_failure,
    }
    for (owner, name), replacement in replaced.items():
        replace(owner, name, replacement)
