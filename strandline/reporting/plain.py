"""A page for the subject in plain words, beside the clinician's report: it says nothing that nobody signed."""

from typing import Final

from strandline.interpretation.points import Band
from strandline.interpretation.scope import refuse_withdrawn
from strandline.reporting.pages import render_page
from strandline.reporting.report import STYLES, ReportInput
from strandline.reporting.report_rows import Row, row_of

_IMPORTANT: Final = frozenset({Band.PATHOGENIC, Band.LIKELY_PATHOGENIC})


def build_plain_page(source: ReportInput) -> str:
    """Return the page as one HTML document.

    Without a signature it tells no finding, unless it is laid before those who sign it. Then, and with a signature, it
    tells those that a person classified, by their class; what nobody classified is not told.

    Raises:
        RejectedInputError: `consent_withdrawn`.
    """
    refuse_withdrawn(source.sample.consent)
    signed = source.signatures[-1] if source.signatures else None
    told = signed is not None or source.for_release
    rows = [row_of(finding.call, source.evidence) for finding in source.findings.named] if told else []
    return render_page(
        "plain.html",
        STYLES,
        source=source,
        signed=signed,
        told=told,
        important=[row for row in rows if _band(row) in _IMPORTANT],
        unclear=[row for row in rows if _band(row) is Band.UNCERTAIN],
    )


def _band(row: Row) -> Band | None:
    return row.evidence.classification.band if row.evidence.classification else None
