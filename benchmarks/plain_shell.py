"""The same tools without the platform: what a person would type to take a sample from reads to filtered calls."""

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from strandline.reads.alignment import Aligner, align_pipelines
from strandline.reads.lanes import Lane, ReadGroup
from strandline.reads.tools import tool_command
from strandline.variants.annotation import effect_command
from strandline.variants.calling import call_commands, variants_only_commands
from strandline.variants.filtering import filter_commands

THREADS: Final = 2

# the step of ours within CallVariants, as a person would run it after bcftools
REFINE: Final = """
import sys
from pathlib import Path
from typing import Final
from strandline.landing.regions import parse_regions
from strandline.variants.refinement import refine_gvcf
reference, cram, proposed, regions, gvcf = map(Path, sys.argv[1:])
refine_gvcf(reference, cram, proposed, parse_regions(regions.read_bytes(), regions.name, None), gvcf)
"""


def time_script(script: str) -> float:
    """Run a shell script and return its wall time in seconds."""
    began = time.monotonic()
    subprocess.run(["/bin/bash", "-euo", "pipefail", "-c", script], check=True, capture_output=True)
    return time.monotonic() - began


def shell_script(reference: Path, aligner: Aligner, mates: tuple[Path, Path], regions: Path, folder: Path) -> str:
    """Return the commands of AlignReads to FilterAndQc as a person would pipe them."""
    samtools, bcftools = tool_command("samtools"), tool_command("bcftools")
    cram, gvcf, called = folder / "a.cram", folder / "g.vcf.gz", folder / "c.vcf.gz"
    proposed = folder / "p.bcf"
    annotated, calls = folder / "n.vcf.gz", folder / "f.vcf.gz"
    lane = Lane(ReadGroup("SHELL", "ILLUMINA", "lib1"), mates)
    pipelines = [
        *align_pipelines(reference, [lane], cram, aligner=aligner, threads=THREADS),
        [[*samtools, "index", str(cram)]],
        [[*samtools, "flagstat", "-O", "json", str(cram)]],
        call_commands(reference, cram, regions, proposed),
        [[sys.executable, "-c", REFINE, *map(str, (reference, cram, proposed, regions, gvcf))]],
        variants_only_commands(reference, gvcf, called),
        [[*bcftools, "index", "-t", str(gvcf)]],
        [[*bcftools, "index", "-t", str(called)]],
        [effect_command(reference, called, None, annotated)],
        filter_commands(annotated, calls),
        [[*samtools, "depth", "-a", "-b", str(regions), "-o", str(folder / "depth"), str(cram)]],
    ]
    return "\n".join(_line(pipeline) for pipeline in pipelines)


def _line(pipeline: Sequence[Sequence[str]]) -> str:
    return " | ".join(shlex.join(command) for command in pipeline)
