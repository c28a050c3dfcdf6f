"""Functions that are compiled to machine code on their first call, and kept on disk for the next process.

numba takes a function of numbers and numpy arrays and lets go of the interpreter's lock while it runs. A compiled
function checks no bounds: each says in its docstring what its arrays must hold.
"""

import hashlib
import importlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_caching: Final[Any] = importlib.import_module("numba.core.caching")  # its types are told in part, and not soundly

# without numba's own memory: nothing compiled allocates, and arrays are handed on without counting who holds them
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "_nrt": False}


def compiled(function: F) -> F:
    """Return `function` compiled for the types that it is called with; it may not make arrays."""
    made: Any = numba.njit(**_OPTIONS)(function)
    try:
        made._cache = _ContentCache(function)
    except (RuntimeError, OSError):  # there is no folder to keep the code in: each process compiles it
        return cast("F", made)
    return cast("F", made)


class _ByContent(_caching._CacheLocator):  # type: ignore[misc]  # of no told type
    """Keeps code in the user's cache, by the text of everything that is compiled.

    numba goes by the path and date of one file: it would compile anew for each copy of the package, and miss a change
    in a function that another file's code calls.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def get_cache_path(self) -> str:
        folder = _caching.config.CACHE_DIR or _caching.AppDirs("strandline", appauthor=False).user_cache_dir
        return str(Path(folder) / _text_hash()[:16])

    def get_source_stamp(self) -> str:
        return _text_hash()

    def get_disambiguator(self) -> str:
        return str(self._function.__code__.co_firstlineno)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "_ByContent":
        del py_file
        locator = cls(py_func)
        locator.ensure_cache_path()
        return locator


class _ContentCacheImpl(_caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_ByContent,)


class _ContentCache(_caching.FunctionCache):  # type: ignore[misc]
    _impl_class = _ContentCacheImpl


@cache
def _text_hash() -> str:
    """Return the SHA-256 of the modules that have compiled functions, and of numba's version."""
    found = hashlib.sha256(numba.__version__.encode())
    for module in sorted(files("strandline.lake").iterdir(), key=lambda entry: entry.name):
        if module.name.endswith(".py") and b"@compiled" in (text := module.read_bytes()):
            found.update(text)
    return found.hexdigest()
