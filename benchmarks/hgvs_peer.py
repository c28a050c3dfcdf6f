"""Names by the Python package hgvs (biocommons, Apache-2.0) beside ours; run by an interpreter that has it.

    PYTHON hgvs_peer.py FASTA GFF3 CONTIG ACCESSION NAMES

The package asks a data provider for exons and sequences: here gene models and bases from files, no database. NAMES has
one variant a line: transcript, name on the genome, name on the transcript, name of the protein change.
"""
# ruff: noqa: ARG002  # the methods are those that the package asks for, with its names

import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pysam

from strandline.variants.hgvs import ContigBases, reverse_complement
from strandline.variants.protein_names import STOP_CODONS
from strandline.variants.transcripts import Transcript, parse_transcripts

_INTERFACE: Any = import_module("hgvs.dataproviders.interface").Interface


class Files(_INTERFACE):  # type: ignore[misc]  # the package has no types
    """What the package asks for, from a FASTA and a GFF3."""

    required_version = "1.1"

    def __init__(self, fasta: Path, gff3: Path, contig: str, accession: str) -> None:
        self._bases = ContigBases(pysam.FastaFile(str(fasta)), contig)
        self._accession = accession
        with gff3.open("rb") as lines:
            mine = [line for line in lines if line.startswith(contig.encode() + b"\t")]
        self.transcripts = {one.identifier: one for one in parse_transcripts(mine)}
        super().__init__()

    def data_version(self) -> str:
        return "1.1"

    def schema_version(self) -> str:
        return "1.1"

    def get_seq(self, ac: str, start_i: int | None = None, end_i: int | None = None) -> str:
        if ac == self._accession:
            return self._bases.fetch(start_i or 0, self._bases.length if end_i is None else end_i)
        return self._spliced(self.transcripts[ac])[start_i:end_i]

    def get_tx_exons(self, tx_ac: str, alt_ac: str, alt_aln_method: str) -> list[dict[str, Any]]:
        transcript = self.transcripts[tx_ac]
        rows, at = [], 0
        ordered = transcript.exons if transcript.is_forward else transcript.exons[::-1]
        for number, (start, end) in enumerate(ordered):
            row: dict[str, Any] = {
                "ord": number,
                "tx_start_i": at,
                "tx_end_i": at + end - start,
                "alt_start_i": start,
                "alt_end_i": end,
            }
            rows.append(row | {"cigar": f"{end - start}=", "alt_strand": 1 if transcript.is_forward else -1})
            at += end - start
        return sorted(rows, key=lambda row: row["alt_start_i"])

    def get_tx_identity_info(self, tx_ac: str) -> dict[str, Any]:
        transcript = self.transcripts[tx_ac]
        first, end = transcript.coding_span or (0, 0)
        spliced = self._spliced(transcript)
        if spliced[end - 3 : end] not in STOP_CODONS and spliced[end : end + 3] in STOP_CODONS:
            end += 3
        lengths = [end - start for start, end in transcript.exons]
        described = {"tx_ac": tx_ac, "alt_ac": tx_ac, "alt_aln_method": "transcript", "hgnc": transcript.gene}
        return described | {
            "cds_start_i": first,
            "cds_end_i": end,
            "translation_table": "Standard",
            "lengths": lengths if transcript.is_forward else lengths[::-1],
        }

    def get_tx_info(self, tx_ac: str, alt_ac: str, alt_aln_method: str) -> dict[str, Any]:
        return self.get_tx_identity_info(tx_ac) | {"alt_ac": alt_ac, "alt_aln_method": alt_aln_method}

    def get_tx_mapping_options(self, tx_ac: str) -> list[dict[str, str]]:
        return [{"tx_ac": tx_ac, "alt_ac": self._accession, "alt_aln_method": "splign"}]

    def get_pro_ac_for_tx_ac(self, tx_ac: str) -> str:
        return tx_ac.replace("ENST", "ENSP")

    def get_acs_for_protein_seq(self, seq: str) -> list[str]:
        return []

    def get_assembly_map(self, assembly_name: str) -> dict[str, str]:
        return {}

    def get_gene_info(self, gene: str) -> None:
        return None

    def get_similar_transcripts(self, tx_ac: str) -> list[str]:
        return []

    def get_tx_for_gene(self, gene: str) -> list[str]:
        return []

    def get_tx_for_region(self, alt_ac: str, alt_aln_method: str, start_i: int, end_i: int) -> list[str]:
        return []

    def _spliced(self, transcript: Transcript) -> str:
        joined = "".join(self._bases.fetch(start, end) for start, end in transcript.exons)
        return joined if transcript.is_forward else reverse_complement(joined)


def compare(files: Files, names: Path) -> dict[str, Any]:
    """Count names that are equal; an inversion is none of ours, and is left out."""
    parser, mapper = import_module("hgvs.parser").Parser(), import_module("hgvs.variantmapper").VariantMapper(files)
    normaliser = import_module("hgvs.normalizer").Normalizer
    shift = {
        forward: normaliser(files, shuffle_direction=3 if forward else 5, cross_boundaries=True, validate=False)
        for forward in (True, False)
    }
    refusal: Any = import_module("hgvs.exceptions").HGVSError
    counts = {"compared": 0, "inversions": 0, "refused": 0, "g": 0, "c": 0, "p": 0}
    differing = []
    for line in names.read_text().splitlines():
        transcript, on_genome, coding, protein = line.split("\t")
        variant = parser.parse_hgvs_variant(on_genome)
        is_forward = files.transcripts[transcript].is_forward
        try:
            theirs_c = mapper.g_to_c(shift[is_forward].normalize(variant), transcript, "splign")
            theirs = (_plain(shift[True].normalize(variant)), _plain(theirs_c), _plain(mapper.c_to_p(theirs_c)))
        except (refusal, NotImplementedError):  # beyond the transcript when moved; a stop codon inside
            counts["refused"] += 1
            continue
        if "inv" in theirs[0]:
            counts["inversions"] += 1
            continue
        counts["compared"] += 1
        ours = (on_genome.split(":")[1], coding, protein)
        for kind, one, other in zip("gcp", ours, theirs, strict=True):
            counts[kind] += one == other or (kind == "p" and _says_the_same(one, other))
        if ours[:2] != theirs[:2] or not _says_the_same(ours[2], theirs[2]):
            differing.append(f"{transcript}: {' '.join(ours)}, hgvs {' '.join(theirs)}")
    return counts | {"differing": differing}


def _plain(variant: Any) -> str:
    text = re.sub(r"(del|dup)[ACGT]+(?!\w*>)", r"\1", str(variant).partition(":")[2])
    return text.replace("*", "Ter") if text.startswith("p.") else text


def _says_the_same(ours: str, theirs: str) -> bool:
    """Beyond the coding sequence and in introns we claim nothing where the package says that nothing is known."""
    return ours == theirs or (not ours and theirs == "p.?") or ours.replace("(Met1?)", "Met1?") == theirs


if __name__ == "__main__":
    provider = Files(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    sys.stdout.write(json.dumps(compare(provider, Path(sys.argv[5]))))
