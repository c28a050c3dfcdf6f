"""Nothing leaves unsigned; signed by the right persons it leaves, and anybody can verify it. TRU-03, TRU-05, CLN-04."""

import json
import re
import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from pypdf import PdfReader

from strandline.aws.objects import S3Objects
from strandline.cli.main import invoke
from strandline.errors import RejectedInputError
from strandline.journey import SubmissionState, release_execution
from strandline.reporting.paper import can_print
from strandline.trust.entries import parse_entry
from strandline.trust.export import read_entries
from tests.stage.authenticator import Authenticator

PASSWORD = "Correct-Horse-Battery-9"


class Person:
    """Somebody with an authenticator."""

    def __init__(self, deployment, user, group, capsys, monkeypatch):
        self.user, self._deployment, self._monkeypatch = user, deployment, monkeypatch
        assert invoke(["user", "add", user, "--name", f"Dr {user.title()}", "--group", group]) == 0
        first = capsys.readouterr().out.strip()
        admin = deployment.user_admin
        enrolment = admin.begin_enrolment(user, first, PASSWORD)
        self._authenticator = Authenticator(enrolment.secret)
        admin.finish_enrolment(user, enrolment, self._authenticator.code())

    def token(self):
        """Sign in and return the ID token."""
        return self._deployment.user_admin.sign_in(self.user, PASSWORD, self._authenticator.code())

    def run(self, *arguments):
        """Run a command as this person, password and code from the environment."""
        self._monkeypatch.setenv("STRANDLINE_PASSWORD", PASSWORD)
        self._monkeypatch.setenv("STRANDLINE_CODE", self._authenticator.code())
        return invoke([*arguments, "--user", self.user])


@pytest.fixture
def people(deployed, capsys, monkeypatch):
    """Two authors and two approvers, so that nobody waits for a third code; and somebody who signs nothing."""
    groups = {"ada": "author", "eva": "author", "ann": "approver", "abe": "approver", "lou": "lab"}
    return {name: Person(deployed, name, group, capsys, monkeypatch) for name, group in groups.items()}


def wait_for(read, wanted):
    """Return what `read` gives once it is what is wanted; the workflow goes on by itself."""
    for _ in range(2400):
        found = read()
        if wanted(found):
            return found
        time.sleep(0.05)
    raise AssertionError(f"never came: the last was {found}")


def refusal(act) -> str:
    with pytest.raises(RejectedInputError) as refused:
        act()
    return refused.value.code


def prepared(deployed, submission_id, version):
    def read():
        return [one for one in deployed.release_calls.releases.versions(submission_id) if one.version == version]

    return wait_for(read, lambda found: found and found[0].record and found[0].task_token)[0]


def audited(deployed, tmp_path, submission_id):
    """Return what the audit log says of the releases of a submission: action, who and why."""
    functions = deployed._endpoint.client("lambda")
    tick = json.dumps({"time": datetime.now(UTC).isoformat()})
    functions.invoke(FunctionName="strandline-local-seal-audit-log", Payload=tick)
    out = tmp_path / "audit"
    assert invoke(["audit", "export", "--out", str(out)]) == 0
    found = map(parse_entry, read_entries(out))
    return [(one.what.value, one.who, one.why) for one in found if one.record.startswith(f"release/{submission_id}/")]


def fetch(deployed, submission_id, version, folder):
    s3 = deployed._endpoint.client("s3")
    bucket, prefix = deployed.outputs["DeliveryBucket"], f"releases/{submission_id}/{version:04d}/"
    for found in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        path = folder / found["Key"].removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
    return folder


def execution(deployed, submission_id, version):
    """Return how the execution of one version ended, once it has."""
    steps = deployed._endpoint.client("stepfunctions")
    machine = deployed.outputs["ReleaseArn"].replace(":stateMachine:", ":execution:")
    arn = f"{machine}:{release_execution(submission_id, version)}"
    return wait_for(lambda: steps.describe_execution(executionArn=arn), lambda found: found["status"] != "RUNNING")


