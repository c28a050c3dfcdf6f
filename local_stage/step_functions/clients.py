"""The clients through which states call services: built once, for moto builds one for each call."""

import sys
import threading
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from local_stage.callers import RoleKeys, keys_of
from local_stage.context import StageContext
from local_stage.replacing import replace

_building = threading.Lock()
_PARSER = "moto.stepfunctions.parser"
_NAME = "boto_client_for"
# a synchronous invocation may take 15 minutes; Step Functions itself decides what is tried again
_CONFIG = Config(
    parameter_validation=False,
    retries={"total_max_attempts": 1},
    max_pool_connections=64,
    connect_timeout=10,
    read_timeout=16 * 60,
)


def use_one_client(context: StageContext) -> None:
    """Make all states of a role share one client a service, which talks to this embedded AWS in the role's name."""

    def boto_client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        keys = keys_of(state_credentials.role_arn) if state_credentials else None
        with _building:
            return _client(service, region, context.endpoint_url, keys)

    for module in modules_with(_NAME):
        replace(module, _NAME, boto_client_for)


def modules_with(name: str) -> list[Any]:
    """Return the modules of moto's interpreter that hold `name`: each imported it for itself."""
    modules = [module for key, module in list(sys.modules.items()) if key.startswith(_PARSER)]
    return [module for module in modules if hasattr(module, name)]


@cache
def _client(service: str, region: str, endpoint_url: str, keys: RoleKeys | None) -> Any:
    session: Any = boto3.session.Session(
        aws_access_key_id=keys.access_key_id if keys else "embedded",
        aws_secret_access_key=keys.secret_access_key if keys else "embedded",
        aws_session_token=keys.session_token if keys else None,
        region_name=region,
    )
    return session.client(service, endpoint_url=endpoint_url, config=_CONFIG)
