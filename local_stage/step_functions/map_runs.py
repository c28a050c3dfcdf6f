"""When a Distributed Map fails: moto counts the items that failed, and goes on whatever the count.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html, "Tolerated failure thresholds".
"""

from collections.abc import Callable

from moto.stepfunctions.parser.api import HistoryEventType, MapRunFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
    DistributedIterationComponent,
    DistributedIterationComponentEvalInput,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

_EXCEEDED = StatesErrorNameType.StatesExceedToleratedFailureThreshold
_CAUSE = "The specified tolerated failure threshold was exceeded"


def fail_beyond_tolerance(original: Callable[..., None]) -> Callable[..., None]:
    """Return DistributedIterationComponent._map_run so that the state fails where too many of its items did."""

    def map_run(
        self: DistributedIterationComponent, env: Environment, eval_input: DistributedIterationComponentEvalInput
    ) -> None:
        original(self, env=env, eval_input=eval_input)
        items = eval_input.map_run_record.item_counter
        failed = items.failed.get() + items.timed_out.get()
        if is_exceeded(
            failed, items.total.get(), eval_input.tolerated_failure_count, eval_input.tolerated_failure_percentage
        ):
            failed_run = MapRunFailedEventDetails(error=_EXCEEDED.to_name(), cause=_CAUSE)
            details = EventDetails(mapRunFailedEventDetails=failed_run)  # type: ignore[typeddict-item]  # one of many keys
            name = StatesErrorName(typ=_EXCEEDED)
            raise FailureEventException(FailureEvent(env, name, HistoryEventType.MapRunFailed, details))

    return map_run


def is_exceeded(failed: int, total: int, most: int, most_percent: float) -> bool:
    """Return whether more items failed than are tolerated; a threshold of 0 is one that was not given.

    >>> is_exceeded(0, 4, 0, 0), is_exceeded(1, 4, 0, 0), is_exceeded(1, 4, 1, 0), is_exceeded(2, 4, 0, 25)
    (False, True, False, True)
    """
    if not most and not most_percent:
        return failed > 0
    return bool((most and failed > most) or (most_percent and failed * 100 > most_percent * total))
