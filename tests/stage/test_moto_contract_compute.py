"""What Lambda, Batch, Step Functions and Athena of the embedded AWS take for granted about moto's private parts.

A newer moto that fails here has to be looked at before it is taken: something that is replaced was changed.
"""

import importlib
import inspect
import threading

import pytest
from moto.athena.models import AthenaBackend, PreparedStatement, WorkGroup
from moto.athena.responses import AthenaResponse
from moto.awslambda import models as lambda_models
from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction, LayerVersion
from moto.batch.models import BatchBackend, ComputeEnvironment, JobDefinition, JobQueue
from moto.batch.responses import BatchResponse
from moto.events.models import EventPattern, EventsBackend
from moto.logs.models import LogsBackend
from moto.sqs.models import Message, Queue, SQSBackend
from moto.stepfunctions.parser import models as parser_models
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.state.choice.choice_rule import ChoiceRule
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
    DistributedIterationComponent,
    DistributedIterationComponentEvalInput,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.map_run_record import (
    MapRunRecord,
    ProgressCounter,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_batch import (
    StateTaskServiceBatch,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackEndpoint, CallbackPoolManager
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.jsonata import jsonata
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.utils import TMP_THREADS
from moto.stepfunctions.responses import StepFunctionResponse

from local_stage.step_functions import clients

Callback = state_task_service_callback.StateTaskServiceCallback
ParserBackend = parser_models.StepFunctionsParserBackend
STATE_TASK = ["self", "env", "resource_runtime_part", "normalised_parameters", "state_credentials"]
NORMALISE = ["self", "parameters", "boto_service_name", "service_action_name"]


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (LambdaFunction.__init__, ["self", "account_id", "spec", "region", "version"]),
        (LambdaFunction.invoke, ["self", "body", "request_headers", "response_headers"]),
        (LambdaFunction._set_function_code, ["self", "updated_spec"]),
        (LambdaFunction.get_configuration, ["self", "on_create"]),
        (LambdaFunction.update_configuration, ["self", "config_updates"]),
        (LayerVersion.__init__, ["self", "spec", "account_id", "region"]),
        (LambdaBackend.delete_function, ["self", "function_name", "qualifier"]),
        (LambdaBackend.create_event_source_mapping, ["self", "spec"]),
        (LambdaBackend.delete_event_source_mapping, ["self", "uuid"]),
        (LambdaBackend.get_function, ["self", "function_name_or_arn", "qualifier"]),
        (LambdaBackend.layers_versions_by_arn, ["self", "layer_version_arn"]),
        (lambda_models._zipfile_content, ["zipfile_content"]),
        (lambda_models._s3_content, ["key"]),
        (Queue.delete_message, ["self", "receipt_handle"]),
        (
            SQSBackend.receive_message,
            ["self", "queue_name", "count", "wait_seconds_timeout", "visibility_timeout", "message_attribute_names"],
        ),
        (SQSBackend.delete_message, ["self", "queue_name", "receipt_handle"]),
        (SQSBackend.is_message_valid_based_on_retention_period, ["self", "queue_name", "message"]),
        (json_path.parse, ["path", "debug"]),
        (result_path.parse, ["string"]),
        (SQSBackend.change_message_visibility, ["self", "queue_name", "receipt_handle", "visibility_timeout"]),
        (LogsBackend.ensure_log_group, ["self", "log_group_name"]),
        (LogsBackend.ensure_log_stream, ["self", "log_group_name", "log_stream_name"]),
        (LogsBackend.put_log_events, ["self", "log_group_name", "log_stream_name", "log_events"]),
        (EventPattern.get_pattern, ["self"]),
        (BatchBackend.get_job_definition, ["self", "identifier"]),
        (BatchBackend.get_job_queue, ["self", "identifier"]),
        (BatchBackend.get_job_queue_by_arn, ["self", "arn"]),
        *[
            (getattr(BatchResponse, name), ["self"])
            for name in ("submitjob", "describejobs", "listjobs", "canceljob", "terminatejob")
        ],
        (StateTaskService._normalise_parameters, NORMALISE),
        (StateTaskService._normalise_response, ["self", "response", *NORMALISE[2:]]),
        (StateTaskService._get_boto_service_name, ["self", "boto_service_name"]),
        (StateTaskService._get_boto_service_action, ["self", "service_action_name"]),
        (StateTaskService._get_sfn_resource, ["self"]),
        (StateTaskService._get_sfn_resource_type, ["self"]),
        (StateTaskServiceBatch._build_sync_resolver, STATE_TASK),
        (StateTaskServiceBatch._from_error, ["self", "env", "ex"]),
        (StateTaskServiceBatch._get_supported_parameters, ["self"]),
        (StateTaskServiceLambda._from_error, ["self", "env", "ex"]),
        (Callback._build_sync_resolver, STATE_TASK),
        (Callback._eval_service_task, STATE_TASK),
        (
            Callback._eval_sync,
            ["self", "env", "sync_resolver", "timeout_seconds", "callback_endpoint", "heartbeat_endpoint"],
        ),
        (state_task_factory.state_task_service_for, ["service_name"]),
        (DistributedIterationComponent._map_run, ["self", "env", "eval_input"]),
        (ChoiceRule._eval_body, ["self", "env"]),
        (Preprocessor.visitChoice_rule_comparison_variable, ["self", "ctx"]),
        (ErrorEqualsDecl._eval_body, ["self", "env"]),
        (CustomErrorName.__init__, ["self", "error_name"]),
        (Environment.set_stop, ["self", "stop_date", "cause", "error"]),
        (Environment.set_error, ["self", "error"]),
        (Environment.program_state, ["self"]),
        (Environment.is_frame, ["self"]),
        (Environment.is_running, ["self"]),
        (CallbackEndpoint.interrupt_all, ["self"]),
        (AmazonStateLanguageParser.parse, ["definition"]),
        (ExecutionWorker._execution_logic, ["self"]),
        (ExecutionWorker.stop, ["self", "stop_date", "error", "cause"]),
        (BaseExecutionWorkerCommunication._reflect_execution_status, ["self"]),
        (
            ParserBackend.start_execution,
            ["self", "state_machine_arn", "name", "execution_input", "trace_header"],
        ),
        (ParserBackend._get_executions, ["self", "execution_status"]),
        (ParserBackend._validate_definition, ["definition"]),
        (ParserBackend.send_task_failure, ["self", "task_token", "error", "cause"]),
        *[
            (getattr(StepFunctionResponse, name), ["self"])
            for name in ("stop_execution", "describe_execution", "send_task_failure")
        ],
        (
            AthenaBackend.create_prepared_statement,
            ["self", "statement_name", "workgroup", "query_statement", "description"],
        ),
        *[
            (getattr(AthenaResponse, name), ["self"])
            for name in (
                "start_query_execution",
                "get_query_execution",
                "get_query_results",
                "list_query_executions",
                "stop_query_execution",
            )
        ],
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_a_replaced_or_used_function_takes_what_it_took(function, parameters):
    assert list(inspect.signature(function).parameters) == parameters


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (
            LambdaFunction,
            "account_id region function_name function_arn version handler run_time memory_size timeout package_type"
            " logs_group_name code_digest layers environment_vars reserved_concurrency event_invoke_config code",
        ),
        (LayerVersion, "content code_digest"),
        (
            EventSourceMapping,
            "uuid enabled batch_size event_source_arn function_arn function_response_types max_batch_window"
            " scaling_config",
        ),
        (Queue, "_messages_lock lambda_event_source_mappings queue_arn"),
        (
            Message,
            "id body receipt_handle sent_timestamp sender_id approximate_receive_count group_id deduplication_id"
            " approximate_first_receive_timestamp message_attributes",
        ),
        (ComputeEnvironment, "name state compute_resources"),
        (JobQueue, "name arn state priority environments"),
        (JobDefinition, "name arn status type container_properties retry_strategy timeout parameters"),
        (WorkGroup, "name configuration"),
        (PreparedStatement, "query_statement workgroup"),
        (AthenaBackend, "work_groups prepared_statements"),
        (EventsBackend, "event_buses"),
        (
            Execution,
            "exec_worker exec_status exec_arn execution_arn state_machine_arn name start_date stop_date output error"
            " cause execution_input",
        ),
        (ExecutionWorker, "env _execution_communication"),
        (DistributedIterationComponentEvalInput, "tolerated_failure_count tolerated_failure_percentage map_run_record"),
        (MapRunRecord, "item_counter"),
        (ProgressCounter, "failed timed_out total"),
        (CallbackPoolManager, "_pool"),
        (Environment, "callback_pool_manager stack"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_attribute_that_is_read_is_still_set(owner, names):
    source = inspect.getsource(inspect.getmodule(owner)) if owner is Queue else inspect.getsource(owner)

    assert [name for name in names.split() if f"self.{name}" not in source] == []


def test_the_pause_between_two_looks_at_a_sync_task_is_a_name_of_its_module():
    assert "_DELAY_SECONDS_SYNC_CONDITION_CHECK" in vars(state_task_service_callback)


def test_jsonata_is_evaluated_by_one_function_of_its_module():
    assert "_eval_jsonata" in vars(jsonata)
    assert issubclass(jsonata.JSONataException, Exception)


def test_the_interpreters_clients_are_made_by_one_function_in_many_modules():
    names = {module.__name__ for module in clients.modules_with("boto_client_for")}

    assert "moto.stepfunctions.parser.asl.component.state.exec.state_task.lambda_eval_utils" in names
    assert len(names) >= 10


def test_the_interpreter_keeps_its_threads_in_a_list():
    assert isinstance(TMP_THREADS, list)


def test_a_queues_lock_can_be_taken_twice_by_one_thread():
    lock = Queue("q", "us-east-1", "123456789012")._messages_lock

    assert isinstance(lock, threading.Condition)
    with lock, lock:
        pass


def test_moto_still_runs_a_mapped_function_inside_send_message():
    assert "lambda_event_source_mappings" in inspect.getsource(Queue.add_message)


def test_the_runtime_client_still_asks_for_what_ours_in_python_offers():
    theirs = importlib.import_module("awslambdaric.lambda_runtime_client")
    ours = importlib.import_module("local_stage.lambda_functions.runtime_client_in_python")
    source = inspect.getsource(theirs)

    for name in ("initialize_client", "next", "post_invocation_result", "post_error"):
        assert f"runtime_client.{name}(" in source
        assert callable(getattr(ours, name))
