"""freebayes: the command line, and its calls as a gVCF of the shape that every caller's has here.

Source: Garrison & Marth 2012, arXiv:1207.3907; options as `freebayes --help` of version 1.3.6 gives them.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pysam

from strandline.landing.regions import Region
from strandline.reads.tools import read_output, run_pipeline
from strandline.variants.calling import call_commands
from strandline.variants.reference_blocks import Block, add_block_lines, block_record, lay_calls, read_blocks
from strandline.variants.refinement import cut_to, open_unindexed

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


def freebayes_version() -> str:
    """Return such as `freebayes 1.3.6`."""
    printed = read_output([TOOL, "--version"]).decode()
    found = re.search(r"v?(\d+(?:\.\d+)+)", printed)
    return f"{TOOL} {found[1] if found else printed.strip()}"


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
    with (
        pysam.FastaFile(str(reference)) as bases,
        open_unindexed(proposed) as pile_up,
        open_unindexed(called) as records,
    ):
        for line in header.decode().splitlines():
            records.header.add_line(line)
        add_block_lines(records.header)
        ranks = {contig: rank for rank, contig in enumerate(bases.references)}
        laid = lay_calls(read_blocks(pile_up), _carried(records), ranks)
        written = (block_record(one, records.header, bases) if isinstance(one, Block) else one for one in laid)
        with pysam.VariantFile(str(gvcf), "wz", header=records.header) as sink:
            for record in written if keep is None else cut_to(written, keep, bases):
                sink.write(record)
    proposed.unlink()
    called.unlink()


def _carried(records: pysam.VariantFile) -> Iterator[pysam.VariantRecord]:
    """Yield the sites where the sample carries another allele, with likelihoods as integers.

    Source: VCF 4.3, section 1.6.2 (GL, PL).
    """
    for record in records:
        sample = record.samples[0]
        if not any(sample.get("GT") or ()):
            continue
        likelihoods = sample.get("GL")
        if likelihoods and None not in likelihoods:
            best = max(likelihoods)
            sample["PL"] = [round(10 * (best - one)) for one in likelihoods]
        yield record
