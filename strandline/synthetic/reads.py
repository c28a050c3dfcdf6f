"""Read pairs of a made-up person, with sequencing errors that the qualities admit."""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from strandline.synthetic.family import Person, apply_variants
from strandline.synthetic.genome import Genome

READ_LENGTH: Final = 150
_INSERT_MEAN: Final = 420
_INSERT_DEVIATION: Final = 60
_GOOD_QUALITY: Final = 37
_POOR_QUALITY: Final = 15
_POOR_SHARE: Final = 0.02
_COMPLEMENT: Final = bytes.maketrans(b"ACGT", b"TGCA")
_BASES: Final = np.frombuffer(b"ACGT", dtype=np.uint8)

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Mates:
    """Bases and Phred qualities of reads, one row a read."""

    bases: Bytes
    qualities: Bytes


def write_reads(
    person: Person, genome: Genome, rng: np.random.Generator, first: Path, second: Path, *, depth: float = 30.0
) -> int:
    """Write a pair of gzip FASTQ files at `depth` reads a base over both haplotypes and return the number of pairs.

    A base of quality q is drawn anew with probability 10^(-q/10) (Phred), so three in four of those are wrong.
    """
    mates1: list[_Mates] = []
    mates2: list[_Mates] = []
    for haplotype in person.haplotypes:
        sequence = np.frombuffer(apply_variants(genome.bases, haplotype).encode(), dtype=np.uint8)
        pairs = round(len(sequence) * depth / 2 / (2 * READ_LENGTH))
        inserts = np.clip(rng.normal(_INSERT_MEAN, _INSERT_DEVIATION, pairs).round(), READ_LENGTH, 900).astype(int)
        starts = (rng.random(pairs) * (len(sequence) - inserts)).astype(int)
        forward = _cut(sequence, starts)
        backward = _reverse_complement(_cut(sequence, starts + inserts - READ_LENGTH))
        swap = rng.random(pairs) < 0.5
        mates1.append(_with_errors(np.where(swap[:, None], backward, forward), rng))
        mates2.append(_with_errors(np.where(swap[:, None], forward, backward), rng))
    order = rng.permutation(sum(len(mates.bases) for mates in mates1))
    _write(first, person.sample_id, 1, mates1, order)
    _write(second, person.sample_id, 2, mates2, order)
    return len(order)


def _cut(sequence: Bytes, starts: npt.NDArray[np.int64]) -> Bytes:
    return cast("Bytes", sequence[starts[:, None] + np.arange(READ_LENGTH)])


def _reverse_complement(bases: Bytes) -> Bytes:
    complement = np.frombuffer(_COMPLEMENT, dtype=np.uint8)
    return complement[bases[:, ::-1]]


def _with_errors(bases: Bytes, rng: np.random.Generator) -> _Mates:
    poor = rng.random(bases.shape) < _POOR_SHARE
    qualities = np.where(poor, _POOR_QUALITY, _GOOD_QUALITY).astype(np.uint8)
    wrong = rng.random(bases.shape) < 10.0 ** (qualities / -10.0)
    replaced = np.where(wrong, _BASES[rng.integers(0, 4, bases.shape)], bases)
    return _Mates(replaced.astype(np.uint8), qualities)


def _write(path: Path, sample_id: str, mate: int, parts: list[_Mates], order: npt.NDArray[np.int64]) -> None:
    bases = np.concatenate([part.bases for part in parts])[order]
    qualities = np.concatenate([part.qualities for part in parts])[order] + 33
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0, filename="") as sink:
        for number, (read, quality) in enumerate(zip(bases, qualities, strict=True), start=1):
            sink.write(
                b"@%s:%d/%d\n%s\n+\n%s\n" % (sample_id.encode(), number, mate, read.tobytes(), quality.tobytes())
            )
