"""The report for people, which a bundle points at and does not hold.

Source: HL7 FHIR R4, DocumentReference and Attachment, whose `hash` is a SHA-1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, Final

from strandline.fhir import codes
from strandline.fhir.codes import Json

PDF: Final = "application/pdf"


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A report to point at."""

    title: str
    content_type: str
    size_bytes: int
    sha1: bytes


def report_file(name: str, body: bytes, content_type: str = PDF) -> ReportFile:
    """Return how a bundle points at a file."""
    return ReportFile(name, content_type, len(body), sha1(body, usedforsecurity=False).digest())


def points_at(bundle: Json, report: ReportFile) -> bool:
    """Tell whether a bundle points at exactly this file."""
    return any(
        (found.get("size"), found.get("hash")) == (report.size_bytes, codes.base64_of(report.sha1))
        for found in _attachments(bundle, report.title)
    )


def point_at(bundle: Json, report: ReportFile) -> None:
    """Have a bundle's reference to the file of that title point at another form of it."""
    for found in _attachments(bundle, report.title):
        found |= {"size": report.size_bytes, "hash": codes.base64_of(report.sha1)}


def _attachments(bundle: Json, title: str) -> Iterator[dict[str, Any]]:
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "DocumentReference":
            for content in entry["resource"]["content"]:
                if content["attachment"].get("title") == title:
                    yield content["attachment"]
