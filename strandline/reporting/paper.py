"""A report on paper: PDF with running heads, tags and bookmarks, its fonts inside, and nothing fetched.

WeasyPrint needs Pango of the system (docs/decisions/0032-report-and-pdf.md), so it is loaded where it is used alone.
Source of the form: ISO 14289-1 (PDF/UA-1).
"""

import logging
import re
from html import escape
from typing import Any, Final

from strandline.errors import RejectedInputError
from strandline.reporting.signature_page import LETTERS, bring_letters

_VARIANT: Final = "pdf/ua-1"
_SCREEN_ONLY: Final = re.compile(r'<details class="on-screen">.*?</details>\n?', re.DOTALL)  # text holds no markup
_INLINE: Final = "data"
_SHEET: Final = f"""<!doctype html><html lang="en"><title>Letters</title>
<style>body {{ font-family: "Liberation Sans", "DejaVu Sans", sans-serif; white-space: pre-wrap }}</style>
<p>{escape(LETTERS)}</p></html>"""
"""In the families of `report.css`."""
_INSTALL: Final = "install Pango (Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0)"


def print_report(html: str) -> bytes:
    """Return a report, signatures put in since or not, as a PDF.

    Raises:
        RejectedInputError: `pdf_not_installed`, where WeasyPrint or Pango is missing.
    """
    printer, fetcher = _load()
    document = printer(string=_SCREEN_ONLY.sub("", html), url_fetcher=fetcher)
    return bytes(document.write_pdf(pdf_variant=_VARIANT))


def print_for_signature(html: str) -> bytes:
    """Return a report as a PDF that `signature_page.append_signatures` adds its signatures to.

    Raises:
        RejectedInputError: as `print_report`.
    """
    return bring_letters(print_report(html), print_report(_SHEET))


def can_print() -> bool:
    """Return whether this machine can make PDFs."""
    try:
        _load()
    except RejectedInputError:
        return False
    return True


def _load() -> tuple[Any, Any]:
    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # its warnings quote the document
    try:
        import weasyprint  # noqa: PLC0415 - a function that makes no PDF has no Pango
    except ImportError:
        raise RejectedInputError("pdf_not_installed", "WeasyPrint is not installed: run 'make setup'") from None
    except OSError:  # of the library that its binding opens
        raise RejectedInputError("pdf_not_installed", f"this machine has no Pango for PDFs: {_INSTALL}") from None

    return weasyprint.HTML, weasyprint.urls.URLFetcher(allowed_protocols={_INLINE}, allow_redirects=False)
