"""The desk where people sign: fresh sign-ins counted once, the right person, the clock, and all of it in the log."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from strandline.aws.audit_trail import SigningKey
from strandline.aws.consents import Consents
from strandline.aws.release_desk import DeskRequest, ReleaseDesk, start_release
from strandline.aws.release_steps import AwaitingRequest, ReleaseRequest, ReleaseSteps
from strandline.aws.releases import Releases
from strandline.aws.tokens import UserPool
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, SubmissionState, artifact_key, release_prefix
from strandline.trust.delivery import verify_delivery
from strandline.trust.entries import parse_entry
from strandline.trust.release import policy_named
from tests.integration.conftest import NOW, READS, Aws, manifest_of
from tests.unit.signable_pdf import signable_pdf
from tests.unit.test_signature_page import drafts_for
from tests.unit.test_tokens import public, token

S = SubmissionState
POOL = "us-east-1_Example"
DRAFTS = drafts_for(signable_pdf())
FIRST = ReleaseRequest(submission_id="s-1", version=1)


class Answers:
    """Step Functions that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def start_execution(self, **asked: Any) -> None:
        self.told.append(("start", asked["name"]))

    def send_task_success(self, **asked: Any) -> None:
        self.told.append(("success", asked["taskToken"]))

    def send_task_failure(self, **asked: Any) -> None:
        self.told.append(("failure", asked["taskToken"]))


@dataclass
class Place:
    """A submission in review whose first version is frozen, and who may sign it."""

    aws: Aws
    desk: ReleaseDesk
    steps: ReleaseSteps
    workflow: Answers
    sign_ins: int = 0

    def token(self, person: str, *groups: str, now: datetime = NOW, **claims: Any) -> str:
        self.sign_ins += 1
        seconds = int(now.timestamp())
        body = {
            "sub": f"sub-{person}",
            "iss": f"https://cognito-idp.us-east-1.amazonaws.com/{POOL}",
            "aud": "line",
            "token_use": "id",
            "cognito:username": person,
            "cognito:groups": list(groups),
            "name": person.title(),
            "auth_time": seconds,
            "iat": seconds,
            "exp": seconds + 900,
            "jti": f"token-{self.sign_ins}",
            "origin_jti": f"sign-in-{self.sign_ins}",
        }
        return token(body | claims)

    def sign(self, meaning: str, given: str, now: datetime = NOW, **told: Any) -> Any:
        digest = self.desk.releases.version("s-1", told.get("version", 1)).frozen.digest
        asked = {"version": 1, "record_sha256": digest, "meaning": meaning, **told}
        return self.desk.act(DeskRequest(act="sign", token=given, submission_id="s-1", **asked), now)

    def act(self, act: str, given: str, reason: str, now: datetime = NOW) -> Any:
        return self.desk.act(DeskRequest(act=act, token=given, submission_id="s-1", reason=reason), now)  # type: ignore[arg-type]

    def release(self) -> None:
        """Have the first version signed and delivered."""
        self.sign("author", self.token("ada", "author"))
        self.sign("approver", self.token("ann", "approver"))
        assert self.steps.deliver(ReleaseRequest(submission_id="s-1", version=1), NOW)["state"] is S.RELEASED

    def entries(self) -> list[tuple[str, str, str]]:
        """Return what the audit log says of releases."""
        kms = boto3.client("kms")
        made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        trail = self.aws.trail()
        trail.seal(SigningKey(kms, made), NOW + timedelta(minutes=30))
        found = map(parse_entry, trail.entries())
        return [(one.what.value, one.who, one.why) for one in found if one.record.startswith("release/")]


