"""One naming for a bundle: which of the FASTA's contigs a source means, by name, length and MD5."""

from collections import Counter
from collections.abc import Sequence

from strandline.reads.reference_bundle.builds import (
    CHROMOSOME_BY_ACCESSION,
    MITOCHONDRION,
    YORUBA_LENGTH,
    Build,
    chromosome_of,
    length_of,
)
from strandline.reads.reference_bundle.description import Contig


class ContigNames:
    """The contigs of a FASTA, found by the names that others have for them."""

    def __init__(self, contigs: Sequence[Contig], build: Build | None = None) -> None:
        self._build = build
        self._contig_by_name = {contig.name: contig for contig in contigs}
        self._contig_by_md5 = {contig.md5: contig for contig in contigs}
        chromosomes = Counter(chromosome_of(contig.name) for contig in contigs)
        lengths = Counter(contig.length for contig in contigs)
        self._contig_by_chromosome = {
            chromosome: contig
            for contig in contigs
            if (chromosome := chromosome_of(contig.name)) and chromosomes[chromosome] == 1
        }
        self._contig_by_length = {contig.length: contig for contig in contigs if lengths[contig.length] == 1}

    def match(self, name: str, *, length: int | None = None, md5: str | None = None) -> Contig | None:
        """Return the contig that a source means, or None where the FASTA has none that fits.

        Args:
            name: as the source has it: `20`, `chr20`, `NC_000020.11`.
            length: of the contig in bases, where the source says it. A contig that the source has longer is taken for
                a slice, unless the build is known to have another length.
            md5: of its upper-case bases, where the source says it.

        >>> names = ContigNames([Contig(name="chr20", length=64_444_167, md5="")], Build.GRCH38)
        >>> [bool(names.match("20")), bool(names.match("20", length=63_025_520)), bool(names.match("NC_000020.10"))]
        [True, False, False]
        """
        if md5 is not None and md5 in self._contig_by_md5:
            return self._contig_by_md5[md5]
        found = self._contig_by_name.get(name) or self._by_chromosome(name)
        if found is None:
            return self._contig_by_length.get(length) if length and chromosome_of(name) is None else None
        return found if self._fits(found, name, length) else None

    def _by_chromosome(self, name: str) -> Contig | None:
        chromosome = chromosome_of(name)
        found = self._contig_by_chromosome.get(chromosome) if chromosome else None
        if found and chromosome == MITOCHONDRION and found.length == YORUBA_LENGTH:
            return None  # coordinates of the one are wrong on the other
        return found

    def _fits(self, contig: Contig, name: str, length: int | None) -> bool:
        _, build = CHROMOSOME_BY_ACCESSION.get(name, (None, None))
        if build and self._build and build is not self._build:
            return False
        if length is None or length == contig.length:
            return True
        expected = length_of(self._build, chromosome_of(name))
        return length > contig.length and expected in {None, length}
