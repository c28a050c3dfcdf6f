"""Narratives: XHTML of which FHIR allows a part. Source: HL7 FHIR R4, section 2.4, invariants txt-1 and txt-2."""

import re
from typing import Any, Final
from xml.parsers import expat

from strandline.fhir.problems import Problems, one

_XHTML: Final = "http://www.w3.org/1999/xhtml"
_ELEMENTS_TEXT: Final = (
    "a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img "
    "li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var"
)
_ELEMENTS: Final = frozenset(_ELEMENTS_TEXT.split())
_ATTRIBUTES_TEXT: Final = (
    "abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset "
    "cite class colspan compact coords dir frame headers height href hreflang hspace id lang longdesc name nowrap rel "
    "rev rowspan rules scope shape span src start style summary tabindex title type valign value vspace width "
    "xml:lang"
)
_ATTRIBUTES: Final = frozenset(_ATTRIBUTES_TEXT.split())
_PLAIN: Final = re.compile(f'<div xmlns="{_XHTML}"><p>([^<&]*(?:&(?:amp|lt|gt|quot|#x27);[^<&]*)*)</p></div>')
"""One paragraph that holds no element: a parser would find nothing in it."""
_SCHEMES: Final = ("javascript:", "vbscript:", "data:text")


class _RefusedError(Exception):
    """A narrative that may not be; the message says why."""


def check_narrative(div: Any) -> Problems:
    """Return what is wrong with the `div` of a narrative."""
    if not isinstance(div, str):
        return one("wrong_type", "it is not XHTML: a text")
    plain = _PLAIN.fullmatch(div)
    if plain and div.isprintable() and not plain[1].isspace() and plain[1]:
        return None
    reader = _Reader()
    try:
        reader.read(div)
    except _RefusedError as refused:
        return one("narrative", str(refused))
    except (expat.ExpatError, UnicodeEncodeError):
        return one("narrative", "it is not well-formed XML")
    return None if reader.says_something else one("narrative", "it says nothing (txt-2)")


class _Reader:
    def __init__(self) -> None:
        self.says_something = False
        self._depth = 0
        self._parser = expat.ParserCreate("utf-8", " ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def read(self, div: str) -> None:
        self._parser.Parse(div.encode(), True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        if space != _XHTML or local not in _ELEMENTS or (not self._depth and local != "div"):
            raise _RefusedError("it holds an element that a narrative may not have, or no div of XHTML (txt-1)")
        for key, value in attributes.items():
            if key.rpartition(" ")[2] not in _ATTRIBUTES:
                raise _RefusedError("it holds an attribute that a narrative may not have (txt-1)")
            if value.strip().lower().startswith(_SCHEMES):
                raise _RefusedError("it holds a link that runs a script (txt-1)")
        self._depth += 1
        self.says_something |= local == "img"

    def _end(self, _: str) -> None:
        self._depth -= 1

    def _text(self, text: str) -> None:
        self.says_something |= not text.isspace()

    def _refuse_doctype(self, *_: object) -> None:
        raise _RefusedError("it holds a document type")
