"""Keys of labs, and what the landing door makes of signatures. Requirement: ING-12."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strandline.aws.lab_keys import EVERY_SITE, LabKeys
from strandline.errors import RejectedInputError
from strandline.journey import SIGNATURE_NAME
from strandline.landing.manifest import Manifest
from strandline.landing.signing import name_key, public_bytes, sign_manifest
from tests.integration.conftest import NOW, READS, SAMPLE, Aws, manifest_of, register_reference_bundle

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_bytes(KEY.public_key())
KEY_ID = name_key(PUBLIC)
MANIFEST = manifest_of(READS, sample=SAMPLE.model_copy(update={"site": "north"}))
REQUEST = {"submission_id": "s-1"}
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def keys(aws: Aws) -> LabKeys:
    return LabKeys(aws.dynamodb, "submissions")


@pytest.fixture
def validate(aws: Aws, handler):
    register_reference_bundle(aws)
    return handler("validate_files")


def signed(manifest: Manifest = MANIFEST, key: Ed25519PrivateKey = KEY) -> bytes:
    return sign_manifest(key, manifest, manifest.to_json()).to_json()


def refusal(validate) -> str:
    with pytest.raises(RejectedInputError) as caught:
        validate(REQUEST)
    return caught.value.code


def test_a_key_is_registered_once_and_revoked_for_good(keys):
    first = keys.register("north", PUBLIC, who="ann", now=NOW, valid_from=NOW)
    again = keys.register("north", PUBLIC, who="bob", now=NOW, valid_from=LONG_AGO)
    assert again == first
    assert (first.key_id, first.registered_by, first.valid_from, first.revoked_at) == (KEY_ID, "ann", NOW, None)
    revoked = keys.revoke("north", KEY_ID, who="ann", reason="the laptop was lost", now=NOW)
    assert keys.revoke("north", KEY_ID, who="bob", reason="once more", now=NOW + timedelta(1)) == revoked
    assert (revoked.revoked_at, revoked.revoked_by, revoked.reason) == (NOW, "ann", "the laptop was lost")
    with pytest.raises(RejectedInputError, match=r"^signer_revoked: "):
        keys.register("north", PUBLIC, who="ann", now=NOW, valid_from=NOW)
    assert (keys.list("north"), keys.list("south")) == ([revoked], [])
    with pytest.raises(RejectedInputError, match=r"^signer_unknown: "):
        keys.revoke("south", KEY_ID, who="ann", reason="the laptop was lost", now=NOW)


def test_who_must_sign_is_said_for_a_site_or_for_all(keys):
    assert not keys.must_sign("north")
    keys.require("north", True, who="ann", now=NOW)
    assert (keys.must_sign("north"), keys.must_sign("south"), keys.must_sign(None)) == (True, False, False)
    keys.require(EVERY_SITE, True, who="ann", now=NOW)
    keys.require("north", False, who="ann", now=NOW)
    assert (keys.must_sign("north"), keys.must_sign("south"), keys.must_sign(None)) == (True, True, True)


def test_a_signed_submission_of_a_registered_key_is_accepted(aws, keys, validate):
    keys.register("north", PUBLIC, who="ann", now=NOW, valid_from=LONG_AGO)
    keys.require("north", True, who="ann", now=NOW)
    aws.submit("s-1", READS | {SIGNATURE_NAME: signed()}, MANIFEST)
    assert validate(REQUEST) == {"verdict": "ACCEPTED"}


def test_a_signature_whose_event_is_late_counts_all_the_same(aws, keys, validate):
    keys.register("north", PUBLIC, who="ann", now=NOW, valid_from=LONG_AGO)
    keys.require("north", True, who="ann", now=NOW)
    aws.submit("s-1", READS, MANIFEST)
    aws.land("s-1", SIGNATURE_NAME, signed())
    assert validate(REQUEST) == {"verdict": "ACCEPTED"}


def test_an_unsigned_submission_is_accepted_unless_its_site_must_sign(aws, keys, validate):
    aws.submit("s-1", READS, MANIFEST)
    assert validate(REQUEST) == {"verdict": "ACCEPTED"}
    keys.require("north", True, who="ann", now=NOW)
    assert refusal(validate) == "signature_missing"


@pytest.mark.parametrize(
    ("signature", "code"),
    [
        (signed(key=Ed25519PrivateKey.from_private_bytes(bytes(32))), "signer_unknown"),
        (signed(manifest_of(READS)), "signature_invalid"),
        (b"not a signature", "signature_invalid"),
        (signed()[:-10], "signature_invalid"),
        (b" " * 10_000, "signature_invalid"),
    ],
)
def test_a_signature_that_does_not_fit_is_refused_though_none_is_required(aws, keys, validate, signature, code):
    keys.register("north", PUBLIC, who="ann", now=NOW, valid_from=LONG_AGO)
    aws.submit("s-1", READS | {SIGNATURE_NAME: signature}, MANIFEST)
    assert refusal(validate) == code


def test_a_key_counts_for_its_site_and_its_time_alone(aws, keys, validate):
    keys.register("south", PUBLIC, who="ann", now=NOW, valid_from=LONG_AGO)
    aws.submit("s-1", READS | {SIGNATURE_NAME: signed()}, MANIFEST)
    assert refusal(validate) == "signer_unknown"
    keys.register("north", PUBLIC, who="ann", now=NOW, valid_from=datetime(9999, 1, 1, tzinfo=UTC))
    assert refusal(validate) == "signer_unknown"


def test_what_a_revoked_key_signed_is_refused(aws, keys, validate):
    keys.register("north", PUBLIC, who="ann", now=LONG_AGO, valid_from=LONG_AGO)
    keys.revoke("north", KEY_ID, who="ann", reason="the laptop was lost", now=LONG_AGO)
    aws.submit("s-1", READS | {SIGNATURE_NAME: signed()}, MANIFEST)
    assert refusal(validate) == "signer_revoked"


def test_a_signature_of_a_manifest_without_a_site_is_nobodys(aws, keys, validate):
    keys.register("north", PUBLIC, who="ann", now=NOW, valid_from=LONG_AGO)
    manifest = manifest_of(READS)
    aws.submit("s-1", READS | {SIGNATURE_NAME: signed(manifest)}, manifest)
    assert refusal(validate) == "signer_unknown"
