"""The signatures at the head of a report that was built without them, in the place of the words that say so.

The report is not built anew: what was signed stays as it is, byte by byte, around the signatures. Source: 21 CFR
11.50(b).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final

from strandline.errors import RejectedInputError

_BANNER: Final = re.compile(r'<div class="draft" role="note">[^<]*</div>')
_HEAD: Final = "<main>\n"


@dataclass(frozen=True, slots=True)
class PrintedSignature:
    """One signature in words."""

    printed_name: str
    user_name: str
    meaning: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class SignedVersion:
    """What was signed: `sha256` of the record; `amends` and `reason` of a version that takes another's place."""

    submission_id: str
    version: int
    sha256: str
    amends: int | None
    reason: str


def print_signatures(report: str, version: SignedVersion, signatures: Sequence[PrintedSignature]) -> str:
    """Return the report with its signatures.

    Raises:
        RejectedInputError: `report_not_a_draft`, where the report does not have each of the two places once.
    """
    if len(_BANNER.findall(report)) != 1 or report.count(_HEAD) != 1 or not signatures:
        raise RejectedInputError("report_not_a_draft", "the report has no place for signatures: build it anew")
    banner, block = _banner(signatures[-1]), _block(version, signatures)
    return _BANNER.sub(lambda _: banner, report).replace(_HEAD, f"{_HEAD}{block}\n")


def print_plain_signature(page: str, signatures: Sequence[PrintedSignature]) -> str:
    """Return the page in plain words with the name and date of its last signature.

    Raises:
        RejectedInputError: `report_not_a_draft`, where the page does not have the place once.
    """
    if len(_BANNER.findall(page)) != 1 or not signatures:
        raise RejectedInputError("report_not_a_draft", "the page has no place for a signature: build it anew")
    last = signatures[-1]
    says = f"Checked and signed by {last.printed_name} on {last.signed_at:%Y-%m-%d}."
    return _BANNER.sub(lambda _: f'<div class="draft is-signed" role="note">{escape(says)}</div>', page)


def _banner(last: PrintedSignature) -> str:
    says = f"Signed by {last.printed_name} ({last.meaning}), {last.signed_at.strftime('%Y-%m-%d %H:%M')} UTC."
    return f'<div class="draft is-signed" role="note">{escape(says)}</div>'


def _block(version: SignedVersion, signatures: Sequence[PrintedSignature]) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escape(one.printed_name)}</th><td>{escape(one.user_name)}</td>'
        f"<td>{escape(one.meaning)}</td>"
        f'<td class="nowrap">{one.signed_at.strftime("%Y-%m-%d %H:%M:%S")}</td></tr>'
        for one in signatures
    )
    amends = (
        f"<p>This version takes the place of version {version.amends}: {escape(version.reason)}</p>\n"
        if version.amends
        else ""
    )
    return (
        '<section aria-labelledby="signatures">\n<h2 id="signatures">Electronic signatures</h2>\n'
        f"<p>Released as version {version.version} of {escape(version.submission_id)}.</p>\n{amends}"
        '<table class="signatures">\n<thead><tr><th scope="col">Name</th><th scope="col">User</th>'
        '<th scope="col">Meaning</th><th scope="col">Date and time (UTC)</th></tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>\n"
        f'<p>SHA-256 of the signed record: <span class="mono">{version.sha256}</span></p>\n'
        "</section>"
    )
