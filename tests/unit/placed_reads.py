"""Small BAM files of reads placed by hand, for tests of what measures alignments."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam

CONTIGS = {"c": 1_000, "d": 1_000}


@dataclass(frozen=True)
class Placed:
    """One record; `start0` is 0-based, `bases` and `qualities` as in SEQ and QUAL."""

    start0: int = 0
    cigar: str = "10M"
    flag: int = 0
    mapq: int = 60
    bases: str | None = None
    qualities: str | None = None
    contig: int = 0
    next_contig: int = -1
    next_start0: int = -1
    tlen: int = 0


def write_bam(path: Path, reads: Sequence[Placed], contigs: dict[str, int] | None = None) -> Path:
    """Write records sorted by place, those without one last, and an index."""
    lengths = contigs or CONTIGS
    header = {
        "HD": {"VN": "1.6", "SO": "coordinate"},
        "SQ": [{"SN": name, "LN": length} for name, length in lengths.items()],
    }
    with pysam.AlignmentFile(str(path), "wb", header=header) as sink:
        ordered = sorted(reads, key=lambda read: (read.contig < 0, read.contig, read.start0))
        for number, read in enumerate(ordered):
            segment = pysam.AlignedSegment(sink.header)
            segment.query_name, segment.flag = f"r{number}", read.flag
            segment.reference_id, segment.reference_start = read.contig, read.start0
            segment.next_reference_id, segment.next_reference_start = read.next_contig, read.next_start0
            segment.mapping_quality, segment.template_length = read.mapq, read.tlen
            segment.cigarstring = read.cigar if read.contig >= 0 else None
            segment.query_sequence = read.bases or "A" * (segment.infer_query_length() or 10)
            if read.qualities:
                segment.query_qualities = pysam.qualitystring_to_array(read.qualities)
            sink.write(segment)
    pysam.index(str(path))
    return path
