"""Functions that are compiled to machine code on their first call, and kept on disk for the next process.

numba takes a function of numbers and numpy arrays and lets go of the interpreter's lock while it runs. A compiled
function checks no bounds: each says in its docstring what its arrays must hold.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

# without numba's own memory: nothing compiled allocates, and arrays are handed on without counting who holds them
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "_nrt": False}


def compiled(function: F) -> F:
    """Return `function` compiled for the types that it is called with; it may not make arrays."""
    try:
        return cast("F", numba.njit(cache=True, **_OPTIONS)(function))
    except RuntimeError:  # there is no folder to keep the code in: compile it in each process
        return cast("F", numba.njit(**_OPTIONS)(function))
