"""Gene models of a bundle: Ensembl's GFF3 with the bundle's contig names.

GFF3 holds no bases, so a file of another build is told by what its header says, by the lengths of its contigs, and by
its introns: 99% begin and end with GT-AG, GC-AG or AT-AC (Burset et al. 2000, doi:10.1093/nar/28.21.4364).
Source of the format: GFF3 specification 1.26; of the ids `gene:` and `transcript:`, the manual page of bcftools csq.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pysam

from strandline.errors import RejectedInputError
from strandline.reads.reference_bundle.builds import Build
from strandline.reads.reference_bundle.contig_names import ContigNames
from strandline.reads.reference_bundle.description import SourceOrigin
from strandline.reads.reference_bundle.source_text import (
    BEYOND_THE_END,
    BgzfSink,
    Placement,
    SourceText,
    version_words,
    whole_number,
)

_COLUMNS: Final = 9
_WHOLE_CONTIG: Final = frozenset({b"chromosome", b"supercontig", b"scaffold", b"region"})
_BUILD_BY_WORD: Final = {
    "grch37": Build.GRCH37,
    "grch38": Build.GRCH38,
    "t2t-chm13v2": Build.T2T,
}
_RELEASE: Final = ("genome-build", "genome-version", "genebuild-last-updated")
_TRANSCRIPTS_LOOKED_AT: Final = 5_000
_FEWEST_INTRONS: Final = 4  # by chance one in about 85 pairs of ends looks right
_SHORTEST_INTRON: Final = 30
_SPLICE_SITES: Final = frozenset({"GTAG", "GCAG", "ATAC"})
_ON_THE_OTHER_STRAND: Final = frozenset({"CTAC", "CTGC", "GTAT"})
_BELONGS_TO_A_LARGER: Final = "belongs to a gene that is left out"

_Exon = tuple[int, int]


class _Introns:
    """Exons by transcript, for the introns between them; 1-based, ends included."""

    def __init__(self) -> None:
        self._exons: dict[tuple[str, bytes, bytes], list[_Exon]] = {}

    def add(self, contig: str, strand: bytes, transcript: bytes, exon: _Exon) -> None:
        key = (contig, strand, transcript)
        if key in self._exons or len(self._exons) < _TRANSCRIPTS_LOOKED_AT:
            self._exons.setdefault(key, []).append(exon)

    def splice_sites(self, bases: pysam.FastaFile) -> Iterator[bool]:
        """Yield for each intron whether it begins and ends as introns do; those among unknown bases are passed over."""
        for (contig, strand, _), exons in self._exons.items():
            exons.sort()
            for (_, end), (start, _) in pairwise(exons):
                if start - end <= _SHORTEST_INTRON:
                    continue
                ends = (bases.fetch(contig, end, end + 2) + bases.fetch(contig, start - 3, start - 1)).upper()
                if "N" not in ends:
                    yield ends in (_SPLICE_SITES if strand == b"+" else _ON_THE_OTHER_STRAND)


class _Models:
    """Rewrites the features of one file."""

    def __init__(self, source: SourceText, placement: Placement, build: Build | None) -> None:
        self.source = source
        self.placement = placement
        self.header: dict[str, str] = {}
        self.introns = _Introns()
        self.is_sorted = True
        self.is_ensembl = False
        self._build = build
        self._dropped: set[bytes] = set()
        self._last = (b"", 0)
        self._done: set[bytes] = set()

    def rewrite(self, line: bytes) -> bytes | None:
        """Return a line with the bundle's contig name; None where it is left out."""
        if not line.startswith(b"#"):
            return self._feature(line)
        if line.startswith(b"##sequence-region"):
            return self._region(line)
        if line.startswith((b"#!", b"##genome-build")):
            key, _, value = line[2:].decode(errors="replace").strip().partition(" ")
            self.header[key] = value.strip()
            if key == "genome-build":
                self._check_build(value)
        return line

    def _region(self, line: bytes) -> bytes | None:
        parts = line.split()
        if len(parts) != 4:
            raise self.source.invalid("##sequence-region takes a name, a start and an end")
        name, start, end = parts[1].decode(errors="replace"), *(whole_number(self.source, text) for text in parts[2:])
        if start == 1:
            self.placement.declare(name, length=end)
        contig = self.placement.find(name)
        return f"##sequence-region {contig.name} {start} {min(end, contig.length)}".encode() if contig else None

    def _check_build(self, words: str) -> None:
        told = next((build for word, build in _BUILD_BY_WORD.items() if word in words.lower()), None)
        if told and self._build and told is not self._build:
            raise RejectedInputError(
                "source_of_another_reference",
                f"{self.source.path.name} says that it is of {told}, and the FASTA is {self._build}: give its own",
            )

    def _feature(self, line: bytes) -> bytes | None:
        columns = line.split(b"\t")
        if len(columns) != _COLUMNS:
            raise self.source.invalid(f"a feature has not {_COLUMNS} columns between tabs")
        start, end = whole_number(self.source, columns[3]), whole_number(self.source, columns[4])
        if not 1 <= start <= end:
            raise self.source.invalid("a feature ends before it starts")
        if columns[2] in _WHOLE_CONTIG and start == 1:
            self.placement.declare(columns[0].decode(errors="replace"), length=end)
        contig = self.placement.place(columns[0].decode(errors="replace"))
        if contig is None:
            return None
        own_id, parent = _ids(columns[8])
        if end > contig.length or (parent and parent in self._dropped):
            self.placement.leave_out(BEYOND_THE_END if end > contig.length else _BELONGS_TO_A_LARGER)
            self._dropped.update(name for name in (own_id,) if name)
            return None
        self._note_order(columns[0], start)
        self.is_ensembl |= own_id.startswith((b"gene:", b"transcript:"))
        if columns[2] == b"exon" and parent:
            self.introns.add(contig.name, columns[6], parent, (start, end))
        self.placement.kept += 1
        return b"\t".join((contig.name.encode(), *columns[1:]))

    def _note_order(self, name: bytes, start: int) -> None:
        last_name, last_start = self._last
        if name != last_name:
            self._done.add(last_name)
        self.is_sorted &= start >= last_start if name == last_name else name not in self._done
        self._last = (name, start)


