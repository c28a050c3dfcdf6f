"""`$find-subject-variants`: the reported variants of a subject that overlap ranges of a reference sequence.

Coordinates of the request and of the answer are 0-based, intervals half-open; releases have 1-based positions with both
ends. A range is refused where it was not tested, or lies on a sequence of another build: an answer "not present" would
be wrong. What "not present" means is said with every answer, as a report names what meets its criteria and no more.

Source: OperationDefinition find-subject-variants, Genomics Reporting guide 3.0.0.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from strandline.fhir import codes
from strandline.fhir.codes import Json
from strandline.fhir.served.matching import values_at
from strandline.fhir.served.outcomes import (
    RefusedRequestError,
    invalid,
    not_found,
    operation_outcome,
    too_costly,
    unsupported,
)
from strandline.fhir.served.releases import Release, ReleaseStatus
from strandline.fhir.served.store import ReleaseStore
from strandline.fhir.served.values import parse_reference
from strandline.reads.reference_bundle.builds import CHROMOSOME_BY_ACCESSION, chromosome_of

_RANGE: Final = re.compile(r"(?P<sequence>NC_\d{6}\.\d{1,2}):(?P<start>\d{1,9})-(?P<end>\d{1,9})", re.ASCII)
_REGION: Final = re.compile(r"(?P<contig>[^:]+):(?P<first>\d+)-(?P<last>\d+)", re.ASCII)
_MOST_RANGES: Final = 50
_MOST_VARIANTS: Final = 1_000
_BOOLEANS: Final = {"true": True, "false": False}
_NOT_SUPPORTED: Final = ("testIdentifiers", "testDateRange", "specimenIdentifiers")
_VARIANT: Final = f"{codes.LOINC}|69548-6"
_PHASE: Final = f"{codes.LOINC}|82120-7"
_ZERO_BASED: Final = codes.loinc("LA30100-4", "0-based interval counting")
_SEQUENCE, _REF, _ALT, _PLACE, _SYSTEM = "48013-7", "69547-8", "69551-0", "81254-5", "92822-6"
_BUILD_BY_ANSWER: Final = {"LA14029-5": "GRCh37", "LA26806-2": "GRCh38"}
_MEANS: Final = (
    "presence is of reported variants: a variant that meets no reporting criterion is in the VCF and not in a report"
)
_UNCALLED: Final = "; a part of the ranges could not be called, or was not told whether it could"


@dataclass(frozen=True, slots=True)
class AskedRange:
    """A 0-based half-open interval of a RefSeq sequence, and as it was written."""

    sequence: str
    start0: int
    end0: int
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the operation is asked; `patient` is an id."""

    patient: str
    ranges: tuple[AskedRange, ...]
    includes_variants: bool
    includes_phasing: bool
    has_germline: bool


def parse_asked(pairs: Sequence[tuple[str, str]], base: str) -> Asked:
    """Return what a query asks of the operation.

    Raises:
        RefusedRequestError: a parameter is missing, unknown, not supported, or cannot be meant.
    """
    patients: list[str] = []
    ranges: list[AskedRange] = []
    flags = {"includeVariants": False, "includePhasing": False}
    has_germline = True
    for name, value in pairs:
        if name == "subject":
            patients += [found for _, found in parse_reference(value, base, ("Patient",))]
        elif name == "ranges":
            ranges += [_parse_range(text) for text in value.split(",")]
        elif name in flags and value in _BOOLEANS:
            flags[name] = _BOOLEANS[value]
        elif name == "genomicSourceClass" and value in {"germline", "somatic"}:
            has_germline = value == "germline"  # every variant here is
        elif name in _NOT_SUPPORTED:
            raise unsupported(f"{name} is not supported here: a subject has one test and one specimen")
        else:
            raise invalid("a parameter of find-subject-variants is unknown or has a value that cannot be meant")
    if len(patients) != 1 or not 1 <= len(ranges) <= _MOST_RANGES:
        raise invalid(f"give one subject, a Patient of this server, and 1 to {_MOST_RANGES} ranges")
    shows = flags["includeVariants"] or flags["includePhasing"]
    return Asked(patients[0], tuple(ranges), shows, flags["includePhasing"], has_germline)


def find_subject_variants(asked: Asked, release: Release, store: ReleaseStore) -> Json:
    """Return Parameters that tell of each range whether a reported variant overlaps it.

    Raises:
        RefusedRequestError: the release is withdrawn, is not on the sequence, or a range was not tested.
    """
    if release.status is ReleaseStatus.WITHDRAWN:
        raise not_found()
    studied, called, build = _tested(release, store)
    for one in asked.ranges:
        _require_tested(one, studied, build)
    variants = [
        variant for variant in _observations(release, store, _VARIANT) if asked.has_germline and _is_present(variant)
    ]
    phases = list(_observations(release, store, _PHASE)) if asked.includes_phasing else []
    answers, shown = [], 0
    for one in asked.ranges:
        found = [variant for variant in variants if _overlaps(variant, one)]
        shown += len(found)
        if asked.includes_variants and shown > _MOST_VARIANTS:
            raise too_costly(f"over {_MOST_VARIANTS} variants would be shown: ask for shorter ranges")
        answers.append(_answer(one, found, phases, asked))
    is_called = all(_is_inside(one, called) for one in asked.ranges)
    says = _MEANS if is_called else _MEANS + _UNCALLED
    outcome = {"name": "outcome", "resource": operation_outcome("informational", says, "information")}
    return {"resourceType": "Parameters", "parameter": [*answers, outcome]}


