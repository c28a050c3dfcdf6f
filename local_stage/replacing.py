"""Replacing parts of moto, openly: each part must exist, and everything can be put back."""

import threading
from typing import Any

_replaced: list[tuple[Any, str, Any, bool]] = []
_lock = threading.Lock()


def replace(owner: Any, name: str, new: Any) -> Any:
    """Set `owner.name` to `new` and return what stood there.

    Raises:
        AttributeError: there is no such part; moto has changed, and this extension has to be looked at again.
    """
    if not hasattr(owner, name):
        raise AttributeError(f"{getattr(owner, '__name__', owner)} has no {name} any more: moto has changed")
    with _lock:
        old = getattr(owner, name)
        own = name in vars(owner)
        _replaced.append((owner, name, vars(owner).get(name, old), own))
        setattr(owner, name, new)
    return old


def restore() -> None:
    """Put back everything that was replaced, the latest first."""
    with _lock:
        while _replaced:
            owner, name, old, own = _replaced.pop()
            if own:
                setattr(owner, name, old)
            else:
                delattr(owner, name)
