"""The embedded AWS comes up with the real templates, survives its starter, is found, verified and taken down."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import boto3
import psutil
import pytest

from local_stage import lifecycle
from local_stage.state import RunningServer, read_server, state_folder, write_server
from local_stage.synthesis import find_node, hash_sources
from strandline.errors import RejectedInputError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("STRANDLINE_HOME", str(home))
        yield home
        lifecycle.down("local")


@pytest.fixture(scope="module")
def stage(home):
    return lifecycle.up("local", progress=str)


def test_every_stack_is_up_and_everything_in_it_is_alive(stage):
    status = lifecycle.status("local")
    assert status.running
    assert len(status.status_by_stack) == 14
    assert set(status.status_by_stack.values()) == {"CREATE_COMPLETE"}
    assert len(status.functions) == len(list((ROOT / "lambdas").glob("*/handler.py")))
    checks = lifecycle.verify("local")
    assert [check for check in checks if not check.passed] == []
    assert {check.level for check in checks} == {"server", "stacks", "resources", "way"}


def test_the_outputs_that_the_rest_relies_on_are_there(stage):
    assert set(stage.outputs) >= {
        "LandingBucket",
        "QuarantineBucket",
        "ReferencesBucket",
        "AnalysisBucket",
        "LakeBucket",
        "DeliveryBucket",
        "AuditBucket",
        "SubmissionsTable",
        "GlueDatabase",
        "AthenaWorkgroup",
        "CpuQueueArn",
        "GpuQueueArn",
        "SampleToReleaseArn",
        "AlertsTopicArn",
        "IntakeQueueUrl",
        "IntakeDeadLetterUrl",
    }


def test_coming_up_twice_changes_nothing_and_deploys_nothing(stage, monkeypatch):
    monkeypatch.setattr(lifecycle, "deploy", None)
    assert lifecycle.up("local", progress=str) == stage


def test_a_deployment_that_an_older_server_cannot_take_says_what_to_do(stage, monkeypatch, tmp_path):
    """Whoever brings Strandline up to date has an embedded AWS of before running."""

    def refuse(*_arguments, **_options):
        raise RejectedInputError("deployment_failed", "it does not make AWS::New::Type")

    (tmp_path / "source-hash.txt").write_text("of other templates")
    monkeypatch.setattr(lifecycle, "synthesize", lambda *_, **__: tmp_path)
    monkeypatch.setattr(lifecycle, "deploy", refuse)
    running = read_server(stage.folder)
    for code, advice in (
        ("of before", r"Type\. The embedded AWS that runs is of another version"),
        (running.code, "Type$"),
    ):
        write_server(stage.folder, replace(running, code=code))
        with pytest.raises(RejectedInputError, match=f"^deployment_failed: .*{advice}"):
            lifecycle.up("local", progress=str)
    write_server(stage.folder, running)


def test_two_commands_at_once_do_not_fight(stage):
    found: list[lifecycle.StageState] = []
    threads = [threading.Thread(target=lambda: found.append(lifecycle.up("local", progress=str))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [stage, stage]


def test_only_this_machine_can_connect(stage):
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(stage.pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_the_landing_bucket_has_the_lock_that_its_template_asks_for(stage):
    credentials = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    s3 = boto3.client("s3", endpoint_url=stage.endpoint_url, **credentials)
    lock = s3.get_object_lock_configuration(Bucket=stage.outputs["LandingBucket"])["ObjectLockConfiguration"]
    assert lock["ObjectLockEnabled"] == "Enabled"
    assert lock["Rule"]["DefaultRetention"]["Days"] >= 1
    s3.close()


def test_a_taken_port_is_stepped_around(stage, tmp_path):
    taken = read_server(stage.folder)
    assert taken is not None
    command = [sys.executable, "-m", "local_stage.server", "--state-dir", str(tmp_path), "--port", str(taken.port)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as second:
        deadline = time.monotonic() + 30
        while (other := read_server(tmp_path)) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        second.terminate()
        assert second.wait(10) == 0
    assert other is not None
    assert other.port != taken.port


def test_what_a_crash_leaves_is_noticed_and_swept_away(home):
    folder = state_folder("crashed")
    (folder / "objects").mkdir(parents=True)
    (folder / "objects" / "orphan").write_bytes(b"x")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        write_server(folder, RunningServer("http://127.0.0.1:1", 1, stranger.pid, process_started=1.0))
        assert lifecycle.current("crashed") is None
        assert not lifecycle.status("crashed").running
        assert lifecycle.down("crashed") is False
        assert stranger.poll() is None, "a process that only has the same number was ended"
        stranger.terminate()
    assert not (folder / "objects").exists()
    assert read_server(folder) is None


def test_verifying_what_is_not_up_says_what_to_do(home):
    with pytest.raises(RejectedInputError, match=r"stage_down: .*run `strandline stage up`"):
        lifecycle.verify("absent")


def test_an_old_node_is_named_with_what_to_do(monkeypatch, tmp_path):
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v18.1.0\n")
    old.chmod(0o755)
    monkeypatch.setenv("JSII_NODE", str(old))
    with pytest.raises(RejectedInputError, match=r"node_too_old: .*Node 18, not 22 or newer"):
        find_node()
    monkeypatch.setenv("JSII_NODE", str(tmp_path / "absent"))
    with pytest.raises(RejectedInputError, match=r"node_missing: .*does not run"):
        find_node()


def test_without_any_node_the_message_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv("JSII_NODE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("local_stage.synthesis.importlib.util.find_spec", {}.get)
    with pytest.raises(RejectedInputError, match=r"node_missing: .*run `make setup`"):
        find_node()


def test_the_hash_changes_with_any_source(tmp_path):
    (tmp_path / "infra").mkdir()
    (tmp_path / "app.py").write_text("1")
    first = hash_sources(tmp_path)
    assert hash_sources(tmp_path) == first
    (tmp_path / "infra" / "stack.py").write_text("2")
    assert hash_sources(tmp_path) != first


def test_killing_the_server_leaves_no_process_and_the_next_start_is_clean(tmp_path, monkeypatch):
    command = [sys.executable, "-m", "local_stage.server", "--state-dir", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 30
        while (known := read_server(tmp_path)) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert known is not None
        family = psutil.Process(running.pid).children(recursive=True)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    assert known.process() is None
