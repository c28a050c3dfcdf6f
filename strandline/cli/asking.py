"""`strandline ask`: the questions that the lake is laid out for."""

from typing import Annotated

import typer

from strandline.cli.console import OutputFormat, print_rows
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.cli.querying import ExplainOption, RoleOption, answer
from strandline.errors import RejectedInputError
from strandline.lake.asking import find_question, questions
from strandline.trust.access import in_words_of, split_role


def ask(
    name: Annotated[str | None, typer.Argument(help="Question; without one, all are listed.")] = None,
    values: Annotated[
        list[str] | None, typer.Argument(metavar="PARAMETER=VALUE...", help="What it needs told.")
    ] = None,
    stage: StageOption = LOCAL,
    role: RoleOption = None,
    explain: ExplainOption = False,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Ask the lake a named question. Of a role that may not see samples' names the answer has submissions instead.

    Example: strandline ask region contig=chr20 first=9999000 last=10001000 --explain
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
    if role is not None:
        sql = in_words_of(split_role(role)[0], sql)
    answer(connect(stage), role, sql, literals, explain=explain, form=form)


def _pairs(values: list[str]) -> dict[str, str]:
    pairs = {}
    for text in values:
        key, sign, value = text.partition("=")
        if not sign:
            raise RejectedInputError("question_parameters", f"'{text}' is not of the form PARAMETER=VALUE")
        pairs[key] = value
    return pairs
