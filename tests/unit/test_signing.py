"""Signatures of manifests. Vectors: RFC 8032 section 7.1 test 1, RFC 8410 section 10. Requirement: ING-12."""

import hashlib
import shutil
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from strandline.errors import RejectedInputError
from strandline.landing.manifest import Manifest, ReferenceName, SampleDeclaration
from strandline.landing.signing import (
    Signature,
    checksum_lines,
    make_key,
    name_key,
    parse_signature,
    public_bytes,
    read_private_key,
    read_public_key,
    sign_manifest,
    verify_signature,
)

PKCS8_HEAD = bytes.fromhex("302e020100300506032b657004220420")
RFC8032_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
RFC8032_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
RFC8032_SIGNED = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
    "655141438e7a100b"
)
RFC8410_PRIVATE = b"MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
RFC8410_PUBLIC = b"MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # NIST, SHA-256 of "abc"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def pem(kind: str, body: bytes) -> bytes:
    return f"-----BEGIN {kind} KEY-----\n{body.decode()}\n-----END {kind} KEY-----\n".encode()


PRIVATE_PEM = pem("PRIVATE", b64encode(PKCS8_HEAD + RFC8032_SEED))
KEY = read_private_key(PRIVATE_PEM, None)
MANIFEST = Manifest.model_validate(
    {
        "sample": SampleDeclaration(sample_id="S1", site="north"),
        "reference": ReferenceName(name="slice", version="0c2b"),
        "files": [
            {"name": "reads_1.fastq", "role": "READS_1", "size_bytes": 3, "sha256": ABC},
            {"name": "reads_2.fastq", "role": "READS_2", "size_bytes": 0, "sha256": EMPTY},
        ],
    }
)
BODY = MANIFEST.to_json()


def test_keys_are_read_and_sign_as_the_rfcs_say():
    assert public_bytes(KEY.public_key()) == RFC8032_PUBLIC
    assert KEY.sign(b"") == RFC8032_SIGNED
    published = read_public_key(pem("PUBLIC", RFC8410_PUBLIC))
    assert public_bytes(read_private_key(pem("PRIVATE", RFC8410_PRIVATE), None).public_key()) == published
    assert published.hex() == "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"


def test_a_key_is_named_after_its_public_half():
    assert name_key(RFC8032_PUBLIC) == hashlib.sha256(RFC8032_PUBLIC).hexdigest()[:32]


def test_what_is_signed_names_every_file_with_its_sha_256():
    manifest_digest = hashlib.sha256(BODY).hexdigest()
    assert checksum_lines(MANIFEST, BODY).decode() == (
        f"{manifest_digest}  manifest.json\n{ABC}  reads_1.fastq\n{EMPTY}  reads_2.fastq\n"
    )


def test_openssl_verifies_what_was_signed(tmp_path: Path):
    """Another implementation, over bytes that are put together by hand."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl on this machine")
    key_id = name_key(RFC8032_PUBLIC)
    signed = f"strandline signed package 1\nkey {key_id}\n".encode() + checksum_lines(MANIFEST, BODY)
    (tmp_path / "signed").write_bytes(signed)
    (tmp_path / "signature").write_bytes(b64decode(sign_manifest(KEY, MANIFEST, BODY).signature))
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "lab.pub").write_bytes(public)
    options = ["-verify", "-pubin", "-inkey", "lab.pub", "-rawin", "-in", "signed", "-sigfile", "signature"]
    done = subprocess.run([openssl, "pkeyutl", *options], cwd=tmp_path, capture_output=True, text=True, check=False)
    if "rawin" in done.stderr:
        pytest.skip("this openssl is too old for Ed25519")
    assert "Verified Successfully" in done.stdout


def test_a_signature_is_written_and_read_back_and_fits_its_manifest_alone():
    signature = parse_signature(sign_manifest(KEY, MANIFEST, BODY).to_json())
    verify_signature(signature, RFC8032_PUBLIC, MANIFEST, BODY)
    other = MANIFEST.model_copy(update={"files": MANIFEST.files[::-1]})
    verify_signature(signature, RFC8032_PUBLIC, other, BODY)  # the order says nothing
    for manifest, body, public in (
        (MANIFEST, BODY + b" ", RFC8032_PUBLIC),
        (MANIFEST.model_copy(update={"files": MANIFEST.files[:1]}), BODY, RFC8032_PUBLIC),
        (MANIFEST, BODY, read_public_key(pem("PUBLIC", RFC8410_PUBLIC))),
    ):
        with pytest.raises(RejectedInputError, match=r"^signature_invalid: "):
            verify_signature(signature, public, manifest, body)


def test_a_signature_under_another_keys_name_is_refused():
    signature = sign_manifest(KEY, MANIFEST, BODY)
    stolen = signature.model_copy(update={"key_id": "0" * 32})
    with pytest.raises(RejectedInputError, match=r"^signature_invalid: "):
        verify_signature(stolen, RFC8032_PUBLIC, MANIFEST, BODY)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff",
        b"[" * 5000,
        b'{"algorithm": "none", "key_id": "' + b"0" * 32 + b'", "signature": "' + b"A" * 86 + b'=="}',
        b'{"key_id": "' + b"0" * 32 + b'", "signature": "' + b"A" * 80 + b'=="}',
        Signature(key_id="0" * 32, signature="A" * 86 + "==").to_json() + b" " * 5000,
    ],
)
def test_what_is_no_signature_is_refused(body):
    with pytest.raises(RejectedInputError, match=r"^signature_invalid: "):
        parse_signature(body)


def test_no_letter_of_a_signature_can_be_changed_unseen():
    """Base64 of 64 bytes leaves four bits over, and JSON leaves blanks free: neither may vary."""
    body = sign_manifest(KEY, MANIFEST, BODY).to_json()
    for at in range(len(body)):
        for other in {body[at] ^ 1, body[at] ^ 16, ord(" ")} - {body[at]}:
            with pytest.raises(RejectedInputError, match=r"^signature_invalid: "):
                check(body[:at] + bytes([other]) + body[at + 1 :])


def check(signature: bytes) -> None:
    verify_signature(parse_signature(signature), RFC8032_PUBLIC, MANIFEST, BODY)


def test_a_private_key_is_encrypted_under_its_passphrase():
    private, public = make_key("correct horse")
    assert b"ENCRYPTED" in private
    assert public_bytes(read_private_key(private, "correct horse").public_key()) == read_public_key(public)
    for passphrase, code in ((None, "passphrase_missing"), ("wrong", "passphrase_wrong")):
        with pytest.raises(RejectedInputError) as caught:
            read_private_key(private, passphrase)
        assert caught.value.code == code


def test_a_key_without_a_passphrase_is_read_whatever_the_environment_holds():
    private, public = make_key(None)
    assert b"ENCRYPTED" not in private
    for passphrase in (None, "unneeded"):
        assert public_bytes(read_private_key(private, passphrase).public_key()) == read_public_key(public)


def test_keys_of_another_kind_are_refused():
    other = generate_private_key(SECP256R1())
    private = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for body in (private, b"", b"-----BEGIN PRIVATE KEY-----\n"):
        with pytest.raises(RejectedInputError, match=r"^key_unreadable: "):
            read_private_key(body, None)
    for body in (public, PRIVATE_PEM, b""):
        with pytest.raises(RejectedInputError, match=r"^key_unreadable: "):
            read_public_key(body)
