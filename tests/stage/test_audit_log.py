"""A sample's way is in the audit log of the deployed stage, sealed by its function, exported and verified. TRU-02."""

import json
from datetime import UTC, datetime

from strandline.cli.main import invoke
from strandline.trust.entries import parse_entry
from strandline.trust.export import read_entries
from tests.stage.test_bad_submissions import upload


def test_every_change_of_a_submission_is_in_the_exported_log(lab, deployed, tmp_path):
    submission_id, manifest = "audited", lab.manifest_of("AUDITED")
    bodies = {file.name: b"not what was declared" for file in manifest.files}  # it is stopped at once
    upload(lab, submission_id, manifest, bodies)
    record = lab.wait(submission_id)
    functions = deployed._endpoint.client("lambda")
    tick = json.dumps({"time": datetime.now(UTC).isoformat()})
    answer = functions.invoke(FunctionName="strandline-local-seal-audit-log", Payload=tick)
    assert "FunctionError" not in answer, answer["Payload"].read()
    out = tmp_path / "audit"
    assert invoke(["audit", "export", "--out", str(out)]) == 0
    assert invoke(["audit", "verify", str(out), "--public-key", str(out / "audit.pem")]) == 0
    own = [entry for entry in map(parse_entry, read_entries(out)) if entry.record == f"submission/{submission_id}"]
    changes = deployed.submissions.changes(submission_id)
    assert changes[-1].after is record.state
    assert [(entry.who, entry.why) for entry in own] == [(change.who, change.why) for change in changes]
