"""HGVS names into an annotated VCF: on the genome, and on the transcripts that a call lies in, the chosen one first.

The fields: `HGVSg`, and `HGVS` with one entry a transcript. An entry without a ground was not chosen, and stands there
because the call lies in or near one of its exons. No transcript of the mitochondrion is named: the nomenclature asks
for m., and its genes have a genetic code of their own.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pysam

from strandline.variants.hgvs import ContigBases, Edit, edit_of, name_on_genome, name_on_transcript
from strandline.variants.records import parse_consequences, severity_rank
from strandline.variants.transcripts import ContigTranscripts, GeneModels, Ground, Transcript, choose_transcripts

_INFO: Final = 7
_NEAR_AN_EXON: Final = 8
ENTRY_FORMAT: Final = "transcript|gene|ground|consequence|coding|protein_accession|protein"
HEADER: Final = (
    '##INFO=<ID=HGVSg,Number=1,Type=String,Description="Name on the genome (HGVS nomenclature 21)">\n'
    '##INFO=<ID=HGVS,Number=.,Type=String,Description="Names by transcript (HGVS nomenclature 21), the chosen one '
    f'first; signs with a meaning in VCF are written as %3D. Format: {ENTRY_FORMAT}">\n'
).encode()
_GROUNDS: Final = list(Ground)
_ESCAPES: Final = str.maketrans({sign: f"%{ord(sign):02X}" for sign in "%=,;| "})  # VCF 4.3, section 1.2


@dataclass(frozen=True, slots=True)
class SequenceNames:
    """What names on the genome begin with.

    `accession_by_contig` has the accession, with its version, of each contig that is known to be that sequence; others
    go by their own name. `mitochondria` are the contigs that are named `m.`.
    """

    accession_by_contig: Mapping[str, str]
    mitochondria: frozenset[str]


def write_names(
    vcf: Path, output: Path, reference: Path, models: GeneModels | None, names: SequenceNames, *, header: bytes
) -> None:
    """Copy a VCF and add the names of every record.

    Args:
        vcf: BGZF, one alternate allele a record, with `BCSQ` where there are gene models.
        output: BGZF.
        reference: indexed FASTA.
        models: the gene models of the contigs that have records, or None.
        names: what names on the genome begin with.
        header: further lines for the header.
    """
    with (
        pysam.FastaFile(str(reference)) as fasta,
        pysam.BGZFile(str(vcf), "r", None) as lines,
        pysam.BGZFile(str(output), "wb", None) as sink,
    ):
        for line in _named(lines, _Namer(fasta, models, names), HEADER + header):
            sink.write(line)


def _named(lines: Iterable[bytes], namer: "_Namer", header: bytes) -> Iterator[bytes]:
    for line in lines:
        if line.startswith(b"#"):
            if line.startswith(b"#CHROM"):
                yield header
            yield line + b"\n"
            continue
        columns = line.split(b"\t", _INFO + 1)
        fields = namer.fields_of(columns)
        if fields:
            known = () if columns[_INFO] == b"." else (columns[_INFO],)
            columns[_INFO] = b";".join((*known, *fields))
        yield b"\t".join(columns) + b"\n"


class _Namer:
    """Names records in the order of the file; what it holds is of one contig."""

    def __init__(self, fasta: pysam.FastaFile, models: GeneModels | None, names: SequenceNames) -> None:
        self._fasta = fasta
        self._models = models
        self._names = names
        self._bases: ContigBases | None = None
        self._transcripts = ContigTranscripts(())

    def fields_of(self, columns: list[bytes]) -> list[bytes]:
        """Return the INFO fields of a record."""
        contig = columns[0].decode()
        edit = edit_of(int(columns[1]), columns[3].decode(), columns[4].decode())
        if edit is None:
            return []
        bases = self._move_to(contig)
        is_mitochondrion = contig in self._names.mitochondria
        sequence = self._names.accession_by_contig.get(contig, contig)
        on_genome = name_on_genome(edit, bases, sequence, is_mitochondrion=is_mitochondrion)
        fields = [f"HGVSg={on_genome}"] if on_genome else []
        entries = [] if is_mitochondrion else self._entries(edit, bases, columns[_INFO])
        if entries:
            fields.append("HGVS=" + ",".join(entries))
        return [field.encode() for field in fields]

    def _move_to(self, contig: str) -> ContigBases:
        if self._bases is None or self._bases.contig != contig:
            self._bases = ContigBases(self._fasta, contig)
            self._transcripts = self._models.transcripts_of(contig) if self._models else ContigTranscripts(())
        return self._bases

    def _entries(self, edit: Edit, bases: ContigBases, info: bytes) -> list[str]:
        overlapping = self._transcripts.overlapping(edit.start0, max(edit.end0, edit.start0 + 1))
        if not overlapping:
            return []
        term_by_transcript = _worst_terms(info)
        chosen = choose_transcripts(overlapping)
        placed = [(transcript, ground, _term(transcript, edit, term_by_transcript)) for transcript, ground in chosen]
        placed.sort(key=lambda entry: _urgency(*entry))
        kept = {transcript.identifier for transcript, _ in chosen}
        entries = [_entry(transcript, ground, term, edit, bases) for transcript, ground, term in placed]
        for transcript in overlapping:
            if transcript.identifier not in kept and transcript.coding and _is_near_exon(edit, transcript):
                entries.append(_entry(transcript, None, _term(transcript, edit, term_by_transcript), edit, bases))
        return entries


def _worst_terms(info: bytes) -> dict[str, str]:
    """Return the most severe term by transcript, without version, of the `BCSQ` in an INFO column."""
    values = next((part[5:] for part in info.split(b";") if part.startswith(b"BCSQ=")), b"")
    worst: dict[str, str] = {}
    for effect in parse_consequences(tuple(values.decode().split(",")) if values else ()):
        if effect.transcript and severity_rank(effect.term) < severity_rank(worst.get(effect.transcript)):
            worst[effect.transcript] = effect.term
    return worst


def _term(transcript: Transcript, edit: Edit, term_by_transcript: Mapping[str, str]) -> str:
    """Return what bcftools csq says of a transcript; where it names none, what follows from the place."""
    named = term_by_transcript.get(transcript.identifier.split(".")[0]) or term_by_transcript.get(transcript.identifier)
    if named:
        return named
    if transcript.coding is None:
        return "non_coding"
    return "intron" if transcript.exon_at(edit.start0) is None else "coding_sequence"


def _urgency(transcript: Transcript, ground: Ground, term: str) -> tuple[bool, int, bool, int, str]:
    """Order chosen transcripts of several genes: the most severe term, then those that code, then by ground."""
    is_beside = ground is Ground.MANE_PLUS_CLINICAL
    return (is_beside, severity_rank(term), transcript.coding is None, _GROUNDS.index(ground), transcript.gene)


def _entry(transcript: Transcript, ground: Ground | None, term: str, edit: Edit, bases: ContigBases) -> str:
    names = name_on_transcript(edit, transcript, bases)
    parts = (
        transcript.identifier,
        transcript.gene,
        ground.value if ground else "",
        term,
        names.coding if names else "",
        transcript.protein if names and names.protein and transcript.protein else "",
        names.protein if names and names.protein else "",
    )
    return "|".join(part.translate(_ESCAPES) for part in parts)


def _is_near_exon(edit: Edit, transcript: Transcript) -> bool:
    starts = [start for start, _ in transcript.exons]
    before = bisect_right(starts, edit.end0 + _NEAR_AN_EXON - 1) - 1
    return before >= 0 and transcript.exons[before][1] + _NEAR_AN_EXON > edit.start0
