"""Header lines that say what made a VCF. bcftools adds a line for each of its own commands beside them."""

from collections.abc import Sequence
from dataclasses import dataclass


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
