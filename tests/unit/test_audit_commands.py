"""`strandline audit` as an auditor types it, on logs whose faults are known. TRU-01."""

import json

import pytest
from cryptography.hazmat.primitives import serialization

from strandline.cli.main import invoke
from strandline.trust.export import write_export
from strandline.trust.merkle import verify_consistency, verify_inclusion
from tests.unit.test_audit_log import PUBLIC, log_of


@pytest.fixture
def export(tmp_path):
    lines, heads = log_of(23)
    write_export(tmp_path / "log", lines, heads)
    pem = PUBLIC.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "audit.pem").write_bytes(pem)
    return tmp_path


def verify(export, *more: str) -> int:
    return invoke(["audit", "verify", str(export / "log"), "--public-key", str(export / "audit.pem"), *more])


def test_a_whole_log_is_said_to_be_whole(export, capsys):
    assert verify(export) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "23 entries, 23 of them under 6 tree heads" in printed.err
    assert "whole: nothing is missing, moved or changed" in printed.err


def test_a_dropped_entry_ends_with_65_and_says_where(export, capsys):
    entries = export / "log/entries.ndjson"
    lines = entries.read_bytes().splitlines(keepends=True)
    entries.write_bytes(b"".join(lines[:9] + lines[10:]))
    assert verify(export, "--format", "json") == 65
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"fault": "GAP", "first": 9, "last": 9, "what": "entry 10 follows entry 8: 1 missing"} in found
    assert {one["fault"] for one in found} == {"GAP", "REWRITTEN", "TRUNCATED"}


def test_a_log_cut_with_its_heads_shows_by_a_head_kept_elsewhere(export, capsys):
    lines, heads = log_of(23)
    copy = export / "auditor.ndjson"
    copy.write_bytes(heads[-1].to_json() + b"\n")
    write_export(export / "log", lines[:12], heads[:3])
    assert verify(export) == 0
    assert verify(export, "--head", str(copy)) == 65
    assert "TRUNCATED" in capsys.readouterr().out


def test_a_log_that_was_never_signed_is_said_to_want_a_head(export, capsys):
    write_export(export / "log", [], [])
    assert verify(export) == 65
    assert "no signed head: export again once the log was sealed" in capsys.readouterr().err


def test_a_proof_holds_by_itself(export, capsys):
    assert invoke(["audit", "proof", str(export / "log"), "9", "--since", "7"]) == 0
    told = json.loads(capsys.readouterr().out)
    path = [bytes.fromhex(hash_) for hash_ in told["inclusion"]]
    root, size = bytes.fromhex(told["head"]["root"]), told["head"]["size"]
    assert verify_inclusion(bytes.fromhex(told["leaf_hash"]), 9, size, path, root)
    grown = told["consistency"]
    steps = [bytes.fromhex(hash_) for hash_ in grown["path"]]
    assert verify_consistency(7, size, steps, bytes.fromhex(grown["root"]), root)


@pytest.mark.parametrize("place", ["23", "99"])
def test_an_entry_that_is_not_there_is_refused(export, capsys, place):
    assert invoke(["audit", "proof", str(export / "log"), place]) == 65
    assert f"entry {place} is not among the 23" in capsys.readouterr().err


def test_a_search_finds_by_record_time_and_action(export, capsys):
    found = ["audit", "search", str(export / "log"), "--format", "json"]
    assert invoke([*found, "--record", "submission/s-4"]) == 0
    assert [json.loads(line)["sequence"] for line in capsys.readouterr().out.splitlines()] == [4]
    assert invoke([*found, "--since", "2026-11-22T08:00:20", "--what", "STATE_CHANGED"]) == 0
    assert len(capsys.readouterr().out.splitlines()) < 23
    assert invoke([*found, "--what", "SIGNED"]) == 0
    assert capsys.readouterr().out == ""


def test_a_missing_key_or_export_is_said_in_words(export, capsys):
    assert invoke(["audit", "verify", str(export / "log"), "--public-key", str(export / "none.pem")]) == 65
    assert "none.pem: No such file" in capsys.readouterr().err
    assert invoke(["audit", "search", str(export / "none")]) == 65
    assert "give the folder of an exported log" in capsys.readouterr().err
