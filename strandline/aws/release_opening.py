"""What `open_release` is told: that an analysis has ended, or that a person opens a version."""

from typing import Literal

from pydantic import BaseModel, Field, Json, RootModel

from strandline.aws.release_steps import ReleaseRequest


class Analysis(BaseModel, frozen=True, hide_input_in_errors=True):
    """The input of an execution that has ended."""

    submission_id: str


class Ended(BaseModel, frozen=True, hide_input_in_errors=True):
    """Of an execution of `sample_to_release`."""

    input: Json[Analysis]


class ExecutionEnded(BaseModel, frozen=True, hide_input_in_errors=True):
    """Step Functions' event, as EventBridge hands it on."""

    detail: Ended


class Opening(ReleaseRequest, frozen=True):
    """What the command line asks for in the name of a person."""

    act: Literal["open"]
    who: str = Field(min_length=1, max_length=2_048)


class Asked(RootModel[Opening | ExecutionEnded], frozen=True, hide_input_in_errors=True):
    """Either: of a union by itself an error would repeat what came."""
