"""Events of AWS say who did what; the table of acts is the one in the documentation. TRU-01, TRU-02.

The events have the form that the Batch, Glue and CloudTrail user guides give for them.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from strandline.trust.acts import BY_ACCESS_LOG, act_of, kinds, rules, show_table
from strandline.trust.entries import Action

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
WHEN = "2026-11-22T08:30:00Z"
PERSON = {
    "type": "AssumedRole",
    "arn": "arn:aws:sts::111122223333:assumed-role/strandline-dev-researcher/ada",
    "sessionContext": {"sessionIssuer": {"type": "Role", "userName": "strandline-dev-researcher"}},
}
ADMIN = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/root-of-trust", "userName": "root-of-trust"}
NOBODY = {"type": "Unknown", "principalId": "Anonymous"}
SUB = {"sub": "7b1c0f3e-0000-4000-8000-000000000001"}


def event(source: str, **detail: Any) -> dict[str, Any]:
    kind = {"aws.batch": "Batch Job State Change", "aws.glue": "Glue Job State Change"}.get(source)
    return {
        "id": "e-1",
        "source": source,
        "detail-type": kind or "AWS API Call via CloudTrail",
        "time": WHEN,
        "detail": detail,
    }


def sign_in(name: str, **more: Any) -> dict[str, Any]:
    hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"
    told = {"eventName": name, "userIdentity": NOBODY, "requestParameters": {"authParameters": hidden}}
    return event("aws.cognito-idp", **told, additionalEventData=SUB, **more)


JOB = {"jobId": "j-1", "jobName": "align-reads", "status": "SUCCEEDED"}
GLUE = {"jobRunId": "jr_1", "jobName": "strandline-dev-refresh-gold", "state": "FAILED"}
SIGNED = {"responseElements": {"authenticationResult": "HIDDEN_DUE_TO_SECURITY_REASONS"}}
WRONG = {"errorCode": "NotAuthorizedException", "errorMessage": "Incorrect username or password."}
ASKED = {
    "eventName": "StartQueryExecution",
    "userIdentity": PERSON,
    "requestParameters": {"workGroup": "strandline-dev-researcher", "queryString": "***OMITTED***"},
}
CHANGED = {"userIdentity": ADMIN}
EXAMPLES = {
    "A job of Batch starts or ends": event("aws.batch", **JOB),
    "A job of Glue ends": event("aws.glue", **GLUE),
    "Somebody signs in": sign_in("RespondToAuthChallenge", **SIGNED),
    "A sign-in is refused, or somebody is locked out": sign_in("InitiateAuth", **WRONG),
    "A user, a group or the user pool is changed": event(
        "aws.cognito-idp", eventName="AdminAddUserToGroup", additionalEventData=SUB, **CHANGED
    ),
    "Somebody asks Athena": event("aws.athena", **ASKED, responseElements={"queryExecutionId": "q-1"}),
    "Somebody asks Athena and is refused": event("aws.athena", **ASKED, errorCode="AccessDenied"),
    "A stack is deployed or deleted": event(
        "aws.cloudformation",
        eventName="ExecuteChangeSet",
        requestParameters={"stackName": "strandline-dev-storage"},
        **CHANGED,
    ),
    "The code or the settings of a function are changed": event(
        "aws.lambda",
        eventName="UpdateFunctionCode20150331v2",
        requestParameters={"functionName": "strandline-dev-sign-release"},
        **CHANGED,
    ),
    "What a role may do is changed": event(
        "aws.iam", eventName="PutRolePolicy", requestParameters={"roleName": "strandline-dev-lab"}, **CHANGED
    ),
}


def form(record: str) -> re.Pattern[str]:
    """Return what a record of the table looks like: words in capitals stand for ids."""
    return re.compile(re.sub(r"[A-Z]{2,}", r"[\\w.:-]+", record))


def test_every_act_that_an_event_tells_has_an_example_here():
    assert set(EXAMPLES) == {kind.act for kind in kinds() if kind.way in rules()}


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind.way in rules()], ids=lambda kind: kind.act)
def test_an_event_leaves_the_entry_of_the_table(kind):
    example = EXAMPLES[kind.act]
    act = act_of(example)
    assert act is not None
    assert (act.what, act.when) == (kind.entry, datetime(2026, 11, 22, 8, 30, tzinfo=UTC))
    assert form(kind.record).fullmatch(act.record)
    assert act.who
    assert act.role
    assert example["source"] in rules()[kind.way]["source"]
    name = example["detail"].get("eventName")
    assert name is None or name in rules()[kind.way]["detail"]["eventName"]


def test_who_did_it_is_who_the_event_says():
    who = {name: (act.who, act.role) for name, example in EXAMPLES.items() if (act := act_of(example))}
    assert who["Somebody signs in"] == (SUB["sub"], "person")
    assert who["Somebody asks Athena"] == (PERSON["arn"], "strandline-dev-researcher")
    assert who["A stack is deployed or deleted"] == (ADMIN["arn"], "IAMUser")
    assert who["A job of Batch starts or ends"] == ("align-reads", "job")


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (sign_in("InitiateAuth", **WRONG), "Sign-in refused: NotAuthorizedException"),
        (
            sign_in("RespondToAuthChallenge", errorCode="CodeMismatchException"),
            "Sign-in refused: CodeMismatchException",
        ),
        (
            sign_in("InitiateAuth", errorCode="NotAuthorizedException", errorMessage="Password attempts exceeded"),
            "Sign-in refused: locked out",
        ),
        (event("aws.batch", **JOB | {"status": "RUNNING"}), "align-reads started"),
        (event("aws.batch", **JOB | {"status": "FAILED"}), "align-reads ended: FAILED"),
    ],
)
def test_the_reason_tells_one_end_from_another(told, why):
    act = act_of(told)
    assert act is not None
    assert act.why == why


def test_a_sign_in_that_asks_for_the_code_next_is_none_yet():
    assert act_of(sign_in("InitiateAuth", responseElements={"challengeName": "SOFTWARE_TOKEN_MFA"})) is None


def test_what_a_call_names_stands_in_no_entry_beyond_names_and_ids():
    example = event("aws.iam", eventName="PutRolePolicy", requestParameters={"roleName": "a b\n<c>PT00042é"}, **CHANGED)
    act = act_of(example)
    assert act is not None
    assert act.record == "role/abcPT00042"


def test_every_entry_of_the_table_is_one_that_the_log_knows_and_the_document_shows_it():
    assert {kind.entry for kind in kinds()} <= {str(action) for action in Action}
    assert {kind.way for kind in kinds()} <= {"with it", "before the answer", "after it", BY_ACCESS_LOG, *rules()}
    assert show_table() in DOCUMENT.read_text()
