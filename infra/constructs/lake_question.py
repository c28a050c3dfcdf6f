"""The lake's named questions, from the files that the command line asks too."""

import re
from collections.abc import Mapping
from pathlib import Path

from aws_cdk import aws_athena as athena
from constructs import Construct

QUESTIONS = Path(__file__).resolve().parents[2] / "strandline" / "lake" / "questions"


def lake_questions() -> Mapping[str, str]:
    """The questions' text by name."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(QUESTIONS.glob("*.sql"))}


class LakeQuestion(Construct):
    """A question saved in the workgroup, as Athena keeps it: with question marks where a value belongs.

    What stands above the SQL tells which values, in the order of their first use; an analyst gives one for each mark.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        text: str,
        database: str,
        workgroup: athena.CfnWorkGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        head = [line for line in text.splitlines() if line.startswith("-- ")]
        body = "\n".join(text.splitlines()[len(head) :])
        marks = ", ".join(re.findall(r":([a-z]\w*)", body))
        told = [*head, *([f"-- question marks, in order: {marks}"] if marks else [])]
        query = athena.CfnNamedQuery(
            self,
            "Query",
            name=name,
            description=head[0].removeprefix("-- "),
            database=database,
            work_group=workgroup.name,
            query_string="\n".join([*told, re.sub(r":[a-z]\w*", "?", body)]),
        )
        query.add_resource_dependency(workgroup)
