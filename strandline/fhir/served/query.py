"""A search as it was asked: conditions, page size, includes, and what of it was not understood.

Source: HL7 FHIR R4 (4.0.1), "Search", sections 3.1.1.3 (parameters), 3.1.1.4.4 (chained), 3.1.1.5 (results), and
"Handling errors": what is unknown is passed over unless the client prefers `handling=strict`, and the self link says
what was used.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, quote, urlencode

from strandline.fhir.served.cursors import Cursor, read_cursor
from strandline.fhir.served.matching import Condition, Value
from strandline.fhir.served.outcomes import invalid, unsupported
from strandline.fhir.served.parameters import SEARCHABLE, Kind, Parameter, parameters_of
from strandline.fhir.served.values import (
    Token,
    alternatives,
    parse_date,
    parse_reference,
    parse_token,
    unescape,
)

DEFAULT_COUNT: Final = 50
LARGEST_COUNT: Final = 200
_LONGEST_QUERY: Final = 8_192
_MOST_PARAMETERS: Final = 50
_MODIFIERS: Final = {Kind.TOKEN: ("not", "text"), Kind.REFERENCE: (), Kind.DATE: (), Kind.URI: ()}
_CHAINED: Final = re.compile(r"(?:patient|subject(?::Patient)?)\.identifier", re.ASCII)
_INCLUDED: Final = re.compile(r"(?P<source>[A-Za-z]+):(?P<name>[a-z-]+|\*)(?::(?P<target>[A-Za-z]+))?", re.ASCII)
_JSON_FORMATS: Final = frozenset({"json", "application/json", "application/fhir+json"})
Handling = Literal["strict", "lenient"]


@dataclass(frozen=True, slots=True)
class Included:
    """Resources that come with the matches: those that `source` refers to with `parameter`, or that refer so."""

    source: str
    parameter: Parameter
    target: str | None


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search.

    Attributes:
        path: what the search is sent to: a type, or an operation.
        types: what is searched for.
        conditions: all of them have to fit.
        identifiers: of the Patient whom a match is about; every group has to fit, by any of its tokens.
        count: resources a page.
        only_counts: asks for the number of matches alone.
        used: the parameters that were understood, as they were written, in their order.
        ignored: names of parameters that were passed over, those that may be shown.
        cursor: where a page begins; None for the first.
    """

    path: str
    types: tuple[str, ...]
    conditions: tuple[Condition, ...]
    identifiers: tuple[tuple[Token, ...], ...]
    count: int
    only_counts: bool
    includes: tuple[Included, ...]
    revincludes: tuple[Included, ...]
    used: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]
    cursor: Cursor | None

    def query(self) -> str:
        """Return the query that means this search, without the cursor."""
        return encode(self.used)


def encode(pairs: Sequence[tuple[str, str]]) -> str:
    """Return pairs as the query of a URL."""
    return urlencode(pairs, quote_via=quote, safe="")


def parse_pairs(query: str) -> list[tuple[str, str]]:
    """Return the parameters of a query as they were sent, decoded.

    Raises:
        RefusedRequestError: too long, too many, no UTF-8, or signs that no text has.
    """
    if len(query) > _LONGEST_QUERY:
        raise invalid(f"the query is over {_LONGEST_QUERY} characters")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise invalid(f"the query is no UTF-8, or has over {_MOST_PARAMETERS} parameters") from None
    if not all((name + value).isprintable() for name, value in pairs):
        raise invalid("the query has signs that cannot be printed")
    return pairs


def parse_search(resource_type: str, pairs: Sequence[tuple[str, str]], base: str, handling: Handling) -> SearchRequest:
    """Return what a search asks for; `base` is the URL of this server.

    Raises:
        RefusedRequestError: a value that cannot be meant, a modifier that is not supported, and with strict handling a
            parameter that is unknown or has no value.
    """
    return _Parser(resource_type, base).parse(pairs, handling)


