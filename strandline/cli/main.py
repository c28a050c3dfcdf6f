"""The command line: data on stdout, progress on stderr, and exit codes that scripts rely on.

0 success, 2 usage, 65 bad input, 70 internal error, 75 try again.
"""

import os
import sys
import traceback
from typing import Final

import click
import typer
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from pysam import set_verbosity

from strandline.cli import analysis, demo, drafts, querying, stage, validation
from strandline.cli.console import say
from strandline.cli.following import SubmissionFailedError
from strandline.errors import RejectedInputError, TemporaryError

INTERNAL_EXIT_CODE: Final = 70
INTERRUPTED_EXIT_CODE: Final = 130

app = typer.Typer(
    name="strandline",
    help="Sequencing reads in; a queryable variant lake, FHIR bundles and reports out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(demo.demo)
app.add_typer(stage.app, name="stage")
app.command("validate")(validation.validate)
app.command("run")(analysis.run_sample)
app.command("submit")(analysis.submit_sheet)
app.command("status")(analysis.show_status)
app.command("query")(querying.query)
app.command("tables")(querying.tables)
app.command("fhir")(drafts.fhir)
app.command("report")(drafts.report)


def run() -> None:
    """Run the command of this process and exit with its code."""
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: list[str]) -> int:
    """Run one command and return its exit code; every failure is one line on stderr.

    With STRANDLINE_DEBUG set, the traceback of an internal error is printed too.
    """
    set_verbosity(0)  # htslib talks of details on stderr; what fails raises
    try:
        result = app(arguments, standalone_mode=False)
    except RejectedInputError as error:
        return _fail(f"{error.code}: {error.message}", error.EXIT_CODE)
    except TemporaryError as error:
        return _fail(f"{error.code}: {error.message}", error.EXIT_CODE)
    except SubmissionFailedError as error:
        return _fail(str(error), INTERNAL_EXIT_CODE)
    except click.exceptions.Abort:
        return _fail("interrupted", INTERRUPTED_EXIT_CODE)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except EndpointConnectionError:
        return _fail("aws_unreachable: nothing answers there: run 'strandline stage up'", TemporaryError.EXIT_CODE)
    except (ClientError, BotoCoreError) as error:
        return _fail(f"aws_refused: {error}", INTERNAL_EXIT_CODE)
    except OSError as error:
        return _fail(f"{_os_code(error)}: {error.filename or 'a file'}: {error.strerror}", INTERNAL_EXIT_CODE)
    except Exception as error:
        if os.environ.get("STRANDLINE_DEBUG"):
            traceback.print_exc()
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        return _fail(f"internal_error: {what}; run again with STRANDLINE_DEBUG=1 for more", INTERNAL_EXIT_CODE)
    return result if isinstance(result, int) else 0


def _fail(message: str, code: int) -> int:
    say(f"strandline: {' '.join(message.split())}")
    return code


def _os_code(error: OSError) -> str:
    return "disk_full" if error.errno == 28 else "file_error"
