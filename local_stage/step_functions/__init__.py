"""Step Functions of the embedded AWS: moto's interpreter with what it leaves undone."""

from local_stage.step_functions.moto_seams import install, stop

__all__ = ["install", "stop"]
