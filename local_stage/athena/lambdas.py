"""A lambda of a query, to be written out over whatever its arguments are in DuckDB."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from local_stage.athena.types import TrinoType
from local_stage.athena.values import Read

_numbers = count(1)
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


def new_name() -> str:
    """Return a name for a lambda's argument that no other has."""
    return f"l{next(_numbers)}"


def each(items: str, body: Callable[[str], str], function: str = "list_transform") -> str:
    """Return a function of a list and of a lambda with one argument."""
    name = new_name()
    return f"{function}({items}, lambda {name}: {body(name)})"


def once(text: str, body: Callable[[str], str]) -> str:
    """Return an expression that uses another in several places, without writing a long one out in each."""
    if len(text) <= _SHORT:
        return body(text)
    return f"list_extract({each(f'[{text}]', body)}, 1)"
