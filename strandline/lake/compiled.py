"""Functions that are compiled to machine code where there is much to read, and run as they are where there is little.

numba takes a function of numbers and numpy arrays and lets go of the interpreter's lock while it runs. Compiling all of
them takes ten seconds, loading what was compiled half of one; a file of some hundred records is read in less without.
What was compiled is kept on disk for the next process. A compiled function checks no bounds: each says in its docstring
what its arrays must hold.
"""

import hashlib
import importlib
from collections.abc import Callable
from functools import cache, update_wrapper
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

# without numba's own memory: nothing compiled allocates, and arrays are handed on without counting who holds them
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "_nrt": False}


class Compiling:
    """From how many bytes of text on functions are compiled: read on, a text of so many is read as quickly without."""

    from_bytes: int = 256 << 10


class Kernel:
    """A function that is compiled on its first call with a long text, its first argument, and run with a short one."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._compiled: Any = None
        update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        if self._compiled is None and getattr(arguments[0], "size", 0) < Compiling.from_bytes:
            return self.run(*arguments)
        return self.dispatcher(*arguments)

    def run(self, *arguments: Any) -> Any:
        """Call the function as it is."""
        with np.errstate(over="ignore"):  # integers of machines go round
            return self._function(*arguments)

    @property
    def dispatcher(self) -> Any:
        """What numba makes of the function, for any types."""
        if self._compiled is None:
            self._compiled = _compile(self._function)
        return self._compiled

    @property
    def _numba_type_(self) -> Any:
        """What the function is where another one that is compiled calls it."""
        return self.dispatcher._numba_type_


def compiled(function: F) -> F:
    """Return a function that may be compiled for the types that it is called with; it may not make arrays."""
    return cast("F", Kernel(function))


def _compile(function: Callable[..., Any]) -> Any:
    numba: Any = importlib.import_module("numba")  # half a second, which short texts do without
    caching: Any = importlib.import_module("numba.core.caching")
    made = numba.njit(**_OPTIONS)(function)
    try:
        made._cache = _cache_of(function, caching)
    except (RuntimeError, OSError):  # there is no folder to keep the code in: each process compiles it
        return made
    return made


def _cache_of(function: Callable[..., Any], caching: Any) -> Any:
    """Return what keeps code in the user's cache, by the text of everything that is compiled.

    numba goes by the path and date of one file: it would compile anew for each copy of the package, and miss a change
    in a function that another file's code calls.
    """

    class ByContent(caching._CacheLocator):  # type: ignore[misc]  # of no told type
        def __init__(self, function: Callable[..., Any]) -> None:
            self._function = function

        def get_cache_path(self) -> str:
            folder = caching.config.CACHE_DIR or caching.AppDirs("strandline", appauthor=False).user_cache_dir
            return str(Path(folder) / _text_hash()[:16])

        def get_source_stamp(self) -> str:
            return _text_hash()

        def get_disambiguator(self) -> str:
            return str(self._function.__code__.co_firstlineno)

        @classmethod
        def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "ByContent":
            del py_file
            locator = cls(py_func)
            locator.ensure_cache_path()
            return locator

    class Implementation(caching.CompileResultCacheImpl):  # type: ignore[misc]
        _locator_classes = (ByContent,)

    class Cache(caching.FunctionCache):  # type: ignore[misc]
        _impl_class = Implementation

    return Cache(function)


@cache
def _text_hash() -> str:
    """Return the SHA-256 of the modules that have compiled functions, and of numba's version."""
    found = hashlib.sha256(version("numba").encode())
    for module in sorted(files("strandline.lake").iterdir(), key=lambda entry: entry.name):
        if module.name.endswith(".py") and b"@compiled" in (text := module.read_bytes()):
            found.update(text)
    return found.hexdigest()
