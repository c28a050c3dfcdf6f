"""Secondary findings: which genes are looked at beside what was ordered, what of them is told, and only with consent.

The list and its rules are data (`secondary_findings.json`), from the ACMG's list v3.3. Only what is known as pathogenic
or likely pathogenic is told; nothing is told where the subject did not say yes.
"""

import json
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from strandline.variants.records import VariantCall

_C282Y: Final = "p.(Cys282Tyr)"
_TRUNCATING: Final = frozenset({"stop_gained", "frameshift", "splice_donor", "splice_acceptor"})
_COPIES_BY_ZYGOSITY: Final = {"HET": 1, "HOM_ALT": 2, "HEMI": 2}


class Told(StrEnum):
    """What of a gene is told; a hemizygous variant counts as on all copies there are."""

    ONE_COPY = "ONE_COPY"
    TWO_COPIES = "TWO_COPIES"
    TRUNCATING = "TRUNCATING"
    HOMOZYGOUS_C282Y = "HOMOZYGOUS_C282Y"


class SecondaryGene(BaseModel, frozen=True, extra="forbid"):
    """One gene of the list."""

    hgnc_id: str
    symbol: str
    inheritance: Literal["AD", "AR", "XL"]
    reported: Told


class SecondaryList(BaseModel):
    """The list with its version and source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    source: str
    genes: tuple[SecondaryGene, ...]

    @property
    def label(self) -> str:
        """What a report calls it."""
        return f"ACMG SF v{self.version}, {len(self.genes)} genes"


@cache
def secondary_list() -> SecondaryList:
    """Return the list."""
    text = files("strandline.interpretation").joinpath("secondary_findings.json").read_text()
    return SecondaryList.model_validate(json.loads(text))


@cache
def secondary_genes() -> dict[str, SecondaryGene]:
    """Return the genes of the list by symbol."""
    return {gene.symbol: gene for gene in secondary_list().genes}


def choose_secondary(candidates: Sequence[tuple[VariantCall, str]]) -> list[VariantCall]:
    """Return what of known pathogenic calls in genes of the list is to be told.

    Args:
        candidates: calls with the symbol of their gene, which is on the list. Two heterozygous calls of one gene count
            as two copies: whether they lie on different ones has to be confirmed.
    """
    copies: Counter[str] = Counter()
    for call, symbol in candidates:
        copies[symbol] += _COPIES_BY_ZYGOSITY[call.zygosity]
    return [call for call, symbol in candidates if _is_told(call, secondary_genes()[symbol].reported, copies[symbol])]


def _is_told(call: VariantCall, reported: Told, copies: int) -> bool:
    match reported:
        case Told.ONE_COPY:
            return True
        case Told.TWO_COPIES:
            return copies >= 2
        case Told.TRUNCATING:
            return any(effect.term in _TRUNCATING for effect in call.consequences)
        case Told.HOMOZYGOUS_C282Y:
            named = any(name.protein == _C282Y for name in call.names)
            return named and call.zygosity == "HOM_ALT"