@pytest.fixture
def place(aws: Aws) -> Place:
    kms = boto3.client("kms")
    key = SigningKey(kms, kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"])
    for bucket in ("analysis", "delivery"):
        if bucket == "delivery":
            aws.s3.create_bucket(Bucket=bucket)
        aws.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for name, body in DRAFTS.items():
        aws.bucket("analysis").write(artifact_key("s-1", Artifact(name)), body)
    aws.submit("s-1", READS, manifest_of(READS))
    for state in (S.VALIDATING, S.ANALYSING, S.LOADED, S.IN_REVIEW):
        aws.table.move("s-1", state, who="sample_to_release", why="It was due", now=NOW)
    releases, workflow = Releases(aws.dynamodb, "submissions"), Answers()
    buckets = (aws.bucket("analysis"), aws.bucket("delivery"))
    steps = ReleaseSteps(releases, aws.table, "two_persons", *buckets, key)
    pool = UserPool(boto3.client("cognito-idp"), POOL, frozenset({"line"}), {"keys": [public()]})
    desk = ReleaseDesk(releases, aws.table, pool, key, workflow, "arn", "two_persons", timedelta(seconds=120))
    assert steps.ask("s-1", NOW)
    assert steps.open(FIRST, "arn:a-reviewer", workflow, "arn", NOW)
    steps.prepare(FIRST, NOW)
    steps.wait(AwaitingRequest(submission_id="s-1", version=1, task_token="task-1"), workflow)
    return Place(aws, desk, steps, workflow)


def refusal(act: Any) -> str:
    with pytest.raises(RejectedInputError) as refused:
        act()
    code: str = refused.value.code
    return code


def test_two_persons_sign_and_the_last_lets_the_workflow_go_on(place):
    assert place.sign("author", place.token("ada", "author")).missing == "approver"
    assert place.workflow.told == [("start", "s-1.v1")]
    assert place.sign("approver", place.token("ann", "approver")).missing is None
    assert place.workflow.told[-1] == ("success", "task-1")


def test_what_is_delivered_verifies_offline_and_delivering_again_changes_nothing(place):
    place.release()
    place.steps.deliver(ReleaseRequest(submission_id="s-1", version=1), NOW)
    bucket, prefix = place.aws.bucket("delivery"), release_prefix("s-1", 1)
    files = {
        found.key.removeprefix(prefix): bucket.read(found.key, limit_bytes=1 << 20)
        for found in bucket.list_current(prefix)
    }
    verify_delivery(files, place.desk.key.public_key(), policy_named("two_persons"))
    assert len(place.aws.s3.list_object_versions(Bucket="delivery", Prefix=prefix)["Versions"]) == len(files)
    assert [change.after for change in place.aws.table.changes("s-1")][-2:] == [S.IN_REVIEW, S.RELEASED]
    assert sorted(what for what, _, _ in place.entries()) == ["JOB_RUN", "READ", "RELEASED", "SIGNED", "SIGNED"]
    assert files["report.pdf"].startswith(DRAFTS["report.pdf"])


def test_a_sign_in_counts_for_one_act_even_through_another_token_of_it(place):
    place.release()
    first = place.token("ada", "author", origin_jti="one")
    renewed = place.token("ada", "author", origin_jti="one")
    place.act("amend", first, "A new ClinVar")
    place.steps.prepare(ReleaseRequest(submission_id="s-1", version=2), NOW)
    assert refusal(lambda: place.sign("author", renewed, version=2)) == "sign_in_used"
    assert refusal(lambda: place.sign("author", first, version=2)) == "sign_in_used"
    assert place.sign("author", place.token("ada", "author"), version=2).missing == "approver"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"auth_time": int(NOW.timestamp()) - 121}, "sign_in_too_old"),
        ({"exp": int(NOW.timestamp())}, "token_expired"),
        ({"token_use": "access"}, "token_use"),
        ({"aud": "another"}, "token_client"),
        ({"name": ""}, "signer_without_name"),
        ({"cognito:groups": ["approver", "admin"]}, "signer_without_role"),
        ({"auth_time": int(NOW.timestamp()) + 600}, "token_from_the_future"),
    ],
)
def test_a_sign_in_that_is_old_foreign_or_of_somebody_without_the_role_signs_nothing(place, given, code):
    assert refusal(lambda: place.sign("author", place.token("ada", "author", **given))) == code
    assert place.desk.releases.signatures("s-1", 1) == []
    assert [why for what, _, why in place.entries() if what == "REFUSED"] == [f"sign refused: {code}"]


def test_a_clock_that_was_moved_back_signs_nothing(place):
    early = NOW - timedelta(hours=1)
    assert refusal(lambda: place.sign("author", place.token("ada", "author", now=early), early)) == "clock_moved_back"


def test_one_person_does_not_sign_twice_whatever_groups_they_are_in(place):
    both = ("author", "approver")
    place.sign("author", place.token("ada", *both))
    assert refusal(lambda: place.sign("approver", place.token("ada", *both))) == "signature_same_person"


def test_the_fifth_refusal_locks_a_signer_out_for_a_quarter_of_an_hour_and_nobody_else(place):
    for _ in range(5):
        assert refusal(lambda: place.sign("approver", place.token("ada", "author"))) == "signature_order"
    assert refusal(lambda: place.sign("author", place.token("ada", "author"))) == "signer_locked_out"
    later = NOW + timedelta(minutes=15)
    assert place.sign("author", place.token("ada", "author", now=later), later).missing == "approver"


