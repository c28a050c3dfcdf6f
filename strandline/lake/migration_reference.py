"""What a build says of its contigs: lengths that are known of it, and bases where there is a FASTA."""

from pathlib import Path

import pysam

from strandline.errors import RejectedInputError
from strandline.reads.reference_bundle import Build
from strandline.reads.reference_bundle.builds import chromosome_of, length_of


class BuildSequences:
    """The sequences of a build by its name, such as GRCh38, or of a FASTA with its index.

    Raises:
        RejectedInputError: `reference_unreadable`.
    """

    def __init__(self, build: str, fasta: Path | None = None) -> None:
        self._build = Build(build) if build in set(Build) else None
        self._fasta = _open(fasta) if fasta else None
        self._last: tuple[str, bytes] | None = None

    def length(self, contig: str) -> int | None:
        """Return the length of a contig in bases, None where it is not known; 0 where the FASTA has none of it."""
        if self._fasta is not None:
            known = dict(zip(self._fasta.references, self._fasta.lengths, strict=True))
            return known.get(contig, 0)
        return length_of(self._build, chromosome_of(contig))

    def bases(self, contig: str) -> bytes | None:
        """Return a contig's bases in capitals, None without a FASTA."""
        if self._fasta is None or contig not in self._fasta.references:
            return None
        if self._last is None or self._last[0] != contig:
            self._last = contig, self._fasta.fetch(contig).upper().encode()
        return self._last[1]


def _open(fasta: Path) -> pysam.FastaFile:
    try:
        return pysam.FastaFile(str(fasta))
    except (OSError, ValueError) as error:
        raise RejectedInputError(
            "reference_unreadable", f"{fasta.name} cannot be read as FASTA with an index: run 'samtools faidx' on it"
        ) from error
