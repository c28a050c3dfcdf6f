"""CloudFormation."""

from local_stage.context import StageContext


def install(context: StageContext) -> None:
    """Install."""
