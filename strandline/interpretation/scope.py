"""What a report may speak of: the panel that was ordered, and secondary findings where the subject agreed to them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from strandline.errors import RejectedInputError
from strandline.interpretation.panels import GenePanel, panel_named
from strandline.interpretation.secondary_findings import secondary_genes, secondary_list
from strandline.landing.manifest import Answer, Consent, SampleDeclaration


class Part(StrEnum):
    """Where a gene stands to a report."""

    ORDERED = "ORDERED"
    SECONDARY = "SECONDARY"
    OUTSIDE = "OUTSIDE"


@dataclass(frozen=True, slots=True)
class Scope:
    """What was ordered, None for all that was sequenced; and the subject's answer on secondary findings.

    With a panel, secondary findings are looked for only where the answer is yes. Without one all genes are ordered, but
    those of the list are left out where the answer is no.
    """

    panel: GenePanel | None = None
    secondary: Answer | None = None

    def part_of(self, genes: Iterable[str]) -> Part:
        """Return where a call of these genes stands: the best of them counts."""
        symbols = set(genes)
        is_listed = not symbols.isdisjoint(secondary_genes())
        if self.panel is None:
            return Part.OUTSIDE if is_listed and self.secondary is Answer.NO else Part.ORDERED
        if not symbols.isdisjoint(self.panel.symbols):
            return Part.ORDERED
        return Part.SECONDARY if is_listed and self.secondary is Answer.YES else Part.OUTSIDE

    @property
    def ordered(self) -> str:
        """What was ordered, in words."""
        return self.panel.label if self.panel else "all genes of the gene models"

    @property
    def secondary_policy(self) -> str:
        """What was done about secondary findings, in words."""
        listed = secondary_list().label
        if self.secondary is Answer.YES:
            beside = "beside the panel" if self.panel else "as part of all genes"
            return f"looked for {beside}, with consent ({listed}): only what is known as (likely) pathogenic is told"
        if self.secondary is Answer.NO:
            return f"not reported: the subject said no ({listed})"
        if self.panel:
            return f"not looked for: no consent is recorded ({listed})"
        return f"no answer of the subject is recorded; no panel was ordered, so all genes are looked at ({listed})"


def scope_of(sample: SampleDeclaration, find: Callable[[str], GenePanel] = panel_named) -> Scope:
    """Return the scope that a sample's declaration asks for; `find` knows a lab's own panels too.

    Raises:
        RejectedInputError: `panel_unknown`.
    """
    return Scope(find(sample.panel) if sample.panel else None, sample.secondary_findings)


def refuse_withdrawn(consent: Consent | None) -> None:
    """Refuse to report on a subject who withdrew consent.

    Raises:
        RejectedInputError: `consent_withdrawn`.
    """
    if consent is Consent.WITHDRAWN:
        raise RejectedInputError(
            "consent_withdrawn",
            "the subject withdrew consent: no report, bundle or evidence is made; withdraw what was released, and "
            "destroy or return the data as the lab's procedure says",
        )
