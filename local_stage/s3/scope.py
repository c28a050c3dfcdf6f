"""What belongs to the S3 request that this thread is answering."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

_current = threading.local()


@contextmanager
def request_scope(headers: Mapping[str, str]) -> Iterator[None]:
    """Remember the request's headers, and hold back what `after_request` is given until the request is done."""
    pending: list[Callable[[], None]] = []
    _current.headers, _current.pending = headers, pending
    try:
        yield
    finally:
        _current.headers, _current.pending = None, None
    for act in pending:
        act()


def request_header(name: str) -> str | None:
    """Return a header of the request under way, if there is one."""
    headers: Mapping[str, str] | None = getattr(_current, "headers", None)
    return None if headers is None else headers.get(name)


def after_request(act: Callable[[], None]) -> None:
    """Run `act` once the request under way is answered without an error, or now outside of a request."""
    pending: list[Callable[[], None]] | None = getattr(_current, "pending", None)
    if pending is None:
        act()
    else:
        pending.append(act)
