"""The command line: data on stdout, progress on stderr, and exit codes that scripts rely on.

0 success, 2 usage, 65 bad input, 70 internal error, 75 try again.
"""

import errno
import os
import sys
import traceback
from importlib import import_module
from typing import Final

import typer
import typer.exceptions

from strandline.cli.console import say
from strandline.errors import RejectedInputError, TemporaryError

USAGE_EXIT_CODE: Final = 2
INTERNAL_EXIT_CODE: Final = 70
INTERRUPTED_EXIT_CODE: Final = 130
COMMANDS: Final = {  # command to module and function; only the asked one is imported, so that each starts quickly
    "demo": ("demo", "demo"),
    "stage": ("stage", "app"),
    "reference": ("reference", "app"),
    "validate": ("validation", "validate"),
    "run": ("analysis", "run_sample"),
    "submit": ("submission", "submit_sheet"),
    "package": ("package", "app"),
    "status": ("status", "show_status"),
    "cost": ("cost", "show_cost"),
    "intake": ("intake", "app"),
    "quarantine": ("quarantine", "app"),
    "query": ("querying", "query"),
    "tables": ("querying", "tables"),
    "ask": ("asking", "ask"),
    "lake": ("lake", "app"),
    "fhir": ("fhir", "app"),
    "report": ("drafts", "report"),
    "interpret": ("interpret", "interpret"),
    "knowledge": ("knowledge", "app"),
    "panel": ("panel", "app"),
    "consent": ("consent", "app"),
    "retention": ("retention", "app"),
    "qc": ("qc", "qc"),
    "cohort": ("cohort", "app"),
    "lineage": ("lineage", "lineage"),
    "audit": ("audit", "app"),
    "release": ("release", "app"),
    "user": ("user", "app"),
}


def build_app(arguments: list[str]) -> typer.Typer:
    """Return the application with the command that `arguments` begin with, or with all of them."""
    app = typer.Typer(
        name="strandline",
        help="Sequencing reads in; a queryable variant lake, FHIR bundles and reports out.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(lambda: None)  # keeps a single command a subcommand
    asked = arguments[0] if arguments and arguments[0] in COMMANDS else None
    for name, (module, attribute) in COMMANDS.items():
        if asked in {None, name}:
            home = import_module(f"strandline.cli.{module}")
            command = getattr(home, attribute)
            if isinstance(command, typer.Typer):
                app.add_typer(command, name=name)
            else:
                app.command(name, cls=getattr(home, "COMMAND_CLASS", None))(command)
    return app


def run() -> None:
    """Run the command of this process and exit with its code."""
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: list[str]) -> int:
    """Run one command and return its exit code; every failure is one line on stderr.

    With STRANDLINE_DEBUG set, the traceback of an internal error is printed too.
    """
    try:
        result = build_app(arguments)(arguments, standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted", INTERRUPTED_EXIT_CODE)
    except typer.exceptions.TyperException as error:
        words = error.format_message().removesuffix(".")
        if "\n" in words:  # the help of a group that was called without a command
            say(words)
            return USAGE_EXIT_CODE
        return _fail(f"usage: {words}; see 'strandline --help'", USAGE_EXIT_CODE)
    except Exception as error:
        code, message = _explain(error)
        if code == INTERNAL_EXIT_CODE and os.environ.get("STRANDLINE_DEBUG"):
            traceback.print_exc()
        return _fail(message, code)
    return result if isinstance(result, int) else 0


def _explain(error: Exception) -> tuple[int, str]:
    """Return the exit code and the words for a failure."""
    # what is not loaded cannot have raised; loading either costs a tenth of a second
    from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError  # noqa: PLC0415

    from strandline.cli.following import SubmissionFailedError  # noqa: PLC0415

    match error:
        case RejectedInputError() | TemporaryError():
            return error.EXIT_CODE, f"{error.code}: {error.message}"
        case SubmissionFailedError():
            return INTERNAL_EXIT_CODE, str(error)
        case EndpointConnectionError():
            return TemporaryError.EXIT_CODE, "aws_unreachable: nothing answers there: run 'strandline stage up'"
        case ClientError() | BotoCoreError():
            return INTERNAL_EXIT_CODE, f"aws_refused: {error}"
        case OSError(errno=errno.ENOSPC):
            return INTERNAL_EXIT_CODE, f"disk_full: {error.filename or 'the disk'} is full: free space and run again"
        case OSError():
            return INTERNAL_EXIT_CODE, f"file_error: {error.filename or 'a file'}: {error.strerror}"
        case _:
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            return INTERNAL_EXIT_CODE, f"internal_error: {what}; run again with STRANDLINE_DEBUG=1 for more"


def _fail(message: str, code: int) -> int:
    say(f"strandline: {' '.join(message.split())}")
    return code