class _Parser:
    def __init__(self, resource_type: str, base: str) -> None:
        self._type = resource_type
        self._base = base
        self._parameters = parameters_of(resource_type)
        self._conditions: list[Condition] = []
        self._identifiers: list[tuple[Token, ...]] = []
        self._includes: list[Included] = []
        self._revincludes: list[Included] = []
        self._count = DEFAULT_COUNT
        self._only_counts = False
        self._cursor_text: str | None = None

    def parse(self, pairs: Sequence[tuple[str, str]], handling: Handling) -> SearchRequest:
        used: list[tuple[str, str]] = []
        ignored: list[str] = []
        for name, value in pairs:
            if name == "_cursor":
                self._cursor_text = value
            elif value and self._take(name, value):
                used.append((name, value))
            elif handling == "strict":
                raise unsupported("the search has a parameter that is not supported here, or that has no value")
            elif re.fullmatch(r"[A-Za-z0-9_.:-]{1,40}", name, re.ASCII):
                ignored.append(name)
            else:
                ignored.append("(an odd name)")
        return SearchRequest(
            self._type,
            (self._type,),
            tuple(self._conditions),
            tuple(self._identifiers),
            self._count,
            self._only_counts,
            tuple(self._includes),
            tuple(self._revincludes),
            tuple(used),
            tuple(ignored),
            read_cursor(self._cursor_text, f"{self._type}?{encode(used)}") if self._cursor_text is not None else None,
        )

    def _take(self, name: str, value: str) -> bool:
        """Take one parameter; False where it is unknown."""
        if name in {"_count", "_summary", "_format", "_total", "_sort"}:
            return self._shape(name, value)
        if name in {"_include", "_revinclude"}:
            return self._include(name, value)
        if _CHAINED.fullmatch(name) and "patient" in self._parameters:
            self._identifiers.append(tuple(parse_token(text) for text in alternatives(value)))
            return True
        plain, _, modifier = name.partition(":")
        parameter = self._parameters.get(plain)
        if parameter is None:
            return False
        self._conditions.append(self._condition(plain, parameter, modifier, value))
        return True

    def _shape(self, name: str, value: str) -> bool:
        if name == "_count":
            if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
                raise invalid("_count is a number")
            self._only_counts = self._only_counts or int(value) == 0
            self._count = min(max(1, int(value)), LARGEST_COUNT)
        elif name == "_summary":
            if value not in {"count", "false"}:
                return False
            self._only_counts = self._only_counts or value == "count"
        elif name == "_format":
            if value not in _JSON_FORMATS:
                raise unsupported("_format is json: nothing else is served")
        elif name == "_total":
            return value == "none"
        else:
            return value == "-_lastUpdated"  # the order in which everything comes
        return True

    def _include(self, name: str, value: str) -> bool:
        found = _INCLUDED.fullmatch(value)
        if found is None or found["source"] not in SEARCHABLE:
            return False
        source, target = found["source"], found["target"]
        named = {found["name"]: SEARCHABLE[source].get(found["name"])} if found["name"] != "*" else SEARCHABLE[source]
        for parameter in named.values():
            if parameter is None or parameter.kind is not Kind.REFERENCE:
                if found["name"] != "*":
                    return False
            elif name == "_include" and source == self._type:
                self._includes.append(Included(source, parameter, target))
            elif name == "_revinclude" and self._type in parameter.targets:
                self._revincludes.append(Included(source, parameter, target))
        return source == self._type or name == "_revinclude"

    def _condition(self, name: str, parameter: Parameter, modifier: str, value: str) -> Condition:
        if modifier == "missing":
            if value not in {"true", "false"}:
                raise invalid("the modifier missing takes true or false")
            return Condition(name, parameter, (), modifier, is_missing=value == "true")
        if parameter.kind is Kind.REFERENCE and modifier in parameter.targets:
            return Condition(name, parameter, self._references(value, (modifier,)))
        if modifier and modifier not in _MODIFIERS[parameter.kind]:
            raise unsupported(f"the parameter {name} has a modifier that is not supported here")
        return Condition(name, parameter, self._values(parameter, modifier, value), modifier)

    def _values(self, parameter: Parameter, modifier: str, value: str) -> tuple[Value, ...]:
        match parameter.kind:
            case Kind.TOKEN if modifier != "text":
                return tuple(parse_token(text) for text in alternatives(value))
            case Kind.DATE:
                return tuple(parse_date(text) for text in alternatives(value))
            case Kind.REFERENCE:
                return self._references(value, parameter.targets)
            case _:
                return tuple(unescape(text) for text in alternatives(value))

    def _references(self, value: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(
            f"{kind}/{name}" for text in alternatives(value) for kind, name in parse_reference(text, self._base, kinds)
        )
