"""freebayes: the command line, and its calls as a gVCF of the shape that every caller's has here.

Source: Garrison & Marth 2012, arXiv:1207.3907; options as `freebayes --help` of version 1.3.6 gives them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from strandline.landing.regions import Region
from strandline.reads.tools import run_pipeline
from strandline.variants.calling import call_commands
from strandline.variants.reference_blocks import write_gvcf

TOOL: Final = "freebayes"
_DEEPEST: Final = "1000"  # reads a position, as for bcftools
_MOST_ALLELES: Final = "4"  # considered at a site, best first; a pile of errors would otherwise take all memory


def freebayes_command(reference: Path, cram: Path, regions: Path | None, called: Path) -> list[str]:
    """Return the command from CRAM to a VCF of the sites that freebayes considers.

    `--haplotype-length -1` keeps neighbouring changes apart, as the sources are that calls are looked up in;
    `--strict-vcf` makes GQ the integer that the VCF specification asks for.
    """
    only = ["--targets", str(regions)] if regions else []
    return [
        *(TOOL, "--fasta-reference", str(reference), "--strict-vcf", "--genotype-qualities"),
        *("--haplotype-length", "-1", "--use-best-n-alleles", _MOST_ALLELES, "--limit-coverage", _DEEPEST),
        *(*only, "--vcf", str(called), str(cram)),
    ]


def call_gvcf(
    reference: Path,
    cram: Path,
    regions: Path | None,
    *,
    header: bytes,
    gvcf: Path,
    keep: Sequence[Region] | None = None,
) -> None:
    """Call one sample, or a part of it, as `calling.call_gvcf` does.

    The reference blocks are those of the pile-up: freebayes' own give one least depth for hundreds of bases, which is
    none wherever a single one of them was not read.

    Raises:
        subprocess.CalledProcessError: where a tool failed.
    """
    proposed, called = gvcf.with_suffix(".proposed"), gvcf.with_suffix(".called.vcf")
    run_pipeline(call_commands(reference, cram, regions, proposed))
    run_pipeline([freebayes_command(reference, cram, regions, called)])
    write_gvcf(reference, proposed, called, gvcf, header=header, keep=keep)
    proposed.unlink()
    called.unlink()
