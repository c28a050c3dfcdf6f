"""Header lines that say what made a VCF. bcftools adds a line for each of its own commands beside them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam


@dataclass(frozen=True, slots=True)
class Provenance:
    """What stands in every output: `reference` as `name/version`, `platform` as the version of this software."""

    submission_id: str
    reference: str
    platform: str


def header_lines(provenance: Provenance, extra: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return `##key=value` lines.

    >>> lines = header_lines(Provenance("s-1", "slice/0c2b", "0.1.0"), [("strandlineGenes", "Ensembl 110")])
    >>> lines.decode().splitlines()[1:4:2]
    ['##strandlineReference=slice/0c2b', '##strandlineGenes=Ensembl 110']
    """
    pairs = [
        ("strandlineVersion", provenance.platform),
        ("strandlineReference", provenance.reference),
        ("strandlineSubmission", provenance.submission_id),
        *extra,
    ]
    return "".join(f"##{key}={value}\n" for key, value in pairs).encode()


def read_programs(cram: Path, vcf: Path) -> tuple[str, ...]:
    """Return the tools named in the headers of the reads and of the calls, with their versions, each once.

    Sources: SAM specification section 1.3 (`@PG`); bcftools writes `##bcftools_{command}Version`.
    """
    with pysam.AlignmentFile(str(cram)) as reads:
        header = reads.header.to_dict()
    named = [f"{line['PN']} {line['VN']}" for line in header.get("PG", []) if "PN" in line and "VN" in line]
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
