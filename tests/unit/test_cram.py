"""The records that a CRAM says it holds, against samtools, which writes and decodes them (ANA-06)."""

from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.landing.regions import Region
from strandline.reads.alignment import parse_flagstat
from strandline.reads.cram import DamagedCramError, count_records
from strandline.reads.measurement import CountAlong, Wanted

BASES = "".join("ACGT"[i] for i in np.random.default_rng(7).integers(0, 4, 4000))
MAPPED = [99, 147, 83, 163, 1123, 1171, 65, 129, 73, 0, 16, 1024, 355, 403, 2147, 2195]
UNMAPPED = [77, 141, 69, 4, 71]  # no failed read: an aligner marks none, and flagstat counts them apart


@pytest.fixture(scope="module")
def fasta(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "c.fa"
    path.write_text(f">c\n{BASES}\n")
    pysam.faidx(str(path))
    return path


def write_reads(path: Path, fasta: Path, flags: list[int], *options: bytes) -> Path:
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": "c", "LN": len(BASES)}]}
    mode = "wc" if path.suffix == ".cram" else "wb"
    with pysam.AlignmentFile(
        str(path), mode, header=header, reference_filename=str(fasta), format_options=list(options)
    ) as sink:
        for number, flag in enumerate(sorted(flags, key=lambda one: one in UNMAPPED)):
            place = f"*\t0\t0\t*\t*\t0\t0\t{BASES[:50]}" if flag in UNMAPPED else None
            start = number * 3 % (len(BASES) - 50)
            line = place or f"c\t{start + 1}\t60\t50M\t=\t{start + 1}\t0\t{BASES[start : start + 50]}"
            sink.write(pysam.AlignedSegment.fromstring(f"r{number}\t{flag}\t{line}\t{'I' * 50}", sink.header))
    return path


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(0, 300),
    per_slice=st.sampled_from([1, 7, 100, 10_000]),
    version=st.sampled_from([b"version=3.0", b"version=3.1"]),
)
def test_records_are_counted_however_they_lie_in_containers(fasta, tmp_path_factory, count, per_slice, version):
    flags = [([0, 16, *UNMAPPED])[number % 7] for number in range(count)]
    path = tmp_path_factory.mktemp("cram") / "a.cram"
    write_reads(path, fasta, flags, version, b"seqs_per_slice=%d" % per_slice)
    assert count_records(path) == count


def test_a_cram_that_is_cut_anywhere_is_refused(fasta, tmp_path):
    whole = write_reads(tmp_path / "a.cram", fasta, [0] * 300, b"seqs_per_slice=50").read_bytes()
    cut = tmp_path / "cut.cram"
    for length in [0, 5, 25, 26, 30, *range(40, len(whole), 97), len(whole) - 38, len(whole) - 20]:
        cut.write_bytes(whole[:length])
        with pytest.raises(DamagedCramError):
            count_records(cut)


def test_a_cram_of_another_version_is_refused(fasta, tmp_path):
    path = write_reads(tmp_path / "a.cram", fasta, [0], b"version=2.1")
    with pytest.raises(DamagedCramError, match="version 3"):
        count_records(path)


@settings(max_examples=20, deadline=None)
@given(flags=st.lists(st.sampled_from(MAPPED + UNMAPPED), max_size=60))
def test_what_is_counted_on_the_way_is_what_flagstat_counts(fasta, tmp_path_factory, flags):
    bam = write_reads(tmp_path_factory.mktemp("bam") / "a.bam", fasta, flags)
    along = CountAlong(Wanted((Region("c", 0, len(BASES)),), (), (), None))
    along.read(iter([bam.read_bytes()]))
    assert along.metrics == parse_flagstat(pysam.flagstat("-O", "json", str(bam)).encode())
    assert along.record_count == len(flags)
