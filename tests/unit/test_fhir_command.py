"""`strandline fhir validate`: what is printed and how it ends."""

import csv
import io
import json

import pytest

from strandline.cli.main import invoke
from strandline.fhir.bundle import serialise_bundle
from strandline.fhir.validation import LARGEST_BYTES
from tests.unit.fhir_damage import DAMAGES, SECRET, SOUND, apply


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "bundle.json"
    path.write_bytes(serialise_bundle(SOUND))
    return path


@pytest.fixture
def harmed(tmp_path):
    path = tmp_path / "harmed.json"
    path.write_bytes(serialise_bundle(apply(next(one for one in DAMAGES if one.name.startswith("HTML")))[0]))
    return path


def test_a_sound_bundle_ends_with_nothing_but_what_was_not_checked(sound, capsys):
    assert invoke(["fhir", "validate", str(sound), "--format", "json"]) == 0
    printed = capsys.readouterr()
    assert {json.loads(line)["severity"] for line in printed.out.splitlines()} == {"information"}
    assert "bundle.json: 0 errors, 0 warnings" in printed.err


def test_a_fault_is_told_with_its_place_and_what_to_do_and_never_with_the_value(harmed, capsys):
    assert invoke(["fhir", "validate", str(harmed), "--format", "json"]) == 65
    printed = capsys.readouterr()
    (fault,) = [row for row in map(json.loads, printed.out.splitlines()) if row["severity"] == "error"]
    assert fault["code"] == "markup"
    assert fault["location"] == "Bundle.entry[1].resource.identifier[0].value"
    assert fault["advice"]
    assert SECRET not in printed.out + printed.err


def test_faults_are_told_as_csv_and_as_a_table_too(harmed, capsys):
    assert invoke(["fhir", "validate", str(harmed), "--format", "csv"]) == 65
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0]["severity"] == "error"
    assert invoke(["fhir", "validate", str(harmed)]) == 65
    assert "markup" in capsys.readouterr().out


def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, capsys):
    huge = tmp_path / "huge.json"
    with huge.open("wb") as sink:
        sink.truncate(LARGEST_BYTES + 1)  # takes no room, and is not read
    odd = tmp_path / "odd.json"
    odd.write_bytes(b'{"resourceType": "Patient",')
    for path, code in ((huge, "fhir_too_large"), (odd, "fhir_not_json"), (tmp_path / "none.json", "file_not_found")):
        assert invoke(["fhir", "validate", str(path)]) == 65
        error = capsys.readouterr().err
        assert error.startswith(f"strandline: {code}: ")
        assert error.count("\n") == 1
