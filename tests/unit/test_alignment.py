"""Read pairs to CRAM: command lines against the manual pages of bwa and samtools, and what stops a sample."""

import json
from pathlib import Path

import pytest

from strandline.errors import RejectedInputError
from strandline.reads import tools
from strandline.reads.alignment import (
    Aligner,
    AlignmentMetrics,
    ReadGroup,
    align_commands,
    check_mapping,
    choose_aligner,
    describe,
    parse_flagstat,
)
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


def test_the_pipeline_aligns_fixes_mates_sorts_marks_duplicates_and_writes_cram():
    """ANA-01, ANA-06: `-R` takes tabs as backslash t; `-K` fixes the batches; `fixmate -m` comes before `markdup`."""
    commands = align_commands(
        Path("/r/ref.fa"),
        (Path("/s/R1.fq.gz"), Path("/s/R2.fq.gz")),
        Path("/s/a.cram"),
        aligner=Aligner(("/opt/bwa-mem2",), ReferenceRole.BWA_MEM2_INDEX),
        read_group=ReadGroup("S1", "ILLUMINA", "lib1"),
        threads=4,
    )
    samtools = list(tool_command("samtools"))
    aligner, *rest = commands
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
        [*samtools, "fixmate", "-m", "-u", "-", "-"],
        [*samtools, "sort", "-u", "-m", "256M", "-T", "/s/a.sort", "-"],
        [*samtools, "markdup", "-u", "-T", "/s/a.markdup", "-", "-"],
        [*samtools, "view", "-C", "-T", "/r/ref.fa", "-o", "/s/a.cram", "-"],
    ]


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


def test_reads_of_another_genome_stop_the_sample_with_advice():
    with pytest.raises(RejectedInputError, match=r"^low_mapping_rate: 49\.0% of 100 reads align .* at least 50% must"):
        check_mapping(AlignmentMetrics(100, 0.49, 0.4, 0.0))


def test_half_of_the_reads_is_enough():
    check_mapping(AlignmentMetrics(100, 0.5, 0.4, 0.0))


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
