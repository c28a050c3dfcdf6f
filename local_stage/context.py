"""What every part of the embedded AWS is given when it is installed."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3

ACCOUNT = "123456789012"
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class StageContext:
    """Where one embedded AWS listens and keeps its files.

    `endpoint_url` is on the loopback interface; `state_dir` is this stage's own folder.
    """

    endpoint_url: str
    state_dir: Path
    account: str = ACCOUNT
    region: str = REGION

    def client(self, service: str) -> Any:
        """Return a boto3 client that talks to this embedded AWS."""
        return _client(service, self.endpoint_url, self.region)


@cache
def _client(service: str, endpoint_url: str, region: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",  # noqa: S106 - the embedded AWS checks no signature
    )
