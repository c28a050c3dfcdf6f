"""What is known of a variant and what it does, from the sources of the reference bundle.

Source of the consequences: Danecek and McCarthy 2017, doi:10.1093/bioinformatics/btx100 (bcftools csq); terms are of
the Sequence Ontology. A source that the bundle lacks leaves its fields absent, and the header says so.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pysam

from strandline.reads.reference_bundle import ReferenceRole
from strandline.reads.tools import run_pipeline, tool_command
from strandline.variants.accounting import check_none_is_lost
from strandline.variants.naming import SequenceNames, write_names
from strandline.variants.transcripts import GeneModels
from strandline.variants.vep import Predict

ROLE_BY_SOURCE: Final = {
    "Genes": ReferenceRole.GENE_MODELS,
    "ClinVar": ReferenceRole.CLINVAR,
    "DbSnp": ReferenceRole.DBSNP,
    "Frequencies": ReferenceRole.FREQUENCIES,
}
"""What the header calls each source, behind `##strandline`."""
POPULATION_FREQUENCY: Final = "POP_AF"
CLINVAR_COLUMNS: Final = ("INFO/CLINVAR_ID:=ID", "INFO/CLNSIG")
DBSNP_COLUMNS: Final = ("INFO/DBSNP_ID:=ID",)
_POPULATIONS: Final = ("afr", "ami", "amr", "asj", "eas", "eur", "fin", "mid", "nfe", "oth", "remaining", "sas")
_OF_A_POPULATION: Final = re.compile(rf"AF_({'|'.join(_POPULATIONS)})|({'|'.join(_POPULATIONS)})_AF", re.IGNORECASE)
_AROUND_BASES: Final = 1_000
"""How far beside a call its alleles are looked for: a source may write an indel further right than bcftools norm."""
_GAP_BASES: Final = 20_000
"""Windows closer than this are read as one: going on is quicker than seeking."""


@dataclass(frozen=True, slots=True)
class AnnotationSources:
    """Files to annotate from: Ensembl's GFF3, and VCFs as BGZF with their index; None where the bundle has none."""

    gene_models: Path | None = None
    clinvar: Path | None = None
    dbsnp: Path | None = None
    frequencies: Path | None = None


def annotate_variants(
    reference: Path,
    vcf: Path,
    sources: AnnotationSources,
    *,
    names: SequenceNames,
    header: bytes,
    output: Path,
    predict: Predict | None = None,
) -> None:
    """Annotate and index.

    Args:
        reference: indexed FASTA.
        vcf: calls split to one alternate allele a record and left-aligned, with their index.
        sources: what to annotate from.
        names: what HGVS names of the genome begin with.
        header: lines that say the sources and their versions.
        output: the annotated VCF, BGZF.
        predict: says what the variants do, where there are gene models; bcftools csq where None.

    Raises:
        subprocess.CalledProcessError: where a tool failed.
        LostRecordsError: where a call is missing or stands there twice.
    """
    with TemporaryDirectory(dir=output.parent) as folder:
        scratch = Path(folder)
        windows = list(_windows(vcf))
        known = _join_known(reference, vcf, sources, windows, scratch)
        effects = scratch / "effects.vcf.gz"
        if predict and sources.gene_models:
            predict(reference, known, sources.gene_models, effects)
        else:
            run_pipeline([effect_command(reference, known, sources.gene_models, effects)])
        models = None
        if sources.gene_models:
            split = scratch / "models"
            split.mkdir()
            models = GeneModels(sources.gene_models, [contig for contig, _, _ in windows], split)
        write_names(effects, output, reference, models, names, header=header)
    run_pipeline([[*tool_command("bcftools"), "index", "-t", "-f", str(output)]])
    check_none_is_lost([vcf], output)


