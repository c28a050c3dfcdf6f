"""What is handed over of a release: the signed files, their final form, and what proves who signed them.

The final files are made of those that were signed and of the signatures, by nothing else: whoever has the folder makes
them again and compares. So a byte that was changed in any shows. The final PDF begins with the signed one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from strandline.errors import RejectedInputError
from strandline.fhir.provenance import Signature as FhirSignature
from strandline.fhir.provenance import sign_provenance
from strandline.fhir.report_file import point_at, points_at, report_file
from strandline.journey import Artifact
from strandline.reporting.signature_block import (
    PrintedSignature,
    SignedVersion,
    print_plain_signature,
    print_signatures,
)
from strandline.trust.heads import to_pem
from strandline.trust.release import Policy, ReleaseRecord, canonical, parse_record
from strandline.trust.signatures import (
    MEANING_WORDS,
    Signature,
    parse_signatures,
    signatures_to_bytes,
    verify_release,
)

RECORD: Final = "record.json"
SIGNATURES: Final = "signatures.json"
PUBLIC_KEY: Final = "signing_key.pem"
RELEASED: Final = "released.json"
"""Written last: whoever finds it finds the rest."""

_SIGNED_FOLDER: Final = "signed/"
_MAKING_WITHOUT_PDF: Final = 1
_MAKING: Final = 2
_SIGNATURE_FORMAT: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Verified:
    """A delivery that is what was signed."""

    record: ReleaseRecord
    signatures: list[Signature]


def make_delivery(
    record: ReleaseRecord, signatures: list[Signature], key: ec.EllipticCurvePublicKey, drafts: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return every file of a delivery by its name, `released.json` last.

    Args:
        record: what was signed.
        signatures: in order; the caller has verified them.
        key: the public part of the key that signed.
        drafts: the files that the record names, by name.

    Raises:
        RejectedInputError: `release_file_missing` or `release_file_changed`.
    """
    _check_drafts(record, drafts)
    made = {
        RECORD: record.to_bytes(),
        SIGNATURES: signatures_to_bytes(signatures),
        PUBLIC_KEY: to_pem(key),
        **{f"{_SIGNED_FOLDER}{name}": body for name, body in drafts.items()},
        **_finals(record, signatures, drafts),
    }
    told = {
        "submission_id": record.submission_id,
        "version": record.version,
        "kind": record.kind,
        "amends": record.amends,
        "reason": record.reason,
        "record_sha256": record.digest,
        "making": _MAKING if Artifact.REPORT_PDF in drafts else _MAKING_WITHOUT_PDF,
        "files": {name: sha256(body).hexdigest() for name, body in made.items()},
    }
    return made | {RELEASED: canonical(told)}


def check_drafts_agree(drafts: Mapping[str, bytes]) -> None:
    """Check that bundle and PDF are of one making, before anybody signs them.

    Raises:
        RejectedInputError: `release_files_disagree`.
    """
    pdf, bundle = drafts.get(Artifact.REPORT_PDF), drafts.get(Artifact.BUNDLE)
    if pdf is None or bundle is None:
        return
    if not points_at(orjson.loads(bundle), report_file(Artifact.REPORT_PDF, pdf)):
        raise RejectedInputError(
            "release_files_disagree", "the bundle points at another report than the one that is there: render it anew"
        )


def verify_delivery(files: Mapping[str, bytes], key: ec.EllipticCurvePublicKey, policy: Policy) -> Verified:
    """Check the files of a delivery, with nothing but the public key, which comes from elsewhere, and the policy.

    Raises:
        RejectedInputError: `delivery_incomplete`, `delivery_changed`, and what reading and verifying refuses.
    """
    if missing := {RECORD, SIGNATURES, RELEASED} - set(files):
        raise RejectedInputError("delivery_incomplete", f"{sorted(missing)} are not there: fetch the whole folder")
    record, signatures = parse_record(files[RECORD]), parse_signatures(files[SIGNATURES])
    verify_release(record, signatures, key, policy)
    drafts = {
        one.name: files[f"{_SIGNED_FOLDER}{one.name}"] for one in record.files if _SIGNED_FOLDER + one.name in files
    }
    wanted = make_delivery(record, signatures, key, drafts)
    for name, body in wanted.items():
        if name not in files:
            raise RejectedInputError("delivery_incomplete", f"{name} is not there: fetch the whole folder")
        if files[name] != body:
            raise RejectedInputError("delivery_changed", f"{name} is not what was released")
    if beside := set(files) - set(wanted):
        raise RejectedInputError("delivery_changed", f"{sorted(beside)} were not released")
    return Verified(record, signatures)


def _check_drafts(record: ReleaseRecord, drafts: Mapping[str, bytes]) -> None:
    for file in record.files:
        if file.name not in drafts:
            raise RejectedInputError("release_file_missing", f"{file.name} is not there in the version that was signed")
        if sha256(drafts[file.name]).hexdigest() != file.sha256:
            raise RejectedInputError("release_file_changed", f"{file.name} is not what was signed: its SHA-256 differs")


def _finals(record: ReleaseRecord, signatures: list[Signature], drafts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the final form of what has one; other files are handed over as they were signed."""
    version = SignedVersion(record.submission_id, record.version, record.digest, record.amends, record.reason)
    printed = [
        PrintedSignature(said.printed_name, said.user_name, MEANING_WORDS[said.meaning], said.signed_at)
        for said in (one.statement for one in signatures)
    ]
    finals = dict(drafts)
    for name, body in drafts.items():
        match name:
            case Artifact.REPORT:
                finals[name] = print_signatures(body.decode(), version, printed).encode()
            case Artifact.REPORT_PDF:
                finals[name] = _sign_pdf(body, version, printed)
            case Artifact.PLAIN_REPORT:
                finals[name] = print_plain_signature(body.decode(), printed).encode()
    if Artifact.BUNDLE in drafts:
        bundle = sign_provenance(orjson.loads(drafts[Artifact.BUNDLE]), *map(_for_fhir, signatures))
        if Artifact.REPORT_PDF in finals:
            point_at(bundle, report_file(Artifact.REPORT_PDF, finals[Artifact.REPORT_PDF]))
        finals[Artifact.BUNDLE] = orjson.dumps(bundle)
    return finals


def _sign_pdf(pdf: bytes, version: SignedVersion, printed: list[PrintedSignature]) -> bytes:
    from strandline.reporting.signature_page import append_signatures  # noqa: PLC0415 - few need to read a PDF

    return append_signatures(pdf, version, printed)


def _for_fhir(signature: Signature) -> FhirSignature:
    said = signature.statement
    return FhirSignature(said.sub, said.signed_at, canonical(signature.as_json()), _SIGNATURE_FORMAT, said.meaning)