def _parse_range(text: str) -> AskedRange:
    found = _RANGE.fullmatch(text)
    if found is None or int(found["start"]) >= int(found["end"]):
        raise invalid("a range is RefSeq:start-end, 0-based and half-open, such as NC_000007.14:55174721-55174820")
    return AskedRange(found["sequence"], int(found["start"]), int(found["end"]), text)


def _answer(one: AskedRange, found: Sequence[Json], phases: Sequence[Json], asked: Asked) -> Json:
    parts: list[Json] = [
        {"name": "rangeItem", "valueString": one.text},
        {"name": "presence", "valueBoolean": bool(found)},
    ]
    if asked.includes_variants:
        parts += [{"name": "variant", "resource": _zero_based(variant)} for variant in found]
    names = {f"Observation/{variant['id']}" for variant in found}
    for phase in phases:
        of = set(values_at(phase, ("derivedFrom", "reference")))
        if len(of) == 2 and of <= names:
            parts.append({"name": "sequencePhaseRelationship", "resource": phase})
    return {"name": "variants", "part": parts}


def _tested(release: Release, store: ReleaseStore) -> tuple[list[AskedRange], list[AskedRange], str | None]:
    """Return the studied and the called regions, by chromosome, and the build, as the genomic study says them."""
    studied: list[AskedRange] = []
    called: list[AskedRange] = []
    build = None
    for cluster in release.clusters_of("Procedure"):
        for chunk in range(cluster.chunks):
            for procedure in store.chunk(release, cluster.number, chunk):
                for extension in procedure.get("extension", ()):
                    if extension["url"] == codes.profile("genomic-study-analysis-regions"):
                        studied += _regions(extension, "studied")
                        called += _regions(extension, "called")
                    elif extension["url"] == codes.profile("genomic-study-analysis-genome-build"):
                        told = values_at(extension, ("valueCodeableConcept", "coding", "code"))
                        build = next((_BUILD_BY_ANSWER[code] for code in told if code in _BUILD_BY_ANSWER), None)
    return studied, called, build


def _regions(extension: Json, url: str) -> Iterator[AskedRange]:
    for part in extension.get("extension", ()):
        found = _REGION.fullmatch(part.get("valueCodeableConcept", {}).get("text", "")) if part["url"] == url else None
        if found:
            chromosome = chromosome_of(found["contig"])
            if chromosome is not None:
                yield AskedRange(chromosome, int(found["first"]) - 1, int(found["last"]), found[0])


def _require_tested(one: AskedRange, studied: Sequence[AskedRange], build: str | None) -> None:
    _, of_build = CHROMOSOME_BY_ACCESSION.get(one.sequence, ("", None))
    if one.sequence not in CHROMOSOME_BY_ACCESSION or build is None or of_build not in {None, build}:
        raise RefusedRequestError(
            HTTPStatus.NOT_FOUND, "not-found", "a range is on a sequence that the subject's test does not count on"
        )
    if not _is_inside(one, studied):
        raise RefusedRequestError(
            HTTPStatus.NOT_FOUND, "not-found", "a range, or a part of it, was not tested, or it is not told that it was"
        )


def _is_inside(one: AskedRange, regions: Sequence[AskedRange]) -> bool:
    """Tell whether a range is covered by regions of its chromosome without a gap."""
    chromosome, at = CHROMOSOME_BY_ACCESSION[one.sequence][0], one.start0
    for region in sorted((r for r in regions if r.sequence == chromosome), key=lambda r: r.start0):
        if region.start0 > at:
            break
        at = max(at, region.end0)
    return at >= one.end0


def _observations(release: Release, store: ReleaseStore, token: str) -> Iterator[Json]:
    for cluster in release.clusters_of("Observation"):
        if token in cluster.tokens:
            for chunk in range(cluster.chunks):
                yield from store.chunk(release, cluster.number, chunk)


def _is_present(variant: Json) -> bool:
    return "LA9633-4" in set(values_at(variant, ("valueCodeableConcept", "coding", "code")))


def _overlaps(variant: Json, one: AskedRange) -> bool:
    """Tell whether the bases that change meet a range; an insertion is where it begins, between two bases."""
    told = _components(variant)
    if one.sequence not in set(values_at(told.get(_SEQUENCE, {}), ("valueCodeableConcept", "coding", "code"))):
        return False
    ref, alt = told[_REF]["valueString"], told[_ALT]["valueString"]
    kept = 0
    while kept < min(len(ref), len(alt)) and ref[kept] == alt[kept]:
        kept += 1
    start0 = int(told[_PLACE]["valueRange"]["low"]["value"]) - 1 + kept
    return start0 < one.end0 and max(start0 + 1, start0 + len(ref) - kept) > one.start0


def _components(variant: Json) -> dict[str, Any]:
    return {coding["code"]: part for part in variant.get("component", ()) for coding in part["code"].get("coding", ())}


def _zero_based(variant: Json) -> Json:
    """Return a variant whose coordinates are 0-based, as the operation answers."""
    turned = []
    for part in variant["component"]:
        told = set(values_at(part, ("code", "coding", "code")))
        if _SYSTEM in told:
            turned.append({**part, "valueCodeableConcept": _ZERO_BASED})
        elif _PLACE in told:
            low = part["valueRange"]["low"]
            turned.append({**part, "valueRange": {**part["valueRange"], "low": {**low, "value": low["value"] - 1}}})
        else:
            turned.append(part)
    return variant | {"component": turned}
