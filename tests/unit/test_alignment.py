"""Read pairs to CRAM: command lines against the manual pages of bwa and samtools, and what stops a sample."""

import json
from pathlib import Path

import pytest

from strandline.errors import RejectedInputError
from strandline.reads import tools
from strandline.reads.alignment import (
    Aligner,
    AlignmentMetrics,
    align_pipelines,
    choose_aligner,
    describe,
    parse_flagstat,
)
from strandline.reads.lanes import Lane, ReadGroup
from strandline.reads.reference_bundle import ReferenceRole
from strandline.reads.tools import tool_command

# what samtools 1.23 prints for two pairs, one read of which has a supplementary and a secondary alignment
FLAGSTAT = {
    "QC-passed reads": {
        "total": 6,
        "primary": 4,
        "secondary": 1,
        "supplementary": 1,
        "duplicates": 1,
        "primary duplicates": 1,
        "mapped": 5,
        "mapped %": 83.33,
        "primary mapped": 3,
        "primary mapped %": 75.00,
        "paired in sequencing": 4,
        "properly paired": 2,
        "properly paired %": 50.00,
    },
    "QC-failed reads": {"total": 0, "primary": 0},
}


SAMTOOLS = list(tool_command("samtools"))
ALIGNER = Aligner(("/opt/bwa-mem2",), ReferenceRole.BWA_MEM2_INDEX)
FIXMATE = [*SAMTOOLS, "fixmate", "-m", "-u", "-", "-"]
TO_CRAM = [*SAMTOOLS, "view", "-C", "-T", "/r/ref.fa", "-o", "/s/a.cram", "-"]


def pipelines_of(*lanes: Lane) -> list[list[list[str]]]:
    return align_pipelines(Path("/r/ref.fa"), lanes, Path("/s/a.cram"), aligner=ALIGNER, threads=4)


def lane(number: int, library: str = "lib1") -> Lane:
    name = f"FC.{number}"
    return Lane(
        ReadGroup("S1", "ILLUMINA", library, name, name), (Path(f"/s/{number}_1.fq"), Path(f"/s/{number}_2.fq"))
    )


def mem(number: int, library: str = "lib1") -> list[str]:
    group = rf"@RG\tID:FC.{number}\tSM:S1\tPL:ILLUMINA\tLB:{library}\tPU:FC.{number}"
    options = ["-v", "1", "-t", "4", "-K", "10000000", "-R", group]
    return ["/opt/bwa-mem2", "mem", *options, "/r/ref.fa", f"/s/{number}_1.fq", f"/s/{number}_2.fq"]


def test_the_pipeline_aligns_fixes_mates_sorts_marks_duplicates_and_writes_cram():
    """ANA-01, ANA-06: `-R` takes tabs as backslash t; `-K` fixes the batches; `fixmate -m` comes before `markdup`."""
    reads = Path("/s/R1.fq.gz"), Path("/s/R2.fq.gz")
    ((aligner, *rest),) = pipelines_of(Lane(ReadGroup("S1", "ILLUMINA", "lib1"), reads))
    assert aligner == [
        *(
            "/opt/bwa-mem2",
            "mem",
            "-v",
            "1",
            "-t",
            "4",
            "-K",
            "10000000",
            "-R",
            r"@RG\tID:S1\tSM:S1\tPL:ILLUMINA\tLB:lib1",
        ),
        *("/r/ref.fa", "/s/R1.fq.gz", "/s/R2.fq.gz"),
    ]
    assert rest == [
        FIXMATE,
        [*SAMTOOLS, "sort", "-u", "-m", "256M", "-T", "/s/a.lane0.sort", "-"],
        [*SAMTOOLS, "markdup", "-u", "-T", "/s/a.markdup", "-", "-"],
        TO_CRAM,
    ]


def sort_of(number: int) -> list[str]:
    name = f"/s/a.lane{number}"
    return [*SAMTOOLS, "sort", "-l", "1", "-o", f"{name}.bam", "-m", "256M", "-T", f"{name}.sort", "-"]


def test_lanes_of_a_library_are_sorted_apart_and_merged_before_duplicates_are_marked():
    """A copy of a molecule may lie in another lane than the molecule."""
    assert pipelines_of(lane(0), lane(1)) == [
        [mem(0), FIXMATE, sort_of(0)],
        [mem(1), FIXMATE, sort_of(1)],
        [
            [*SAMTOOLS, "merge", "-u", "-s", "1", "-o", "-", "/s/a.lane0.bam", "/s/a.lane1.bam"],
            [*SAMTOOLS, "markdup", "-u", "-T", "/s/a.markdup", "-", "-"],
            TO_CRAM,
        ],
    ]


