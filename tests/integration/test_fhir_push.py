"""`strandline fhir push`: over TLS to a server of another hospital, told to the log before, receipt kept. CLN-02."""

import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from strandline.aws.audit_entries import queue_beside
from strandline.aws.fhir_audit import FhirAudit
from strandline.aws.fhir_push import Pushing, sender
from strandline.aws.fhir_store import FhirStore
from strandline.errors import RejectedInputError, TemporaryError
from strandline.fhir.served.access import Caller
from tests.integration.test_fhir_store import index
from tests.unit.released_bundles import NOW, made_release

assert index  # the fixture makes the table


class Hospital(ThreadingHTTPServer):
    """Answers what `plan` says, then takes everything."""

    def __init__(self, certificate, key):
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.plan: list[tuple[int, dict[str, str]]] = []
        self.tokens: list[str] = []
        self.url = f"https://127.0.0.1:{self.server_port}/fhir"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.tokens.append(self.headers.get("Authorization", ""))
        status, headers = self.server.plan.pop(0) if self.server.plan else (200, {})
        taken = [{"response": {"status": "201 Created"}} for _ in sent["entry"]]
        body = json.dumps({"resourceType": "Bundle", "type": "transaction-response", "entry": taken}).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for this machine's own address, and its key."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hospital")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = serialization.PrivateFormat.PKCS8
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    return folder / "c.pem", folder / "k.pem"


@pytest.fixture
def hospital(certificate):
    server = Hospital(*certificate)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def push(index, aws, certificate, hospital):
    caller = Caller("arn:aws:iam::1:user/a", "operator", ())
    audit = FhirAudit(aws.dynamodb, "submissions", lambda: NOW)
    pushing = Pushing(aws.dynamodb, "fhir", FhirStore(aws.dynamodb, "fhir"), audit, caller)
    trusted = ssl.create_default_context(cafile=certificate[0])

    def push(submission_id="s-1", context=trusted):
        send = sender(hospital.url, "secret", context)
        receipt = pushing.push(submission_id, hospital.url, send, clock=lambda: NOW, pause=lambda _: None)
        return receipt, pushing.receipts(submission_id)

    return push


def test_a_release_is_taken_after_a_busy_moment_and_its_receipt_is_kept(push, index, hospital):
    index.put(made_release("s-1"), NOW)
    hospital.plan = [(503, {"Retry-After": "1"})]
    receipt, kept = push()
    assert kept == [receipt]
    assert (receipt.tries, receipt.updated, receipt.created) == (2, 0, len(made_release("s-1").places))
    assert hospital.tokens == ["Bearer secret"] * 2


def test_a_token_follows_no_redirect_and_meets_no_certificate_that_nobody_vouches_for(push, index, hospital):
    index.put(made_release("s-1"), NOW)
    hospital.plan = [(307, {"Location": hospital.url})]
    with pytest.raises(RejectedInputError, match="answered 307"):
        push()
    assert len(hospital.tokens) == 1
    with pytest.raises(TemporaryError, match="endpoint_unreachable"):
        push(context=ssl.create_default_context())
    assert len(hospital.tokens) == 1


def test_what_was_not_released_is_not_handed_over_and_nothing_is_without_the_log(push, index, aws, hospital):
    with pytest.raises(RejectedInputError, match="not_released"):
        push("s-9")
    index.put(made_release("s-1"), NOW)
    aws.dynamodb.delete_table(TableName=queue_beside("submissions"))
    with pytest.raises(aws.dynamodb.exceptions.ResourceNotFoundException):
        push()
    assert hospital.tokens == []
