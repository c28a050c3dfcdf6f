"""Lambda of the embedded AWS: functions run under AWS's own runtime client, in warm processes."""

from local_stage.lambda_functions.moto_seams import install, stop

__all__ = ["install", "stop"]
