"""Header lines that say what made a VCF. bcftools adds a line for each of its own commands beside them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pysam

NOT_ANNOTATED: Final = "none in this reference bundle"
"""What the header says of a source that the bundle lacks."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What stands in every output: `reference` as `name/version`, `platform` as the version of this software.

    A submission's id does not: outputs are taken over by other submissions of the same reads.
    """

    reference: str
    platform: str


def header_lines(provenance: Provenance, extra: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return `##key=value` lines.

    >>> lines = header_lines(Provenance("slice/0c2b", "0.1.0"), [("strandlineGenes", "Ensembl 110")])
    >>> lines.decode().splitlines()[1:]
    ['##strandlineReference=slice/0c2b', '##strandlineGenes=Ensembl 110']
    """
    pairs = [
        ("strandlineVersion", provenance.platform),
        ("strandlineReference", provenance.reference),
        *extra,
    ]
    return "".join(f"##{key}={value}\n" for key, value in pairs).encode()


def read_programs(of_reads: Sequence[str], vcf: Path) -> tuple[str, ...]:
    """Return the tools that made the reads and those named in the header of the calls, with versions, each once.

    bcftools writes `##bcftools_{command}Version`.
    """
    named = list(of_reads)
    with pysam.VariantFile(str(vcf)) as calls:
        lines = str(calls.header).splitlines()
    for line in lines:
        match = re.match(r"##bcftools_\w+Version=([^+]+)", line)
        if match:
            named.append(f"bcftools {match[1]}")
    return tuple(dict.fromkeys(named))


def read_sources(vcf: Path) -> dict[str, str]:
    """Return the `##strandline...` header lines of a VCF, without the prefix: `Reference`, `Genes`, `ClinVar`..."""
    with pysam.VariantFile(str(vcf)) as calls:
        lines = str(calls.header).splitlines()
    pairs = (line.removeprefix("##strandline").partition("=") for line in lines if line.startswith("##strandline"))
    return {key: value for key, _, value in pairs}
