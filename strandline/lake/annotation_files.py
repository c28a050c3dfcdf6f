"""Files of annotation sources as sites: VCF, tab-separated values with a header, and GFF3.

Sources: VCF 4.5; GFF3 1.26 (columns 1 to 9, percent signs, directives `##sequence-region` and `#!genome-build`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa

from strandline.errors import RejectedInputError
from strandline.lake.alleles import Reference, left_align
from strandline.lake.vcf_columns import read_vcf
from strandline.lake.vcf_source import VcfSource
from strandline.landing.decompression import decompress_if_gzip

_CHUNK_BYTES: Final = 1 << 20
_LONGEST_LINE_BYTES: Final = 16 << 20
_ROWS: Final = 20_000
_MOST_KEYS: Final = 1_000
_BASES: Final = re.compile(r"[ACGTNacgtn]+")
_SYMBOLIC: Final = re.compile(r"<[^<>\s]+>|\*")
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "contig": ("chrom", "#chrom", "chr", "#chr", "contig", "chromosome"),
    "position": ("pos", "position"),
    "ref": ("ref", "reference", "reference_allele"),
    "alt": ("alt", "alternate", "alternate_allele"),
    "identifier": ("id", "rsid", "rs_id", "identifier"),
}
_NEEDED: Final = ("contig", "position", "ref", "alt")
NAMED_COLUMNS: Final = tuple(_NAMES)
"""Columns of a TSV that have a meaning of their own."""
_FEATURE_KEYS: Final = ("type", "source", "strand", "phase")
_SITE_TYPES: Final = {"position": pa.int64(), "end_position": pa.int64(), "quality": pa.float64()}
_SITE_NAMES: Final = ("contig", "position", "end_position", "ref", "alt", "identifier", "quality", "filters")

Line = tuple[int, str]  # its 1-based number, without its end


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """An opened file.

    Attributes:
        keys: what each site can be asked for, beside its place.
        says_build: what the header calls the genome, None where it does not say.
        length_by_contig: in bases, as far as the header tells.
        sites: columns contig, position (1-based), end_position (inclusive), ref, alt, identifier, quality, filters and
            info, a map of texts. A feature of GFF3 has empty texts for ref and alt.
    """

    keys: tuple[str, ...]
    says_build: str | None
    length_by_contig: Mapping[str, int]
    sites: Iterator[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class NamedReference:
    """Sequences whose contigs begin with `prefix`, asked for by the names of a file that may leave it out."""

    sequences: Reference
    prefix: str

    def fetch(self, contig: str, start0: int, end0: int, /) -> str:
        """Return the bases of a half-open, 0-based interval."""
        named = contig if contig.startswith(self.prefix) else self.prefix + contig
        return self.sequences.fetch(named, start0, end0)


@contextmanager
def open_annotations(
    path: Path, *, columns: Mapping[str, str] | None = None, reference: Reference | None = None
) -> Iterator[AnnotationFile]:
    """Open a file of a source: `.gff3` or `.gff`, `.tsv` or `.txt`, and anything else as VCF; each plain or gzip.

    Args:
        path: the file.
        columns: of a TSV, the column of contig, position (1-based), ref, alt or identifier, where its name does not
            tell.
        reference: alleles are aligned to the left along it.

    Raises:
        RejectedInputError: what the readers of VCF raise; `annotation_column_missing`, `annotation_columns`,
            `annotation_position`, `annotation_allele`, `annotation_number`, `annotation_keys`,
            `annotation_line_too_long`, `annotation_not_text`.
    """
    suffix = next((end for end in reversed(path.suffixes) if end not in {".gz", ".bgz"}), "")
    if suffix in {".gff3", ".gff"}:
        yield _open_gff3(path)
        return
    with path.open("rb") as file:
        chunks = iter(lambda: file.read(_CHUNK_BYTES), b"")
        if suffix in {".tsv", ".txt"}:
            yield _open_tsv(read_lines(chunks, path.name), path.name, columns or {}, reference)
        else:
            yield _open_vcf(VcfSource(chunks, path.name), reference)


def read_lines(chunks: Iterable[bytes], name: str) -> Iterator[Line]:
    """Yield lines of UTF-8 that are not blank, decompressed; memory is bounded by the longest line taken.

    Raises:
        RejectedInputError: `annotation_line_too_long`, `annotation_not_text`; what `decompress_if_gzip` raises.
    """
    number, rest = 0, b""
    for piece in chain(decompress_if_gzip(chunks, name), [b"\n"]):
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > _LONGEST_LINE_BYTES:
            raise RejectedInputError("annotation_line_too_long", f"{name} line {number + len(whole) + 1}: over 16 MiB")
        for line in whole:
            number += 1
            try:
                text = line.decode().removesuffix("\r")
            except UnicodeDecodeError:
                raise RejectedInputError("annotation_not_text", f"{name} line {number}: it is not UTF-8") from None
            if text:
                yield number, text


def _open_vcf(source: VcfSource, reference: Reference | None) -> AnnotationFile:
    header = source.header
    lengths = {name.decode(): length for name, length in header.length_by_contig.items() if length is not None}
    return AnnotationFile(
        keys=tuple(key.decode() for key in header.infos),
        says_build=header.reference.decode("utf-8", "replace") if header.reference else None,
        length_by_contig=lengths,
        sites=(batch.sites for batch in read_vcf(source, reference=reference)),
    )


@dataclass(slots=True)
class _Columns:
    """Sites on their way into columns."""

    cells: dict[str, list[object]] = field(default_factory=lambda: {name: [] for name in (*_SITE_NAMES, "info")})

    def add(self, info: list[tuple[str, str | None]], **values: object) -> None:
        for name in _SITE_NAMES:
            self.cells[name].append(values.get(name))
        self.cells["info"].append(info)

    def batch(self) -> pa.RecordBatch:
        """Return the sites sorted: neither form of file asks for an order."""
        places = list(zip(self.cells["contig"], self.cells["position"], strict=True))
        order = sorted(range(len(places)), key=places.__getitem__)
        types = {name: _SITE_TYPES.get(name, pa.string()) for name in _SITE_NAMES}
        types["info"] = pa.map_(pa.string(), pa.string())
        arrays = [pa.array([self.cells[name][at] for at in order], kind) for name, kind in types.items()]
        return pa.RecordBatch.from_arrays(arrays, names=list(types))


def _open_tsv(
    lines: Iterator[Line], name: str, columns: Mapping[str, str], reference: Reference | None
) -> AnnotationFile:
    number, header = next((line for line in lines if not line[1].startswith("##")), (1, ""))
    names = header.split("\t")
    if len(set(names)) < len(names):
        raise RejectedInputError("annotation_columns", f"{name} line {number}: two columns have one name")
    places = _find_columns(names, name, columns)
    others = [(place, column) for place, column in enumerate(names) if place not in places.values()]

    def read(rows: Sequence[Line]) -> pa.RecordBatch:
        made = _Columns()
        for line, text in rows:
            cells = text.split("\t")
            if len(cells) != len(names):
                says = f"{name} line {line}: {len(cells)} columns where the header has {len(names)}"
                raise RejectedInputError("annotation_columns", says)
            contig, position = cells[places["contig"]], _position(cells[places["position"]], name, line)
            ref, alt = (_allele(cells[places[key]], name, line, is_alt=key == "alt") for key in ("ref", "alt"))
            if not _SYMBOLIC.fullmatch(alt):
                position, ref, alt = _trim(position, ref, alt)
                if reference:
                    position, ref, alt = left_align(contig, position, ref, alt, reference)
            made.add(
                [(column, _value(cells[place])) for place, column in others],
                contig=contig,
                position=position,
                end_position=position + len(ref) - 1,
                ref=ref,
                alt=alt,
                identifier=_value(cells[places["identifier"]]) if "identifier" in places else None,
            )
        return made.batch()

    sites = (read(rows) for rows in _batches(lines))
    return AnnotationFile(tuple(column for _, column in others), None, {}, sites)


def _find_columns(names: Sequence[str], name: str, columns: Mapping[str, str]) -> dict[str, int]:
    by_name = {column.lower(): place for place, column in reversed(list(enumerate(names)))}
    places = {}
    for key, usual in _NAMES.items():
        wanted = [columns[key].lower()] if key in columns else usual
        found = next((by_name[column] for column in wanted if column in by_name), None)
        if found is not None:
            places[key] = found
        elif key in _NEEDED or key in columns:
            raise RejectedInputError(
                "annotation_column_missing",
                f"{name}: no column '{wanted[0]}' for the {key}: name it with --column {key}=NAME",
            )
    return places


def _open_gff3(path: Path) -> AnnotationFile:
    """Read the file twice: a feature must have every key that any has, and no header tells them."""
    keys: dict[str, None] = dict.fromkeys(_FEATURE_KEYS)
    says_build: str | None = None
    lengths: dict[str, int] = {}
    for number, line in _gff3_lines(path):
        if line.startswith("#!genome-build "):
            says_build = line.split(None, 1)[1]
        elif line.startswith("##sequence-region"):
            contig, _, end = _region(line, path.name, number)
            lengths[contig] = end
        elif not line.startswith("#"):
            keys.update(dict.fromkeys(key for key, _ in _attributes(_cells(line, path.name, number)[8])))
        if len(keys) > _MOST_KEYS:
            says = f"{path.name} line {number}: over {_MOST_KEYS} different attributes, as no gene model has"
            raise RejectedInputError("annotation_keys", says)
    features = (line for line in _gff3_lines(path) if not line[1].startswith("#"))
    sites = (_read_features(rows, path.name) for rows in _batches(features))
    return AnnotationFile(tuple(keys), says_build, lengths, sites)


def _gff3_lines(path: Path) -> Iterator[Line]:
    """Yield the lines up to the sequences that may follow."""
    with path.open("rb") as file:
        for number, line in read_lines(iter(lambda: file.read(_CHUNK_BYTES), b""), path.name):
            if line.startswith("##FASTA"):
                return
            yield number, line


def _read_features(rows: Sequence[Line], name: str) -> pa.RecordBatch:
    made = _Columns()
    for line, text in rows:
        contig, source, kind, start, end, score, strand, phase, attributes = _cells(text, name, line)
        told = dict(_attributes(attributes))
        place = dict(zip(_FEATURE_KEYS, map(_value, (kind, source, strand, phase)), strict=True))
        position, end_position = _position(start, name, line), _position(end, name, line)
        if end_position < position:
            raise RejectedInputError("annotation_position", f"{name} line {line}: the end lies before the start")
        made.add(
            list((place | told).items()),
            contig=unquote(contig),
            position=position,
            end_position=end_position,
            ref="",
            alt="",
            identifier=told.get("ID"),
            quality=_number(score, name, line),
        )
    return made.batch()


def _cells(line: str, name: str, number: int) -> list[str]:
    cells = line.split("\t")
    if len(cells) != 9:
        raise RejectedInputError("annotation_columns", f"{name} line {number}: GFF3 has 9 columns, this {len(cells)}")
    return cells


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    """Yield tags and values of column 9, percent signs decoded.

    >>> list(_attributes("ID=g%3B1;Note=a,b"))
    [('ID', 'g;1'), ('Note', 'a,b')]
    """
    for pair in text.split(";"):
        tag, is_told, value = pair.strip().partition("=")
        if is_told:
            yield unquote(tag), unquote(value)


def _region(line: str, name: str, number: int) -> tuple[str, int, int]:
    parts = line.split()
    if len(parts) != 4:
        raise RejectedInputError("annotation_columns", f"{name} line {number}: ##sequence-region has 3 values")
    return unquote(parts[1]), _position(parts[2], name, number), _position(parts[3], name, number)


def _position(text: str, name: str, line: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text)):
        raise RejectedInputError("annotation_position", f"{name} line {line}: the position is no whole number from 1")
    return int(text)


def _number(text: str, name: str, line: int) -> float | None:
    try:
        return None if text == "." else float(text)
    except ValueError:
        raise RejectedInputError("annotation_number", f"{name} line {line}: the score is no number") from None


def _allele(text: str, name: str, line: int, *, is_alt: bool) -> str:
    if _BASES.fullmatch(text):
        return text.upper()
    if is_alt and _SYMBOLIC.fullmatch(text):
        return text
    advice = ": split alleles into rows of their own (bcftools norm -m-)" if "," in text else ""
    what = "alternate" if is_alt else "reference"
    raise RejectedInputError("annotation_allele", f"{name} line {line}: the {what} allele is not bases{advice}")


def _trim(position: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Drop shared bases, from the end and then from the start, but for one. Source: doi:10.1093/bioinformatics/btv112.

    >>> _trim(100, "CGGA", "CGA")
    (100, 'CG', 'C')
    """
    while min(len(ref), len(alt)) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while min(len(ref), len(alt)) > 1 and ref[0] == alt[0]:
        position, ref, alt = position + 1, ref[1:], alt[1:]
    return position, ref, alt


def _value(text: str) -> str | None:
    return text if text not in {"", "."} else None


def _batches(lines: Iterator[Line]) -> Iterator[Sequence[Line]]:
    while rows := list(islice(lines, _ROWS)):
        yield rows
