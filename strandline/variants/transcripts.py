"""Transcripts of the gene models, which of them lie at a place, and which one a report names.

Source of the format: GFF3 specification 1.26 and the attributes of Ensembl's GFF3. Of the order of choice: MANE,
Morales et al. 2022, doi:10.1038/s41586-022-04558-8; Ensembl's definition of the canonical transcript.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self
from urllib.parse import unquote

import pysam

_BIN_SHIFT: Final = 14  # bins of 16,384 bases
_COLUMNS: Final = 9
_CODING: Final = "protein_coding"


class Ground(StrEnum):
    """On what ground a transcript was chosen, best first; the values stand in the VCF."""

    MANE_SELECT = "MANE_Select"
    ENSEMBL_CANONICAL = "Ensembl_canonical"
    LONGEST_CODING = "longest_CDS"
    LONGEST = "longest_transcript"
    MANE_PLUS_CLINICAL = "MANE_Plus_Clinical"
    """Kept beside the chosen one; never chosen for this."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """One transcript; coordinates are of the contig, 0-based and half-open.

    `identifier` and `protein` carry their version where the gene models have it. `exons` stand in the order of the
    contig. `coding` reaches from the first base of the first codon to the last base of the last one; None where the
    transcript codes for nothing. `frame_is_known` is false where the coding sequence begins inside a codon or is not
    all that the exons hold between its ends: its bases cannot be numbered then.
    """

    identifier: str
    gene: str
    is_forward: bool
    biotype: str
    exons: tuple[tuple[int, int], ...]
    coding: tuple[int, int] | None = None
    protein: str | None = None
    tags: frozenset[str] = frozenset()
    frame_is_known: bool = True
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _spliced_before: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lengths = (end - start for start, end in self.exons)
        object.__setattr__(self, "_starts", tuple(start for start, _ in self.exons))
        object.__setattr__(self, "_spliced_before", (0, *accumulate(lengths)))

    @property
    def start0(self) -> int:
        """First base."""
        return self.exons[0][0]

    @property
    def end0(self) -> int:
        """Behind the last base."""
        return self.exons[-1][1]

    @property
    def length(self) -> int:
        """Spliced bases."""
        return self._spliced_before[-1]

    @property
    def coding_span(self) -> tuple[int, int] | None:
        """The coding sequence in the spliced transcript: offsets, half-open, in the direction of transcription."""
        if self.coding is None:
            return None
        first, last = self.locate(self.coding[0])[0], self.locate(self.coding[1] - 1)[0]
        return min(first, last), max(first, last) + 1

    @property
    def coding_length(self) -> int:
        """Bases of the coding sequence; 0 where there is none."""
        span = self.coding_span
        return span[1] - span[0] if span else 0

    def exon_at(self, position0: int) -> tuple[int, int] | None:
        """Return the exon that holds a base, or None in an intron."""
        exon = self.exons[bisect_right(self._starts, position0) - 1]
        return exon if exon[0] <= position0 < exon[1] else None

    def locate(self, position0: int) -> tuple[int, int]:
        """Return where a base between the transcript's ends lies: offset in the spliced transcript, and distance.

        The distance is 0 in an exon. In an intron it is counted from the nearest exon, whose last or first base the
        offset is of: positive behind the exon upstream, which also takes the middle base, negative before the one
        downstream.
        """
        index = bisect_right(self._starts, position0) - 1
        end = self.exons[index][1]
        if position0 < end:
            return self._offset(index, position0), 0
        left, right = (index, end - 1), (index + 1, self._starts[index + 1])
        upstream, downstream = (left, right) if self.is_forward else (right, left)
        behind, before = abs(position0 - upstream[1]), abs(downstream[1] - position0)
        return (self._offset(*upstream), behind) if behind <= before else (self._offset(*downstream), -before)

    def _offset(self, index: int, position0: int) -> int:
        from_left = self._spliced_before[index] + position0 - self.exons[index][0]
        return from_left if self.is_forward else self.length - 1 - from_left


def choose_transcripts(overlapping: Iterable[Transcript]) -> list[tuple[Transcript, Ground]]:
    """Return one transcript a gene with the ground of its choice, and beside it those of MANE Plus Clinical.

    The order: MANE Select; Ensembl's canonical one; the longest coding sequence of those of biotype protein_coding
    whose frame is known, then of any other; the longest. Equals go by identifier, so that the choice is the same every
    time.
    """
    by_gene: dict[str, list[Transcript]] = defaultdict(list)
    for transcript in overlapping:
        by_gene[transcript.gene].append(transcript)
    chosen: list[tuple[Transcript, Ground]] = []
    for transcripts in by_gene.values():
        best = min(transcripts, key=_preference)
        chosen.append((best, _ground(best)))
        chosen += [
            (other, Ground.MANE_PLUS_CLINICAL)
            for other in sorted(transcripts, key=_preference)
            if other is not best and Ground.MANE_PLUS_CLINICAL.value in other.tags
        ]
    return chosen


def _ground(transcript: Transcript) -> Ground:
    for ground in (Ground.MANE_SELECT, Ground.ENSEMBL_CANONICAL):
        if ground.value in transcript.tags:
            return ground
    return Ground.LONGEST_CODING if transcript.coding else Ground.LONGEST


def _preference(transcript: Transcript) -> tuple[bool, bool, bool, int, int, str]:
    return (
        Ground.MANE_SELECT.value not in transcript.tags,
        Ground.ENSEMBL_CANONICAL.value not in transcript.tags,
        not (transcript.biotype == _CODING and transcript.coding and transcript.frame_is_known),
        -transcript.coding_length,
        -transcript.length,
        transcript.identifier,
    )


class ContigTranscripts:
    """The transcripts of one contig, found by place."""

    def __init__(self, transcripts: Iterable[Transcript]) -> None:
        self._by_bin: dict[int, list[Transcript]] = defaultdict(list)
        for transcript in sorted(transcripts, key=lambda one: (one.start0, one.identifier)):
            for number in range(transcript.start0 >> _BIN_SHIFT, (transcript.end0 - 1 >> _BIN_SHIFT) + 1):
                self._by_bin[number].append(transcript)

    def overlapping(self, start0: int, end0: int) -> list[Transcript]:
        """Return those that share a base with the half-open interval, in order of their first base."""
        found: dict[str, Transcript] = {}
        for number in range(start0 >> _BIN_SHIFT, (max(end0 - 1, start0) >> _BIN_SHIFT) + 1):
            for transcript in self._by_bin.get(number, ()):
                if transcript.start0 < end0 and start0 < transcript.end0:
                    found.setdefault(transcript.identifier, transcript)
        return list(found.values())


class GeneModels:
    """Ensembl's GFF3, one contig in memory at a time, whatever order its features stand in.

    Args:
        gff3: plain or gzip.
        contigs: those to keep.
        scratch: an empty folder for one file a contig.
    """

    def __init__(self, gff3: Path, contigs: Iterable[str], scratch: Path) -> None:
        numbered = enumerate(dict.fromkeys(contigs))
        self._path_by_contig: Mapping[bytes, Path] = {
            name.encode(): scratch / f"{number}.gff3" for number, name in numbered
        }
        with _Sinks(self._path_by_contig) as sinks, pysam.BGZFile(str(gff3), "r", None) as lines:
            for line in lines:
                sinks.write(line)

    def transcripts_of(self, contig: str) -> ContigTranscripts:
        """Read the transcripts of one contig; none where the gene models do not know it."""
        path = self._path_by_contig.get(contig.encode())
        if path is None or not path.exists():
            return ContigTranscripts(())
        with path.open("rb") as lines:
            return ContigTranscripts(parse_transcripts(lines))


class _Sinks:
    """One file a contig, opened with its first feature."""

    def __init__(self, path_by_contig: Mapping[bytes, Path]) -> None:
        self._paths = path_by_contig
        self._open: dict[bytes, BinaryIO] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sink in self._open.values():
            sink.close()

    def write(self, line: bytes) -> None:
        contig, _, rest = line.partition(b"\t")
        if contig not in self._paths or not _is_of_a_transcript(rest):
            return
        if contig not in self._open:
            self._open[contig] = self._paths[contig].open("wb")
        self._open[contig].write(line + b"\n")


def _is_of_a_transcript(rest: bytes) -> bool:
    return b"\texon\t" in rest or b"\tCDS\t" in rest or b"ID=transcript:" in rest or b"ID=gene:" in rest


@dataclass(slots=True)
class _Collected:
    """What the features of one transcript say."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    is_forward: bool = True
    exons: list[tuple[int, int]] = field(default_factory=list)
    coding: list[tuple[int, int, int]] = field(default_factory=list)
    protein: str | None = None


