"""Where the next page of a search begins, as text that a client hands back and need not understand.

A cursor gives no right to anything: every page is held anew to what its caller may see, so it carries no secret and no
signature. It is bound to the search that it belongs to by a digest, and anything but what `write_cursor` writes is
refused.
"""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import astuple, dataclass
from typing import Final

from strandline.fhir.served.outcomes import RefusedRequestError, invalid

_TEXT: Final = re.compile(r"[A-Za-z0-9_-]{1,400}", re.ASCII)
_HELD: Final = re.compile(
    r"(?P<digest>[0-9a-f]{16}) (?P<place>[0-9A-Za-z:.+-]{1,40}#[a-z0-9-]{1,64}) (?P<version>\d{1,6})"
    r" (?P<cluster>\d{1,4}) (?P<chunk>\d{1,6}) (?P<offset>\d{1,6})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The next resource to look at: in which version of which release, and where in it.

    `place` is the release's in the listing: `{when it was released}#{submission id}`.
    """

    place: str
    version: int
    cluster: int
    chunk: int
    offset: int


def write_cursor(cursor: Cursor, search: str) -> str:
    """Return the text of a cursor for a search, which is its type and query."""
    held = f"{_digest(search)} {' '.join(str(part) for part in astuple(cursor))}"
    return urlsafe_b64encode(held.encode()).decode().rstrip("=")


def read_cursor(text: str, search: str) -> Cursor:
    """Return the cursor that `write_cursor` wrote for the same search.

    Raises:
        RefusedRequestError: nothing that this server wrote, or it was written for another search.
    """
    held = _HELD.fullmatch(_decoded(text))
    if held is None:
        raise _refusal()
    cursor = Cursor(held["place"], *(int(held[name]) for name in ("version", "cluster", "chunk", "offset")))
    if held["digest"] != _digest(search) or write_cursor(cursor, search) != text:
        raise _refusal()
    return cursor


def _decoded(text: str) -> str:
    if not _TEXT.fullmatch(text):
        return ""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except (Base64Error, ValueError):
        return ""


def _refusal() -> RefusedRequestError:
    refusal = invalid("_cursor is not of this search: follow the next link as it is, or search anew")
    refusal.is_recorded = True
    return refusal


def _digest(search: str) -> str:
    return hashlib.sha256(search.encode()).hexdigest()[:16]
