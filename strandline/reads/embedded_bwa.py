"""bwa as pybwa brings it, for machines without a bwa of their own.

`python -m strandline.reads.embedded_bwa index REF`, `... mem -t N -R READ_GROUP REF R1 R2` and `... mem -p ... REF R12`
behave like bwa, but write uncompressed BAM. pybwa pairs mates as `bwa mem` does, and leaves three flags unset that
callers rely on: this module sets READ1, READ2 and PROPER_PAIR.
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from itertools import chain, islice
from typing import Any, Final

import numpy as np
import pysam
from pybwa import BwaIndex, BwaMem, BwaMemOptions, BwaVerbosity, set_bwa_verbosity

_PAIRS_PER_BATCH: Final = 32_768
_FEWEST_PAIRS: Final = 10
_CONFIDENT_MAPQ: Final = 20


def main(arguments: list[str]) -> int:
    """Run `index` or `mem`."""
    parser = argparse.ArgumentParser(prog="embedded_bwa", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    index = commands.add_parser("index")
    index.add_argument("reference")
    mem = commands.add_parser("mem")
    mem.add_argument("-t", dest="threads", type=int, default=1)
    mem.add_argument("-v", dest="verbosity", type=int, default=3)
    mem.add_argument("-K", dest="batch_bases", type=int, default=10_000_000)
    mem.add_argument("-R", dest="read_group", required=True)
    mem.add_argument("reference")
    mem.add_argument("-p", dest="interleaved", action="store_true")
    mem.add_argument("reads", nargs="+")
    options = parser.parse_args(arguments)
    if options.command == "index":
        BwaIndex.index(options.reference)
    else:
        if len(options.reads) != (1 if options.interleaved else 2):
            parser.error("give a pair of files, or one with -p")
        set_bwa_verbosity(BwaVerbosity(options.verbosity))
        align(options.reference, options.reads, options.read_group, options.threads, command=arguments)
    return 0


def align(reference: str, reads: list[str], read_group: str, threads: int, *, command: list[str]) -> None:
    """Align pairs in FASTQ and write name-grouped, uncompressed BAM to stdout.

    Args:
        reference: FASTA with a bwa index beside it.
        reads: first and second mates; or one file in which mates take turns, `-` for stdin.
        read_group: `@RG` line with `\\t` between fields, as bwa takes it.
        threads: of the aligner.
        command: for the `@PG` line.
    """
    aligner = BwaMem(prefix=reference)
    settings = BwaMemOptions(interleaved_paired_end=True, threads=threads).finalize()
    fields = dict(field.split(":", 1) for field in read_group.replace("\\t", "\t").split("\t")[1:])
    header = _header(reference, fields, command)
    with pysam.AlignmentFile("-", "wbu", header=header) as sink:
        for batch in _batches(reads):
            for mates in _proper(aligner.align(batch, settings)):
                for segment in mates:
                    segment.set_tag("RG", fields["ID"])
                    sink.write(segment)


def _batches(reads: list[str]) -> Iterator[list[pysam.FastxRecord]]:
    with ExitStack() as stack:
        files = [stack.enter_context(pysam.FastxFile(path, persist=False)) for path in reads]
        mates = (map(_plain, file) for file in (files if len(files) == 2 else files * 2))
        pairs = zip(*mates, strict=True)
        while batch := list(chain.from_iterable(islice(pairs, _PAIRS_PER_BATCH))):
            yield batch


def _plain(read: Any) -> pysam.FastxRecord:
    name = read.name.removesuffix("/1").removesuffix("/2")
    return pysam.FastxRecord(name=name, sequence=read.sequence, quality=read.quality)


def _proper(results: list[list[pysam.AlignedSegment]]) -> Iterator[tuple[pysam.AlignedSegment, ...]]:
    """Set READ1, READ2 and PROPER_PAIR; `results` holds the alignments of first and second mates in turn."""
    firsts, seconds = results[0::2], results[1::2]
    low, high = _insert_size_bounds(firsts, seconds)
    for one, two in zip(firsts, seconds, strict=True):
        is_proper = _is_inward(one[0]) and low <= abs(one[0].template_length) <= high
        for segment in one:
            segment.is_read1, segment.is_proper_pair = True, is_proper
        for segment in two:
            segment.is_read2, segment.is_proper_pair = True, is_proper
        yield (*one, *two)


def _is_inward(segment: pysam.AlignedSegment) -> bool:
    """Whether the mates point at each other on one contig."""
    if segment.is_unmapped or segment.mate_is_unmapped or segment.reference_id != segment.next_reference_id:
        return False
    if segment.is_reverse == segment.mate_is_reverse:
        return False
    forward, backward = segment.reference_start, segment.next_reference_start
    if segment.is_reverse:
        forward, backward = backward, forward
    return forward <= backward


def _insert_size_bounds(
    firsts: list[list[pysam.AlignedSegment]], seconds: list[list[pysam.AlignedSegment]]
) -> tuple[float, float]:
    """Return the insert sizes between which a pair is proper, as `bwa mem` derives them: quartiles, then 4 deviations.

    Source: Li 2013, arXiv:1303.3997, and the manual page of bwa, option -I.
    """
    sizes = np.array(
        [
            abs(one[0].template_length)
            for one, two in zip(firsts, seconds, strict=True)
            if _is_inward(one[0]) and min(one[0].mapping_quality, two[0].mapping_quality) >= _CONFIDENT_MAPQ
        ]
    )
    if sizes.size < _FEWEST_PAIRS:
        return 1.0, 0.0
    lower, upper = np.percentile(sizes, [25, 75])
    spread = upper - lower
    typical = sizes[(sizes >= lower - 2 * spread) & (sizes <= upper + 2 * spread)]
    mean, deviation = float(typical.mean()), float(typical.std())
    low = min(lower - 3 * spread, mean - 4 * deviation)
    high = max(upper + 3 * spread, mean + 4 * deviation)
    return max(1.0, low), high


def _header(reference: str, read_group: dict[str, str], command: list[str]) -> dict[str, Any]:
    with pysam.FastaFile(reference) as fasta:
        contigs = [{"SN": name, "LN": length} for name, length in zip(fasta.references, fasta.lengths, strict=True)]
    program = {"ID": "pybwa", "PN": "pybwa", "VN": version("pybwa"), "CL": " ".join(["embedded_bwa", *command])}
    program["CL"] = program["CL"].replace("\t", "\\t")
    return {"HD": {"VN": "1.6", "SO": "unsorted", "GO": "query"}, "SQ": contigs, "RG": [read_group], "PG": [program]}


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that dies ends this process, as it ends any other tool
    sys.exit(main(sys.argv[1:]))
