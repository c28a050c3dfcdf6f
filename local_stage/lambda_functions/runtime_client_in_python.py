"""The four calls of awslambdaric's native client, for platforms where that is not built.

Runs inside a worker under the name `runtime_client`, so it needs nothing but the standard library.
"""

import http.client
import os
from typing import Any

_RUNTIME = "/2018-06-01/runtime/invocation"


class _State:
    user_agent = ""


def initialize_client(user_agent: str) -> None:
    """Remember how the client names itself."""
    _State.user_agent = user_agent


def next() -> tuple[bytes, dict[str, str]]:  # noqa: A001 - the name that awslambdaric calls
    """Wait for the next event; return its body and its headers."""
    return _call("GET", f"{_RUNTIME}/next")


def post_invocation_result(request_id: str, body: bytes, content_type: str, *_more: Any) -> None:
    """Hand over what the function returned."""
    _call("POST", f"{_RUNTIME}/{request_id}/response", body, {"Content-Type": content_type})


def post_error(request_id: str, body: str, xray_fault: str, *_more: Any) -> None:
    """Hand over what the function raised."""
    _call(
        "POST",
        f"{_RUNTIME}/{request_id}/error",
        body.encode(),
        {"Lambda-Runtime-Function-XRay-Error-Cause": xray_fault},
    )


def _call(
    method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[bytes, dict[str, str]]:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        connection.request(method, path, body, {"User-Agent": _State.user_agent, **(headers or {})})
        response = connection.getresponse()
        content = response.read()
        if response.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"the runtime API answered {response.status} to {method} {path}")
        return content, dict(response.getheaders())
    finally:
        connection.close()
