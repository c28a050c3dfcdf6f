"""Signed packages: nothing in one can be changed, swapped, added or left out unseen. Requirement: ING-12, SEC-06."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.landing.manifest import Manifest
from strandline.landing.package import check_files, open_package, verify_package, write_package
from strandline.landing.signing import name_key, public_bytes, sign_manifest

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_bytes(KEY.public_key())
TRUSTED = {name_key(PUBLIC): PUBLIC}
BODIES = {"reads_1.fastq": b"abc", "reads_2.fastq": b"abd", "regions.bed": b"c\t0\t9\n"}
ROLES = {"reads_1.fastq": "READS_1", "reads_2.fastq": "READS_2", "regions.bed": "REGIONS"}


def describe(bodies: dict[str, bytes]) -> Manifest:
    return Manifest.model_validate(
        {
            "sample": {"sample_id": "S1", "site": "north"},
            "reference": {"name": "slice", "version": "0c2b"},
            "files": [
                {
                    "name": name,
                    "role": ROLES[name],
                    "size_bytes": len(body),
                    "sha256": hashlib.sha256(body).hexdigest(),
                }
                for name, body in bodies.items()
            ],
        }
    )


def make(folder: Path) -> Path:
    source = folder / "source"
    source.mkdir()
    for name, body in BODIES.items():
        (source / name).write_bytes(body)
    package = folder / "S1.strandpkg"
    write_package(package, describe(BODIES), {name: source / name for name in BODIES}, KEY)
    return package


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return make(tmp_path)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("package"))


def test_a_package_holds_what_it_says_and_is_genuine(package):
    assert {path.name for path in package.iterdir()} == {*BODIES, "manifest.json", "manifest.sig", "SHA256SUMS"}
    found = verify_package(package, TRUSTED)
    assert found.manifest == describe(BODIES)
    assert found.signature.key_id == name_key(PUBLIC)
    # NIST: the SHA-256 of "abc"
    line = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  reads_1.fastq"
    assert line in (package / "SHA256SUMS").read_text().splitlines()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_byte_can_be_changed_unseen(lasting, data):
    path = data.draw(st.sampled_from(sorted(lasting.iterdir())))
    body = path.read_bytes()
    at = data.draw(st.integers(0, len(body) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    path.write_bytes(body[:at] + bytes([body[at] ^ bit]) + body[at + 1 :])
    try:
        with pytest.raises(RejectedInputError):
            verify_package(lasting, TRUSTED)
    finally:
        path.write_bytes(body)


def swap(package: Path) -> None:
    first, second = package / "reads_1.fastq", package / "reads_2.fastq"
    first.rename(package / "x")
    second.rename(first)
    (package / "x").rename(second)


def swap_with_checksums(package: Path) -> None:
    swap(package)
    lines = (package / "SHA256SUMS").read_text()
    one, two = (hashlib.sha256(body).hexdigest() for body in (b"abc", b"abd"))
    (package / "SHA256SUMS").write_text(lines.replace(one, "?").replace(two, one).replace("?", two))


def swap_with_manifest(package: Path) -> None:
    swap(package)
    bodies = BODIES | {"reads_1.fastq": b"abd", "reads_2.fastq": b"abc"}
    (package / "manifest.json").write_bytes(describe(bodies).to_json())


def leave_out_a_file_and_its_entry(package: Path) -> None:
    (package / "regions.bed").unlink()
    bodies = {name: body for name, body in BODIES.items() if name != "regions.bed"}
    (package / "manifest.json").write_bytes(describe(bodies).to_json())


def sign_with_another_key(package: Path) -> None:
    manifest = open_package(package)
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    signature = sign_manifest(stranger, manifest.manifest, manifest.manifest_body)
    (package / "manifest.sig").write_bytes(signature.to_json())


def sign_with_another_key_in_this_ones_name(package: Path) -> None:
    sign_with_another_key(package)
    signature = json.loads((package / "manifest.sig").read_bytes())
    (package / "manifest.sig").write_text(json.dumps(signature | {"key_id": name_key(PUBLIC)}))


def declare_the_signature_as_a_file(package: Path) -> None:
    manifest = json.loads((package / "manifest.json").read_bytes())
    manifest["files"][2]["name"] = "manifest.sig"
    (package / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        (swap, "checksum_mismatch"),
        (swap_with_checksums, "checksums_differ"),
        (swap_with_manifest, "checksums_differ"),
        (leave_out_a_file_and_its_entry, "checksums_differ"),
        (sign_with_another_key, "signer_unknown"),
        (sign_with_another_key_in_this_ones_name, "signature_invalid"),
        (declare_the_signature_as_a_file, "file_not_declared"),
        (lambda package: (package / "regions.bed").unlink(), "file_missing"),
        (lambda package: (package / "manifest.json").unlink(), "file_missing"),
        (lambda package: (package / "SHA256SUMS").unlink(), "file_missing"),
        (lambda package: (package / "manifest.sig").unlink(), "signature_missing"),
        (lambda package: (package / "more.txt").touch(), "file_not_declared"),
        (lambda package: (package / ".hidden").touch(), "file_not_declared"),
        (lambda package: (package / "\x1b[2J").touch(), "file_not_declared"),
        (lambda package: (package / "deep").mkdir(), "package_not_plain"),
        (lambda package: (package / "reads_2.fastq").write_bytes(b"abd!"), "size_mismatch"),
        (lambda package: (package / "SHA256SUMS").write_bytes(b""), "checksums_differ"),
    ],
)
def test_what_was_done_to_a_package_has_a_code(package, tamper: Callable[[Path], object], code):
    tamper(package)
    with pytest.raises(RejectedInputError) as caught:
        verify_package(package, TRUSTED)
    assert caught.value.code == code
    assert caught.value.message.isprintable()


def test_signing_anew_what_was_tampered_with_does_not_help(package):
    swap_with_manifest(package)
    found = describe(BODIES | {"reads_1.fastq": b"abd", "reads_2.fastq": b"abc"})
    lines = (package / "SHA256SUMS").read_bytes()
    (package / "SHA256SUMS").write_bytes(
        b"".join(
            f"{digest}  {name}\n".encode()
            for name, digest in sorted(
                {file.name: file.sha256 for file in found.files}.items()
                | {("manifest.json", hashlib.sha256(found.to_json()).hexdigest())}
            )
        )
    )
    assert (package / "SHA256SUMS").read_bytes() != lines
    with pytest.raises(RejectedInputError, match=r"^signature_invalid: "):
        verify_package(package, TRUSTED)


def test_a_link_in_a_package_is_not_followed(package):
    (package / "regions.bed").rename(package.parent / "elsewhere.bed")
    (package / "regions.bed").symlink_to(package.parent / "elsewhere.bed")
    with pytest.raises(RejectedInputError, match=r"^package_not_plain: "):
        verify_package(package, TRUSTED)


def test_a_file_that_changed_since_it_was_described_leaves_no_package(tmp_path):
    for name, body in BODIES.items():
        (tmp_path / name).write_bytes(body + b"!")
    with pytest.raises(RejectedInputError, match=r"^checksum_mismatch: "):
        write_package(tmp_path / "out", describe(BODIES), {name: tmp_path / name for name in BODIES}, KEY)
    assert {path.name for path in tmp_path.iterdir()} == set(BODIES)


def test_a_package_is_never_overwritten_and_what_is_none_is_named(package):
    with pytest.raises(RejectedInputError, match=r"^package_exists: "):
        write_package(package, describe(BODIES), {}, KEY)
    with pytest.raises(RejectedInputError, match=r"^package_unreadable: .*No such file"):
        open_package(package / "nowhere")


def test_the_files_can_be_checked_without_any_key(package):
    check_files(open_package(package))
    (package / "reads_1.fastq").write_bytes(b"abe")
    with pytest.raises(RejectedInputError, match=r"^checksum_mismatch: "):
        check_files(open_package(package))
