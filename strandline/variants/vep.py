"""Consequences by Ensembl's Variant Effect Predictor, in the shape of bcftools csq's: `BCSQ`.

Sources: McLaren et al. 2016, doi:10.1186/s13059-016-0974-4; options and the `CSQ` field of Ensembl VEP 115. VEP reads
the gene models of the reference bundle and not a cache, so that names, transcripts and consequences are of one release.
"""

import gzip
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Final, Protocol

import pysam

from strandline.errors import RejectedInputError
from strandline.reads.tools import run_pipeline

TOOL: Final = "vep"
FIELDS: Final = ("Consequence", "SYMBOL", "Feature", "BIOTYPE", "STRAND", "Protein_position", "Amino_acids")
_VERSION: Final = re.compile(r"ensembl-vep\s*:\s*(\S+)")
_HEADER: Final = (
    b'##INFO=<ID=BCSQ,Number=.,Type=String,Description="Consequences by Ensembl VEP. '
    b'Format: Consequence|gene|transcript|biotype|strand|amino_acid_change|dna_change">\n'
)
_INFO: Final = 7
_BESIDE: Final = frozenset({"upstream_gene", "downstream_gene", "intergenic", "regulatory_region", "TF_binding_site"})
"""Terms of places outside of transcripts, of which bcftools csq says nothing."""
_SPELLED: Final = {
    "5_prime_UTR": "5_prime_utr",
    "3_prime_UTR": "3_prime_utr",
    "protein_altering": "inframe_altering",
    "non_coding_transcript_exon": "non_coding",
    "non_coding_transcript": "non_coding",
    "splice_donor_5th_base": "splice_region",
    "splice_donor_region": "splice_region",
    "splice_polypyrimidine_tract": "splice_region",
    "incomplete_terminal_codon": "coding_sequence",
    "mature_miRNA": "non_coding",
    "NMD_transcript": "",
    "coding_transcript": "",
}


class Predict(Protocol):
    """Adds `BCSQ` to a VCF of one alternate allele a record; the output is BGZF."""

    def __call__(self, reference: Path, vcf: Path, gene_models: Path, output: Path) -> None: ...


def vep_version(say: Callable[[list[str]], str] | None = None) -> str:
    """Return such as `vep 115.2`.

    Raises:
        RejectedInputError: `annotator_not_installed`.
    """
    try:
        match = _VERSION.search((say or _said)([TOOL, "--help"]))
    except FileNotFoundError:
        match = None
    if match is None:
        raise RejectedInputError(
            "annotator_not_installed",
            "vep does not run here: deploy where jobs run in images, or set the stage's consequences to bcftools",
        )
    return f"vep {match[1]}"


def vep_command(reference: Path, vcf: Path, gene_models: Path, output: Path, *, threads: int) -> list[str]:
    """Return the command that adds `CSQ`; `gene_models` is BGZF GFF3, sorted, with its index."""
    return [
        *(TOOL, "--offline", "--no_stats", "--force_overwrite", "--fork", str(threads)),
        *("--format", "vcf", "--input_file", str(vcf), "--vcf", "--output_file", str(output)),
        *("--gff", str(gene_models), "--fasta", str(reference)),
        *("--symbol", "--biotype", "--terms", "SO", "--vcf_info_field", "CSQ", "--fields", ",".join(FIELDS)),
    ]


def predict_with_vep(scratch: Path, threads: int) -> Predict:
    """Return what annotates with VEP; `scratch` holds its sorted gene models and its VCF.

    The returned function raises subprocess.CalledProcessError where VEP failed.
    """

    def predict(reference: Path, vcf: Path, gene_models: Path, output: Path) -> None:
        told = scratch / "vep.vcf"
        models = sort_gene_models(gene_models, scratch / "models.gff3.gz")
        run_pipeline([vep_command(reference, vcf, models, told, threads=threads)])
        with told.open("rb") as lines, pysam.BGZFile(str(output), "wb", None) as sink:
            for line in translate(lines):
                sink.write(line)
        told.unlink()

    return predict


def sort_gene_models(source: Path, output: Path) -> Path:
    """Write GFF3 as VEP takes it: without comments, by contig and place, BGZF with its index; return `output`."""
    with gzip.open(source, "rt") if source.suffix in {".gz", ".bgz"} else source.open() as lines:
        features = [line for line in lines if line.strip() and not line.startswith("#")]
    keyed = [(cells[0], int(cells[3]), -int(cells[4])) for cells in (line.split("\t", 5) for line in features)]
    plain = output.with_suffix("")
    plain.write_text("".join(line for _, line in sorted(zip(keyed, features, strict=True), key=itemgetter(0))))
    pysam.tabix_index(str(plain), preset="gff", force=True)
    return output


def translate(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a VCF with `BCSQ` in place of `CSQ`; what lies outside of transcripts has none."""
    for line in lines:
        if line.startswith(b"#"):
            if line.startswith(b"#CHROM"):
                yield _HEADER
            if not line.startswith(b"##INFO=<ID=CSQ,"):
                yield line
            continue
        columns = line.split(b"\t")
        kept = [part for part in columns[_INFO].split(b";") if not part.startswith(b"CSQ=") and part != b"."]
        told = next((part[4:] for part in columns[_INFO].split(b";") if part.startswith(b"CSQ=")), b"")
        effects = [effect for entry in told.decode().split(",") if (effect := to_bcsq(entry))]
        if effects:
            kept.append(b"BCSQ=" + ",".join(effects).encode())
        columns[_INFO] = b";".join(kept) or b"."
        yield b"\t".join(columns)


def to_bcsq(entry: str) -> str:
    """Return one entry of `CSQ`, with `FIELDS`, as bcftools csq would write it; empty where it would write nothing.

    >>> to_bcsq("missense_variant&splice_region_variant|ONE|T1|protein_coding|1|12|W/R")
    'missense&splice_region|ONE|T1|protein_coding|+|12W>12R'
    >>> to_bcsq("upstream_gene_variant|ONE|T1|protein_coding|1||")
    ''
    """
    consequence, gene, feature, biotype, strand, position, residues = [*entry.split("|"), *[""] * 7][:7]
    names = [name.removesuffix("_variant") for name in consequence.split("&")]
    terms = list(dict.fromkeys(term for name in names if name not in _BESIDE and (term := _SPELLED.get(name, name))))
    if not terms or not feature:
        return ""
    before, is_changed, after = residues.partition("/")
    change = f"{position}{before}>{position}{after}" if is_changed else f"{position}{before}" if before else ""
    transcript = feature.removeprefix("transcript:")
    told = ("&".join(terms), gene, transcript, biotype, {"1": "+", "-1": "-"}.get(strand, ""), change)
    return "|".join(told) if change else "|".join(told[:5])


def _said(command: list[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout + done.stderr
