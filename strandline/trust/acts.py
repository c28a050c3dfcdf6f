"""What is done on a stage and leaves an entry in the audit log: what writes it, and how events of AWS are read.

`acts.json` lists the acts, and the rules by which EventBridge hands over those that happen outside of our own code.
`python -m strandline.trust.acts` prints the table in docs/audit.md. Sources: Batch, Glue and EventBridge user guides
(job state changes; "AWS API Call via CloudTrail"), CloudTrail user guide (contents of an event's record).
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

Event = Mapping[str, Any]

BY_CLOUDTRAIL: Final = "AWS API Call via CloudTrail"
BY_ACCESS_LOG: Final = "access_log"
_PARAMETER_BY_SOURCE: Final[Mapping[str, tuple[str, str]]] = {
    "aws.cloudformation": ("stack", "stackName"),
    "aws.lambda": ("function", "functionName"),
    "aws.iam": ("role", "roleName"),
}
_SIGN_INS: Final = frozenset({"InitiateAuth", "RespondToAuthChallenge"})
_LOCKED_OUT: Final = "Password attempts exceeded"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Act:
    """What an event says was done; the names are those of an entry."""

    what: str
    record: str
    who: str
    role: str
    why: str
    when: datetime


@dataclass(frozen=True, slots=True)
class Kind:
    """A line of the table.

    `way` is `with it`, `before the answer`, `after it`, `access_log`, or the rule that hands it over.
    """

    act: str
    entry: str
    record: str
    way: str


@cache
def kinds() -> Sequence[Kind]:
    """Return every kind of act that leaves an entry."""
    return [Kind(**line) for line in _described()["acts"]]


@cache
def rules() -> Mapping[str, Mapping[str, Any]]:
    """Return the patterns of EventBridge by name; `{stage}`, `{client}` and `{pool}` stand for those of the stage."""
    found: Mapping[str, Mapping[str, Any]] = _described()["rules"]
    return found


def access_log_pattern() -> str:
    """Return the filter pattern by which CloudWatch Logs hands over lines of the APIs' access logs."""
    return str(_described()["access_log"])


def act_of(event: Event) -> Act | None:
    """Return what an event says was done, or None where it is a step on the way to something.

    Args:
        event: as EventBridge hands it over by one of `rules`. No name or value of a request is taken but ids.
    """
    detail, when = event["detail"], datetime.fromisoformat(event["time"]).astimezone(UTC)
    if event["source"] == "aws.batch":
        return _job(str(detail["jobId"]), str(detail["status"]), str(detail["jobName"]), when)
    if event["source"] == "aws.glue":
        return _job(str(detail["jobRunId"]), str(detail["state"]), str(detail["jobName"]), when)
    if event["source"] == "aws.cognito-idp" and detail["eventName"] in _SIGN_INS:
        return _sign_in(detail, when)
    if event["source"] == "aws.athena":
        return _query(detail, when)
    return _change(event["source"], detail, when)


def show_table() -> str:
    """Return the table of acts as it stands in docs/audit.md."""
    ways = {
        "with it": "in its transaction",
        "before the answer": "before the answer",
        "after it": "after it",
        BY_ACCESS_LOG: "by the line of the access log",
    }
    lines = ["| what is done | entry | record | written |", "| --- | --- | --- | --- |"]
    for kind in kinds():
        way = ways.get(kind.way, f"by the event (`{kind.way}`)")
        lines.append(f"| {kind.act} | `{kind.entry}` | `{kind.record}` | {way} |")
    return "\n".join(lines) + "\n"


def _job(job_id: str, status: str, name: str, when: datetime) -> Act:
    said = {"RUNNING": "started"}.get(status, f"ended: {status}")
    return Act("JOB_RUN", f"job/{job_id}", name, "job", f"{name} {said}", when)


def _sign_in(detail: Mapping[str, Any], when: datetime) -> Act | None:
    sub = str((detail.get("additionalEventData") or {}).get("sub") or UNKNOWN)
    if detail.get("errorCode"):
        is_out = str(detail.get("errorMessage", "")).startswith(_LOCKED_OUT)
        why = "Sign-in refused: locked out" if is_out else f"Sign-in refused: {_word(detail['errorCode'])}"
        return Act("REFUSED", f"user/{sub}", sub, "person", why, when)
    answered = detail.get("responseElements") or {}
    if "authenticationResult" not in answered:
        return None  # the next question is asked: the sign-in goes on
    return Act("SIGNED_IN", f"user/{sub}", sub, "person", "Signed in", when)


def _query(detail: Mapping[str, Any], when: datetime) -> Act:
    who, role = _caller(detail)
    workgroup = _word((detail.get("requestParameters") or {}).get("workGroup", UNKNOWN))
    if detail.get("errorCode"):
        why = f"Query in {workgroup} refused: {_word(detail['errorCode'])}"
        return Act("REFUSED", f"query/{UNKNOWN}", who, role, why, when)
    query_id = str((detail.get("responseElements") or {}).get("queryExecutionId", UNKNOWN))
    return Act("QUERIED", f"query/{query_id}", who, role, f"Asked in {workgroup}", when)


def _change(source: str, detail: Mapping[str, Any], when: datetime) -> Act:
    who, role = _caller(detail)
    if source in _PARAMETER_BY_SOURCE:
        kind, parameter = _PARAMETER_BY_SOURCE[source]
        record = f"{kind}/{_word((detail.get('requestParameters') or {}).get(parameter, UNKNOWN))}"
    else:
        record = f"user/{(detail.get('additionalEventData') or {}).get('sub') or UNKNOWN}"
    why = str(detail["eventName"])
    if detail.get("errorCode"):
        return Act("REFUSED", record, who, role, f"{why} refused: {_word(detail['errorCode'])}", when)
    return Act("CONFIGURED", record, who, role, why, when)


def _caller(detail: Mapping[str, Any]) -> tuple[str, str]:
    identity = detail.get("userIdentity") or {}
    issuer = ((identity.get("sessionContext") or {}).get("sessionIssuer") or {}).get("userName")
    who = identity.get("arn") or identity.get("principalId") or UNKNOWN
    return str(who), str(issuer or identity.get("type") or UNKNOWN)


def _word(value: object) -> str:
    """Return a name or an ARN's last part, without what a name cannot hold."""
    plain = "".join(letter for letter in str(value) if letter.isascii() and (letter.isalnum() or letter in "-_.:/$"))
    return plain[:128] or UNKNOWN


@cache
def _described() -> Mapping[str, Any]:
    described: Mapping[str, Any] = json.loads(Path(__file__).with_name("acts.json").read_text(encoding="utf-8"))
    return described


if __name__ == "__main__":
    sys.stdout.write(show_table())
