"""Known variants of a bundle (ClinVar, dbSNP, frequencies, known sites): a VCF with the bundle's contig names.

Each REF is held against the FASTA: it is what tells a file of another build. Genotypes are dropped, as a bundle
describes variants and nobody's genome. Source: VCF 4.3 specification, section 1.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pysam

from strandline.errors import RejectedInputError
from strandline.reads.reference_bundle.contig_names import ContigNames
from strandline.reads.reference_bundle.description import Contig, ReferenceRole, SourceOrigin
from strandline.reads.reference_bundle.source_text import (
    BEYOND_THE_END,
    OTHER_BASES,
    BgzfSink,
    Placement,
    SourceText,
    version_words,
    whole_number,
)

DISAGREEING_LIMIT: Final = 0.01
"""Largest fraction of records whose REF may differ from the FASTA; by chance one in four bases agrees."""

_CONTIG_LINE: Final = re.compile(rb"##contig=<(.*)>\s*")
_SITE_COLUMNS: Final = 8
_IUPAC: Final = {
    **{ord("R"): b"AG", ord("Y"): b"CT", ord("S"): b"CG", ord("W"): b"AT", ord("K"): b"GT", ord("M"): b"AC"},
    **{ord("B"): b"CGT", ord("D"): b"AGT", ord("H"): b"ACT", ord("V"): b"ACG", ord("N"): b"ACGT", ord("U"): b"T"},
}
_RELEASE: Final = ("source", "dbSNP_BUILD_ID", "fileDate")
_NEEDED_FIELD: Final = {ReferenceRole.CLINVAR: b"CLNSIG", ReferenceRole.FREQUENCIES: b"AF"}


@dataclass(slots=True)
class _Checked:
    """How many REFs were held against bases of the FASTA that are known, and how many differed."""

    count: int = 0
    differing: int = 0
    first_line: int = 0


def write_variants(
    path: Path, sink: Path, *, role: ReferenceRole, contigs: Sequence[Contig], names: ContigNames, fasta: Path
) -> tuple[SourceOrigin, str]:
    """Write a source's sites to BGZF and return its origin and its release in words.

    Raises:
        RejectedInputError: `source_invalid`, `source_unsorted`, `source_ambiguous`, `source_empty`,
            `source_of_another_reference`, `source_disagrees`, or a code of `SourceText.lines`.
    """
    source = SourceText(path)
    placement = Placement(source, names)
    lines = source.lines()
    with BgzfSink(sink) as written, pysam.FastaFile(str(fasta)) as bases:
        header = _write_header(lines, source, placement, written, role=role, contigs=contigs)
        _write_sites(lines, source, placement, written, bases=bases, role=role)
        return placement.describe(written.sha256), version_words(header, _RELEASE)


def _write_header(
    lines: Iterator[bytes],
    source: SourceText,
    placement: Placement,
    sink: BgzfSink,
    *,
    role: ReferenceRole,
    contigs: Sequence[Contig],
) -> dict[str, str]:
    """Write the header with the FASTA's contigs, and return its plain values by key."""
    values: dict[str, str] = {}
    fields: set[bytes] = set()
    for line in lines:
        if source.line_number == 1 and not line.startswith(b"##fileformat=VCF"):
            raise source.invalid("it does not begin with ##fileformat=VCF: give a VCF, plain or gzip")
        if match := _CONTIG_LINE.fullmatch(line):
            _declare_contig(match[1], placement)
        elif line.startswith(b"#CHROM\t"):
            needed = _NEEDED_FIELD.get(role)
            if needed and needed not in fields:
                raise RejectedInputError(
                    "source_invalid",
                    f"{source.path.name} declares no INFO field {needed.decode()}, which {role} is read for: give "
                    "that database's own VCF",
                )
            for contig in contigs:
                sink.write(f"##contig=<ID={contig.name},length={contig.length},md5={contig.md5}>".encode())
            sink.write(b"\t".join(line.split(b"\t")[:_SITE_COLUMNS]))
            return values
        elif line.startswith(b"##"):
            sink.write(line)
            if line.startswith(b"##INFO=<ID="):
                fields.add(line[len(b"##INFO=<ID=") :].split(b",", 1)[0])
            key, _, value = line[2:].partition(b"=")
            if not value.startswith(b"<"):
                values[key.decode(errors="replace")] = value.decode(errors="replace")
        else:
            raise source.invalid("it has no line that begins with #CHROM before its records")
    raise RejectedInputError("source_invalid", f"{source.path.name} has no line that begins with #CHROM: give a VCF")