def test_a_version_that_nobody_asked_for_is_neither_prepared_nor_delivered(place):
    second = ReleaseRequest(submission_id="s-1", version=2)
    assert refusal(lambda: place.steps.prepare(second, NOW)) == "release_unknown"
    assert refusal(lambda: place.steps.deliver(second, NOW)) == "release_unknown"
    assert [why for what, _, why in place.entries() if what == "REFUSED"] == ["refused: release_unknown"] * 2


def test_a_file_that_was_replaced_after_signing_is_delivered_as_it_was_signed(place):
    place.aws.bucket("analysis").write(artifact_key("s-1", Artifact.REPORT), b"another report")
    place.release()
    found = place.aws.bucket("delivery").read(f"{release_prefix('s-1', 1)}signed/report.html", limit_bytes=1 << 20)
    assert found == DRAFTS["report.html"]


def test_signatures_that_were_put_into_the_table_by_hand_deliver_nothing(place):
    """Whoever may write the table still has no key."""
    place.sign("author", place.token("ada", "author"))
    item = place.desk.releases.items("s-1", "SIGNED#")[0]
    forged = item | {"sk": {"S": "SIGNED#0001#1"}}
    place.aws.dynamodb.put_item(TableName="submissions", Item=forged)
    asked = ReleaseRequest(submission_id="s-1", version=1)
    assert refusal(lambda: place.steps.deliver(asked, NOW)) == "signature_order"
    body = item["body"]["S"].replace('"user_name":"ada"', '"user_name":"eve"')
    place.aws.dynamodb.put_item(TableName="submissions", Item=item | {"body": {"S": body}})
    assert refusal(lambda: place.steps.deliver(asked, NOW)) == "signature_broken"
    assert place.aws.table.get("s-1").state is S.IN_REVIEW


def test_another_policy_than_the_one_that_was_frozen_delivers_nothing(place):
    place.sign("author", place.token("ada", "author"))
    place.sign("approver", place.token("ann", "approver"))
    other = replace(place.steps, policy="three_persons")
    asked = ReleaseRequest(submission_id="s-1", version=1)
    assert refusal(lambda: other.deliver(asked, NOW)) == "release_policy_unknown"


def test_an_amendment_takes_a_reason_an_author_and_a_delivered_version(place):
    assert refusal(lambda: place.act("amend", place.token("ada", "author"), "New")) == "release_not_allowed"
    place.release()
    assert refusal(lambda: place.act("amend", place.token("ada", "author"), " ")) == "reason_missing"
    assert refusal(lambda: place.act("amend", place.token("ann", "approver"), "New")) == "signer_without_role"
    assert place.act("amend", place.token("ada", "author"), "New").version == 2
    assert refusal(lambda: place.act("amend", place.token("ada", "author"), "New")) == "release_in_review"
    second = ReleaseRequest(submission_id="s-1", version=2)
    place.steps.prepare(second, NOW)
    place.sign("author", place.token("ada", "author"), version=2)
    place.sign("approver", place.token("ann", "approver"), version=2)
    assert place.steps.deliver(second, NOW)["state"] is S.AMENDED
    assert place.act("amend", place.token("ada", "author"), "Again").version == 3
    third = ReleaseRequest(submission_id="s-1", version=3)
    place.steps.prepare(third, NOW)
    place.sign("author", place.token("ada", "author"), version=3)
    place.sign("approver", place.token("ann", "approver"), version=3)
    assert place.steps.deliver(third, NOW)["state"] is S.AMENDED
    assert place.desk.releases.version("s-1", 3).frozen.amends == 2


def test_what_is_withdrawn_is_signed_and_amended_no_more(place):
    """Also where a subject withdrew consent: what waits for review is withdrawn, and nothing of it leaves."""
    place.sign("author", place.token("ada", "author"))
    answer = place.act("withdraw", place.token("ann", "approver"), "The subject withdrew consent")
    assert (answer.version, answer.missing) == (2, None)
    assert place.workflow.told[-2:] == [("failure", "task-1"), ("start", "s-1.v2")]
    assert place.steps.deliver(ReleaseRequest(submission_id="s-1", version=2), NOW)["state"] is S.WITHDRAWN
    assert refusal(lambda: place.sign("approver", place.token("ann", "approver"))) == "release_not_allowed"
    assert refusal(lambda: place.act("amend", place.token("ada", "author"), "New")) == "release_not_allowed"
    assert refusal(lambda: place.act("withdraw", place.token("ann", "approver"), "New")) == "release_not_allowed"
    first = ReleaseRequest(submission_id="s-1", version=1)
    assert refusal(lambda: place.steps.deliver(first, NOW)) == "release_unsigned"


