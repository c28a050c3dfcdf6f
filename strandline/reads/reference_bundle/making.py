"""Making a bundle: the FASTA and its sources checked against each other, indexed and described."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Literal

import pysam
from pysam.utils import SamtoolsError

from strandline.errors import RejectedInputError
from strandline.reads.reference_bundle.builds import Build, check_build
from strandline.reads.reference_bundle.callable_regions import write_regions
from strandline.reads.reference_bundle.contig_names import ContigNames
from strandline.reads.reference_bundle.description import (
    BUNDLE_NAME,
    INDEX_BY_SOURCE,
    Contig,
    ReferenceBundle,
    ReferenceFile,
    ReferenceRole,
    SourceOrigin,
    derive_version,
    digest_file,
)
from strandline.reads.reference_bundle.fasta import check_fasta, copy_fasta, read_contigs
from strandline.reads.reference_bundle.gene_models import write_gene_models
from strandline.reads.reference_bundle.naming import check_bundle_name, derive_bundle_name
from strandline.reads.reference_bundle.variant_source import write_variants
from strandline.reads.tools import aligner_command, run_pipeline, tool_command

Told = Callable[[str], None]
"""Is told, in words, of each part as it begins."""

INDEX_SUFFIXES: Final = {  # the fastest aligner first; a bundle is indexed for the first that is there
    "bwa-mem2": (ReferenceRole.BWA_MEM2_INDEX, (".0123", ".amb", ".ann", ".bwt.2bit.64", ".pac")),
    "bwa": (ReferenceRole.BWA_INDEX, (".amb", ".ann", ".bwt", ".pac", ".sa")),
}
_VARIANT_FILES: Final = {
    ReferenceRole.CLINVAR: "clinvar.vcf.gz",
    ReferenceRole.DBSNP: "dbsnp.vcf.gz",
    ReferenceRole.FREQUENCIES: "frequencies.vcf.gz",
    ReferenceRole.KNOWN_SITES: "known_sites.vcf.gz",
    ReferenceRole.HAPMAP: "hapmap.vcf.gz",
    ReferenceRole.OMNI: "omni.vcf.gz",
    ReferenceRole.THOUSAND_GENOMES: "thousand_genomes.vcf.gz",
    ReferenceRole.MILLS: "mills.vcf.gz",
}


@dataclass(frozen=True, slots=True)
class BundleSources:
    """Files beside the FASTA: Ensembl GFF3, VCFs and a BED, plain or gzip; None for those a bundle goes without."""

    gene_models: Path | None = None
    clinvar: Path | None = None
    dbsnp: Path | None = None
    frequencies: Path | None = None
    known_sites: Path | None = None
    callable_regions: Path | None = None
    hapmap: Path | None = None
    omni: Path | None = None
    thousand_genomes: Path | None = None
    mills: Path | None = None

    def path_by_role(self) -> dict[ReferenceRole, Path]:
        """Return the files that are there, by what they are for."""
        paths = ((ReferenceRole[field.name.upper()], getattr(self, field.name)) for field in fields(self))
        return {role: path for role, path in paths if path is not None}


@dataclass(frozen=True, slots=True)
class _Ground:
    """What sources are held against."""

    fasta: Path
    contigs: tuple[Contig, ...]
    names: ContigNames
    build: Build | None


def make_bundle(
    fasta: Path,
    folder: Path,
    *,
    name: str | None = None,
    gene_models: Path | None = None,
    clinvar: Path | None = None,
    annotations: BundleSources | None = None,
    build: Build | None = None,
    sources: Mapping[ReferenceRole, str] | None = None,
    told: Told = lambda _words: None,
) -> ReferenceBundle:
    """Make a bundle in `folder` from a FASTA (plain or gzip) and annotation sources.

    Args:
        fasta: its contig names are the bundle's; the sources' are turned into them.
        folder: made where it is absent.
        name: of the bundle; from the name of the FASTA where None.
        gene_models: Ensembl GFF3, and
        clinvar: ClinVar's VCF: short for those of `annotations`.
        annotations: every source at once.
        build: what the FASTA is declared to be.
        sources: words on where each part comes from; from its header where a role has none.
        told: see `Told`.

    Raises:
        RejectedInputError: `invalid_reference_name`, `reference_unreadable`, `reference_invalid`,
            `reference_duplicate_contig`, `reference_mixed_builds`, `build_mismatch`, `aligner_missing`, or the code of
            a source that does not fit: see `write_variants`, `write_gene_models` and `write_regions`.
    """
    chosen = derive_bundle_name(fasta) if name is None else check_bundle_name(name)
    given = annotations or BundleSources(gene_models=gene_models, clinvar=clinvar)
    folder.mkdir(parents=True, exist_ok=True)
    ground, origin = _lay_fasta(fasta, folder, build, told)
    files = [_describe(ground.fasta, ReferenceRole.FASTA, origin=origin)]
    annotated: list[ReferenceFile] = []
    for role, path in given.path_by_role().items():
        told(f"checking {path.name} against the FASTA")
        annotated += _add_source(role, path, folder, ground)
    roles = {f"{ground.fasta.name}.fai": ReferenceRole.FASTA_INDEX}
    dictionary = ground.fasta.with_suffix(".dict")
    run_pipeline(
        [[*tool_command("samtools"), "dict", "-u", ground.fasta.name, "-o", str(dictionary), str(ground.fasta)]]
    )
    roles[dictionary.name] = ReferenceRole.SEQUENCE_DICTIONARY
    told("indexing the FASTA for the aligner")
    roles |= _index(ground.fasta)
    files += [_describe(folder / name, role) for name, role in roles.items()]
    words = sources or {}
    files = [
        file.model_copy(update={"source": words[file.role]}) if file.role in words else file
        for file in (*files, *annotated)
    ]
    bundle = ReferenceBundle(
        schema_version=2,
        name=chosen,
        version=derive_version(files),
        assembly=ground.build,
        contigs=ground.contigs,
        files=tuple(files),
    )
    (folder / BUNDLE_NAME).write_bytes(bundle.to_json())
    return bundle


def _lay_fasta(fasta: Path, folder: Path, build: Build | None, told: Told) -> tuple[_Ground, SourceOrigin]:
    copy = folder / "reference.fa"
    told(f"reading {fasta.name}")
    given_sha256 = copy_fasta(fasta, copy)
    check_fasta(copy, fasta.name)
    try:
        pysam.faidx(str(copy), catch_stdout=False)
    except SamtoolsError:
        raise RejectedInputError(
            "reference_invalid", f"{fasta.name} is not a FASTA file with lines of equal length: send the reference"
        ) from None
    contigs = tuple(read_contigs(copy))
    found = check_build(contigs, build)
    origin = SourceOrigin(
        file_name=fasta.name, sha256=given_sha256, content_sha256=digest_file(copy), record_count=len(contigs)
    )
    return _Ground(copy, contigs, ContigNames(contigs, found), found), origin


def _add_source(role: ReferenceRole, path: Path, folder: Path, ground: _Ground) -> list[ReferenceFile]:
    """Write one source and its index into the folder, and describe both."""
    is_sorted, words = True, ""
    preset: Literal["gff", "bed", "vcf"]
    match role:
        case ReferenceRole.GENE_MODELS:
            written, preset = folder / "genes.gff3.gz", "gff"
            origin, words, is_sorted = write_gene_models(
                path, written, names=ground.names, build=ground.build, fasta=ground.fasta
            )
        case ReferenceRole.CALLABLE_REGIONS:
            written, preset = folder / "callable.bed.gz", "bed"
            origin = write_regions(path, written, names=ground.names)
        case _:
            written, preset = folder / _VARIANT_FILES[role], "vcf"
            origin, words = write_variants(
                path, written, role=role, contigs=ground.contigs, names=ground.names, fasta=ground.fasta
            )
    described = [_describe(written, role, source=words or path.name, origin=origin)]
    if is_sorted:  # bcftools csq reads gene models from end to end: those in another order go without an index
        pysam.tabix_index(str(written), preset=preset, force=True)
        described.append(_describe(written.with_name(f"{written.name}.tbi"), INDEX_BY_SOURCE[role]))
    return described


def _index(fasta: Path) -> dict[str, ReferenceRole]:
    """Index a FASTA for the fastest aligner that is here and return the files' roles by name."""
    for name, (role, suffixes) in INDEX_SUFFIXES.items():
        command = aligner_command(name)
        if command:
            run_pipeline([[*command, "index", str(fasta)]], quiet=True)
            made = (fasta.with_name(f"{fasta.name}{suffix}") for suffix in suffixes)
            return {path.name: role for path in made if path.exists()}
    raise RejectedInputError(
        "aligner_missing", "neither bwa-mem2, bwa nor pybwa is installed: run 'make setup', or install one of them"
    )


def _describe(
    path: Path, role: ReferenceRole, *, source: str = "", origin: SourceOrigin | None = None
) -> ReferenceFile:
    return ReferenceFile(
        name=path.name,
        role=role,
        size_bytes=path.stat().st_size,
        sha256=digest_file(path),
        source=source,
        origin=origin,
    )
