"""Reads that come in several lanes, or as BAM or CRAM: the same pairs are aligned as where they came in one pair.

Sources: SAM specification sections 1.3 (@RG, @SQ M5) and 1.4 (FLAG); SAMtags, OQ.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
import pytest

from strandline.errors import RejectedInputError
from strandline.reads import embedded_bwa
from strandline.reads.alignment import Aligner, AlignmentMetrics, align_reads
from strandline.reads.lanes import Lane, ReadGroup, check_contigs, read_groups, read_header, take_apart
from strandline.reads.reference_bundle import ReferenceRole
from strandline.reads.tools import aligner_command

LENGTH, INSERT = 80, 300
COMPLEMENT = str.maketrans("ACGT", "TGCA")
GENOME = "".join("ACGT"[i] for i in np.random.default_rng(21).integers(0, 4, 9000))
QUALITY, RECALIBRATED = "I" * LENGTH, "5" * LENGTH
OWN = ReadGroup("S1", "ILLUMINA", "lib1")
UNALIGNED, LAST = 77, 141  # first and second mate of a pair, neither of them placed


class Pair(NamedTuple):
    """A fragment's name and the bases of its mates as the sequencer read them."""

    name: str
    first: str
    second: str


def cut(name: str, start: int, insert: int = INSERT) -> Pair:
    """Read both ends of the fragment that begins at `start`, 0-based."""
    end = start + insert
    return Pair(name, GENOME[start : start + LENGTH], GENOME[end - LENGTH : end].translate(COMPLEMENT)[::-1])


PAIRS = [cut(f"p{i}", 20 + 83 * i, INSERT + i % 21) for i in range(100)]
COPY = cut("copy", 20 + 83 * 50, INSERT + 50 % 21)  # of p50: another name, the same ends


class Ground(NamedTuple):
    """An indexed reference and the MD5 of its contig."""

    folder: Path
    reference: Path
    md5: str


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("ground")
    reference = folder / "ref.fa"
    reference.write_text(f">c\n{GENOME}\n")
    pysam.faidx(str(reference), catch_stdout=False)
    embedded_bwa.main(["index", str(reference)])
    return Ground(folder, reference, hashlib.md5(GENOME.encode(), usedforsecurity=False).hexdigest())


def write_fastq(folder: Path, name: str, pairs: Iterable[Pair]) -> tuple[Path, Path]:
    pairs = list(pairs)
    paths = folder / f"{name}_1.fq", folder / f"{name}_2.fq"
    for mate, path in enumerate(paths, start=1):
        path.write_text("".join(f"@{pair.name}/{mate}\n{pair[mate]}\n+\n{QUALITY}\n" for pair in pairs))
    return paths


def unaligned(pairs: Iterable[Pair], group: str | None = None) -> list[str]:
    """Return the records of an unaligned BAM."""
    tag = f"\tRG:Z:{group}" if group else ""
    return [
        f"{pair.name}\t{flag}\t*\t0\t0\t*\t*\t0\t0\t{bases}\t{QUALITY}{tag}"
        for pair in pairs
        for flag, bases in ((UNALIGNED, pair.first), (LAST, pair.second))
    ]


def write_bam(path: Path, records: Iterable[str], *groups: str) -> Path:
    text = path.with_suffix(".sam")
    text.write_text("\n".join(["@HD\tVN:1.6", f"@SQ\tSN:c\tLN:{len(GENOME)}", *groups, *records]) + "\n")
    pysam.view("-b", "-o", str(path), str(text), catch_stdout=False)
    return path


def align(ground: Ground, lanes: list[Lane], folder: Path) -> tuple[AlignmentMetrics, list[pysam.AlignedSegment]]:
    command = aligner_command("bwa")
    assert command is not None
    cram = folder / "out.cram"
    aligner = Aligner(command, ReferenceRole.BWA_INDEX)
    metrics = align_reads(ground.reference, lanes, cram, aligner=aligner, threads=1)
    with pysam.AlignmentFile(str(cram), reference_filename=str(ground.reference)) as opened:
        return metrics, list(opened)


def primaries(reads: Iterable[pysam.AlignedSegment]) -> list[tuple[object, ...]]:
    """What an alignment says, but for its group and for which of two copies counts as the duplicate."""
    return sorted(
        (
            *(read.query_name, read.flag & ~0x400, read.reference_start, read.cigarstring, read.mapping_quality),
            *(read.next_reference_start, read.template_length, read.query_sequence, read.qual),
        )
        for read in reads
        if not read.is_secondary and not read.is_supplementary
    )