def test_after_a_subject_withdrew_consent_nothing_is_signed_or_delivered_but_a_withdrawal(place):
    place.sign("author", place.token("ada", "author"))
    place.sign("approver", place.token("ann", "approver"))
    Consents(*place.desk.releases.place).withdraw("s-1", who="a.person", why="The subject wrote to us", now=NOW)
    first = ReleaseRequest(submission_id="s-1", version=1)
    assert refusal(lambda: place.steps.deliver(first, NOW)) == "consent_withdrawn"
    assert refusal(lambda: place.sign("author", place.token("eva", "author"))) == "consent_withdrawn"
    assert not list(place.aws.bucket("delivery").list_current("releases/"))
    assert place.act("withdraw", place.token("abe", "approver"), "The subject withdrew consent").version == 2
    assert place.steps.deliver(ReleaseRequest(submission_id="s-1", version=2), NOW)["state"] is S.WITHDRAWN


def test_steps_that_run_twice_run_once(place):
    first = ReleaseRequest(submission_id="s-1", version=1)
    before = place.desk.releases.version("s-1", 1).frozen
    assert place.steps.prepare(first, NOW + timedelta(minutes=5)) == before.digest
    assert place.steps.ask("s-1", NOW)
    assert not place.steps.open(first, "arn:a-reviewer", place.workflow, "arn", NOW)
    assert place.desk.releases.version("s-1", 1).frozen == before


def test_what_nobody_opened_is_rendered_for_nobody_and_can_be_withdrawn_all_the_same(place):
    place.aws.submit("s-2", READS, manifest_of(READS))
    for state in (S.VALIDATING, S.ANALYSING, S.LOADED, S.IN_REVIEW):
        place.aws.table.move("s-2", state, who="sample_to_release", why="It was due", now=NOW)
    started = list(place.workflow.told)
    assert place.steps.ask("s-2", NOW)
    assert place.workflow.told == started
    asked = DeskRequest(act="withdraw", token=place.token("ann", "approver"), submission_id="s-2", reason="No consent")
    assert place.desk.act(asked, NOW).version == 2
    gone = ReleaseRequest(submission_id="s-2", version=2)
    assert place.steps.deliver(gone, NOW)["state"] is S.WITHDRAWN
    assert place.desk.releases.version("s-2", 2).frozen.amends is None
    first = ReleaseRequest(submission_id="s-2", version=1)
    assert refusal(lambda: place.steps.open(first, "arn:a-reviewer", place.workflow, "arn", NOW)) == (
        "release_not_allowed"
    )


def test_without_its_pdf_or_with_another_one_nothing_is_laid_before_signers(place):
    place.release()
    place.act("amend", place.token("ada", "author"), "A new ClinVar")
    second, key = ReleaseRequest(submission_id="s-1", version=2), artifact_key("s-1", Artifact.REPORT_PDF)
    place.aws.bucket("analysis").write(key, signable_pdf(2))
    assert refusal(lambda: place.steps.prepare(second, NOW)) == "release_files_disagree"
    place.aws.s3.delete_object(Bucket="analysis", Key=key)
    assert refusal(lambda: place.steps.prepare(second, NOW)) == "release_file_missing"


def test_a_version_whose_rendering_failed_is_opened_again_under_another_name(aws):
    taken = {"s-1.v1", "s-1.v1.2"}

    class Machine:
        def start_execution(self, **asked: Any) -> None:
            if asked["name"] in taken:
                raise ClientError({"Error": {"Code": "ExecutionAlreadyExists"}}, "StartExecution")
            taken.add(asked["name"])

    start_release(Machine(), "arn", "s-1", 1, "release")
    assert taken == {"s-1.v1", "s-1.v1.2", "s-1.v1.3"}


def test_a_late_task_token_of_a_release_that_is_signed_lets_the_workflow_go_on_at_once(place):
    place.sign("author", place.token("ada", "author"))
    place.sign("approver", place.token("ann", "approver"))
    asked = AwaitingRequest(submission_id="s-1", version=1, task_token="task-2")
    place.steps.wait(asked, place.workflow)
    assert place.workflow.told[-1] == ("success", "task-2")