def _declare_contig(inside: bytes, placement: Placement) -> None:
    fields = dict(part.split("=", 1) for part in inside.decode(errors="replace").split(",") if "=" in part)
    if "ID" in fields:
        length = fields.get("length", "")
        placement.declare(fields["ID"], length=int(length) if length.isdigit() else None, md5=fields.get("md5"))


def _write_sites(
    lines: Iterator[bytes],
    source: SourceText,
    placement: Placement,
    sink: BgzfSink,
    *,
    bases: pysam.FastaFile,
    role: ReferenceRole,
) -> None:
    checked: dict[str, _Checked] = {}
    done: set[bytes] = set()
    ids: Counter[bool] = Counter()
    name, before, contig, sequence = b"", 0, None, b""
    for line in lines:
        if not line:
            continue
        columns = line.split(b"\t", _SITE_COLUMNS)
        if len(columns) < _SITE_COLUMNS:
            raise source.invalid(f"a record has fewer than {_SITE_COLUMNS} columns between tabs")
        position = whole_number(source, columns[1])
        if columns[0] != name:
            done.add(name)
            name, before = columns[0], 0
            if name in done:
                raise _unsorted(source)
            contig = placement.place(name.decode(errors="replace"))
            sequence = bases.fetch(contig.name).upper().encode() if contig else b""
        else:
            contig = placement.place(name.decode(errors="replace"))
        if position < before:
            raise _unsorted(source)
        before = position
        if contig is None:
            continue
        ref = columns[3].upper()
        if position < 1 or position - 1 + len(ref) > contig.length:
            placement.leave_out(BEYOND_THE_END)
            continue
        agrees = _agrees(ref, sequence[position - 1 : position - 1 + len(ref)])
        if agrees is not None:
            count = checked.setdefault(contig.name, _Checked())
            count.count += 1
            if not agrees:
                count.differing += 1
                count.first_line = count.first_line or source.line_number
                placement.leave_out(OTHER_BASES)
                continue
        ids[columns[2].startswith(b"rs")] += 1
        columns[0] = contig.name.encode()
        sink.write(b"\t".join(columns[:_SITE_COLUMNS]))
        placement.kept += 1
    _check_bases(source, checked)
    placement.check()
    if role is ReferenceRole.DBSNP and not ids[True]:
        raise RejectedInputError("source_invalid", f"{source.path.name} names no record by an rs number: give dbSNP")


def _agrees(ref: bytes, sequence: bytes) -> bool | None:
    """Tell whether REF can be the bases of the FASTA; None where those are all unknown."""
    if ref == sequence:
        return None if not sequence.strip(b"N") else True
    if not sequence.strip(b"N"):
        return None
    return all(base == there or base in _IUPAC.get(there, b"") for base, there in zip(ref, sequence, strict=True))


def _check_bases(source: SourceText, checked: dict[str, _Checked]) -> None:
    """Refuse a source that differs too often as a whole, or on more than half of the places of one contig."""
    count = sum(found.count for found in checked.values())
    differing = sum(found.differing for found in checked.values())
    worst = max(checked.values(), key=lambda found: found.differing / found.count, default=_Checked(1))
    if differing > DISAGREEING_LIMIT * count:
        worst = _Checked(count, differing, min(found.first_line for found in checked.values() if found.differing))
    elif worst.differing * 2 <= worst.count:
        return
    raise RejectedInputError(
        "source_disagrees",
        f"{source.path.name}: in {worst.differing:,} of {worst.count:,} records REF is not what the FASTA has, first "
        f"in line {worst.first_line}: it is of another build; give the one of this FASTA",
    )


def _unsorted(source: SourceText) -> RejectedInputError:
    return RejectedInputError(
        "source_unsorted",
        f"{source.path.name}, line {source.line_number}: its records are not in order of contig and position: sort "
        "them, such as with 'bcftools sort'",
    )
