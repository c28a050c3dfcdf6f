"""GATK: base qualities recalibrated, haplotypes called, genotypes and hard filters. Command lines of GATK 4.6.

Sources: GATK tool documentation 4.6 (BaseRecalibrator, ApplyBQSR, HaplotypeCaller, GenotypeGVCFs, SelectVariants,
VariantFiltration, MergeVcfs); GATK, "Hard-filtering germline short variants" (the thresholds). A model (VQSR) needs
some thirty exomes to learn from; one sample is filtered by thresholds, a cohort as `joint_gatk` says.
"""

from pathlib import Path
from typing import Final, Protocol

from strandline.reads.tools import run_pipeline
from strandline.variants.callers.whole_sample import WholeSample
from strandline.variants.reference_blocks import write_gvcf

TOOL: Final = "gatk"
_PADDING: Final = "100"  # bases beside a target whose reads are recalibrated and assembled, too
SNP_FILTERS: Final = {
    "QD2": "QD < 2.0",
    "QUAL30": "QUAL < 30.0",
    "SOR3": "SOR > 3.0",
    "FS60": "FS > 60.0",
    "MQ40": "MQ < 40.0",
    "MQRankSum-12.5": "MQRankSum < -12.5",
    "ReadPosRankSum-8": "ReadPosRankSum < -8.0",
}
OTHER_FILTERS: Final = {
    "QD2": "QD < 2.0",
    "QUAL30": "QUAL < 30.0",
    "FS200": "FS > 200.0",
    "ReadPosRankSum-20": "ReadPosRankSum < -20.0",
}


class JavaWork(Protocol):
    """A sample or a cohort on a worker."""

    @property
    def scratch(self) -> Path:
        """Folder for whatever is written on the way."""

    @property
    def heap_mib(self) -> int:
        """What Java may take."""


def gatk_command(work: JavaWork, tool: str) -> list[str]:
    """Return the beginning of the command line of one of GATK's tools."""
    return [TOOL, "--java-options", f"-Xmx{work.heap_mib}m", tool]


def recalibrate_commands(sample: WholeSample, recalibrated: Path) -> list[list[str]]:
    """Return the commands that recalibrate base qualities by what differs from the reference at no known site."""
    table = sample.scratch / "recalibration.table"
    sites = [part for path in sample.known_sites for part in ("--known-sites", str(path))]
    reads = ["-R", str(sample.reference), "-I", str(sample.cram)]
    return [
        [*gatk_command(sample, "BaseRecalibrator"), *reads, *sites, *_intervals(sample, padded=True), "-O", str(table)],
        [
            *(*gatk_command(sample, "ApplyBQSR"), *reads, "--bqsr-recal-file", str(table)),
            *(*_intervals(sample, padded=True), "-O", str(recalibrated)),
        ],
    ]


def call_command(sample: WholeSample, reads: Path, tool_gvcf: Path) -> list[str]:
    """Return the command from reads to GATK's gVCF."""
    return [
        *(*gatk_command(sample, "HaplotypeCaller"), "-R", str(sample.reference), "-I", str(reads), "-ERC", "GVCF"),
        *("--native-pair-hmm-threads", str(sample.threads), *_intervals(sample, padded=True), "-O", str(tool_gvcf)),
    ]


def genotype_command(sample: WholeSample, tool_gvcf: Path, genotyped: Path) -> list[str]:
    """Return the command from GATK's gVCF to genotypes."""
    source = ["-R", str(sample.reference), "-V", str(tool_gvcf)]
    return [*gatk_command(sample, "GenotypeGVCFs"), *source, *_intervals(sample), "-O", str(genotyped)]


def filter_commands(work: JavaWork, genotyped: Path, filtered: Path) -> list[list[str]]:
    """Return the commands that mark single changes and all others each by their own thresholds; nothing is dropped."""
    commands, marked = [], []
    for name, chosen, filters in (
        ("snps", ["--select-type-to-include", "SNP"], SNP_FILTERS),
        ("others", ["--select-type-to-exclude", "SNP"], OTHER_FILTERS),
    ):
        selected, passed = work.scratch / f"{name}.vcf.gz", work.scratch / f"{name}.filtered.vcf.gz"
        reasons = [
            part
            for reason, expression in filters.items()
            for part in ("--filter-expression", expression, "--filter-name", reason)
        ]
        commands += [
            [*gatk_command(work, "SelectVariants"), "-V", str(genotyped), *chosen, "-O", str(selected)],
            [*gatk_command(work, "VariantFiltration"), "-V", str(selected), *reasons, "-O", str(passed)],
        ]
        marked += ["-I", str(passed)]
    return [*commands, [*gatk_command(work, "MergeVcfs"), *marked, "-O", str(filtered)]]


def call_gvcf(sample: WholeSample, *, header: bytes, gvcf: Path, tool_gvcf: Path) -> None:
    """Call with GATK, as `WholeCall` says; without known sites base qualities stay as they are.

    Raises:
        subprocess.CalledProcessError: where a tool failed.
    """
    reads, scratch = sample.cram, sample.scratch
    if sample.known_sites:
        reads = scratch / "recalibrated.bam"
        for command in recalibrate_commands(sample, reads):
            run_pipeline([command])
    genotyped, filtered = (scratch / f"gatk.{name}.vcf.gz" for name in ("genotyped", "filtered"))
    run_pipeline([call_command(sample, reads, tool_gvcf)])
    run_pipeline([genotype_command(sample, tool_gvcf, genotyped)])
    for command in filter_commands(sample, genotyped, filtered):
        run_pipeline([command])
    write_gvcf(sample.reference, tool_gvcf, filtered, gvcf, header=header)


def _intervals(sample: WholeSample, *, padded: bool = False) -> list[str]:
    if sample.regions is None:
        return []
    return ["-L", str(sample.regions), *(["--interval-padding", _PADDING] if padded else [])]
