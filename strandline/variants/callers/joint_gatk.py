"""GATK: gVCFs into GenomicsDB, genotyped together, then a model (VQSR) or hard filters. Command lines of GATK 4.6.

Sources: GATK tool documentation 4.6 (GenomicsDBImport, GenotypeGVCFs, MakeSitesOnlyVcf, VariantRecalibrator,
ApplyVQSR); GATK, "(How to) Filter variants either with VQSR or by hard-filtering" (annotations, resources and their
priors, tranches, numbers of Gaussians, the sensitivity of 99.7) and "Hard-filtering germline short variants" (how many
samples a model takes: 30 exomes, more than one whole genome).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from strandline.reads.tools import run_pipeline
from strandline.variants.callers.gatk import filter_commands, gatk_command
from strandline.variants.callers.whole_cohort import WholeCohort, write_targets

FEWEST_EXOMES: Final = 30
FEWEST_GENOMES: Final = 2
TRAINING_ROLES: Final = ("HAPMAP", "OMNI", "THOUSAND_GENOMES", "MILLS", "DBSNP")
"""What a model learns from, all of it, as `ReferenceRole` calls it."""

_SLICE_BASES: Final = 1_000_000_000  # a reference under this is none of a whole human genome
_BATCH: Final = "50"  # gVCFs that are open at once
_MOST_READERS: Final = 5
_MANY_CONTIGS: Final = 100
_PARTITIONS: Final = "25"
_SENSITIVITY: Final = "99.7"
_RESOURCES: Final = {
    "SNP": {
        "HAPMAP": "hapmap,known=false,training=true,truth=true,prior=15",
        "OMNI": "omni,known=false,training=true,truth=true,prior=12",
        "THOUSAND_GENOMES": "1000G,known=false,training=true,truth=false,prior=10",
        "DBSNP": "dbsnp,known=true,training=false,truth=false,prior=7",
    },
    "INDEL": {
        "MILLS": "mills,known=false,training=true,truth=true,prior=12",
        "DBSNP": "dbsnp,known=true,training=false,truth=false,prior=2",
    },
}
_ANNOTATIONS: Final = {
    "SNP": ("QD", "MQRankSum", "ReadPosRankSum", "FS", "MQ", "SOR"),
    "INDEL": ("FS", "ReadPosRankSum", "MQRankSum", "QD", "SOR"),
}
_GAUSSIANS: Final = {"SNP": "6", "INDEL": "4"}
_TRANCHES: Final = {
    "SNP": "100.0 99.95 99.9 99.8 99.6 99.5 99.4 99.3 99.0 98.0 97.0 90.0",
    "INDEL": "100.0 99.95 99.9 99.5 99.0 97.0 96.0 95.0 94.0 93.5 93.0 92.0 91.0 90.0",
}


def why_no_model(cohort: WholeCohort) -> str:
    """Return why a model cannot be learnt from a cohort; nothing where it can.

    A panel has too few variants for any number of samples, and so does a genome of which only regions were analysed,
    which is taken for an exome.
    """
    count = len(cohort.gvcf_by_sample)
    if cohort.assay == "PANEL" or sum(cohort.contigs.values()) < _SLICE_BASES:
        return "a panel or a slice of a genome has too few variants"
    exomes = cohort.assay == "WES" or cohort.regions is not None
    fewest = FEWEST_EXOMES if exomes else FEWEST_GENOMES
    if count < fewest:
        return f"{count} {'exomes' if exomes else 'genomes'}, and it takes {fewest}"
    missing = [role for role in TRAINING_ROLES if role not in cohort.training]
    return f"the reference bundle has no {', '.join(missing)}" if missing else ""


def import_command(cohort: WholeCohort, sample_map: Path, workspace: Path) -> list[str]:
    """Return the command from gVCFs to a GenomicsDB workspace.

    Regions are imported with what lies between them, contig by contig: one array each would take days for an exome.
    Whole contigs are put together where there are many of them, as a reference with its alternates has.
    """
    many = ["--merge-input-intervals"] if cohort.regions else []
    if not cohort.regions and len(cohort.contigs) > _MANY_CONTIGS:
        many = ["--merge-contigs-into-num-partitions", _PARTITIONS]
    return [
        *(*gatk_command(cohort, "GenomicsDBImport"), "--genomicsdb-workspace-path", str(workspace)),
        *("--sample-name-map", str(sample_map), "-L", str(cohort.targets), *many, "--batch-size", _BATCH),
        *("--reader-threads", str(min(cohort.threads, _MOST_READERS)), "--tmp-dir", str(cohort.scratch)),
    ]


def genotype_command(cohort: WholeCohort, workspace: Path, genotyped: Path) -> list[str]:
    """Return the command from the workspace to genotypes."""
    source = ["-R", str(cohort.reference), "-V", f"gendb://{workspace}", "-L", str(cohort.targets)]
    return [*gatk_command(cohort, "GenotypeGVCFs"), *source, "-O", str(genotyped), "--tmp-dir", str(cohort.scratch)]


def model_commands(cohort: WholeCohort, genotyped: Path, filtered: Path) -> list[list[str]]:
    """Return the commands that learn what true sites look like and mark the others; nothing is dropped.

    Depth is no annotation for exomes, whose baits decide it. Sites with too many heterozygous samples are not marked
    first, as GATK does for unrelated ones: families are cohorts here.
    """
    sites, marked = cohort.scratch / "sites.vcf.gz", cohort.scratch / "indels.filtered.vcf.gz"
    return [
        [*gatk_command(cohort, "MakeSitesOnlyVcf"), "-I", str(genotyped), "-O", str(sites)],
        _learn(cohort, "INDEL", sites),
        _learn(cohort, "SNP", sites),
        _mark(cohort, "INDEL", genotyped, marked),
        _mark(cohort, "SNP", marked, filtered),
    ]


def genotype_cohort(cohort: WholeCohort) -> tuple[Path, str]:
    """Genotype with GATK, as `CohortCall` says.

    Raises:
        subprocess.CalledProcessError: where the tool failed.
    """
    write_targets(cohort)
    sample_map = cohort.scratch / "samples.map"
    sample_map.write_text("".join(f"{name}\t{gvcf}\n" for name, gvcf in cohort.gvcf_by_sample.items()))
    workspace = cohort.scratch / "genomicsdb"
    genotyped, filtered = (cohort.scratch / f"gatk.{name}.vcf.gz" for name in ("genotyped", "filtered"))
    why = why_no_model(cohort)
    marking = filter_commands if why else model_commands
    _run(
        [
            import_command(cohort, sample_map, workspace),
            genotype_command(cohort, workspace, genotyped),
            *marking(cohort, genotyped, filtered),
        ]
    )
    return filtered, f"by GATK's hard filters, not VQSR: {why}" if why else "by VQSR"


def _learn(cohort: WholeCohort, mode: str, sites: Path) -> list[str]:
    annotations = _ANNOTATIONS[mode] if cohort.assay != "WGS" else (*_ANNOTATIONS[mode], "DP")
    options = [
        *(part for tranche in _TRANCHES[mode].split() for part in ("-tranche", tranche)),
        *(part for annotation in annotations for part in ("-an", annotation)),
        *("-mode", mode, "--max-gaussians", _GAUSSIANS[mode]),
    ]
    resources = [
        part
        for role, description in _RESOURCES[mode].items()
        for part in (f"-resource:{description}", str(cohort.training[role]))
    ]
    return [
        *(*gatk_command(cohort, "VariantRecalibrator"), "-V", str(sites), "--trust-all-polymorphic", *options),
        *(
            *resources,
            "-O",
            str(_model(cohort, mode, "recal")),
            "--tranches-file",
            str(_model(cohort, mode, "tranches")),
        ),
    ]


def _mark(cohort: WholeCohort, mode: str, source: Path, marked: Path) -> list[str]:
    learnt = ["--recal-file", str(_model(cohort, mode, "recal"))]
    return [
        *(*gatk_command(cohort, "ApplyVQSR"), "-V", str(source), *learnt),
        *("--tranches-file", str(_model(cohort, mode, "tranches")), "--truth-sensitivity-filter-level", _SENSITIVITY),
        *("--create-output-variant-index", "true", "-mode", mode, "-O", str(marked)),
    ]


def _model(cohort: WholeCohort, mode: str, kind: str) -> Path:
    return cohort.scratch / f"{mode.lower()}s.{kind}"


def _run(commands: Sequence[Sequence[str]]) -> None:
    for command in commands:
        run_pipeline([command])