@pytest.fixture(scope="module")
def expected(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> list[pysam.AlignedSegment]:
    """The alignments of all reads as one pair of FASTQ files, under no more than the sample's name."""
    folder = tmp_path_factory.mktemp("one")
    metrics, reads = align(ground, [Lane(OWN, write_fastq(folder, "all", [*PAIRS, COPY]))], folder)
    assert (metrics.read_count, metrics.duplicate_fraction) == (202, 2 / 202)
    assert {read.get_tag("RG") for read in reads} == {"S1"}
    return reads


HALVES = (("L1", PAIRS[:60]), ("L2", [*PAIRS[60:], COPY]))  # a fragment in the one, its copy in the other


def two_lanes(folder: Path, ground: Ground, expected: Sequence[pysam.AlignedSegment]) -> list[Lane]:
    return [
        Lane(ReadGroup("S1", "ILLUMINA", "lib1", name, name), write_fastq(folder, name, pairs))
        for name, pairs in HALVES
    ]


def unaligned_bam(folder: Path, ground: Ground, expected: Sequence[pysam.AlignedSegment]) -> list[Lane]:
    bam = write_bam(folder / "in.bam", unaligned([*PAIRS, COPY]))
    return take_apart(bam, OWN, folder, reference=ground.reference)


def bam_of_two_lanes(folder: Path, ground: Ground, expected: Sequence[pysam.AlignedSegment]) -> list[Lane]:
    groups = [f"@RG\tID:{name}\tSM:S1\tPU:FC.{name}" for name in ("L1", "empty", "L2")]
    records = [record for name, pairs in HALVES for record in unaligned(pairs, name)]
    bam = write_bam(folder / "in.bam", records[::-1], *groups)  # mates of a pair in any order
    return take_apart(bam, OWN, folder, reference=ground.reference)


def aligned_bam(folder: Path, ground: Ground, expected: Sequence[pysam.AlignedSegment]) -> list[Lane]:
    """By place, with what is no read of its own, and qualities that a recalibration changed."""
    header = {"HD": {"VN": "1.6"}, "SQ": [{"SN": "c", "LN": len(GENOME)}]}
    bam = folder / "in.bam"
    with pysam.AlignmentFile(str(bam), "wb", header=header) as sink:
        for read in expected:
            kept = read.to_dict()
            kept["tags"] = [f"OQ:Z:{kept['qual']}"]
            again = pysam.AlignedSegment.from_dict({**kept, "qual": RECALIBRATED}, sink.header)
            for added in (0, 0x100, 0x200, 0x800):
                again.flag = read.flag | added
                sink.write(again)
    return take_apart(bam, OWN, folder, reference=ground.reference)


def cram(folder: Path, ground: Ground, expected: Sequence[pysam.AlignedSegment]) -> list[Lane]:
    path = folder / "in.cram"
    header = {"HD": {"VN": "1.6"}, "SQ": [{"SN": "c", "LN": len(GENOME), "M5": ground.md5}]}
    with pysam.AlignmentFile(str(path), "wc", header=header, reference_filename=str(ground.reference)) as sink:
        for read in expected:
            sink.write(pysam.AlignedSegment.from_dict({**read.to_dict(), "tags": []}, sink.header))
    check_contigs(path, {"c": ground.md5, "other": "0" * 32})
    return take_apart(path, OWN, folder, reference=ground.reference)


Source = Callable[[Path, Ground, Sequence[pysam.AlignedSegment]], list[Lane]]


@pytest.mark.parametrize(
    ("source", "groups"),
    [
        (two_lanes, {"L1", "L2"}),
        (bam_of_two_lanes, {"L1", "L2"}),
        (unaligned_bam, {"S1"}),
        (aligned_bam, {"S1"}),
        (cram, {"S1"}),
    ],
)
def test_whatever_the_reads_come_in_their_alignments_are_those_of_one_pair_of_files(
    ground: Ground, expected: list[pysam.AlignedSegment], tmp_path: Path, source: Source, groups: set[str]
) -> None:
    """ANA-01: the copy in the other lane is still a duplicate."""
    metrics, reads = align(ground, source(tmp_path, ground, expected), tmp_path)
    assert primaries(reads) == primaries(expected)
    assert metrics.duplicate_fraction == 2 / 202
    assert {read.get_tag("RG") for read in reads} == groups


def test_the_groups_of_a_cram_keep_their_names_units_and_libraries(ground, tmp_path):
    lanes = [
        Lane(ReadGroup("S1", "MGI", library, name, name), write_fastq(tmp_path, name, pairs))
        for (name, pairs), library in zip(HALVES, ("lib1", "lib2"), strict=True)
    ]
    metrics, _ = align(ground, lanes, tmp_path)
    assert read_header(tmp_path / "out.cram")["RG"] == [
        {"ID": "L1", "SM": "S1", "PL": "DNBSEQ", "LB": "lib1", "PU": "L1"},
        {"ID": "L2", "SM": "S1", "PL": "DNBSEQ", "LB": "lib2", "PU": "L2"},
    ]
    assert metrics.duplicate_fraction == 0  # a copy of a molecule lies in its own library


def test_a_read_whose_mate_is_not_there_is_refused(ground, tmp_path):
    bam = write_bam(tmp_path / "in.bam", unaligned(PAIRS)[:-1])
    lanes = take_apart(bam, OWN, tmp_path, reference=ground.reference)
    with pytest.raises(RejectedInputError, match=r"^reads_unpaired: in\.bam .* one mate only"):
        align(ground, lanes, tmp_path)


def test_reads_of_one_name_are_told_and_none_of_them_is_lost(ground, tmp_path):
    """Two lanes that number their pairs alike, written without read groups."""
    alike = [pair._replace(name=f"p{number % 50}") for number, pair in enumerate(PAIRS)]
    bam = write_bam(tmp_path / "in.bam", unaligned(alike))
    with pytest.raises(RejectedInputError, match=r"^read_names_repeated: in\.bam "):
        align(ground, take_apart(bam, OWN, tmp_path, reference=ground.reference), tmp_path)
    groups = ["@RG\tID:L1", "@RG\tID:L2"]
    bam = write_bam(tmp_path / "in.bam", [*unaligned(alike[:50], "L1"), *unaligned(alike[50:], "L2")], *groups)
    metrics, _ = align(ground, take_apart(bam, OWN, tmp_path, reference=ground.reference), tmp_path)
    assert metrics.read_count == 200


REFUSED = {
    "single-end reads": ([], [f"r\t4\t*\t0\t0\t*\t*\t0\t0\t{GENOME[:LENGTH]}\t{QUALITY}"], "reads_unpaired"),
    "no read": ([], [], "reads_missing"),
    "only reads that failed": ([], [f"r\t{77 | 0x200}\t*\t0\t0\t*\t*\t0\t0\tA\tI"], "reads_missing"),
    "another sample": (["@RG\tID:a\tSM:S1", "@RG\tID:b\tSM:S2"], unaligned(PAIRS[:1], "a"), "sample_swapped"),
    "a read of no group": (["@RG\tID:a", "@RG\tID:b"], unaligned(PAIRS[:1]), "read_group_unknown"),
    "a backslash": (["@RG\tID:a\\b"], unaligned(PAIRS[:1], "a\\b"), "read_group_unreadable"),
    "too many groups": ([f"@RG\tID:{i}" for i in range(257)], unaligned(PAIRS[:1], "1"), "too_many_read_groups"),
}


@pytest.mark.parametrize(("groups", "records", "code"), REFUSED.values(), ids=REFUSED)
def test_a_bam_that_cannot_be_taken_apart_is_refused_before_anything_is_aligned(
    ground, tmp_path, groups, records, code
):
    bam = write_bam(tmp_path / "in.bam", records, *groups)
    with pytest.raises(RejectedInputError) as caught:
        take_apart(bam, OWN, tmp_path, reference=ground.reference)
    assert caught.value.code == code
    assert "S2" not in caught.value.message
    assert "S1" not in caught.value.message


def test_two_groups_of_one_id_are_refused_whatever_else_they_say():
    with pytest.raises(RejectedInputError, match=r"^read_group_repeated: "):
        read_groups({"RG": [{"ID": "a", "LB": "x"}, {"ID": "a", "LB": "y"}]}, OWN, "in.bam")


def test_what_a_group_leaves_out_is_as_the_manifest_declares():
    header = {"RG": [{"ID": "a", "SM": "S1", "LB": "x", "PU": "FC.1", "PL": "other"}, {"ID": "b"}]}
    assert read_groups(header, OWN, "in.bam") == [
        ReadGroup("S1", "ILLUMINA", "x", "a", "FC.1"),
        ReadGroup("S1", "ILLUMINA", "lib1", "b", None),
    ]


@pytest.mark.parametrize("md5", ["0" * 32, None], ids=["other bases", "no M5"])
def test_a_cram_of_another_reference_is_refused_and_a_bam_is_not(ground, tmp_path, md5):
    unused = {"SN": "unused", "LN": 100, "M5": "f" * 32}
    line = {"SN": "c", "LN": len(GENOME), **({"M5": md5} if md5 else {})}
    for mode, suffix in (("wc", "cram"), ("wb", "bam")):
        with pysam.AlignmentFile(str(tmp_path / f"in.{suffix}"), mode, header={"SQ": [unused, line]}):
            pass
    check_contigs(tmp_path / "in.bam", {"c": ground.md5})
    with pytest.raises(RejectedInputError, match=r"^reference_mismatch: in\.cram: @SQ line 2 "):
        check_contigs(tmp_path / "in.cram", {"c": ground.md5})
