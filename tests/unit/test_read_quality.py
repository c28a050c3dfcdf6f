"""What the sequencer wrote: by hand over a few reads, and beside plain counting of real FASTQ. ANA-05."""

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from strandline.reads import read_quality
from strandline.reads.read_batches import open_batches
from strandline.reads.read_quality import ADAPTERS, COMPARED_BASES, ReadQualityMeter
from tests.unit.placed_reads import Placed, write_bam
from tests.unit.real_data import HG002_BAM, HG002_FASTQ, needs

FIRST, SECOND, REVERSE = 0x41, 0x81, 0x10
TURN = str.maketrans("ACGTN", "TGCAN")


def measure(bam: Path):
    meter = ReadQualityMeter()
    with open_batches(bam, bam) as (_, batches):
        for batch in batches:
            meter.add(batch)
    return meter.finish()


def read(bases: str, qualities: str | None = None, *, flag: int = FIRST) -> Placed:
    """A read as sequenced, stored as SAM stores it."""
    quality = qualities or "I" * len(bases)
    if flag & REVERSE:
        return Placed(cigar=f"{len(bases)}M", flag=flag, bases=bases[::-1].translate(TURN), qualities=quality[::-1])
    return Placed(cigar=f"{len(bases)}M", flag=flag, bases=bases, qualities=quality)


def test_qualities_and_bases_are_counted_in_the_order_of_sequencing(tmp_path):
    """`?` is 30, `5` is 20, `#` is 2 (SAM 1, section 1.4)."""
    reads = [read("ACGN", "?5##"), read("AAG", "??5", flag=FIRST | REVERSE), read("TT", "##", flag=SECOND)]
    first, second = measure(write_bam(tmp_path / "a.bam", reads))
    assert (first.reads, first.bases, second.reads, second.bases) == (2, 7, 1, 2)
    assert first.mean_quality_by_cycle == (30.0, 25.0, 11.0, 2.0)
    assert first.lowest_decile_by_cycle == (30, 20, 2, 2)
    assert (first.q30_fraction, first.q20_fraction) == (3 / 7, 5 / 7)
    assert first.base_fractions_by_cycle[:2] == ((1, 0, 0, 0, 0), (0.5, 0.5, 0, 0, 0))
    assert first.base_fractions_by_cycle[3] == (0, 0, 0, 0, 1)
    assert first.gc_fraction == 3 / 6
    assert first.unknown_fraction == pytest.approx(1 / 7)
    assert first.reads_by_length == (0, 0, 0, 1, 1)
    assert (first.reads_by_gc_percent[50], first.reads_by_gc_percent[33]) == (1, 1)
    assert second.gc_fraction == 0


@pytest.mark.parametrize("strand", [0, REVERSE])
def test_an_adapter_counts_from_the_cycle_where_it_begins_whatever_the_strand(tmp_path, strand):
    adapter = ADAPTERS["Illumina TruSeq"]
    reads = [
        read("C" * 5 + adapter + "C", flag=FIRST | strand),
        read("C" * 6 + adapter, flag=FIRST | strand),
        read(adapter[:6] + "C" * 12, flag=FIRST | strand),
        read("C" * 18, flag=FIRST | strand),
    ]
    first, _ = measure(write_bam(tmp_path / "a.bam", reads))
    assert first.adapter_fraction_by_cycle["Illumina TruSeq"][4:7] == (0, 0.25, 0.5)
    assert first.adapter_fraction == 0.5
    assert first.adapter_fraction_by_cycle["Nextera"][-1] == 0


def test_an_adapter_does_not_reach_from_one_read_into_the_next(tmp_path):
    adapter = ADAPTERS["Nextera"]
    reads = [read("C" * 12 + adapter[:6]), read(adapter[6:] + "C" * 12)]
    first, _ = measure(write_bam(tmp_path / "a.bam", reads))
    assert first.adapter_fraction == 0


def test_secondary_and_supplementary_records_are_not_read_twice(tmp_path):
    reads = [read("ACGT"), read("ACGT", flag=FIRST | 0x100), read("ACGT", flag=FIRST | 0x800)]
    first, second = measure(write_bam(tmp_path / "a.bam", reads))
    assert (first.reads, second.reads) == (1, 0)


def test_a_beginning_that_too_many_reads_share_is_named(tmp_path):
    rng = np.random.default_rng(3)
    shared = "ACGTTGCA" * 5
    random = ["".join(rng.choice(list("ACGT"), 40)) for _ in range(90)]
    reads = [read(bases) for bases in random] + [read(shared, flag=FIRST | REVERSE)] * 10
    first, _ = measure(write_bam(tmp_path / "a.bam", reads))
    assert [(one.sequence, one.share) for one in first.repeated] == [(shared[:COMPARED_BASES], 0.1)]


def test_a_sample_that_grows_too_large_is_thinned_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr(read_quality, "_SAMPLED", 50)
    monkeypatch.setattr(read_quality, "REPEATED_SHARE", 0.2)
    reads = [read("A" * 40), read("C" * 40)] * 400
    first, _ = measure(write_bam(tmp_path / "a.bam", reads))
    # sorted by place, which all share, so the records alternate, and every second read that is kept is of one kind
    assert sum(one.share for one in first.repeated) == pytest.approx(1)


def test_reads_without_qualities_have_quality_nought(tmp_path):
    bare = Placed(cigar="4M", flag=FIRST, bases="ACGT")
    first, _ = measure(write_bam(tmp_path / "a.bam", [bare]))
    assert first.mean_quality_by_cycle == (0, 0, 0, 0)


@needs(HG002_BAM, *HG002_FASTQ)
def test_figures_from_alignments_are_those_of_the_fastq(tmp_path):
    """The FASTQ was made from these alignments, so both hold the same reads."""
    for measured, path in zip(measure(HG002_BAM), HG002_FASTQ, strict=True):
        with gzip.open(path, "rt") as source:
            lines = [line.rstrip("\n") for line in source]
        sequences, qualities = lines[1::4], lines[3::4]
        bases = Counter("".join(sequences))
        scores = np.frombuffer("".join(qualities).encode(), dtype=np.uint8) - 33
        assert measured.reads == pytest.approx(len(sequences), rel=0.02)  # reads without their mate were left out
        assert measured.q30_fraction == pytest.approx(float((scores >= 30).mean()), abs=0.002)
        gc = (bases["G"] + bases["C"]) / sum(bases[base] for base in "ACGT")
        assert measured.gc_fraction == pytest.approx(gc, abs=0.001)
        cycle = np.mean([ord(quality[9]) - 33 for quality in qualities if len(quality) > 9])
        assert measured.mean_quality_by_cycle[9] == pytest.approx(float(cycle), abs=0.05)
