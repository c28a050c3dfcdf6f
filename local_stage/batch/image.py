"""Runs what an image would run, without the image: its folder holds the Dockerfile and what that copies."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_APP = "/app"
_INTERPRETERS = ("python", "python3")


class ImageError(Exception):
    """The image cannot be run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image as a folder on this machine."""

    folder: Path
    entry_point: Sequence[str]
    command: Sequence[str]

    def command_line(self, command: Sequence[str]) -> list[str]:
        """Return the argument list of a job: `python` is this interpreter, `/app` is the folder."""
        arguments = [*self.entry_point, *(command or self.command)]
        if not arguments:
            raise ImageError(f"{self.folder.name}: neither the image nor the job says what to run")
        first = sys.executable if arguments[0] in _INTERPRETERS else self._translate(arguments[0])
        return [first, *(self._translate(argument) for argument in arguments[1:])]

    def _translate(self, argument: str) -> str:
        if argument == _APP or argument.startswith(f"{_APP}/"):
            return str(self.folder) + argument[len(_APP) :]
        return argument


def read_image(folder: Path) -> Image:
    """Read the Dockerfile of an image.

    Raises:
        ImageError: there is none, or its ENTRYPOINT or CMD is a shell line instead of a JSON list.
    """
    dockerfile = folder / "Dockerfile"
    if not dockerfile.is_file():
        raise ImageError(f"{folder}: there is no Dockerfile")
    instructions = _instructions(dockerfile.read_text())
    return Image(folder, _last(instructions, "ENTRYPOINT", dockerfile), _last(instructions, "CMD", dockerfile))


def _instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of the last stage with their arguments."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    instructions: list[tuple[str, str]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, argument = line.strip().partition(" ")
        if name.upper() == "FROM":
            instructions.clear()
        if name:
            instructions.append((name.upper(), argument.strip()))
    return instructions


def _last(instructions: Sequence[tuple[str, str]], name: str, dockerfile: Path) -> list[str]:
    argument = next((argument for found, argument in reversed(instructions) if found == name), "[]")
    try:
        parts = json.loads(argument)
    except ValueError:
        raise ImageError(f"{dockerfile}: {name} has to be a JSON list of strings, not {argument}") from None
    return [str(part) for part in parts]
