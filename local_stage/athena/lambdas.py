"""A lambda of a query, to be written out over whatever its arguments are in DuckDB."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

from local_stage.athena.types import TrinoType
from local_stage.athena.values import Read

_depth: ContextVar[int] = ContextVar("_depth", default=0)
_SHORT = 60


@dataclass(frozen=True, slots=True)
class Lambda:
    """A lambda whose types are known. `write` gives the text of its body over the texts of its arguments."""

    write: Callable[[Sequence[str]], str]
    result: TrinoType
    reads: frozenset[Read] = frozenset()

    def over(self, *arguments: str) -> str:
        """Return the body over these arguments."""
        return self.write(arguments)


def each(items: str, body: Callable[[str], str], function: str = "list_transform") -> str:
    """Return a function of a list and of a lambda with one argument."""
    return nested(1, lambda names: f"{function}({items}, lambda {names[0]}: {body(names[0])})")


def nested(count: int, write: Callable[[Sequence[str]], str]) -> str:
    """Return a text with lambdas, which is given names that no lambda around it has.

    A name tells how deep its lambda lies and nothing else: an expression that is written twice is the same text, by
    which DuckDB knows what GROUP BY names again.
    """
    depth = _depth.get()
    reset = _depth.set(depth + count)
    try:
        return write([f"l{depth + number}" for number in range(count)])
    finally:
        _depth.reset(reset)


def once(text: str, body: Callable[[str], str]) -> str:
    """Return an expression that uses another in several places, without writing a long one out in each."""
    if len(text) <= _SHORT:
        return body(text)
    return f"list_extract({each(f'[{text}]', body)}, 1)"
