"""Parabricks: DeepVariant on GPUs, the command line of version 4.8.

Source: NVIDIA Parabricks documentation, tool reference, "deepvariant".
"""

from pathlib import Path
from typing import Final

from strandline.reads.tools import run_pipeline
from strandline.variants.callers.whole_sample import WholeSample, write_from_own_gvcf

TOOL: Final = "pbrun"


def parabricks_command(sample: WholeSample, tool_gvcf: Path) -> list[str]:
    """Return the command from CRAM to a gVCF as DeepVariant writes it."""
    model = ["--use-wes-model"] if sample.is_targeted else []
    only = ["--interval-file", str(sample.regions)] if sample.regions else []
    return [
        *(TOOL, "deepvariant", "--ref", str(sample.reference), "--in-bam", str(sample.cram)),
        *("--gvcf", "--out-variants", str(tool_gvcf), *model, *only),
        *("--num-gpus", str(sample.gpus), "--tmp-dir", str(sample.scratch)),
    ]


def call_gvcf(sample: WholeSample, *, header: bytes, gvcf: Path, tool_gvcf: Path) -> None:
    """Call with Parabricks, as `WholeCall` says.

    Raises:
        subprocess.CalledProcessError: where a tool failed.
    """
    run_pipeline([parabricks_command(sample, tool_gvcf)])
    write_from_own_gvcf(sample, tool_gvcf, header=header, gvcf=gvcf)
