"""What a validator says of a file: rules with stable codes, and findings that point at a line and never quote a value.

Each rule names the section of the published specification that it comes from. A value is described by its kind
("letters", "empty", "over 2^31-1"), because a finding is read in logs and mails where no patient data may stand.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from strandline.errors import RejectedInputError

KEPT_PER_RULE: Final = 10


class Level(StrEnum):
    """An error keeps a file out; a warning is told and lets it in."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong with a file.

    Attributes:
        code: stable, machine readable, unique among all formats.
        level: whether it keeps the file out.
        section: the specification and its section, such as `VCF 4.5, 1.6.1`.
        says: what is wrong, a clause without a value.
        advice: what to do, an imperative.
    """

    code: str
    level: Level
    section: str
    says: str
    advice: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that a file breaks, and where: `line` and `record` are 1-based, `field` is the format's own name.

    `kind` describes the value and is never the value.
    """

    rule: Rule
    file: str
    line: int | None = None
    record: int | None = None
    field: str | None = None
    kind: str | None = None

    @property
    def message(self) -> str:
        """Return what is wrong, where, and what to do, in one line."""
        places = [
            self.file,
            f"line {self.line}" if self.line is not None else "",
            f"record {self.record}" if self.record is not None and self.line is None else "",
            self.field or "",
        ]
        kind = f" ({self.kind})" if self.kind else ""
        return f"{', '.join(place for place in places if place)}: {self.rule.says}{kind}; {self.rule.advice}"

    def describe(self) -> dict[str, str | int | None]:
        """Return the finding as a JSON object; a contract of `strandline validate` and of exception records."""
        return {
            "code": self.rule.code,
            "level": self.rule.level.value,
            "line": self.line,
            "record": self.record,
            "field": self.field,
            "kind": self.kind,
            "message": self.message,
            "section": self.rule.section,
        }


class FindingLog:
    """The findings of one file in bounded memory: of each rule the first few are kept and all are counted."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.count_by_code: Counter[str] = Counter()
        self._kept: list[Finding] = []
        self._first_error: Finding | None = None

    def add(
        self,
        rule: Rule,
        *,
        line: int | None = None,
        record: int | None = None,
        field: str | None = None,
        kind: str | None = None,
        count: int = 1,
    ) -> None:
        """Note that a rule is broken, `count` times in one place."""
        seen = self.count_by_code[rule.code]
        self.count_by_code[rule.code] += count
        if seen >= KEPT_PER_RULE:
            return
        finding = Finding(rule, self.file, line, record, field, kind)
        self._kept.append(finding)
        if self._first_error is None and rule.level is Level.ERROR:
            self._first_error = finding

    @property
    def findings(self) -> list[Finding]:
        """What was kept, in the order in which it was found."""
        return list(self._kept)

    @property
    def first_error(self) -> Finding | None:
        """The first finding that keeps the file out."""
        return self._first_error

    def refuse_errors(self) -> None:
        """Raise the first error.

        Raises:
            RejectedInputError: with the code and message of the first error.
        """
        if self._first_error is not None:
            raise RejectedInputError(self._first_error.rule.code, self._first_error.message)


def rules_by_code(*tables: Iterable[Rule]) -> dict[str, Rule]:
    """Return all rules of several tables by code.

    Raises:
        ValueError: two rules share a code.
    """
    found: dict[str, Rule] = {}
    for rule in (rule for table in tables for rule in table):
        if rule.code in found:
            raise ValueError(f"two rules have the code {rule.code}")
        found[rule.code] = rule
    return found
