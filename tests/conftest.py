"""What every test is collected by."""

from typing import Any


def pytest_make_parametrize_id(config: Any, val: object, argname: str) -> str | None:
    """Name bytes by their argument: gzip keeps the second it was made in, and two workers have to collect alike."""
    del config
    return argname if isinstance(val, bytes) else None
