"""Whom API Gateway refuses is read from its access log. TRU-02.

The delivery has the form of the CloudWatch Logs user guide ("Subscription filters with AWS Lambda").
"""

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from local_stage.log_patterns import parse_pattern
from strandline.trust.access_logs import refusals_of
from strandline.trust.acts import access_log_pattern

WHEN_MS = 1_795_336_200_000  # 2026-11-22T08:30:00Z


def line(number: int = 1, *, at_ms: int = WHEN_MS, **said: Any) -> dict[str, Any]:
    told = {
        "requestId": f"JKJaXmPLvHcESHA{number}=",
        "requestTime": "22/Nov/2026:08:30:00 +0000",
        "routeKey": "GET /fhir/{proxy+}",
        "status": "401",
        "responseLength": "26",
        "integrationStatus": "-",
        "integrationErrorMessage": "-",
    }
    return {
        "id": f"3195310660696698337880902507980421114{number}",
        "timestamp": at_ms,
        "message": json.dumps(told | said),
    }


def delivery(*lines: dict[str, Any], kind: str = "DATA_MESSAGE") -> dict[str, Any]:
    told = {
        "messageType": kind,
        "owner": "111111111111",
        "logGroup": "/strandline/dev/api/fhir",
        "logStream": "stream",
        "subscriptionFilters": ["refusals"],
        "logEvents": list(lines),
    }
    return packed(json.dumps(told).encode())


def packed(text: bytes) -> dict[str, Any]:
    return {"awslogs": {"data": base64.b64encode(gzip.compress(text)).decode()}}


def test_a_refusal_says_which_door_which_route_and_where_to_look_it_up():
    ((event_id, act),) = refusals_of(delivery(line()))
    assert event_id == "31953106606966983378809025079804211141"
    assert (act.what, act.record, act.who) == ("REFUSED", "door/fhir", "unknown")
    assert act.why == "401 by API Gateway: GET /fhir/{proxy+} as request JKJaXmPLvHcESHA1="
    assert act.when == datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def test_a_thousand_of_one_route_are_one_act_with_their_number_and_the_time_of_the_first():
    lines = [line(number, at_ms=WHEN_MS + 1_000 - number) for number in range(1_000)]
    others = line(7, status="403", routeKey="POST /releases/{submission_id}/{act}")
    ((event_id, many), (_, one)) = refusals_of(delivery(*lines, others))
    assert many.why == "401 by API Gateway: GET /fhir/{proxy+}, 1000 times, the first as request JKJaXmPLvHcESHA999="
    assert many.when == datetime(2026, 11, 22, 8, 30, 0, 1_000, tzinfo=UTC)
    assert event_id.endswith("999")
    assert one.why.startswith("403 by API Gateway: POST /releases/{submission_id}/{act} as request")


def test_what_a_function_answered_itself_is_left_to_the_function():
    answered = [line(status="403", integrationStatus="200"), line(status="200", integrationStatus="200")]
    assert list(refusals_of(delivery(*answered, line(status="429")))) == []


def test_cloudwatch_that_tries_the_function_tells_of_nobody():
    assert list(refusals_of(delivery(line(), kind="CONTROL_MESSAGE"))) == []


def test_no_letter_that_could_break_a_line_of_the_log_is_taken_over():
    ((_, act),) = refusals_of(delivery(line(routeKey='GET /a\n"<b>é', requestId="x\ty")))
    assert act.why == "401 by API Gateway: GET /ab as request xy"


@pytest.mark.parametrize(
    "damaged",
    [
        {"awslogs": {"data": "!"}},
        {"awslogs": {"data": base64.b64encode(b"plain").decode()}},
        {"awslogs": {"data": base64.b64encode(gzip.compress(b"{}" * 99)[:-9]).decode()}},
        packed(b" " * (33 << 20)),
        packed(b"{"),
    ],
    ids=["base64", "gzip", "cut", "a bomb", "JSON"],
)
def test_what_is_no_delivery_is_refused(damaged):
    with pytest.raises(ValueError, match=r"."):
        list(refusals_of(damaged))


@pytest.mark.parametrize(
    ("said", "is_found"),
    [
        ({}, True),
        ({"status": "403"}, True),
        ({"status": "403", "integrationStatus": "200"}, False),
        ({"status": "200", "integrationStatus": "200"}, False),
        ({"status": "404"}, False),
    ],
)
def test_the_filter_of_the_stage_finds_what_is_told(said, is_found):
    assert parse_pattern(access_log_pattern())(line(**said)["message"]) is is_found


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [  # after the examples of the user guide: "Filter pattern syntax"
        ("", "anything", True),
        ('"ERROR"', "[ERROR 400] BAD REQUEST", True),
        ('"ERROR" "ARGUMENTS"', "[ERROR 401] UNAUTHORIZED REQUEST", False),
        ('{ $.eventType = "UpdateTrail" }', '{"eventType": "UpdateTrail"}', True),
        ('{ $.eventType != "UpdateTrail" }', '{"eventType": "UpdateTrail"}', False),
        ('{ $.sourceIPAddress != "123.123.*" }', '{"sourceIPAddress": "111.111.111.111"}', True),
        ('{ $.user.name = "a" && ($.x = "1" || $.x = "2") }', '{"user": {"name": "a"}, "x": "2"}', True),
        ('{ $.a = "1" || $.b = "1" && $.c = "1" }', '{"a": "1", "b": "0", "c": "0"}', True),
        ('{ $.a = "1" }', "no JSON", False),
        ('{ $.a = "1" }', '{"b": "1"}', False),
        ('{ $.a != "1" }', '{"b": "1"}', False),
    ],
)
def test_the_embedded_cloudwatch_reads_filter_patterns_as_the_guide_says(pattern, text, fits):
    assert parse_pattern(pattern)(text) is fits


@pytest.mark.parametrize("pattern", ["{ $.a = 1 }", "{ $.a }", '{ $.a = "1" &&', '{ ($.a = "1" }', "ERROR", "[a, b]"])
def test_a_pattern_that_is_not_judged_is_refused_and_never_taken_for_another(pattern):
    with pytest.raises(ValueError, match="not judged here"):
        parse_pattern(pattern)