def parse_transcripts(lines: Iterable[bytes]) -> list[Transcript]:
    """Read the transcripts from features of one contig, in any order; those without exons are left out."""
    symbols: dict[str, str] = {}
    collected: dict[str, _Collected] = defaultdict(_Collected)
    for line in lines:
        columns = line.rstrip(b"\r\n").decode().split("\t")
        if len(columns) != _COLUMNS or line.startswith(b"#"):
            continue
        _note(columns, symbols, collected)
    return [_transcript(name, one, symbols) for name, one in collected.items() if one.exons and one.attributes]


def _note(columns: list[str], symbols: dict[str, str], collected: dict[str, _Collected]) -> None:
    kind, start0, end0 = columns[2], int(columns[3]) - 1, int(columns[4])
    pairs = (part.partition("=") for part in columns[8].split(";"))
    attributes = {key: unquote(value) if "%" in value else value for key, _, value in pairs}
    own, parent = attributes.get("ID", ""), attributes.get("Parent", "").removeprefix("transcript:")
    if own.startswith("gene:"):
        symbols[own.removeprefix("gene:")] = attributes.get("Name") or own.removeprefix("gene:")
    elif own.startswith("transcript:"):
        one = collected[own.removeprefix("transcript:")]
        one.attributes, one.is_forward = attributes, columns[6] != "-"
    elif kind == "exon":
        collected[parent].exons.append((start0, end0))
    elif kind == "CDS":
        one = collected[parent]
        one.coding.append((start0, end0, int(columns[7]) if columns[7].isdigit() else 0))
        if "protein_id" in attributes:
            one.protein = _versioned(attributes["protein_id"], attributes)


