"""Functions that are compiled to machine code on their first call, and kept on disk for the next process.

numba takes a function of numbers and numpy arrays and lets go of the interpreter's lock while it runs. A compiled
function checks no bounds: each says in its docstring what its arrays must hold.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Return `function` compiled for the types that it is called with."""
    try:
        return cast("F", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # there is no folder to keep the code in: compile it in each process
        return cast("F", numba.njit(nogil=True)(function))
