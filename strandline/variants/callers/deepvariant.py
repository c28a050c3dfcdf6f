"""DeepVariant: the command line of version 1.10, and its calls.

Sources: Poplin et al. 2018, doi:10.1038/nbt.4235; DeepVariant 1.10, quick start and the flags of `run_deepvariant`.
"""

from pathlib import Path
from typing import Final

from strandline.reads.tools import run_pipeline
from strandline.variants.callers.whole_sample import WholeSample, write_from_own_gvcf

TOOL: Final = "run_deepvariant"


def deepvariant_command(sample: WholeSample, vcf: Path, tool_gvcf: Path) -> list[str]:
    """Return the command from CRAM to DeepVariant's gVCF. It uses a GPU where its image and its machine have one."""
    only = [f"--regions={sample.regions}"] if sample.regions else []
    return [
        *(TOOL, f"--model_type={'WES' if sample.is_targeted else 'WGS'}", f"--ref={sample.reference}"),
        *(f"--reads={sample.cram}", f"--output_vcf={vcf}", f"--output_gvcf={tool_gvcf}", *only),
        *(f"--num_shards={sample.threads}", f"--intermediate_results_dir={sample.scratch / 'deepvariant'}"),
        "--vcf_stats_report=false",
    ]


def call_gvcf(sample: WholeSample, *, header: bytes, gvcf: Path, tool_gvcf: Path) -> None:
    """Call with DeepVariant, as `WholeCall` says.

    Raises:
        subprocess.CalledProcessError: where a tool failed.
    """
    run_pipeline([deepvariant_command(sample, sample.scratch / "deepvariant.vcf.gz", tool_gvcf)])
    write_from_own_gvcf(sample, tool_gvcf, header=header, gvcf=gvcf)
