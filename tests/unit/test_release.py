"""A release is signed by the right persons in order, and any changed byte breaks it. TRU-03, TRU-05, 21 CFR 11.70."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.fhir.bundle import build_bundle
from strandline.fhir.validation import errors_of, validate_document
from strandline.reporting.report import build_report
from strandline.trust.delivery import make_delivery, verify_delivery
from strandline.trust.heads import name_key
from strandline.trust.release import FrozenFile, ReleaseRecord, check_reason, parse_record, policies, policy_named
from strandline.trust.signatures import (
    Signature,
    Statement,
    next_meaning,
    parse_signatures,
    sign,
    signatures_to_bytes,
    verify_release,
)
from tests.unit.released_bundles import source_of
from tests.unit.test_report import SOURCE

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key()
THREE = policy_named("three_persons")
REPORT = build_report(SOURCE).encode()


def make(message: bytes) -> bytes:
    return KEY.sign(message, ec.ECDSA(hashes.SHA256()))


def bundle() -> bytes:
    return json.dumps(build_bundle(source_of("s-1"))).encode()


DRAFTS = {"bundle.json": bundle(), "report.html": REPORT, "calls.vcf.gz": b"\x1f\x8b calls"}


def record(**changes) -> ReleaseRecord:
    files = tuple(
        FrozenFile(name=name, version_id=f"v-{name}", sha256=sha256(body).hexdigest(), size_bytes=len(body))
        for name, body in DRAFTS.items()
    )
    fields = {
        "submission_id": "s-1",
        "version": 1,
        "kind": "release",
        "prepared": NOW,
        "policy": "three_persons",
        "files": files,
        "amends": None,
        "previous": None,
        "reason": "First release",
        "asked_by": "sample_to_release",
    }
    return ReleaseRecord(**(fields | changes))


def statement(of: ReleaseRecord, meaning: str, given, **changes) -> Statement:
    fields = {
        "record_sha256": of.digest,
        "submission_id": of.submission_id,
        "version": of.version,
        "sub": f"sub-{meaning}",
        "user_name": meaning,
        "printed_name": f"Dr {meaning.title()} <b>",
        "meaning": meaning,
        "signed_at": NOW + timedelta(minutes=1 + len(given)),
        "sign_in": f"sign-in-{meaning}",
        "previous": given[-1].statement.digest if given else None,
        "key_id": name_key(PUBLIC),
    }
    return Statement(**(fields | changes))


def signed(of: ReleaseRecord, meanings=("author", "reviewer", "approver"), **changes) -> list[Signature]:
    given: list[Signature] = []
    for meaning in meanings:
        given.append(sign(statement(of, meaning, given, **changes), make))
    return given


def refusal(act) -> str:
    with pytest.raises(RejectedInputError) as refused:
        act()
    return refused.value.code


def test_a_record_is_written_as_rfc_8785_says_and_read_back():
    body = record().to_bytes()
    assert parse_record(body) == record()
    assert body == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert record().digest == sha256(body).hexdigest()


def test_three_persons_in_order_release_and_nobody_less():
    of = record()
    given = signed(of)
    verify_release(of, given, PUBLIC, THREE)
    assert [next_meaning(of, given[:count], THREE) for count in range(4)] == ["author", "reviewer", "approver", None]
    for count in range(3):
        assert refusal(lambda: verify_release(of, given[:count], PUBLIC, THREE)) == "release_unsigned"  # noqa: B023
    assert refusal(lambda: verify_release(of, [*given, given[-1]], PUBLIC, THREE)) == "signature_order"


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1), (2, 1, 0), (1, 2), (0, 0, 1)])
def test_no_other_order_and_no_gap_passes(order):
    of = record()
    given = signed(of)
    assert refusal(lambda: verify_release(of, [given[place] for place in order], PUBLIC, THREE)) == "signature_order"


def test_one_person_does_not_sign_twice():
    of = record()
    assert refusal(lambda: verify_release(of, signed(of, sub="one"), PUBLIC, THREE)) == "signature_same_person"


@pytest.mark.parametrize("changes", [{"version": 2, "amends": 1, "previous": "0" * 64}, {"submission_id": "s-2"}])
def test_a_signature_is_of_no_other_version_and_of_no_other_submission(changes):
    given = signed(record())
    other = record(**changes)
    assert refusal(lambda: verify_release(other, given, PUBLIC, THREE)) == "signature_of_another_record"


def test_a_signature_before_the_record_or_before_the_one_before_it_is_of_a_clock_that_was_moved():
    of = record()
    early = sign(statement(of, "author", [], signed_at=NOW - timedelta(seconds=1)), make)
    assert refusal(lambda: verify_release(of, [early], PUBLIC, THREE)) == "signature_too_early"
    first = signed(of)[:1]
    second = sign(statement(of, "reviewer", first, signed_at=NOW + timedelta(seconds=1)), make)
    assert refusal(lambda: verify_release(of, [*first, second], PUBLIC, THREE)) == "signature_too_early"


def test_another_key_proves_nothing():
    of, other = record(), ec.generate_private_key(ec.SECP256R1())
    assert refusal(lambda: verify_release(of, signed(of), other.public_key(), THREE)) == "signature_key"
    forged = [sign(statement(of, "author", []), lambda message: other.sign(message, ec.ECDSA(hashes.SHA256())))]
    assert refusal(lambda: verify_release(of, forged, PUBLIC, THREE)) == "signature_broken"


@pytest.mark.parametrize("name", ["meaning", "sub", "user_name", "printed_name", "signed_at", "sign_in"])
def test_nothing_that_a_signature_says_can_be_changed(name):
    of = record()
    given = signed(of)
    changed = {"meaning": "author", "signed_at": NOW + timedelta(hours=9)}.get(name, "another")
    last = given[-1].statement.model_copy(update={name: changed})
    forged = [*given[:-1], Signature.model_construct(statement=last, value=given[-1].value)]
    assert refusal(lambda: verify_release(of, forged, PUBLIC, THREE)) in {"signature_broken", "signature_order"}


DELIVERY = make_delivery(record(), signed(record()), PUBLIC, DRAFTS)


def test_a_delivery_verifies_with_the_key_alone_and_names_every_signer():
    found = verify_delivery(DELIVERY, PUBLIC, THREE)
    assert [one.statement.user_name for one in found.signatures] == ["author", "reviewer", "approver"]
    report = DELIVERY["report.html"].decode()
    for word in ("Draft for", "DRAFT", "For signature", "Not signed"):
        assert word not in report
    for name in ("Author", "Reviewer", "Approver"):
        assert f"Dr {name} &lt;b&gt;" in report  # the printed name, never as HTML
    assert record().digest in report
    assert DELIVERY["calls.vcf.gz"] == DRAFTS["calls.vcf.gz"]


def test_the_delivered_bundle_holds_each_signature_and_is_valid():
    delivered = json.loads(DELIVERY["bundle.json"])
    assert errors_of(validate_document(delivered)) == []
    (provenance,) = [
        entry["resource"] for entry in delivered["entry"] if entry["resource"]["resourceType"] == "Provenance"
    ]
    codes = [one["type"][0]["code"] for one in provenance["signature"]]
    assert codes == [f"1.2.840.10065.1.12.1.{number}" for number in (1, 13, 5)]  # ASTM E1762: author, review, verify
    assert {one["who"]["reference"] for one in provenance["signature"]} <= {
        entry["fullUrl"] for entry in delivered["entry"]
    }


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(DELIVERY)), at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_bit_that_is_changed_in_any_file_shows(name, at, bit):
    body = bytearray(DELIVERY[name])
    body[at % len(body)] ^= 1 << bit
    with pytest.raises(RejectedInputError):
        verify_delivery({**DELIVERY, name: bytes(body)}, PUBLIC, THREE)


@pytest.mark.parametrize("name", sorted(DELIVERY))
def test_no_file_may_be_missing_and_none_may_be_added(name):
    rest = {other: body for other, body in DELIVERY.items() if other != name}
    with pytest.raises(RejectedInputError):
        verify_delivery(rest, PUBLIC, THREE)
    with pytest.raises(RejectedInputError, match="were not released"):
        verify_delivery({**DELIVERY, "more.txt": b""}, PUBLIC, THREE)


def test_a_draft_that_is_not_the_one_that_was_signed_is_not_delivered():
    swapped = DRAFTS | {"report.html": REPORT + b" "}
    assert refusal(lambda: make_delivery(record(), signed(record()), PUBLIC, swapped)) == "release_file_changed"
    del swapped["report.html"]
    assert refusal(lambda: make_delivery(record(), signed(record()), PUBLIC, swapped)) == "release_file_missing"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", record().to_bytes() + b"\n", b"\xff"])
def test_what_is_no_record_is_refused(body):
    assert refusal(lambda: parse_record(body)) == "release_record_invalid"


@pytest.mark.parametrize(
    "changes",
    [
        {"amends": 1, "previous": "0" * 64},  # the first amends nothing
        {"version": 2},  # a second says what it amends
        {"version": 2, "amends": 2, "previous": "0" * 64},
        {"files": ()},
        {"kind": "withdrawal"},
        {"files": (record().files[0], record().files[0])},
    ],
)
def test_a_record_that_contradicts_itself_is_refused(changes):
    assert refusal(lambda: parse_record(record(**changes).to_bytes())) == "release_record_invalid"


def test_a_withdrawal_is_signed_too_and_has_no_files():
    gone = record(version=2, kind="withdrawal", files=(), amends=1, previous=record().digest, reason="Wrong patient")
    assert parse_record(gone.to_bytes()) == gone
    given = signed(gone, ["approver"])
    verify_release(gone, given, PUBLIC, THREE)
    assert verify_delivery(make_delivery(gone, given, PUBLIC, {}), PUBLIC, THREE).record.reason == "Wrong patient"


def test_every_change_has_a_reason():
    assert check_reason(" New ClinVar ") == "New ClinVar"
    assert refusal(lambda: check_reason(" ")) == "reason_missing"
    assert refusal(lambda: check_reason("a\nb")) == "reason_invalid"
    assert refusal(lambda: check_reason("x" * 2_001)) == "reason_invalid"


def test_signatures_are_read_back_as_they_were_written():
    given = signed(record())
    assert parse_signatures(signatures_to_bytes(given)) == given
    assert refusal(lambda: parse_signatures(signatures_to_bytes(given) + b" ")) == "signatures_invalid"
    assert refusal(lambda: parse_signatures(b"[1]")) == "signatures_invalid"


def test_every_policy_asks_for_an_author_first_and_an_approver_last():
    for policy in policies().values():
        assert policy.release[0] == "author"
        assert policy.release[-1] == policy.withdrawal[-1] == "approver"
        assert len(set(policy.release)) == len(policy.release)


@pytest.mark.parametrize(
    "damage", [lambda page: page.replace(b"<main>", b""), lambda page: page + page, lambda page: page[:0]]
)
def test_a_report_without_a_place_for_signatures_is_not_delivered(damage):
    body = damage(REPORT)
    file = FrozenFile(name="report.html", version_id="v", sha256=sha256(body).hexdigest(), size_bytes=len(body))
    changed = record(files=(file,))
    assert refusal(lambda: make_delivery(changed, signed(changed), PUBLIC, {"report.html": body})) == (
        "report_not_a_draft"
    )
