"""bwa as pybwa brings it: flags and places of pairs that were cut from known places. Flags: SAM specification 1.4.2."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
import pytest

from strandline.reads import embedded_bwa

LENGTH, INSERT = 80, 300
COMPLEMENT = str.maketrans("ACGT", "TGCA")
GENOME = "".join("ACGT"[i] for i in np.random.default_rng(11).integers(0, 4, 9000))
NOWHERE = "".join("ACGT"[i] for i in np.random.default_rng(12).integers(0, 4, 2 * LENGTH))


class Placed(NamedTuple):
    """Where a read was cut, 0-based, and from which strand; None for a read of no known sequence."""

    start: int | None
    is_reverse: bool
    bases: str


def forward(start: int) -> Placed:
    return Placed(start, False, GENOME[start : start + LENGTH])


def backward(start: int) -> Placed:
    return Placed(start, True, GENOME[start : start + LENGTH].translate(COMPLEMENT)[::-1])


def ordinary(start: int) -> tuple[Placed, Placed]:
    """A pair whose mates point at each other over about 300 bases, as libraries make them."""
    first, second = forward(start), backward(start + INSERT - LENGTH + start % 21)
    return (first, second) if start % 2 else (second, first)


PAIRS: dict[str, tuple[Placed, Placed]] = {f"ordinary{i}": ordinary(20 + 83 * i) for i in range(60)}
PAIRS |= {
    "far": (forward(100), backward(8000)),
    "one-strand": (forward(1000), forward(1220)),
    "outward": (backward(2000), forward(2220)),
    "lost-mate": (forward(3000), Placed(None, False, NOWHERE[:LENGTH])),
    "lost": (Placed(None, False, NOWHERE[:LENGTH]), Placed(None, False, NOWHERE[LENGTH:])),
}


@pytest.fixture(scope="module")
def aligned(tmp_path_factory: pytest.TempPathFactory) -> list[pysam.AlignedSegment]:
    folder = tmp_path_factory.mktemp("bwa")
    reference = folder / "ref.fa"
    reference.write_text(f">c\n{GENOME}\n")
    pysam.faidx(str(reference), catch_stdout=False)
    embedded_bwa.main(["index", str(reference)])
    reads = folder / "R1.fq", folder / "R2.fq"
    for mate, path in enumerate(reads):
        path.write_text(
            "".join(f"@{name}/{mate + 1}\n{pair[mate].bases}\n+\n{quality(name)}\n" for name, pair in PAIRS.items())
        )
    command = [sys.executable, "-m", "strandline.reads.embedded_bwa", "mem", "-t", "1", "-R", r"@RG\tID:S1\tSM:S1"]
    bam = folder / "out.bam"
    with bam.open("wb") as sink:
        subprocess.run([*command, str(reference), *map(str, reads)], stdout=sink, check=True)
    with pysam.AlignmentFile(str(bam), check_sq=True) as source:
        assert source.header.to_dict()["RG"] == [{"ID": "S1", "SM": "S1"}]
        return list(source)


def quality(name: str) -> str:
    return "".join(chr(33 + (len(name) + i) % 40) for i in range(LENGTH))


def primary(aligned: list[pysam.AlignedSegment], name: str) -> tuple[pysam.AlignedSegment, pysam.AlignedSegment]:
    first, second = (
        segment
        for segment in aligned
        if segment.query_name == name and not segment.is_secondary and not segment.is_supplementary
    )
    return first, second


def test_every_read_comes_out_once_with_its_name_bases_and_qualities(aligned):
    assert {segment.query_name for segment in aligned} == set(PAIRS)
    for name, pair in PAIRS.items():
        for segment, placed in zip(primary(aligned, name), pair, strict=True):
            assert segment.get_forward_sequence() == placed.bases
            assert "".join(chr(33 + q) for q in segment.get_forward_qualities() or ()) == quality(name)
            assert segment.get_tag("RG") == "S1"


def test_reads_lie_where_they_were_cut(aligned):
    for name, pair in PAIRS.items():
        for segment, placed in zip(primary(aligned, name), pair, strict=True):
            assert segment.is_unmapped is (placed.start is None)
            if placed.start is not None:
                assert (segment.reference_start, segment.is_reverse) == (placed.start, placed.is_reverse)


def test_first_and_second_mates_are_told_apart(aligned):
    for name in PAIRS:
        first, second = primary(aligned, name)
        assert first.is_paired
        assert second.is_paired
        assert (first.is_read1, first.is_read2) == (True, False)
        assert (second.is_read1, second.is_read2) == (False, True)


def test_only_pairs_that_point_at_each_other_at_an_ordinary_distance_are_proper(aligned):
    """Without PROPER_PAIR bcftools mpileup passes every read over, so nothing would be called."""
    proper = {segment.query_name for segment in aligned if segment.is_proper_pair}
    assert proper == {name for name in PAIRS if name.startswith("ordinary")}


def test_files_of_unequal_length_are_an_error_and_not_cut_to_the_shorter(tmp_path):
    reference = Path(tmp_path / "ref.fa")
    reference.write_text(f">c\n{GENOME}\n")
    embedded_bwa.main(["index", str(reference)])
    record = f"@r\n{GENOME[:LENGTH]}\n+\n{'I' * LENGTH}\n"
    (tmp_path / "R1.fq").write_text(record)
    (tmp_path / "R2.fq").write_text(record * 2)
    command = [sys.executable, "-m", "strandline.reads.embedded_bwa", "mem", "-R", r"@RG\tID:S1\tSM:S1"]
    files = [str(reference), str(tmp_path / "R1.fq"), str(tmp_path / "R2.fq")]
    assert subprocess.run([*command, *files], capture_output=True, check=False).returncode != 0
