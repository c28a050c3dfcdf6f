"""What is handed over of a release: the signed files, their final form, and what proves who signed them.

The final bundle and report are made of the files that were signed and of the signatures, by nothing else: whoever has
the folder makes them again and compares. So a byte that was changed in either shows.
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
from strandline.journey import Artifact
from strandline.reporting.signature_block import PrintedSignature, SignedVersion, print_signatures
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
_MAKING: Final = 1
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
        "making": _MAKING,
        "files": {name: sha256(body).hexdigest() for name, body in made.items()},
    }
    return made | {RELEASED: canonical(told)}


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
    finals: dict[str, bytes] = {}
    for name, body in drafts.items():
        match name:
            case Artifact.BUNDLE:
                finals[name] = orjson.dumps(sign_provenance(orjson.loads(body), *map(_for_fhir, signatures)))
            case Artifact.REPORT:
                finals[name] = _print(record, signatures, body)
            case _:
                finals[name] = body
    return finals


def _for_fhir(signature: Signature) -> FhirSignature:
    said = signature.statement
    return FhirSignature(said.sub, said.signed_at, canonical(signature.as_json()), _SIGNATURE_FORMAT, said.meaning)


def _print(record: ReleaseRecord, signatures: list[Signature], report: bytes) -> bytes:
    version = SignedVersion(record.submission_id, record.version, record.digest, record.amends, record.reason)
    printed = [
        PrintedSignature(said.printed_name, said.user_name, MEANING_WORDS[said.meaning], said.signed_at)
        for said in (one.statement for one in signatures)
    ]
    return print_signatures(report.decode(), version, printed).encode()
