"""Who signs in at the command line. Password and code come from a prompt, or from the environment for scripts.

They are never arguments: what stands in a command is in the shell's history and in the list of processes.
"""

import os
from typing import Final

import typer

PASSWORD_VARIABLE: Final = "STRANDLINE_PASSWORD"  # noqa: S105 - the name of a variable
NEW_PASSWORD_VARIABLE: Final = "STRANDLINE_NEW_PASSWORD"  # noqa: S105 - likewise
CODE_VARIABLE: Final = "STRANDLINE_CODE"


def ask_password(prompt: str = "Password", variable: str = PASSWORD_VARIABLE) -> str:
    """Return a password."""
    return os.environ.get(variable) or str(typer.prompt(prompt, hide_input=True, err=True))


def ask_code() -> str:
    """Return the code that the authenticator shows."""
    return os.environ.get(CODE_VARIABLE) or str(typer.prompt("Code of the authenticator", err=True))
