"""Indexes beside their files. Layouts: SAM 1, 5.2; CSI 1; CRAM 3.1, 12."""

import gzip
import struct
from pathlib import Path

import pysam
import pytest

from tests.unit.sam_files import bam, bam_head, bam_record, check, codes, errors

HEAD = bam_head("@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:c1\tLN:1000\n@SQ\tSN:c2\tLN:500\n")
RECORDS = [
    *(bam_record(position0=at) for at in range(50)),
    bam_record(flag=4, position0=60, cigar=()),
    bam_record(contig=1),
    bam_record(flag=4, contig=-1, position0=-1, bin_=4680, cigar=()),
]

COUNTS = {"alignment_index_counts"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a.bam").write_bytes(bam(*RECORDS, head=HEAD))
    return tmp_path / "a.bam"


def found(path: Path) -> set[str]:
    _, log = check(path.read_bytes(), path.name, path=path)
    return codes(log)


@pytest.mark.parametrize(
    ("options", "name"),
    [(["-b"], "a.bam.bai"), (["-c"], "a.bam.csi"), (["-b"], "a.bai"), (["-c", "-m", "10"], "a.csi")],
)
def test_an_index_of_htslib_agrees(path, options, name):
    pysam.index(*options, "-o", str(path.with_name(name)), str(path))
    assert found(path) == set()


def test_an_index_of_another_file_is_told(path):
    pysam.index(str(path))
    path.write_bytes(bam(*RECORDS[1:], head=HEAD))
    (code,) = found(path)
    assert code in {"alignment_index_counts", "alignment_index_offset"}  # as the blocks fall


def test_an_index_that_points_elsewhere_is_told(path):
    """One bin of one chunk from byte 7 to byte 7 of the file; no block begins there."""
    bins = struct.pack("<iIiQQ", 1, 4681, 1, 7 << 16, 7 << 16) + struct.pack("<i", 0)
    path.with_name("a.bam.bai").write_bytes(b"BAI\x01" + struct.pack("<i", 2) + bins + struct.pack("<ii", 0, 0))
    assert found(path) == {"alignment_index_offset"}


@pytest.mark.parametrize(("mapped", "unplaced", "codes_found"), [(50, 1, set()), (49, 1, COUNTS), (50, 0, COUNTS)])
def test_counts_in_an_index_are_held_against_the_records(path, mapped, unplaced, codes_found):
    pseudo = struct.pack("<iIiQQQQ", 1, 37450, 2, 0, 0, mapped, 1) + struct.pack("<i", 0)
    body = b"BAI\x01" + struct.pack("<i", 2) + pseudo + struct.pack("<ii", 0, 0) + struct.pack("<Q", unplaced)
    path.with_name("a.bam.bai").write_bytes(body)
    assert found(path) == codes_found


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("a.bam.bai", b"", "alignment_index"),
        ("a.bam.bai", b"BAI\x02" + bytes(20), "alignment_index"),
        ("a.bam.bai", b"BAI\x01" + struct.pack("<iii", 2, 0, 0), "alignment_index"),
        ("a.bam.bai", b"BAI\x01" + struct.pack("<ii", 2, 1 << 30), "alignment_index"),
        ("a.bam.bai", b"BAI\x01" + struct.pack("<i", 2_000_000_000), "alignment_index"),
        ("a.bam.bai", b"BAI\x01" + struct.pack("<iii", 1, 0, 0), "alignment_index_references"),
        ("a.bam.bai", b"BAI\x01" + struct.pack("<iiiii", 2, 0, 0, 0, 0) + b"tail", "alignment_index"),
        ("a.bam.csi", gzip.compress(b"CSI\x01" + struct.pack("<iii", 14, 5, -1)), "alignment_index"),
        (
            "a.bam.csi",
            gzip.compress(b"CSI\x01" + struct.pack("<iiii", 14, 5, 0, 3) + bytes(12)),
            "alignment_index_references",
        ),
        ("a.bam.csi", gzip.compress(b"CSI\x01")[:-4], "alignment_index"),
    ],
)
def test_an_index_that_is_broken_is_told(path, name, body, code):
    path.with_name(name).write_bytes(body)
    _, log = check(path.read_bytes(), path.name, path=path)
    assert errors(log) == {code}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"no index", "alignment_index"),
        (b"0\t1\t2\t3\t4\n", "alignment_index"),
        (b"9\t1\t2\t3\t4\t5\n", "alignment_index_references"),
        (b"0\t1\t2\t3\t4\t5\n", "alignment_index_offset"),
    ],
)
def test_an_index_of_a_cram_is_held_against_its_containers(tmp_path, body, code):
    path = tmp_path / "a.cram"
    head = {"HD": {"VN": "1.6"}, "SQ": [{"SN": "c1", "LN": 1000}]}
    with pysam.AlignmentFile(str(path), "wc", header=head, format_options=[b"no_ref=1"]):
        pass
    path.with_name("a.cram.crai").write_bytes(gzip.compress(body))
    _, log = check(path.read_bytes(), path.name, path=path)
    assert errors(log) == {code}
