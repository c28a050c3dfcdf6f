"""GLnexus: the command line of version 1.4, for gVCFs of DeepVariant.

Sources: Yun et al. 2021, doi:10.1093/bioinformatics/btaa1081 (its presets for DeepVariant); usage text of
`glnexus_cli`; DeepVariant 1.10, "Best practices for multi-sample variant calling with DeepVariant".
"""

from pathlib import Path
from typing import Final

from strandline.reads.tools import run_pipeline
from strandline.variants.callers.whole_cohort import WholeCohort, write_targets

TOOL: Final = "glnexus_cli"


def glnexus_command(cohort: WholeCohort) -> list[str]:
    """Return the command from gVCFs to a BCF on standard output.

    `--more-PL` keeps the likelihoods of those who have the reference, without which a parent could not be weighed;
    `--trim-uncalled-alleles` leaves out what no genotype has.
    """
    only = ["--bed", str(cohort.targets)] if cohort.regions else []
    return [
        *(TOOL, "--config", "DeepVariantWGS" if cohort.assay == "WGS" else "DeepVariantWES", *only),
        *("--more-PL", "--trim-uncalled-alleles", "--dir", str(cohort.scratch / "GLnexus.DB")),
        *("--threads", str(cohort.threads), "--mem-gbytes", str(cohort.budget_gib)),
        *(str(gvcf) for gvcf in cohort.gvcf_by_sample.values()),
    ]


def genotype_cohort(cohort: WholeCohort) -> tuple[Path, str]:
    """Genotype with GLnexus, as `CohortCall` says.

    Raises:
        subprocess.CalledProcessError: where the tool failed.
    """
    if cohort.regions:
        write_targets(cohort)
    genotyped = cohort.scratch / "glnexus.bcf"
    run_pipeline([glnexus_command(cohort)], genotyped)
    return genotyped, "by the preset of GLnexus for DeepVariant, which revises genotypes and leaves alleles out"
