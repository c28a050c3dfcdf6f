"""Which Python, on which platform, a function runs under."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRuntime:
    """`python` is a minor version such as 3.13; `platform` is a wheel platform tag, or None for this machine."""

    python: str
    platform: str | None
