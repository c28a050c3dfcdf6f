"""Made-up BAM files as bwa and samtools write them, of any size: pairs of 150 bases with their tags, sorted."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import pysam

_CONTIG_LENGTH: Final = 248_956_422
_READ_BASES: Final = 150
_PAIR_DISTANCE: Final = 200
_DISTINCT: Final = 2_000  # sequences and qualities, used in turn


def make_alignments(folder: Path, records: int) -> Path:
    """Return a BAM of so many records, made where it is not there yet."""
    path = folder / f"alignments_{records}.bam"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        half_done = path.with_suffix(".half")
        with pysam.BGZFile(str(half_done.with_suffix(".sam.gz")), "wb", None) as sink:
            for line in _lines(records):
                sink.write(line.encode())
        pysam.view("-b", "-o", str(half_done), str(half_done.with_suffix(".sam.gz")), catch_stdout=False)
        half_done.with_suffix(".sam.gz").unlink()
        half_done.rename(path)
    return path


def _lines(records: int) -> Iterator[str]:
    chance = Random(records)  # noqa: S311  # made-up data
    reads = [
        (
            "".join(chance.choices("ACGT", k=_READ_BASES)),
            "".join(chance.choices(":F,#", weights=(3, 30, 1, 1), k=_READ_BASES)),
        )
        for _ in range(_DISTINCT)
    ]
    step = _CONTIG_LENGTH // (records + 1000)
    yield (
        f"@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:chr1\tLN:{_CONTIG_LENGTH}\n@RG\tID:g\tSM:s\tPL:ILLUMINA\n@PG\tID:bwa\tPN:bwa\n"
    )
    position = 10_000
    for number in range(records):
        position += chance.randint(0, step)
        seq, qual = reads[number % _DISTINCT]
        cigar, md = (("150M", "150"), ("20S130M", "60A69"), ("70M2D80M", "70^AC80"))[
            (number % 10 > 7) + (number % 20 > 18)
        ]
        mate = position + _PAIR_DISTANCE
        yield (
            f"A00744:46:HV3C3DSXX:2:{1000 + number % 700}:{number}\t99\tchr1\t{position}\t60\t{cigar}\t=\t"
            f"{mate}\t{_PAIR_DISTANCE + _READ_BASES}\t{seq}\t{qual}\tMC:Z:150M\tMD:Z:{md}\tPG:Z:bwa\tRG:Z:g\tNM:i:"
            f"{number % 3}\tAS:i:{150 - number % 20}\tXS:i:{number % 90}\tms:i:{5000 + number % 500}\n"
        )
