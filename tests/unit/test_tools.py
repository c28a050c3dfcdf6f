"""Pipelines of tools: the meaning of a shell's `set -o pipefail`, and samtools and bcftools as pysam brings them."""

import subprocess
import sys
from pathlib import Path

import psutil
import pysam
import pytest

from strandline.reads import embedded_htslib, tools
from strandline.reads.tools import Tap, read_output, run_pipeline, tool_command

VCF = "##fileformat=VCFv4.3\n##contig=<ID=c,length=1000000>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + "".join(
    f"c\t{position}\t.\tA\tC\t.\t.\t.\n" for position in range(1, 20_001)
)


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


@pytest.fixture
def vcf(tmp_path: Path) -> Path:
    path = tmp_path / "many.vcf"
    path.write_text(VCF)
    return path


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}  # a stage of other tests may be among them


def test_each_command_reads_the_output_of_the_one_before(tmp_path):
    run_pipeline([shell("echo b; echo a"), ["/usr/bin/sort"], shell("tr a-z A-Z")], tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"A\nB\n"


def test_a_failure_anywhere_in_the_line_fails_the_line(tmp_path):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_pipeline([shell("echo x; exit 3"), shell("cat"), shell("cat")], tmp_path / "out")
    assert (caught.value.returncode, caught.value.cmd) == (3, shell("echo x; exit 3"))


def test_a_writer_whose_reader_died_is_not_the_one_at_fault():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_pipeline([shell("exec yes"), shell("exit 4")])
    assert (caught.value.returncode, caught.value.cmd) == (4, shell("exit 4"))


def test_an_embedded_tool_whose_reader_died_is_not_the_one_at_fault_either(vcf):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_pipeline(
            [
                [sys.executable, "-m", "strandline.reads.embedded_htslib", "bcftools", "view", str(vcf)],
                shell("head -c 9 >/dev/null; exit 5"),
            ],
            quiet=True,
        )
    assert caught.value.returncode == 5


def test_of_several_that_failed_the_one_that_was_killed_is_named():
    """OPS-08: what its neighbours say of a broken pipe would not be tried again."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_pipeline([shell("exit 6"), shell("kill -9 $$"), shell("exit 7")])
    assert (caught.value.returncode, caught.value.cmd) == (-9, shell("kill -9 $$"))


def test_of_two_that_failed_by_themselves_the_first_is_named():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_pipeline([shell("exit 6"), shell("exit 7")])
    assert caught.value.returncode == 6


def test_no_process_is_left_when_a_tool_is_not_there():
    before = children()
    with pytest.raises(FileNotFoundError):
        run_pipeline([shell("exec sleep 60"), ["/nonexistent/tool"]])
    assert children() <= before


def test_much_data_flows_through(tmp_path):
    before = children()
    run_pipeline([shell("head -c 20000000 /dev/zero"), shell("cat"), shell("cat")], tmp_path / "out")
    assert (tmp_path / "out").stat().st_size == 20_000_000
    assert children() <= before


def test_a_tap_reads_what_the_next_command_gets_and_changes_nothing(tmp_path):
    seen: list[bytes] = []
    run_pipeline(
        [shell("head -c 20000000 /dev/zero | tr '\\0' x"), shell("tr x y"), shell("tr y z")],
        tmp_path / "out",
        tap=Tap(2, seen.extend),
    )
    assert b"".join(seen) == b"y" * 20_000_000
    assert (tmp_path / "out").read_bytes() == b"z" * 20_000_000


def test_what_a_tap_leaves_reaches_the_next_command(tmp_path):
    run_pipeline([shell("head -c 3000000 /dev/zero"), shell("cat")], tmp_path / "out", tap=Tap(1, lambda _: None))
    assert (tmp_path / "out").stat().st_size == 3_000_000


def test_where_a_command_dies_it_is_named_and_not_the_tap_that_could_not_read_on(tmp_path):
    """OPS-08: a tool that was killed is tried again, a reader that met half a file is not."""

    def want_everything(pieces):
        if len(b"".join(pieces)) < 1 << 20:
            raise RuntimeError("ended early")

    before = children()
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_pipeline([shell("echo x; kill -9 $$"), shell("cat")], tmp_path / "out", tap=Tap(1, want_everything))
    assert caught.value.returncode == -9
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_pipeline([shell("exec yes"), shell("exit 4")], tmp_path / "out", tap=Tap(1, want_everything))
    assert (caught.value.returncode, caught.value.cmd) == (4, shell("exit 4"))
    with pytest.raises(RuntimeError, match="ended early"):
        run_pipeline([shell("echo x"), shell("cat")], tmp_path / "out", tap=Tap(1, want_everything))
    assert children() <= before


def test_a_tap_that_fails_by_itself_ends_the_line():
    def refuse(pieces):
        next(pieces)
        raise ValueError("of its own")

    before = children()
    with pytest.raises(ValueError, match="of its own"):
        run_pipeline([shell("exec yes"), shell("cat >/dev/null")], tap=Tap(1, refuse))
    assert children() <= before


def test_the_words_of_a_quiet_tool_are_dropped(capfd):
    run_pipeline([shell("echo loud >&2")], quiet=True)
    run_pipeline([shell("echo said >&2")])
    assert capfd.readouterr().err == "said\n"


def test_output_to_a_file_is_whole_and_keeps_what_stood_there(vcf, capfd):
    print("before", flush=True)  # noqa: T201 - capfd makes stdout a file
    assert embedded_htslib.main(["bcftools", "view", "--no-version", str(vcf)]) == 0
    before, *lines = capfd.readouterr().out.splitlines()
    assert before == "before"
    assert len([line for line in lines if not line.startswith("#")]) == 20_000
    assert lines[-1].startswith("c\t20000\t")


def test_more_than_a_pipe_holds_reaches_a_file(tmp_path):
    """samtools in pysam lets no other thread run: what it writes has to be taken away by another process."""
    bam = tmp_path / "a.bam"
    with pysam.AlignmentFile(str(bam), "wb", header={"SQ": [{"SN": "c", "LN": 9_000_000}]}) as sink:
        for number in range(5_000):
            read = pysam.AlignedSegment(sink.header)
            read.query_name, read.reference_id, read.reference_start = f"r{number}", 0, 100 * number
            read.query_sequence, read.cigarstring = "ACGT" * 25, "100M"
            sink.write(read)
    command = [sys.executable, "-m", "strandline.reads.embedded_htslib", "samtools", "depth", str(bam)]
    with (tmp_path / "out").open("wb") as out:
        subprocess.run(command, stdout=out, check=True, timeout=60)
    assert (tmp_path / "out").read_bytes().count(b"\n") == 500_000


def test_output_to_a_pipe_is_whole_and_a_missing_file_is_an_error(vcf):
    embedded = [sys.executable, "-m", "strandline.reads.embedded_htslib", "bcftools", "view"]
    assert read_output([*embedded, str(vcf)]).count(b"\n") > 20_000
    failed = subprocess.run([*embedded, "missing.vcf"], capture_output=True, check=False)
    assert failed.returncode == 1
    assert b"bcftools view" in failed.stderr


def test_a_tool_on_path_is_used_unless_it_is_too_old(tmp_path, monkeypatch):
    """1.17 is the oldest that writes gVCF as the callers expect."""
    monkeypatch.setattr(tools, "tool_command", tools.tool_command.__wrapped__)  # without its memory
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    tool = tmp_path / "samtools"
    for version, used in (("1.21", True), ("1.17", True), ("1.9", False), ("no number", False)):
        tool.write_text(f"#!/bin/sh\necho samtools {version}\n")
        tool.chmod(0o755)
        assert (tools.tool_command("samtools") == (str(tool),)) is used


@pytest.mark.parametrize(
    ("name", "script", "version"),
    [
        ("bwa-mem2", 'test "$1" = version && echo 2.2.1', "bwa-mem2 2.2.1"),
        ("bwa", "echo 'Program: bwa\nVersion: 0.7.18-r1243-dirty' >&2; exit 1", "bwa 0.7.18-r1243-dirty"),
    ],
)
def test_the_version_of_an_aligner_is_what_it_says_itself(tmp_path, name, script, version):
    tool = tmp_path / name
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    assert tools.aligner_version((str(tool),)) == version
    assert tools.aligner_version((sys.executable, "-m", "x")).startswith("pybwa ")


def test_the_version_names_the_tool():
    assert tools.tool_version("samtools").startswith("samtools 1.")
    assert tool_command("bcftools") == tool_command("bcftools")
