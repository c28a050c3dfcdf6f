"""Gene panels as data: what was ordered, by HGNC id, with a version and a source.

Shape of a file (JSON, UTF-8, at most 1 MiB)::

    {"name": "lynch", "version": "1", "title": "Lynch syndrome", "source": "where the choice of genes is written",
     "genes": [{"hgnc_id": "HGNC:7127", "symbol": "MLH1", "loss_of_function": true}, ...]}

`loss_of_function` says that losing one copy, or both in a recessive disease, is an established cause of the disease of
the panel; left out where nobody said. Symbols are those that the gene models of the reference bundle use.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from strandline.errors import RejectedInputError

PANEL_NAME: Final = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
PANEL_VERSION: Final = r"[A-Za-z0-9_-](?:[A-Za-z0-9_-]|\.(?!\.)){0,31}"
_OWN: Final = re.compile(f"({PANEL_NAME})/({PANEL_VERSION})")
PANEL_LIMIT_BYTES: Final = 1 << 20
_MOST_GENES: Final = 5_000
_FOLDER: Final = Path(__file__).parent / "panels"  # importlib.resources takes longer than all else here, at every start
_Words = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PanelGene(_Frozen):
    """One gene: its HGNC id, and the symbol by which gene models know it."""

    hgnc_id: Annotated[str, StringConstraints(pattern=r"^HGNC:[1-9][0-9]{0,6}$")]
    symbol: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
    loss_of_function: bool | None = None


def _check_version(version: str) -> str:
    if re.fullmatch(PANEL_VERSION, version) is None:
        raise ValueError("a version holds letters, digits, '_', '-' and single dots, at most 32")
    return version


class GenePanel(_Frozen):
    """A named choice of genes; name and version together mean one content."""

    name: Annotated[str, StringConstraints(pattern=f"^{PANEL_NAME}$")]
    version: Annotated[str, AfterValidator(_check_version)]
    title: _Words
    source: _Words
    genes: Annotated[tuple[PanelGene, ...], Field(min_length=1, max_length=_MOST_GENES)]

    @model_validator(mode="after")
    def _genes_differ(self) -> "GenePanel":
        for field in ("hgnc_id", "symbol"):
            if len({getattr(gene, field) for gene in self.genes}) < len(self.genes):
                raise RejectedInputError("panel_gene_twice", f"a panel has two genes of one {field}: remove one")
        return self

    @property
    def symbols(self) -> frozenset[str]:
        """The symbols of its genes."""
        return frozenset(gene.symbol for gene in self.genes)

    @property
    def label(self) -> str:
        """What a report calls it, such as `Lynch syndrome (lynch/1, 5 genes)`."""
        return f"{self.title} ({self.name}/{self.version}, {len(self.genes)} genes)"

    def gene(self, symbol: str) -> PanelGene | None:
        """Return the gene of this symbol, or None."""
        return next((gene for gene in self.genes if gene.symbol == symbol), None)


def parse_panel(body: bytes) -> GenePanel:
    """Read a panel.

    Raises:
        RejectedInputError: `panel_too_large`, `panel_not_json`, `panel_invalid` (naming the field, never its value) or
            `panel_gene_twice`.
    """
    if len(body) > PANEL_LIMIT_BYTES:
        raise RejectedInputError("panel_too_large", "a panel is over 1 MiB: split it")
    try:
        return GenePanel.model_validate(json.loads(body))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ValidationError):
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            raise RejectedInputError("panel_invalid", f"a panel, field {where}: {first['msg']}") from None
        raise RejectedInputError("panel_not_json", "a panel is not JSON: correct the file") from None


def check_panel_label(label: str) -> str:
    """Return what a sample says of its panel: a name that comes with the platform, or a lab's own as `NAME/VERSION`.

    Whether a lab's own is registered is looked up where panels are kept.

    Raises:
        RejectedInputError: `panel_unknown`.
    """
    return label if split_panel_label(label) else panel_named(label).name


def split_panel_label(label: str) -> tuple[str, str] | None:
    """Return name and version of a lab's own panel, None where this names none.

    >>> split_panel_label("cardio/2026-11"), split_panel_label("lynch")
    (('cardio', '2026-11'), None)
    """
    found = _OWN.fullmatch(label)
    return (found[1], found[2]) if found else None


def panel_named(name: str) -> GenePanel:
    """Return a panel that comes with the platform.

    Raises:
        RejectedInputError: `panel_unknown`.
    """
    if name not in panel_names():
        raise RejectedInputError("panel_unknown", f"no panel of that name: there are {', '.join(panel_names())}")
    return _read(name)


@cache
def panel_names() -> tuple[str, ...]:
    """Return the names of the panels that come with the platform."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.json")))


@cache
def _read(name: str) -> GenePanel:
    return parse_panel((_FOLDER / f"{name}.json").read_bytes())
