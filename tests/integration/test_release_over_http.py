"""The release desk over HTTP: who signs there is held to what is held to at the command line. TRU-03, TRU-05."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from strandline.aws.consents import Consents
from strandline.aws.telemetry import metrics
from tests.integration import test_release_desk
from tests.integration.conftest import NOW, ROOT, Context, load, names_nobody
from tests.integration.test_release_desk import Place

place = test_release_desk.place  # the fixture: a version that is frozen and waits for an author


class Door:
    """Asks the function as API Gateway does, at a time of the test's choosing."""

    def __init__(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place, self._monkeypatch = place, monkeypatch
        self._module = load(ROOT / "lambdas" / "sign_release" / "handler.py")
        monkeypatch.setattr(self._module, "desk", lambda: place.desk)

    def call(self, event: dict[str, Any], now: datetime = NOW) -> dict[str, Any]:
        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return now.astimezone(tz)

        self._monkeypatch.setattr(self._module, "datetime", Clock)
        answer: dict[str, Any] = self._module.lambda_handler(event, Context())
        return answer

    def ask(self, act: str, token: str, body: Any, now: datetime = NOW, **event: Any) -> tuple[int, dict[str, Any]]:
        told = {
            "requestContext": {"http": {"method": "POST"}},
            "pathParameters": {"submission_id": "s-1", "act": act},
            "headers": {"authorization": f"Bearer {token}"},
            "body": body if isinstance(body, str) else json.dumps(body),
        }
        answer = self.call(told | event, now)
        assert answer["headers"]["cache-control"] == "no-store"
        return answer["statusCode"], json.loads(answer["body"])

    def sign(self, token: str, meaning: str = "author", now: datetime = NOW, **changed: Any) -> tuple[int, str]:
        digest = self.place.desk.releases.version("s-1", 1).frozen.digest
        body = {"version": 1, "record_sha256": digest, "meaning": meaning} | changed
        status, told = self.ask("sign", token, body, now)
        return status, str(told.get("title", told.get("missing")))


@pytest.fixture
def door(place: Place, monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setattr(metrics.provider, "namespace", "Strandline")
    monkeypatch.setattr(metrics.provider, "service", "tests")
    return Door(place, monkeypatch)


def test_two_persons_sign_over_http_and_the_release_goes_on(door):
    assert door.sign(door.place.token("ada", "author")) == (200, "approver")
    assert door.sign(door.place.token("ann", "approver"), "approver") == (200, "None")
    assert door.place.workflow.told[-1] == ("success", "task-1")
    assert len(door.place.desk.releases.signatures("s-1", 1)) == 2


def test_a_token_that_expired_signs_nothing(door):
    given = door.place.token("ada", "author")
    assert door.sign(given, now=NOW + timedelta(seconds=900)) == (401, "token_expired")


def test_a_token_that_was_replayed_signs_nothing_a_second_time(door):
    """A code of the authenticator counts for one sign-in, and a sign-in for one act, by whatever token of it."""
    given = door.place.token("ada", "author", "approver", origin_jti="once")
    again = door.place.token("ann", "approver", origin_jti="once")
    assert door.sign(given) == (200, "approver")
    assert door.sign(again, "approver") == (401, "sign_in_used")
    assert len(door.place.desk.releases.signatures("s-1", 1)) == 1


def test_what_was_signed_in_over_two_minutes_ago_asks_for_password_and_code_again(door):
    given = door.place.token("ada", "author")
    assert door.sign(given, now=NOW + timedelta(seconds=121)) == (401, "sign_in_too_old")


def test_a_signature_for_another_version_or_record_is_refused(door):
    assert door.sign(door.place.token("ada", "author"), version=2) == (404, "release_unknown")
    assert door.sign(door.place.token("ada", "author"), record_sha256="0" * 64) == (409, "signature_of_another_record")


def test_who_has_not_the_role_signs_nothing(door):
    assert door.sign(door.place.token("lou", "lab", "admin")) == (403, "signer_without_role")
    assert door.sign(door.place.token("ann", "approver"), "approver") == (409, "signature_order")


def test_a_clock_that_was_moved_back_signs_nothing(door):
    early = NOW - timedelta(hours=1)
    assert door.sign(door.place.token("ada", "author", now=early), now=early) == (409, "clock_moved_back")
    assert door.sign(door.place.token("ada", "author"), now=early) == (401, "token_from_the_future")


def test_each_refusal_is_in_the_audit_log_with_who_asked(door):
    door.sign(door.place.token("lou", "lab"))
    door.sign("a.b.c")
    refused = sorted((who, why) for what, who, why in door.place.entries() if what == "REFUSED")
    assert refused == [("sub-lou", "sign refused: signer_without_role"), ("unknown", "sign refused: token_malformed")]


def refused(door: Door) -> list[str]:
    return [why for what, _, why in door.place.entries() if what == "REFUSED"]


WHOM = ("ada", "Ada", "ann", "Ann", "lou", "Lou")


def test_every_refusal_of_a_signature_is_in_the_audit_log_by_its_code_and_no_line_says_whose_or_what(door, said):
    """Each way in which a signature can be wrong, one after the other, by persons who are not locked out yet."""
    early, place = NOW - timedelta(hours=1), door.place
    expired, once = place.token("ada", "author"), place.token("ada", "author", origin_jti="once")
    assert door.sign(expired, now=NOW + timedelta(seconds=900)) == (401, "token_expired")
    assert door.sign(place.token("lou", "lab")) == (403, "signer_without_role")
    assert door.sign(place.token("ada", "author"), version=2) == (404, "release_unknown")
    assert door.sign(place.token("ada", "author"), record_sha256="0" * 64) == (409, "signature_of_another_record")
    assert door.sign(place.token("ada", "author", now=early), now=early) == (409, "clock_moved_back")
    assert door.sign(once) == (200, "approver")
    assert door.sign(place.token("ann", "approver", origin_jti="once"), "approver") == (401, "sign_in_used")
    Consents(*place.desk.releases.place).withdraw("s-1", who="a.person", why="The subject wrote to us", now=NOW)
    assert door.sign(place.token("ann", "approver"), "approver") == (409, "consent_withdrawn")
    text = said()
    entries = "".join(json.dumps(entry) for entry in place.aws.waiting() if entry["what"] == "REFUSED")
    assert sorted(refused(door)) == sorted(
        f"sign refused: {code}"
        for code in (
            *("token_expired", "signer_without_role", "release_unknown", "signature_of_another_record"),
            *("clock_moved_back", "sign_in_used", "consent_withdrawn"),
        )
    )
    assert "ReleaseActsAsked" in text
    assert names_nobody(text + entries)
    for secret in (expired, once, expired.split(".")[1], *(f'"{name}"' for name in WHOM)):
        assert secret not in text + entries


NO_BODIES = (
    *("[]", "null", "{", '{"version": "ZZ-1"}', '{"version": -1}', '{"meaning": "ZZ-OWNER"}'),
    *('{"token": "ZZ-1"}', '{"act": "withdraw"}', '{"submission_id": "ZZ-1"}', '{"more": "ZZ-1"}'),
)


def test_a_body_that_is_none_is_refused_without_repeating_it(door):
    """What path and header say cannot be said otherwise in the body."""
    for body in NO_BODIES:
        status, told = door.ask("sign", door.place.token("ada", "author"), body)
        assert (status, told["title"]) == (400, "request_malformed"), body
        assert "ZZ-" not in json.dumps(told)
    assert door.ask("sign", door.place.token("ada", "author"), "")[0] == 404  # no version is none that is there


def test_another_act_or_no_token_is_refused(door):
    assert door.ask("deliver", door.place.token("ada", "author"), {})[0] == 400
    assert door.ask("sign", "", {"version": 1})[0] == 401
    assert door.ask("sign", "x", {"version": 1}, headers={})[0] == 401


def test_a_body_in_base64_is_read_and_a_withdrawal_takes_a_reason(door):
    reason = base64.b64encode(json.dumps({"reason": "Another subject's blood"}).encode()).decode()
    assert door.ask("withdraw", door.place.token("ann", "approver"), {"reason": " "})[0] == 400
    status, told = door.ask("withdraw", door.place.token("ann", "approver"), reason, isBase64Encoded=True)
    assert (status, told["version"]) == (200, 2)


def test_a_program_that_invokes_the_function_is_answered_as_before(door):
    digest = door.place.desk.releases.version("s-1", 1).frozen.digest
    asked = {"act": "sign", "token": door.place.token("ada", "author"), "submission_id": "s-1", "version": 1}
    answer = door.call(asked | {"record_sha256": digest, "meaning": "author"})
    assert answer == {"submission_id": "s-1", "version": 1, "missing": "approver"}
