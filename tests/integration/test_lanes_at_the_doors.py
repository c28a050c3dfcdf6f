"""Several lanes of a sample, or a BAM, through the doors of a lab: `run`, sample sheets and signed packages. ING-05."""

from pathlib import Path
from typing import Any

import pytest

from strandline.aws.submitting import LocalReads, prepare_submission
from strandline.cli import analysis
from strandline.cli.analysis import SampleInput, describe
from strandline.cli.main import invoke
from strandline.cli.submission import read_sheet
from strandline.errors import RejectedInputError
from strandline.landing.manifest import FileRole, Manifest, ReferenceName, parse_manifest
from strandline.landing.package import open_package
from tests.integration.conftest import SAMPLE

NAME = ReferenceName(name="slice", version="0c2b")


@pytest.fixture(autouse=True)
def _lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with files of different contents."""
    monkeypatch.chdir(tmp_path)
    for name in ("a1.fq.gz", "a2.fq.gz", "b1.fq", "b2.fq", "s.bam", "s.cram"):
        Path(name).write_text(name)


def told(manifest: Manifest) -> list[tuple[str | None, list[str]]]:
    return [(one.read_group, [file.name for file in one.files]) for one in manifest.read_sets()]


TWO_LANES = [
    ("FC.1", ["lane1_reads_1.fastq.gz", "lane1_reads_2.fastq.gz"]),
    ("FC.2", ["lane2_reads_1.fastq", "lane2_reads_2.fastq"]),
]
SHEET = "sample,reads_1,reads_2,read_group,reference,site\ns,a1.fq.gz,a2.fq.gz,FC.1,{0}\ns,b1.fq,b2.fq,FC.2,{0}\n"


def test_the_lanes_of_a_sheet_are_one_manifest_with_a_pair_of_each():
    Path("s.csv").write_text(SHEET.format("slice,north"))
    (given,) = read_sheet(Path("s.csv"))
    manifest = describe(given, NAME).manifest
    assert told(manifest) == TWO_LANES
    assert parse_manifest(manifest.to_json()) == manifest


@pytest.mark.parametrize("suffix", ["bam", "cram"])
def test_a_bam_or_cram_of_a_sheet_is_one_file_that_names_its_groups_itself(suffix):
    Path("s.csv").write_text(f"sample,aligned\ns,s.{suffix}\n")
    (given,) = read_sheet(Path("s.csv"), reference=Path("slice"))
    manifest = describe(given, NAME).manifest
    assert [(file.name, file.role) for file in manifest.files] == [(f"reads.{suffix}", FileRole.ALIGNED_READS)]


def test_a_file_that_stands_in_two_lanes_is_refused_before_anything_is_sent():
    Path("again.fq").write_text("a1.fq.gz")
    lanes = [
        LocalReads((Path("a1.fq.gz"), Path("a2.fq.gz")), "FC.1"),
        LocalReads((Path("again.fq"), Path("b2.fq")), "FC.2"),
    ]
    with pytest.raises(RejectedInputError, match=r"^same_file_twice: a1\.fq\.gz and again\.fq "):
        prepare_submission(SAMPLE, lanes, NAME, None)


def test_a_package_carries_the_lanes_of_a_sample(tmp_path):
    assert invoke(["package", "keygen", "--out", "keys"]) == 0
    Path("s.csv").write_text(SHEET.format("slice/0c2b,north"))
    assert invoke(["package", "make", "s.csv", "--key", "keys/lab.pem", "--out", "s.strandpkg"]) == 0
    assert told(open_package(tmp_path / "s.strandpkg").manifest) == TWO_LANES
    assert invoke(["package", "verify", "s.strandpkg", "--public-key", "keys/lab.pub"]) == 0


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[SampleInput]:
    """What `run` would send; nothing is there to send it to."""
    found: list[SampleInput] = []

    def send(_deployment: Any, given: SampleInput) -> str:
        found.append(given)
        raise RejectedInputError("not_sent", "this is as far as it goes")

    monkeypatch.setattr(analysis, "connect", lambda *_, **__: None)
    monkeypatch.setattr(analysis, "send", send)
    return found


RUN = ["run", "--sample", "S1", "--reference", "slice", "--out", "out"]
A, B = ["--reads", "a1.fq.gz", "a2.fq.gz"], ["--reads", "b1.fq", "b2.fq"]
OF_A, OF_B = (Path("a1.fq.gz"), Path("a2.fq.gz")), (Path("b1.fq"), Path("b2.fq"))


@pytest.mark.parametrize(
    ("words", "reads"),
    [
        (A, (LocalReads(OF_A),)),
        ([*A, "--read-group", "FC.1"], (LocalReads(OF_A, "FC.1"),)),
        ([*A, *B], (LocalReads(OF_A, "lane1"), LocalReads(OF_B, "lane2"))),
        (
            ["--read-group", "x", *A, *B, "--read-group", "y"],
            (LocalReads(OF_A, "x"), LocalReads(OF_B, "y")),
        ),
        (["--aligned", "s.bam"], (LocalReads((Path("s.bam"),)),)),
    ],
)
def test_run_takes_a_pair_for_each_lane_or_a_bam(sent, words, reads):
    assert invoke([*RUN, *words]) == 65
    assert [given.reads for given in sent] == [reads]


@pytest.mark.parametrize(
    "words",
    [
        [],
        [*A, "--aligned", "s.bam"],
        ["--reads", "a1.fq.gz"],
        ["--reads", "a1.fq.gz", "--reads", "a2.fq.gz"],
        ["--reads", "a1.fq.gz", "--sex", "MALE"],
        [*A, *B, "--read-group", "FC.1"],
        [*A, "--read-group", "FC 1"],
        ["--aligned", "s.sam"],
        ["--aligned", "s.bam", "--read-group", "FC.1"],
    ],
)
def test_run_refuses_reads_that_are_no_pairs_as_a_mistake_of_usage(sent, words):
    assert invoke([*RUN, *words]) == 2
    assert sent == []
