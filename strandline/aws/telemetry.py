"""One logger, tracer and metrics a process. No line, metric or trace carries a patient identifier."""

from aws_lambda_powertools import Logger, Metrics, Tracer

logger = Logger()
tracer = Tracer()
metrics = Metrics()