def check_that_nothing_unsigned_leaves(deployed, version):
    """Try the command line, the function, S3, the key, and an answer to the workflow made by hand."""
    submission_id, calls = version.submission_id, deployed.release_calls
    assert invoke(["release", "deliver", submission_id]) == 65
    assert refusal(lambda: calls.deliver(submission_id, 1)) == "release_unsigned"
    assert refusal(lambda: calls.deliver(submission_id, 7)) == "release_unknown"
    s3, bucket = deployed._endpoint.client("s3"), deployed.outputs["DeliveryBucket"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=bucket, Key=f"releases/{submission_id}/0001/bundle.json", Body=b"{}")
    with pytest.raises(RejectedInputError, match="role_refused"):
        deployed._endpoint.as_role("strandline-local-deliver-release-role")
    kms, key = deployed._endpoint.client("kms"), "alias/strandline/local/release-signing"
    with pytest.raises(ClientError, match="not authorized"):
        kms.sign(KeyId=key, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
    move = json.dumps({"submission_id": submission_id, "state": "RELEASED", "reason": "By hand"})
    functions = deployed._endpoint.client("lambda")
    answer = functions.invoke(FunctionName="strandline-local-record-state", Payload=move)
    assert answer.get("FunctionError")
    steps = deployed._endpoint.client("stepfunctions")
    steps.send_task_success(taskToken=version.task_token, output='{"signed": true}')
    ended = execution(deployed, submission_id, 1)
    assert (ended["status"], ended["error"]) == ("FAILED", "RejectedInputError")
    assert deployed.submissions.get(submission_id).state is SubmissionState.IN_REVIEW
    assert not list(S3Objects(s3, bucket).list_current("releases/"))


def check_that_no_other_token_counts(deployed, people, version):
    """Try tokens of somebody else, for something else, and out of turn."""
    submission_id, ask = version.submission_id, deployed.release_calls.ask_desk
    sign = {"version": 1, "record_sha256": version.frozen.digest, "meaning": "author"}
    ada, ann = people["ada"].token(), people["ann"].token()
    assert refusal(lambda: ask("sign", people["lou"].token(), submission_id, **sign)) == "signer_without_role"
    assert refusal(lambda: ask("sign", "a.b.c", submission_id, **sign)) == "token_malformed"
    assert refusal(lambda: ask("sign", f"{ada[:-4]}AAAA", submission_id, **sign)) == "token_signature"
    assert refusal(lambda: ask("sign", ada, submission_id, **sign | {"version": 2})) == "release_unknown"
    other = sign | {"record_sha256": "0" * 64}
    assert refusal(lambda: ask("sign", ada, submission_id, **other)) == "signature_of_another_record"
    assert refusal(lambda: ask("sign", ann, submission_id, **sign | {"meaning": "approver"})) == "signature_order"


def check_delivered(deployed, submission_id, version, key, folder):
    """Verify what was delivered, and that a changed page shows."""
    found = fetch(deployed, submission_id, version, folder)
    assert invoke(["release", "verify", str(found), "--key", str(key)]) == 0
    page = found / "released.json"
    page.write_text(page.read_text().replace("e", "f", 1))
    assert invoke(["release", "verify", str(found), "--key", str(key)]) == 65
    return found


def check_reports(delivered):
    """The pages for people name who signed, and show the evidence that was gathered when the case was opened."""
    report = (delivered / "report.html").read_text()
    last = " ".join(PdfReader(delivered / "report.pdf").pages[-1].extract_text().split())
    for text in (report, last):
        assert "Dr Ada" in text
        assert "Dr Ann" in text
    assert (delivered / "report.pdf").read_bytes().startswith((delivered / "signed/report.pdf").read_bytes())
    assert "Checked and signed by Dr Ann" in (delivered / "report_plain.html").read_text()
    assert "Prepared, not classified" in report
    assert re.search(r"[\d,]+: \d+ shows? [ACGT]+", report)  # counted in the reads


def check_amended(deployed, people, submission_id, key, folder):
    """Amend what was delivered: the second version says why and what it replaces, and the first stays what it was."""
    why, ask, token = "The lab's assay of November shows it", deployed.release_calls.ask_desk, people["eva"].token()
    assert refusal(lambda: ask("amend", token, submission_id, reason=" ")) == "reason_missing"
    assert ask("amend", token, submission_id, reason=why)["version"] == 2
    first = deployed.release_calls.releases.version(submission_id, 1)
    assert prepared(deployed, submission_id, 2).frozen.amends == 1
    for person, meaning in (("eva", "author"), ("abe", "approver")):
        assert people[person].run("release", "sign", submission_id, "--as", meaning, "--version", "2") == 0
    assert execution(deployed, submission_id, 2)["status"] == "SUCCEEDED"
    assert deployed.submissions.get(submission_id).state is SubmissionState.AMENDED
    amended = check_delivered(deployed, submission_id, 2, key, folder / "two")
    record = json.loads((amended / "record.json").read_text())
    assert (record["amends"], record["previous"], record["reason"]) == (1, first.frozen.digest, why)
    report = json.loads((amended / "bundle.json").read_text())["entry"][0]["resource"]
    assert report["conclusion"].startswith(f"Amended: {why}.")
    assert any(one["url"].endswith("diagnosticReport-replaces") for one in report["extension"])
    assert "takes the place of version 1" in (amended / "report.html").read_text()
    check_delivered(deployed, submission_id, 1, key, folder / "one-again")


@pytest.mark.skipif(not can_print(), reason="this machine has no Pango")
def test_nothing_leaves_unsigned_and_what_was_signed_is_verified_and_withdrawn(lab, deployed, people, tmp_path, capsys):
    submission_id = lab.send("SYN-RELEASED")
    assert lab.wait(submission_id).state is SubmissionState.IN_REVIEW
    assert wait_for(lambda: deployed.release_calls.releases.versions(submission_id), bool)[0].record is None
    assert people["ada"].run("release", "sign", submission_id, "--as", "author") == 65  # nobody opened it
    assert invoke(["release", "open", submission_id]) == 0
    version = prepared(deployed, submission_id, 1)
    check_that_nothing_unsigned_leaves(deployed, version)
    check_that_no_other_token_counts(deployed, people, version)

    assert people["ada"].run("release", "sign", submission_id, "--as", "author") == 0
    assert people["ann"].run("release", "sign", submission_id, "--as", "approver") == 0
    capsys.readouterr()
    assert invoke(["release", "key"]) == 0
    key = tmp_path / "key.pem"
    key.write_text(capsys.readouterr().out)
    assert invoke(["release", "deliver", submission_id]) == 0  # its execution was ended by the answer made by hand
    delivered = check_delivered(deployed, submission_id, 1, key, tmp_path / "one")
    check_reports(delivered)

    check_amended(deployed, people, submission_id, key, tmp_path)
    assert people["abe"].run("release", "withdraw", submission_id, "--reason", "Another subject's blood") == 0
    assert execution(deployed, submission_id, 3)["status"] == "SUCCEEDED"
    assert deployed.submissions.get(submission_id).state is SubmissionState.WITHDRAWN
    gone = json.loads((check_delivered(deployed, submission_id, 3, key, tmp_path / "gone") / "record.json").read_text())
    assert (gone["kind"], gone["reason"]) == ("withdrawal", "Another subject's blood")

    audit = audited(deployed, tmp_path, submission_id)
    refused = " ".join(why for what, _, why in audit if what == "REFUSED")
    for code in (
        *("release_unsigned", "release_unknown", "token_malformed", "token_signature", "signer_without_role"),
        *("signature_of_another_record", "signature_order", "reason_missing"),
    ):
        assert code in refused
    assert [what for what, _, _ in audit if what not in {"REFUSED", "JOB_RUN"}] == [
        *("READ", "SIGNED", "SIGNED", "RELEASED", "AMENDED", "SIGNED", "SIGNED", "RELEASED"),
        *("SIGNED", "WITHDRAWN", "RELEASED"),
    ]
