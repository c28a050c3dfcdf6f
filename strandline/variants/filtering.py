"""Filter reasons into FILTER: nothing is dropped, each record says which checks it failed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strandline.reads.tools import run_pipeline, tool_command
from strandline.variants.accounting import check_none_is_lost


@dataclass(frozen=True, slots=True)
class SoftFilter:
    """A reason, the bcftools expression that gives it, and the words for a reader."""

    name: str
    expression: str
    meaning: str


SOFT_FILTERS: Final = (
    SoftFilter("LowQual", "QUAL<20", "variant quality under 20 (one call in a hundred wrong)"),
    SoftFilter("LowDepth", "FORMAT/DP<5", "fewer than 5 reads at the site"),
)


def filter_commands(vcf: Path, output: Path) -> list[list[str]]:
    """Return the pipeline that marks each record with PASS or its reasons."""
    bcftools = tool_command("bcftools")
    commands = [
        [*bcftools, "filter", "-m", "+", "-s", soft.name, "-e", soft.expression, "-Ou", str(vcf) if first else "-"]
        for first, soft in ((index == 0, soft) for index, soft in enumerate(SOFT_FILTERS))
    ]
    return [*commands, [*bcftools, "view", "-Oz", "-o", str(output), "-"]]


def filter_variants(vcf: Path, output: Path) -> None:
    """Mark every record and index.

    Raises:
        subprocess.CalledProcessError: where a tool failed.
        LostRecordsError: where a record was dropped.
    """
    run_pipeline(filter_commands(vcf, output))
    check_none_is_lost([vcf], output)
    run_pipeline([[*tool_command("bcftools"), "index", "-t", "-f", str(output)]])
