"""The questions that researchers ask most, each a file of SQL with what it needs told above it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from strandline.errors import RejectedInputError

_PARAMETER: Final = re.compile(r"-- (\w+): (text|texts|whole|number), (.+)")
_PLACE: Final = re.compile(r":([a-z]\w*)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a question has to be told. `kind` is text, texts (with commas between them), whole or number."""

    name: str
    kind: str
    meaning: str

    def literals(self, value: str) -> list[str]:
        """Return the value as literals of SQL.

        Raises:
            RejectedInputError: `question_value`, where it is not of the kind.

        >>> Parameter("genes", "texts", "").literals("BRCA1, it's")
        ["'BRCA1'", "'it''s'"]
        """
        if self.kind in {"text", "texts"}:
            parts = [part.strip() for part in (value.split(",") if self.kind == "texts" else [value])]
            if all(parts):
                return ["'" + part.replace("'", "''") + "'" for part in parts]
        elif re.fullmatch(r"\d+" if self.kind == "whole" else r"\d+(\.\d+)?", value):
            return [value]
        raise RejectedInputError("question_value", f"{self.name} has to be {_KINDS[self.kind]}: {self.meaning}")


_KINDS: Final = {
    "text": "a text",
    "texts": "one or more texts with commas between them",
    "whole": "a whole number",
    "number": "a number such as 0.001",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `sql` names its parameters as `:name`."""

    name: str
    asks: str
    parameters: tuple[Parameter, ...]
    sql: str

    def bind(self, values: Mapping[str, str]) -> tuple[str, list[str]]:
        """Return Athena SQL with question marks, and the literals for them in their order.

        Raises:
            RejectedInputError: `question_parameters`, where not exactly those of the question are given;
                `question_value`.
        """
        names = [parameter.name for parameter in self.parameters]
        if set(values) != set(names):
            wanted = " ".join(f"{name}=..." for name in names) or "nothing"
            raise RejectedInputError("question_parameters", f"'{self.name}' has to be told {wanted}")
        literals = {parameter.name: parameter.literals(values[parameter.name]) for parameter in self.parameters}
        given: list[str] = []

        def place(found: re.Match[str]) -> str:
            given.extend(literals[found[1]])
            return ", ".join("?" for _ in literals[found[1]])

        return _PLACE.sub(place, self.sql), given


@cache
def questions() -> dict[str, Question]:
    """Return the questions by name."""
    found = sorted(files("strandline.lake").joinpath("questions").iterdir(), key=lambda file: file.name)
    return {
        file.name.removesuffix(".sql"): _parse(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in found
        if file.name.endswith(".sql")
    }


def find_question(name: str) -> Question:
    """Return a question.

    Raises:
        RejectedInputError: `question_unknown`, with the names there are.
    """
    if name not in questions():
        raise RejectedInputError("question_unknown", f"there is no '{name}': ask one of {', '.join(questions())}")
    return questions()[name]


def _parse(name: str, text: str) -> Question:
    lines = text.splitlines()
    head = [line for line in lines if line.startswith("-- ")]
    parameters = [_PARAMETER.fullmatch(line) for line in head[1:]]
    return Question(
        name=name,
        asks=head[0].removeprefix("-- "),
        parameters=tuple(Parameter(*found.groups()) for found in parameters if found is not None),
        sql="\n".join(lines[len(head) :]),
    )
