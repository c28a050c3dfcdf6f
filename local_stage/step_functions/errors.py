"""Which errors a Retry or a Catch names.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.eval.environment import Environment

_RESERVED = "States."
_NOT_CAUGHT_BY_ALL = ("States.DataLimitExceeded", "States.Runtime")


def matches(names: list[str | None], error: str | None) -> bool:
    """Return whether an ErrorEquals list covers an error.

    >>> matches(["States.TaskFailed"], "RejectedInputError"), matches(["States.TaskFailed"], "States.Timeout")
    (True, False)
    >>> matches(["States.ALL"], "States.Timeout"), matches(["States.ALL"], "States.Runtime")
    (True, False)
    """
    if error in names:
        return True
    if "States.ALL" in names:
        return error not in _NOT_CAUGHT_BY_ALL
    return "States.TaskFailed" in names and not (error or "").startswith(_RESERVED)


def eval_error_equals(self: ErrorEqualsDecl, env: Environment) -> None:
    """Stand in for ErrorEqualsDecl._eval_body."""
    error: ErrorName = env.stack.pop()
    env.stack.append(matches([name.error_name for name in self.error_names], error.error_name))


def init_custom_error_name(self: CustomErrorName, error_name: str | None) -> None:
    """Stand in for CustomErrorName.__init__, which refuses the States.* errors of a branch or of a Fail state."""
    ErrorName.__init__(self, error_name=error_name)
