"""What ClinVar says at the place of one call: how well it was reviewed, and what else is known of the residue.

Source of the fields: ClinVar's VCF, INFO CLNSIG and CLNREVSTAT.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pysam

from strandline.interpretation.rules import KnownChange
from strandline.variants.hgvs import ContigBases, edit_of, name_on_transcript
from strandline.variants.records import VariantCall
from strandline.variants.transcripts import Transcript

_CODON_REACH: Final = 2
_RESIDUE: Final = re.compile(r"p\.\([A-Z][a-z]{2}(\d+)")
_MOST_RECORDS: Final = 500


class ClinVarIndex:
    """ClinVar by place. A codon that an intron divides is looked at only on the call's side of it.

    Args:
        vcf: ClinVar of the reference bundle, BGZF with its tabix index beside it.
        fasta: of the same bundle, indexed.
    """

    def __init__(self, vcf: Path, fasta: Path) -> None:
        self._records = pysam.VariantFile(str(vcf))
        self._fasta = pysam.FastaFile(str(fasta))

    def __enter__(self) -> "ClinVarIndex":
        return self

    def __exit__(self, *_: object) -> None:
        self._records.close()
        self._fasta.close()

    def review_status(self, call: VariantCall) -> str | None:
        """Return the review status of the record that the call was annotated with, None where it says none."""
        if call.clinvar_id is None:
            return None
        for record in self._near(call.contig, call.position - 1, call.end_position):
            if record.id == call.clinvar_id:
                return _text(record, "CLNREVSTAT")
        return None

    def known_at_residue(self, call: VariantCall, transcript: Transcript | None) -> list[KnownChange] | None:
        """Return the single-base changes of ClinVar that change the same residue; None where that cannot be told.

        The call itself is left in, marked as the same change of the DNA.
        """
        residue = _residue(call.chosen.protein if call.chosen else None)
        if transcript is None or residue is None or not call.is_snv:
            return None
        bases = ContigBases(self._fasta, call.contig)
        found = []
        start0 = call.position - 1
        for record in self._near(call.contig, max(0, start0 - _CODON_REACH), start0 + _CODON_REACH + 1):
            for alt in record.alts or ():
                protein = _protein(record, alt, transcript, bases)
                if protein and _residue(protein) == residue:
                    is_same = (record.pos, record.ref, alt) == (call.position, call.ref, call.alt)
                    found.append(KnownChange(record.id or "", _text(record, "CLNSIG") or "", protein, is_same))
        return found

    def _near(self, contig: str, start0: int, end0: int) -> Iterator[pysam.VariantRecord]:
        if contig not in self._records.header.contigs:
            return
        for number, record in enumerate(self._records.fetch(contig, start0, end0)):
            if number == _MOST_RECORDS:
                return
            yield record


def _protein(record: pysam.VariantRecord, alt: str, transcript: Transcript, bases: ContigBases) -> str | None:
    if len(record.ref or "") != 1 or len(alt) != 1:
        return None
    edit = edit_of(record.pos, record.ref or "", alt)
    named = name_on_transcript(edit, transcript, bases) if edit else None
    return named.protein if named else None


def _residue(protein: str | None) -> int | None:
    match = _RESIDUE.match(protein or "")
    return int(match[1]) if match else None


def _text(record: pysam.VariantRecord, field: str) -> str | None:
    if field not in record.info:
        return None
    value = record.info[field]
    return ",".join(str(part) for part in value) if isinstance(value, tuple) else str(value)