def normalise_command(reference: Path, source: Path, windows: Path, output: Path) -> list[str]:
    """Return the command that writes a source's records near the calls, alleles split and left-aligned as those are.

    bcftools joins records by their alleles as they are written: an allele of a record of several, such as TA of
    `TAA>T,TA`, is not recognised otherwise. A field with a wrong number of values is dropped (`--force`), and so is a
    record whose REF is not the reference's (`-c x`).
    """
    return [
        *(*tool_command("bcftools"), "norm", "--force", "-m", "-any", "-f", str(reference), "-c", "x"),
        *("-R", str(windows), "-Ob1", "-o", str(output), str(source)),
    ]


def join_command(vcf: Path, source: Path, columns: Sequence[str], output: Path) -> list[str]:
    """Return the command that copies columns of a source's records to those of the same alleles in `vcf`."""
    return [
        *(*tool_command("bcftools"), "annotate", "-a", str(source), "-c", ",".join(columns)),
        *("-Ob1", "-o", str(output), str(vcf)),
    ]


def effect_command(reference: Path, vcf: Path, gene_models: Path | None, output: Path) -> list[str]:
    """Return the command that adds `BCSQ`, consequences on every transcript, where there are gene models."""
    bcftools = tool_command("bcftools")
    if gene_models is None:
        return [*bcftools, "view", "-Oz1", "-o", str(output), str(vcf)]
    return [
        *(*bcftools, "csq", "--local-csq", "-f", str(reference), "-g", str(gene_models)),
        *("-Oz1", "-o", str(output), str(vcf)),
    ]


def frequency_columns(frequencies: Path) -> list[str]:
    """Return the columns of a source of frequencies: of everybody, and of each population that it tells apart.

    Populations are those of gnomAD (`AF_afr`) and of the 1000 Genomes Project (`AFR_AF`), without subsets of them.
    """
    columns = [f"INFO/{POPULATION_FREQUENCY}:=INFO/AF"]
    with pysam.VariantFile(str(frequencies)) as records:
        for name in records.header.info:
            if match := _OF_A_POPULATION.fullmatch(name):
                population = (match[1] or match[2]).upper()
                columns.append(f"INFO/{POPULATION_FREQUENCY}_{population}:=INFO/{name}")
    return columns


def _join_known(
    reference: Path, vcf: Path, sources: AnnotationSources, windows: Sequence[tuple[str, int, int]], scratch: Path
) -> Path:
    """Join ClinVar, dbSNP and frequencies one after the other and return what came out."""
    joined = vcf
    if not windows:
        return joined
    bed = scratch / "windows.bed"
    with bed.open("w") as lines:
        lines.writelines(f"{contig}\t{start0}\t{end0}\n" for contig, start0, end0 in windows)
    for name, source, columns in _known(sources):
        near, output = scratch / f"{name}.bcf", scratch / f"with_{name}.bcf"
        run_pipeline([normalise_command(reference, source, bed, near)])
        _index(near)
        run_pipeline([join_command(joined, near, columns, output)])
        _index(output)
        joined = output
    return joined


def _known(sources: AnnotationSources) -> Iterator[tuple[str, Path, Sequence[str]]]:
    if sources.clinvar:
        yield "clinvar", sources.clinvar, CLINVAR_COLUMNS
    if sources.dbsnp:
        yield "dbsnp", sources.dbsnp, DBSNP_COLUMNS
    if sources.frequencies:
        yield "frequencies", sources.frequencies, frequency_columns(sources.frequencies)


def _windows(vcf: Path) -> Iterator[tuple[str, int, int]]:
    """Yield where calls are: contig, start and end, 0-based and half-open."""
    window: tuple[str, int, int] | None = None
    with pysam.VariantFile(str(vcf)) as records:
        for record in records:
            start, end = max(record.start - _AROUND_BASES, 0), record.stop + _AROUND_BASES
            if window and window[0] == record.contig and start - window[2] < _GAP_BASES:
                window = (window[0], window[1], max(window[2], end))
                continue
            if window:
                yield window
            window = (record.contig, start, end)
    if window:
        yield window


def _index(bcf: Path) -> None:
    run_pipeline([[*tool_command("bcftools"), "index", "-f", str(bcf)]])
