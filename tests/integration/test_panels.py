"""A lab's own panel is registered once, found by name and version, and refused at the door where it is not. CLN-07."""

import json
from types import SimpleNamespace

import pytest

from strandline.aws.registered_panels import Panels
from strandline.cli.main import invoke
from strandline.errors import RejectedInputError
from strandline.interpretation.scope import scope_of
from strandline.landing.manifest import SampleDeclaration

CARDIO = {
    "name": "cardio",
    "version": "2026-11",
    "title": "Cardiomyopathy",
    "source": "Board of 2026-11-20",
    "genes": [{"hgnc_id": "HGNC:7577", "symbol": "MYH7"}],
}


def body(**changes: object) -> bytes:
    return json.dumps(CARDIO | changes).encode()


@pytest.fixture
def panels(aws) -> Panels:
    return Panels(aws.bucket("references"))


def test_a_labs_own_panel_is_what_a_sample_that_names_it_is_reported_in(panels):
    sample = SampleDeclaration(sample_id="S", panel="cardio/2026-11")
    with pytest.raises(RejectedInputError, match=r"^panel_unknown: panel cardio/2026-11 is not registered"):
        scope_of(sample, panels.find)
    assert panels.add(body())[1]
    assert scope_of(sample, panels.find).panel.symbols == {"MYH7"}
    assert "MLH1" in panels.find("lynch").symbols


def test_name_and_version_mean_one_content(panels):
    panels.add(body())
    assert not panels.add(body())[1]
    for changed in (body(title="Another"), body(name="lynch")):
        with pytest.raises(RejectedInputError, match=r"^panel_conflict"):
            panels.add(changed)
    assert panels.add(body(version="2026-12"))[1]


@pytest.mark.parametrize("label", ["cardio/", "cardio/../x", "Cardio/1", "cardio/1/2", "cardio/a..b", "no-such"])
def test_a_label_that_names_nothing_is_refused_with_the_sample(label):
    with pytest.raises(RejectedInputError, match=r"^panel_unknown"):
        SampleDeclaration(sample_id="S", panel=label)


def test_the_command_registers_with_an_entry_for_the_log_and_lists(aws, panels, tmp_path, monkeypatch, capsys):
    noted = []
    deployed = SimpleNamespace(references=aws.bucket("references"), note_change=lambda *said: noted.append(said))
    monkeypatch.setattr("strandline.cli.panel.connect", lambda _: deployed)
    file = tmp_path / "cardio.json"
    file.write_bytes(body())
    for _ in range(2):
        assert invoke(["panel", "add", str(file), "--reason", "board of November"]) == 0
    assert noted == [("panel/cardio/2026-11", "board of November")]
    capsys.readouterr()
    assert invoke(["panel", "list", "--format", "json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["panel"]: row["whose"] for row in rows}["cardio/2026-11"] == "the lab's own"
    assert invoke(["panel", "add", str(tmp_path / "none.json"), "--reason", "x"]) == 65
