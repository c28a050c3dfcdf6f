"""Batch of the embedded AWS: jobs run as processes of this machine, within what the machine has."""

from local_stage.batch.moto_seams import current_engine, install, stop

__all__ = ["current_engine", "install", "stop"]
