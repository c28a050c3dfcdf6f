"""What is wrong with a FHIR resource: severity, place, what and how to mend it; never a value of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """As in FHIR's OperationOutcome. `INFORMATION` says what was not checked."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


ADVICE: Final = {
    "not_json": "write JSON as RFC 8259 says, in UTF-8",
    "duplicate_key": "keep one of the two",
    "too_large": "split it, such as one Bundle a contig",
    "too_deep": "take out what nests so deep",
    "unknown_type": "name a resource type of FHIR R4 in resourceType",
    "unknown_element": "take it out, or correct its name",
    "missing_element": "add it",
    "too_many": "take out what is more",
    "wrong_shape": "write an object, a list or a value as the definition of the element says",
    "wrong_type": "use a type that the element may have",
    "empty": "leave out what has no value",
    "bad_value": "write it as the data type's definition says",
    "fixed_value": "write the value that the profile fixes",
    "slice": "add or take out entries of the slice",
    "code_unknown": "use a code of the code system",
    "code_not_bound": "use a code of the value set",
    "invariant": "make the rule true",
    "unresolved_reference": "add the resource to the Bundle, or correct the reference to a fullUrl in it",
    "wrong_target": "point at a resource of a type and profile that the element allows",
    "unknown_profile": "name a profile of R4 or of the guide, or check it elsewhere",
    "profile_of_another_type": "name a profile of this resource type",
    "unknown_extension": "use an extension that is defined, or check it elsewhere",
    "wrong_context": "move the extension to where its definition allows it",
    "markup": "write plain text; mark-up belongs into text.div",
    "narrative": "use the elements and attributes of XHTML that a narrative may have",
    "duplicate_full_url": "give each entry its own fullUrl",
    "full_url_mismatch": "let fullUrl end with type and id of its resource, or be a urn:uuid",
    "more": "mend these first, and validate again",
    "not_checked": "check it with a terminology service",
}


@dataclass(slots=True)
class Problem:
    """What a check found. `path` grows from the inside out as the problem is handed up."""

    code: str
    message: str
    path: list[str]
    severity: Severity = Severity.ERROR


Problems = list[Problem] | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `location` is a FHIRPath expression from the root of the document."""

    severity: Severity
    code: str
    location: str
    message: str
    advice: str


def one(code: str, message: str, *path: str, severity: Severity = Severity.ERROR) -> list[Problem]:
    """Return a single problem at a place below the one that is checked."""
    return [Problem(code, message, list(reversed(path)), severity)]


def below(problems: Problems, part: str) -> list[Problem]:
    """Say that problems were found below `part`."""
    found = problems or []
    for problem in found:
        problem.path.append(part)
    return found


def to_findings(problems: Iterable[Problem], root: str) -> list[Finding]:
    """Return problems with their places in words, errors first, each once."""
    found = [
        Finding(
            problem.severity,
            problem.code,
            ".".join([root, *reversed(problem.path)]),
            problem.message,
            ADVICE[problem.code],
        )
        for problem in problems
    ]
    order = list(Severity)
    return sorted(dict.fromkeys(found), key=lambda finding: order.index(finding.severity))
