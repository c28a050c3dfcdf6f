"""CloudFormation that makes every resource through its own service's API, reads it back, and knows what it cannot make.

moto's own takes types and properties that it does not know for done. This engine replaces it: a type or property that
nothing here handles is an error before anything is made.
"""

from local_stage.cloudformation.api import install_api
from local_stage.cloudformation.stacks import StackStore
from local_stage.context import StageContext

__all__ = ["install"]


def install(context: StageContext) -> None:
    """Serve CloudFormation from an empty set of stacks."""
    install_api(StackStore(context))