def _transcript(name: str, one: _Collected, symbols: Mapping[str, str]) -> Transcript:
    gene = one.attributes.get("Parent", "").removeprefix("gene:")
    exons, coding = tuple(sorted(one.exons)), sorted(one.coding)
    span = (coding[0][0], max(end for _, end, _ in coding)) if coding else None
    return Transcript(
        identifier=_versioned(name, one.attributes),
        gene=symbols.get(gene, gene),
        is_forward=one.is_forward,
        biotype=one.attributes.get("biotype", ""),
        exons=exons,
        coding=span,
        protein=one.protein,
        tags=frozenset(tag.strip().replace(" ", "_") for tag in one.attributes.get("tag", "").split(",") if tag),
        frame_is_known=span is None or _frame_is_known(exons, coding, span, is_forward=one.is_forward),
    )


def _frame_is_known(
    exons: tuple[tuple[int, int], ...], coding: list[tuple[int, int, int]], span: tuple[int, int], *, is_forward: bool
) -> bool:
    first = coding[0] if is_forward else coding[-1]
    inside = [(max(start, span[0]), min(end, span[1])) for start, end in exons if start < span[1] and span[0] < end]
    return first[2] == 0 and inside == [(start, end) for start, end, _ in coding]


def _versioned(name: str, attributes: Mapping[str, str]) -> str:
    """Return `name.version`, where there is a version that the name does not carry yet."""
    version = attributes.get("version")
    return f"{name}.{version}" if version and "." not in name else name
