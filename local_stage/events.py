"""EventBridge."""

from typing import Any

from local_stage.context import StageContext


def install(context: StageContext) -> None:
    """Install."""


def publish(event: dict[str, Any]) -> None:
    """Publish."""
