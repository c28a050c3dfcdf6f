"""The command line as a user types it: the README's own lines, exit codes, and one line for each failure."""

import csv
import gzip
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from strandline.cli.main import COMMANDS, invoke

ROOT = Path(__file__).resolve().parents[2]
STRANDLINE = Path(sys.executable).with_name("strandline")


def run(*arguments: str, folder: Path | None = None, home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **({"STRANDLINE_HOME": str(home)} if home else {})}
    return subprocess.run(
        [str(STRANDLINE), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def readme_commands() -> list[str]:
    lines = (ROOT / "README.md").read_text().splitlines()
    commands = [line.split(" #")[0].strip() for line in lines if re.match(r"    strandline ", line)]
    assert len(commands) >= 10
    return commands


@pytest.fixture(scope="module")
def folder(deployed, made_up, tmp_path_factory):
    """A lab's folder with the files that the README names."""
    folder = tmp_path_factory.mktemp("lab")
    for path, name in zip(made_up.reads, ("HG002_R1.fq.gz", "HG002_R2.fq.gz"), strict=True):
        shutil.copyfile(path, folder / name)
    fasta = (made_up.bundle_folder / "reference.fa").read_bytes()
    (folder / "reference.fa.gz").write_bytes(gzip.compress(fasta))
    sheet = "sample,reads_1,reads_2,reference\nSHEET,HG002_R1.fq.gz,HG002_R2.fq.gz,reference.fa.gz\n"
    (folder / "samples.csv").write_text(sheet)
    return folder


@pytest.fixture
def type_in(folder, monkeypatch, capsys):
    """Run a command in this process, which need not import everything again for each of many."""
    monkeypatch.chdir(folder)

    def type_in(*arguments: str) -> "subprocess.CompletedProcess[str]":
        code = invoke(list(arguments))
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return type_in


def test_every_command_of_the_readme_runs(folder, type_in):
    for command in readme_commands():
        typed, _, redirected = command.partition(" > ")
        _, *arguments = shlex.split(typed)
        if arguments[:2] == ["stage", "down"]:
            continue  # other tests use the stage: the life of a stage has tests of its own
        done = type_in(*arguments)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if redirected:
            (folder / redirected).write_text(done.stdout)  # as the shell does: a later line reads it
    assert {path.name for path in (folder / "results").iterdir()} >= {
        "calls.vcf.gz",
        "calls.g.vcf.gz",
        "aligned.cram",
        "qc.json",
        "bundle.json",
        "report.html",
        "execution.json",
    }


def test_every_command_is_in_the_documentation_and_has_an_example_in_its_help(capsys):
    documented = (ROOT / "docs/command_line.md").read_text()
    for name in COMMANDS:
        assert f"`strandline {name}" in documented
        if name != "stage":
            assert invoke([name, "--help"]) == 0
            assert f"Example: strandline {name}" in " ".join(capsys.readouterr().out.split())


def test_sending_the_same_content_again_uploads_nothing_and_gives_the_same(folder):
    given = ["--sample", "HG002", "--reads", "HG002_R1.fq.gz", "HG002_R2.fq.gz", "--reference", "reference.fa.gz"]
    first = run("run", *given, "--out", "one", folder=folder)
    second = run("run", *given, "--out", "two", folder=folder)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "submitted before" in second.stderr
    assert (folder / "one/calls.vcf.gz").read_bytes() == (folder / "two/calls.vcf.gz").read_bytes()


def test_results_go_to_stdout_in_the_asked_form(folder):
    sql = "SELECT contig, position, quality, phased FROM variants ORDER BY position LIMIT 2"
    lines = run("query", sql, "--format", "json").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [list(row) for row in rows] == [["contig", "position", "quality", "phased"]] * 2
    assert isinstance(rows[0]["position"], int)
    assert isinstance(rows[0]["quality"], float)
    assert rows[0]["phased"] is False
    parsed = list(csv.reader(io.StringIO(run("query", sql, "--format", "csv").stdout)))
    assert parsed[0] == ["contig", "position", "quality", "phased"]
    assert len(parsed) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "--sample", "../x"], 2, "usage"),
        (["nonsense"], 2, "No such command"),
        (["query", "SELECT * FROM nowhere"], 65, "query_failed"),
        (["status", "no-such-submission"], 65, "submission_unknown"),
        (["report", "NOBODY"], 65, "nothing_drafted"),
        (["submit", "missing.csv"], 65, "sheet_not_found"),
    ],
)
def test_a_failure_is_one_line_with_its_code_and_exit_code(type_in, arguments, code, words):
    done = type_in(*arguments)
    assert done.returncode == code
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"--sample": "../../etc/passwd"}, "invalid_sample_id"),
        ({"--reference": "nowhere.fa"}, "reference_unreadable"),
        ({"--reference": "samples.csv"}, "reference_invalid"),
        ({"--regions": "nowhere.bed"}, "file_not_found"),
    ],
)
def test_an_input_that_cannot_be_sent_ends_with_65_and_leaves_nothing(folder, type_in, changed, words):
    given = {"--sample": "S", "--reference": "reference.fa.gz", "--out": "nothing"} | changed
    pairs = [part for pair in given.items() for part in pair]
    done = type_in("run", "--reads", "HG002_R1.fq.gz", "HG002_R2.fq.gz", *pairs)
    assert done.returncode == 65
    assert words in done.stderr.strip().splitlines()[-1]
    assert not (folder / "nothing").exists()


def test_a_rejected_sample_ends_with_65_one_line_and_no_results(folder):
    (folder / "cut_R1.fq.gz").write_bytes((folder / "HG002_R1.fq.gz").read_bytes()[:-500])
    given = ["--sample", "CUT", "--reads", "cut_R1.fq.gz", "HG002_R2.fq.gz", "--reference", "reference.fa.gz"]
    done = run("run", *given, "--out", "cut", folder=folder)
    assert done.returncode == 65
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("strandline: gzip_truncated: reads_1.fastq.gz, line ")
    assert "the file ends within its gzip data" in last
    assert "quarantined, its files untouched" in last
    assert not list(folder.glob("*cut")) + list(folder.glob(".cut*"))


def test_a_verdict_is_given_for_each_file_and_the_exit_code_says_whether_all_passed(folder):
    files = ("HG002_R1.fq.gz", "HG002_R2.fq.gz", "samples.csv", "reference.fa.gz")
    done = run("validate", *files, "--format", "json", folder=folder)
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [verdict["verdict"] for verdict in verdicts] == ["ACCEPTED", "ACCEPTED", "ACCEPTED", "REJECTED"]
    assert verdicts[3]["code"] == "format_unknown"
    assert done.returncode == 65


def test_a_stage_that_is_down_says_how_to_bring_it_up(tmp_path):
    done = run("query", "SELECT 1", home=tmp_path)
    assert done.returncode == 75
    assert done.stderr.strip().endswith("run 'strandline stage up'")
