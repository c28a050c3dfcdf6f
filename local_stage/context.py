"""What every part of the embedded AWS is given when it is installed."""

import threading
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local_stage.processes import ProcessKeeper, keep_processes

ACCOUNT = "123456789012"
REGION = "us-east-1"

# building a client reads shared caches of botocore that are not safe to fill from two threads
_building = threading.Lock()


@dataclass(frozen=True, slots=True)
class StageContext:
    """Where one embedded AWS listens and keeps its files.

    `endpoint_url` is on the loopback interface; `state_dir` is this stage's own folder; `keeper` starts every child
    process, so that none outlives the server.
    """

    endpoint_url: str
    state_dir: Path
    account: str = ACCOUNT
    region: str = REGION
    keeper: ProcessKeeper = field(default_factory=keep_processes)

    def client(self, service: str) -> Any:
        """Return a boto3 client that talks to this embedded AWS."""
        return stage_client(service, self.endpoint_url, self.region)


def stage_client(service: str, endpoint_url: str, region: str = REGION) -> Any:
    """Return a boto3 client for the embedded AWS at `endpoint_url`; safe to call and to use from several threads."""
    with _building:
        return _client(service, endpoint_url, region)


@cache
def _client(service: str, endpoint_url: str, region: str) -> Any:
    config = Config(max_pool_connections=32, retries={"mode": "standard", "max_attempts": 2}, read_timeout=300)
    return _session(region).client(service, endpoint_url=endpoint_url, config=config)


@cache
def _session(region: str) -> Any:
    """Return the one session of a region: each new one would read botocore's tables of endpoints again."""
    session: Any = boto3.session.Session(
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",  # noqa: S106 - the embedded AWS checks no signature
        region_name=region,
    )
    return session
