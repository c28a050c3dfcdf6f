"""What every resource of a bundle shares: names that follow from the submission, subject, time and status."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from html import escape
from typing import Final

from strandline.fhir import codes
from strandline.fhir.codes import Json
from strandline.fhir.report_file import ReportFile
from strandline.interpretation.amendment import Amendment
from strandline.landing.manifest import SampleDeclaration
from strandline.landing.regions import Region
from strandline.reads.quality import QualitySummary
from strandline.reporting.findings import Findings

NAMESPACE: Final = uuid.UUID("5a3d0a1e-3c55-5f0b-9c42-6d2c1b6f0a11")


class Outcome(StrEnum):
    """What is known of a variant that was asked for by name."""

    ABSENT = "ABSENT"
    """Enough reads cover the place, and they show the reference."""
    NO_CALL = "NO_CALL"
    """The place was sequenced, and no genotype can be believed there."""
    NOT_TESTED = "NOT_TESTED"
    """The place is outside of what was analysed."""


@dataclass(frozen=True, slots=True)
class AskedVariant:
    """A variant that a report has to speak of although it was not found. `position` is 1-based."""

    contig: str
    position: int
    ref: str
    alt: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RegionsSaid:
    """What was analysed, and where a call can be believed; None where the file is not there, or too long to read."""

    studied: Sequence[Region] | None = None
    called: Sequence[Region] | None = None


@dataclass(frozen=True, slots=True)
class BundleInput:
    """What a bundle is made from. `issued` is the time of making, with its zone.

    `sources` are the annotation sources by name, as the VCF's header says them: `ClinVar`, `Genes`...
    """

    submission_id: str
    sample: SampleDeclaration
    reference_label: str
    assembly: str | None
    quality: QualitySummary
    findings: Findings
    issued: datetime
    platform_version: str
    sources: Mapping[str, str] = field(default_factory=dict)
    regions: RegionsSaid = field(default_factory=RegionsSaid)
    asked: tuple[AskedVariant, ...] = ()
    report: ReportFile | None = None
    amendment: Amendment | None = None


class Draft:
    """Makes resources of one bundle; `status` is `preliminary` until a person signs."""

    def __init__(self, source: BundleInput) -> None:
        self.source = source
        self.time = source.issued.isoformat(timespec="seconds")
        self.instant = source.issued.isoformat(timespec="milliseconds")
        self._shared = {
            "status": "preliminary",
            "category": [codes.LABORATORY, codes.GENETICS],
        }
        self._of_whom = {
            "subject": self.reference_to("patient"),
            "effectiveDateTime": self.time,
            "specimen": self.reference_to("specimen"),
        }

    def id_of(self, what: str) -> str:
        """Return the id of a part of the bundle: the same submission gives the same."""
        return str(uuid.uuid5(NAMESPACE, f"{self.source.submission_id}/{what}"))

    def reference_to(self, what: str) -> Json:
        """Return a reference to a part of the bundle."""
        return {"reference": f"urn:uuid:{self.id_of(what)}"}

    def resource(self, kind: str, key: str, says: str, profile: str | None = None) -> Json:
        """Return a resource with a name and a narrative of one paragraph of plain text."""
        made: Json = {"resourceType": kind, "id": self.id_of(key)}
        if profile:
            made["meta"] = {"profile": [codes.profile(profile)]}
        return made | {"text": narrative(says)}

    def observation(self, key: str, profile: str, code: Json, says: str) -> Json:
        """Return an Observation of one of the guide's profiles, without a value."""
        return self.resource("Observation", key, says, profile) | self._shared | {"code": code} | self._of_whom


def narrative(says: str) -> Json:
    """Return a narrative of one paragraph; what is said is text, whatever signs it holds."""
    return {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(says)}</p></div>',
    }


def reference_of(resource: Json) -> Json:
    """Return a reference to a resource of the same bundle."""
    return {"reference": f"urn:uuid:{resource['id']}"}
