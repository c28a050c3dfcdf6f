"""`strandline ask`: the questions that the lake is laid out for."""

from typing import Annotated

import typer

from strandline.cli.console import OutputFormat, print_rows
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.cli.querying import print_result
from strandline.errors import RejectedInputError
from strandline.lake.asking import find_question, questions


def ask(
    name: Annotated[str | None, typer.Argument(help="Question; without one, all are listed.")] = None,
    values: Annotated[
        list[str] | None, typer.Argument(metavar="PARAMETER=VALUE...", help="What it needs told.")
    ] = None,
    stage: StageOption = LOCAL,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Ask the lake a named question.

    Example: strandline ask region contig=chr20 first=9999000 last=10001000
    """
    if name is None:
        rows = [
            (question.name, question.asks, " ".join(f"{parameter.name}=" for parameter in question.parameters))
            for question in questions().values()
        ]
        print_rows(("name", "question", "parameters"), rows, form)
        return
    question = find_question(name)
    sql, literals = question.bind(_pairs(values or []))
    print_result(connect(stage).queries.run(sql, literals), form)


def _pairs(values: list[str]) -> dict[str, str]:
    pairs = {}
    for text in values:
        key, sign, value = text.partition("=")
        if not sign:
            raise RejectedInputError("question_parameters", f"'{text}' is not of the form PARAMETER=VALUE")
        pairs[key] = value
    return pairs
