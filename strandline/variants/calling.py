"""CRAM to gVCF and VCF: the command lines of CallVariants. bcftools calls; around indels its genotypes are refined.

Source of the model: Danecek et al. 2021, doi:10.1093/gigascience/giab008 (mpileup and the multi-allelic caller).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

from strandline.landing.regions import Region, parse_regions
from strandline.reads.tools import run_pipeline, tool_command
from strandline.variants.accounting import check_none_is_lost
from strandline.variants.refinement import refine_gvcf

_DEEPEST: Final = "1000"  # reads a position; a pile of repeats would otherwise take all memory
_BLOCK_DEPTHS: Final = "1,10,20"  # a reference block ends where the depth crosses one of these


class GvcfCall(Protocol):
    """Calls one sample, or a part of it: `regions` is then a BED a little wider than the part, `keep` the part itself.

    The gVCF has a record for every base that was looked at: variants with GT, DP, AD, GQ and PL, reference blocks with
    GT and the least DP in them.
    """

    def __call__(
        self,
        reference: Path,
        cram: Path,
        regions: Path | None,
        *,
        header: bytes,
        gvcf: Path,
        keep: Sequence[Region] | None = None,
    ) -> None:
        """Write the gVCF; subprocess.CalledProcessError where a tool failed."""


def call_commands(reference: Path, cram: Path, regions: Path | None, proposed: Path) -> list[list[str]]:
    """Return the pipeline from CRAM to what bcftools proposes: every position, reference blocks with their depth.

    Args:
        reference: FASTA with its index.
        cram: sorted, indexed reads.
        regions: BED; None for the whole reference.
        proposed: output, lightly compressed BCF: it is read twice and thrown away.
    """
    bcftools = tool_command("bcftools")
    only = ["-R", str(regions)] if regions else []
    return [
        [
            *(*bcftools, "mpileup", "-Ou", "-f", str(reference), "-d", _DEEPEST, "-g", _BLOCK_DEPTHS),
            *("-a", "FORMAT/AD,FORMAT/DP", *only, str(cram)),
        ],
        [*bcftools, "call", "-m", "-a", "GQ", "-g", _BLOCK_DEPTHS, "-Ob1", "-o", str(proposed)],
    ]


def gather_commands(parts: Sequence[Path], gvcf: Path) -> list[list[str]]:
    """Return the command that puts the gVCFs of parts, in their order, behind one another."""
    return [[*tool_command("bcftools"), "concat", "-Oz", "-o", str(gvcf), *map(str, parts)]]


def variants_only_commands(reference: Path, gvcf: Path, vcf: Path) -> list[list[str]]:
    """Return the pipeline from gVCF to a VCF of variants: one allele a record, left-aligned.

    Source: Tan et al. 2015, doi:10.1093/bioinformatics/btv112 (a variant has one normal form).
    """
    bcftools = tool_command("bcftools")
    return [
        [*bcftools, "norm", "-m", "-any", "-f", str(reference), "-Ou", str(gvcf)],
        [*bcftools, "view", "-i", 'ALT!="." && GT="alt"', "-Oz", "-o", str(vcf), "-"],
    ]


def call_variants(
    reference: Path,
    cram: Path,
    regions: Path | None,
    *,
    header: bytes,
    gvcf: Path,
    vcf: Path,
    call: GvcfCall | None = None,
) -> None:
    """Call one sample and index both outputs; `call` is bcftools where None.

    Raises:
        subprocess.CalledProcessError: where a tool failed.
    """
    (call or call_gvcf)(reference, cram, regions, header=header, gvcf=gvcf)
    finish_calls(reference, gvcf, vcf)


def call_gvcf(
    reference: Path,
    cram: Path,
    regions: Path | None,
    *,
    header: bytes,
    gvcf: Path,
    keep: Sequence[Region] | None = None,
) -> None:
    """Call with bcftools, as `GvcfCall` says.

    Raises:
        subprocess.CalledProcessError: where a tool failed.
    """
    proposed = gvcf.with_suffix(".proposed")
    run_pipeline(call_commands(reference, cram, regions, proposed))
    only = parse_regions(regions.read_bytes(), regions.name, None) if regions else None
    refine_gvcf(reference, cram, proposed, only, gvcf, header=header.decode().splitlines(), keep=keep)
    proposed.unlink()


def gather_calls(reference: Path, parts: Sequence[Path], *, gvcf: Path, vcf: Path) -> None:
    """Put the calls of the parts together, as if they had been called in one, and index both outputs.

    Raises:
        subprocess.CalledProcessError: where a tool failed.
        LostRecordsError: where a record of a part is missing or stands there twice.
    """
    run_pipeline(gather_commands(parts, gvcf))
    check_none_is_lost(parts, gvcf)
    finish_calls(reference, gvcf, vcf)


def finish_calls(reference: Path, gvcf: Path, vcf: Path) -> None:
    """Write the variants of a gVCF apart, and the indexes of both.

    Raises:
        subprocess.CalledProcessError: where a tool failed.
    """
    with ThreadPoolExecutor(1) as pool:
        indexed = pool.submit(index_vcf, gvcf)
        run_pipeline(variants_only_commands(reference, gvcf, vcf))
        index_vcf(vcf)
        indexed.result()


def index_vcf(vcf: Path) -> None:
    """Write the tabix index beside a BGZF VCF."""
    run_pipeline([[*tool_command("bcftools"), "index", "-t", "-f", str(vcf)]])
