"""Which AWS a command talks to: the embedded one for stage `local`, the account of the credentials for the others."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from strandline.aws.deployment import Deployment, Endpoint
from strandline.cli.console import messages
from strandline.errors import TemporaryError

LOCAL: Final = "local"
_LOCAL_REGION: Final = "us-east-1"
StageOption = Annotated[str, typer.Option("--stage", help="Stage to talk to: local, dev, qa or prod.")]


def home_folder() -> Path:
    """Return where this machine's stages and references are kept: `$STRANDLINE_HOME`, or beside the source."""
    home = os.environ.get("STRANDLINE_HOME")
    return Path(home).absolute() if home else Path(__file__).resolve().parents[2] / ".strandline"


def connect(stage: str, *, start: bool = False) -> Deployment:
    """Return the deployed stage; with `start`, bring the local one up first.

    Raises:
        TemporaryError: `stage_not_running`, where the local stage is down.
    """
    if stage != LOCAL:
        return Deployment(stage, Endpoint())
    from local_stage import lifecycle  # noqa: PLC0415 - an entry point of its own, loaded where it is needed

    if start:
        with messages.status("starting the local stage") as line:
            state = lifecycle.up(stage, progress=lambda step: line.update(f"starting the local stage: {step}"))
        return Deployment(stage, Endpoint(state.endpoint_url, _LOCAL_REGION))
    running = lifecycle.current(stage)
    if running is None:
        raise TemporaryError("stage_not_running", f"the {stage} stage is down: run 'strandline stage up'")
    return Deployment(stage, Endpoint(running.endpoint_url, _LOCAL_REGION))
