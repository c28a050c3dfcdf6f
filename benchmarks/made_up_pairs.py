"""Read pairs in great number, named and scored as a NovaSeq does: four quality bins, names that rise within a tile."""

import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

READ_LENGTH: Final = 150
_BATCH: Final = 100_000
_FIRST_TILE: Final = 1101
_LEVEL: Final = 4  # what bcl2fastq compresses with


def make_pairs(folder: Path, pairs: int) -> tuple[Path, Path]:
    """Return a pair of gzip FASTQ files with so many reads each, made where they are not there yet.

    A read takes 77 bytes compressed; those of a whole genome at 30-fold take 60 to 90.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"pairs-{pairs}_R1.fastq.gz", folder / f"pairs-{pairs}_R2.fastq.gz"
    missing = [(path, mate, pairs) for mate, path in enumerate(paths, start=1) if not path.exists()]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_write, *zip(*missing, strict=True))) if missing else None
    return paths


def _write(path: Path, mate: int, pairs: int) -> None:
    names, values = np.random.default_rng(1), np.random.default_rng(10 + mate)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as sink:
        packer = zlib.compressobj(_LEVEL, wbits=31)
        for tile, start in enumerate(range(0, pairs, _BATCH), start=_FIRST_TILE):
            count = min(_BATCH, pairs - start)
            sink.write(packer.compress(_records(names, values, tile, mate, count)))
        sink.write(packer.flush())
    partial.rename(path)


def _records(names: np.random.Generator, values: np.random.Generator, tile: int, mate: int, count: int) -> bytes:
    across = names.integers(1000, 32_000, count).tolist()
    down = np.sort(names.integers(1000, 37_000, count)).tolist()
    shape = count, READ_LENGTH
    badness = values.random(shape, dtype=np.float32) * (0.4 + 1.2 * values.random((count, 1), dtype=np.float32))
    bins = (badness > 1.1).astype(np.uint8) + (badness > 1.25) + (badness > 1.5)
    bases = np.frombuffer(b"ACGT", np.uint8)[values.integers(0, 4, shape, dtype=np.uint8)]
    sequences = np.where(bins == 3, np.uint8(ord("N")), bases).tobytes()
    qualities = np.frombuffer(b"F:,#", np.uint8)[bins].tobytes()
    head, tail = b"@A00744:46:HV3C3DSXX:2:%d:" % tile, b" %d:N:0:CGCTCAGT+CCTATCCT" % mate
    return b"".join(
        b"%s%d:%d%s\n%s\n+\n%s\n" % (head, x, y, tail, sequences[i : i + READ_LENGTH], qualities[i : i + READ_LENGTH])
        for x, y, i in zip(across, down, range(0, count * READ_LENGTH, READ_LENGTH), strict=True)
    )
