"""Simulated pairs over a stretch of a few thousand bases with three variants."""

import gzip
from pathlib import Path

import numpy as np
import pysam
import pytest

from benchmarks.simulate_reads import (
    READ_LENGTH,
    Run,
    Stretch,
    apply_changes,
    find_runs,
    haplotype_changes,
    simulate_reads,
)

BASES = "".join(np.random.default_rng(2).choice(list("ACGT"), 6000))
STRETCH = Stretch("c", 1000, 5000)
HEADER = """##fileformat=VCFv4.2
##contig=<ID=c,length=6000>
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    fasta = tmp_path / "ref.fa"
    fasta.write_text(f">c\n{BASES}\n")
    pysam.faidx(str(fasta), catch_stdout=False)
    changed = {"A": "C", "C": "A", "G": "T", "T": "G"}[BASES[1999]]
    lines = [
        f"c 500 . {BASES[499]} {BASES[499]}AAA . . . GT 1/1",  # before the stretch
        f"c 2000 . {BASES[1999]} {changed} . . . GT 1|1",
        f"c 3000 . {BASES[2999:3004]} {BASES[2999]} . . . GT 0|1",
        f"c 3003 . {BASES[3002]} T . . . GT 0|1",  # inside the deletion
    ]
    plain = tmp_path / "truth.vcf"
    plain.write_text(HEADER + "".join(line.replace(" ", "\t") + "\n" for line in lines))
    return fasta, Path(pysam.tabix_index(str(plain), preset="vcf", force=True))


def simulate(files: tuple[Path, Path], folder: Path, seed: int, *, slippage: bool = False) -> tuple[int, bytes]:
    folder.mkdir()
    mates = folder / "1.fq.gz", folder / "2.fq.gz"
    pairs = simulate_reads(*files, STRETCH, depth=30, seed=seed, first=mates[0], second=mates[1], slippage=slippage)
    return pairs, mates[0].read_bytes() + mates[1].read_bytes()


def test_changes_go_to_their_haplotype_and_what_overlaps_is_left_out(files):
    with pysam.VariantFile(str(files[1])) as records:
        first, second = haplotype_changes(records.fetch("c", 1000, 5000), STRETCH, np.random.default_rng(1))
    assert [change.start0 for change in first] == [1999]
    assert [change.start0 for change in second] == [1999, 2999]
    assert len(apply_changes(BASES[1000:5000], 1000, second)) == 3996


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(files, tmp_path):
    one, again, other = (simulate(files, tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert one == again
    assert one[1] != other[1]


def test_the_depth_is_that_asked_for(files, tmp_path):
    """4,000 bases at 30x are 400 pairs of 150; the slips of an amplified library lose none."""
    assert simulate(files, tmp_path / "a", 1)[0] == 400
    assert simulate(files, tmp_path / "b", 1, slippage=True)[0] == 400


def test_errors_are_as_many_as_the_qualities_say(files, tmp_path):
    """Forward reads are found by their first 20 bases in the first 999 of the stretch, where nothing varies."""
    mates = tmp_path / "1.fq.gz", tmp_path / "2.fq.gz"
    simulate_reads(*files, STRETCH, depth=300, seed=1, first=mates[0], second=mates[1])
    expected = wrong = 0.0
    with gzip.open(mates[0], "rt") as lines:
        text = lines.read().splitlines()
    for bases, qualities in zip(text[1::4], text[3::4], strict=True):
        assert len(bases) == len(qualities) == READ_LENGTH
        at = BASES[1000:1999].find(bases[:20])
        if 0 <= at <= 800:
            wrong += sum(a != b for a, b in zip(bases[20:], BASES[1020 + at : 1150 + at], strict=True))
            expected += sum(10 ** (-(ord(mark) - 33) / 10) for mark in qualities[20:])
    assert expected > 50
    assert wrong == pytest.approx(expected, rel=0.3)


def test_runs_are_found_with_their_length():
    sequence = b"ACCCCCCCCGTTTTTTTGGGGGGGGGG"
    assert find_runs(np.frombuffer(sequence, dtype=np.uint8)) == [Run(1, 8), Run(17, 10)]