def write_gene_models(
    path: Path, sink: Path, *, names: ContigNames, build: Build | None, fasta: Path
) -> tuple[SourceOrigin, str, bool]:
    """Write gene models to BGZF; return their origin, their release in words, and whether they stand in order.

    Raises:
        RejectedInputError: `source_invalid`, `source_ambiguous`, `source_empty`, `source_of_another_reference`,
            `source_disagrees`, or a code of `SourceText.lines`.
    """
    source = SourceText(path)
    models = _Models(source, Placement(source, names), build)
    with BgzfSink(sink) as written:
        lines = source.lines()
        for line in lines:
            if (
                source.line_number == 1
                and not line.startswith(b"##gff-version 3")
                and line.count(b"\t") != _COLUMNS - 1
            ):
                raise source.invalid("it does not begin with ##gff-version 3: give Ensembl's GFF3, plain or gzip")
            if line.startswith(b"##FASTA"):
                for _ in lines:
                    pass  # its checksum is of the whole file
                break
            rewritten = models.rewrite(line) if line else None
            if rewritten is not None:
                written.write(rewritten)
        models.placement.check()
        _check_models(models, fasta)
        origin = models.placement.describe(written.sha256)
    return origin, version_words(models.header, _RELEASE), models.is_sorted


def _check_models(models: _Models, fasta: Path) -> None:
    name = models.source.path.name
    if not models.is_ensembl:
        raise RejectedInputError(
            "source_invalid", f"{name} has no ids such as gene:ENSG... and transcript:ENST...: give Ensembl's GFF3"
        )
    with pysam.FastaFile(str(fasta)) as bases:
        sites = list(models.introns.splice_sites(bases))
    if len(sites) >= _FEWEST_INTRONS and sum(sites) * 2 < len(sites):
        raise RejectedInputError(
            "source_disagrees",
            f"{name}: {sum(sites):,} of {len(sites):,} introns begin and end in the FASTA as introns do: it is of "
            "another build; give the one of this FASTA",
        )


def _ids(attributes: bytes) -> tuple[bytes, bytes]:
    """Return a feature's `ID` and `Parent`, empty where it has none."""
    own_id = parent = b""
    for part in attributes.split(b";"):
        if part.startswith(b"ID="):
            own_id = part[3:]
        elif part.startswith(b"Parent="):
            parent = part[7:]
    return own_id, parent