def test_duplicates_are_marked_library_by_library():
    """`samtools markdup` looks at positions alone; two libraries share no copies."""
    markdup = [*SAMTOOLS, "markdup", "--output-fmt", "bam,level=1", "-T"]
    assert pipelines_of(lane(0), lane(1, "lib2"), lane(2)) == [
        [mem(0), FIXMATE, sort_of(0)],
        [mem(2), FIXMATE, sort_of(2)],
        [
            [*SAMTOOLS, "merge", "-u", "-s", "1", "-o", "-", "/s/a.lane0.bam", "/s/a.lane2.bam"],
            [*markdup, "/s/a.library0.markdup", "-", "/s/a.library0.bam"],
        ],
        [
            mem(1, "lib2"),
            FIXMATE,
            [*SAMTOOLS, "sort", "-u", "-m", "256M", "-T", "/s/a.lane1.sort", "-"],
            [*markdup, "/s/a.library1.markdup", "-", "/s/a.library1.bam"],
        ],
        [[*SAMTOOLS, "merge", "-u", "-s", "1", "-o", "-", "/s/a.library0.bam", "/s/a.library1.bam"], TO_CRAM],
    ]


def test_a_bam_is_taken_apart_into_pairs_on_the_way_to_the_aligner(tmp_path):
    """Primary records that passed, with the original qualities; what has no mate is put aside."""
    bam = tmp_path / "in.bam"
    bam.write_bytes(b"")
    ((collate, fastq, aligner, *rest),) = pipelines_of(Lane(ReadGroup("S1", "ILLUMINA", "lib1"), (bam,)))
    assert collate == [
        *(*SAMTOOLS, "collate", "-O", "-u", "-n", "64", "-T", "/s/a.lane0.collate"),
        *("--reference", "/r/ref.fa", str(bam)),
    ]
    assert fastq == [
        *(*SAMTOOLS, "fastq", "-n", "-O", "-F", "0xb00", "-s", "/s/a.lane0.single.fq", "-0", "/s/a.lane0.other.fq", "-")
    ]
    assert aligner[-3:] == ["-p", "/r/ref.fa", "-"]
    assert rest[0] == FIXMATE


@pytest.mark.parametrize(("size_bytes", "files"), [(1, "64"), (16 << 30, "128"), (1 << 40, "512")])
def test_a_larger_bam_is_gathered_in_more_files_because_each_is_held_in_memory(tmp_path, size_bytes, files):
    bam = tmp_path / "in.bam"
    with bam.open("wb") as sink:
        sink.truncate(size_bytes)
    ((collate, *_),) = pipelines_of(Lane(ReadGroup("S1", "ILLUMINA", "lib1"), (bam,)))
    assert collate[collate.index("-n") + 1] == files


def test_the_fastest_aligner_that_runs_here_and_has_its_index_is_chosen(tmp_path, monkeypatch):
    """ANA-09: a bundle made with one aligner is never handed to another."""
    monkeypatch.setenv("PATH", str(tmp_path))
    both = {ReferenceRole.BWA_INDEX, ReferenceRole.BWA_MEM2_INDEX}
    assert choose_aligner(both).command[1:] == ("-m", "strandline.reads.embedded_bwa")
    (tmp_path / "bwa").touch(mode=0o755)
    assert choose_aligner(both) == Aligner((str(tmp_path / "bwa"),), ReferenceRole.BWA_INDEX)
    (tmp_path / "bwa-mem2").touch(mode=0o755)
    assert choose_aligner(both) == Aligner((str(tmp_path / "bwa-mem2"),), ReferenceRole.BWA_MEM2_INDEX)
    assert choose_aligner({ReferenceRole.BWA_INDEX}).command == (str(tmp_path / "bwa"),)


def test_a_bundle_without_an_index_for_what_runs_here_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "find_spec", lambda _: None)
    (tmp_path / "bwa-mem2").touch(mode=0o755)
    with pytest.raises(RejectedInputError, match=r"^reference_not_indexed: .* no index for bwa-mem2"):
        choose_aligner({ReferenceRole.BWA_INDEX})


def test_fractions_are_of_primary_reads_so_that_split_alignments_count_once():
    assert parse_flagstat(json.dumps(FLAGSTAT).encode()) == AlignmentMetrics(4, 0.75, 0.5, 0.25)


def test_a_file_without_reads_has_fractions_of_zero():
    empty = {"primary": 0, "primary mapped": 0, "properly paired": 0, "primary duplicates": 0}
    assert parse_flagstat(json.dumps({"QC-passed reads": empty}).encode()) == AlignmentMetrics(0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/opt/bin/bwa-mem2", "mem", "/scratch/x9/ref.fa"], "bwa-mem2 mem ref.fa"),
        (["/v/bin/python", "-m", "strandline.reads.embedded_htslib", "samtools", "sort", "-"], "samtools sort -"),
        (["/v/bin/python", "-m", "strandline.reads.embedded_bwa", "mem", "/scratch/ref.fa"], "embedded_bwa mem ref.fa"),
    ],
)
def test_a_command_line_reads_the_same_on_every_machine(command, words):
    assert describe(command) == words
