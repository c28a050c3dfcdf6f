"""The signatures on a report: in the place of the line that says it is a draft. Source: 21 CFR 11.50(b)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final

from strandline.errors import RejectedInputError

_DRAFT: Final = re.compile(r'<div class="draft"[^>]*>[^<]*</div>\n?')
_STYLE: Final = (
    ".signatures{border:2px solid;border-radius:4px;margin:1rem;padding:.5rem 1rem;overflow-wrap:anywhere}"
    ".signatures td,.signatures th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}"
)


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
    """Return the report with its signatures in the place of the words that call it a draft.

    Raises:
        RejectedInputError: `report_not_a_draft`, where there is not one such place.
    """
    if len(_DRAFT.findall(report)) != 1 or report.count("</style>") != 1:
        raise RejectedInputError("report_not_a_draft", "the report has no place for signatures: build it anew")
    report = report.replace("</style>", f"{_STYLE}</style>")
    block = _block(version, signatures)
    return _DRAFT.sub(lambda _: block, report)


def _block(version: SignedVersion, signatures: Sequence[PrintedSignature]) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escape(one.printed_name)}</th><td>{escape(one.user_name)}</td>'
        f"<td>{escape(one.meaning)}</td><td>{one.signed_at.strftime('%Y-%m-%d %H:%M:%S')} UTC</td></tr>"
        for one in signatures
    )
    amends = (
        f"<p>This version takes the place of version {version.amends}: {escape(version.reason)}</p>\n"
        if version.amends
        else ""
    )
    return (
        '<section class="signatures" aria-labelledby="signatures">\n<h2 id="signatures">Electronic signatures</h2>\n'
        f"<p>Released as version {version.version} of {escape(version.submission_id)}.</p>\n{amends}"
        '<table><thead><tr><th scope="col">Name</th><th scope="col">User</th><th scope="col">Meaning</th>'
        f'<th scope="col">Signed at</th></tr></thead>\n<tbody>\n{rows}\n</tbody></table>\n'
        f"<p>Record SHA-256: <code>{version.sha256}</code></p>\n</section>\n"
    )
