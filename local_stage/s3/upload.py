"""Uploads go to disk before moto sees the request.

moto reads a request's body into memory. This WSGI layer in front of it takes the bodies of PutObject and UploadPart
from the socket to a file, undoes the aws-chunked encoding, verifies every checksum that the client supplied and hands
moto an empty body with the stored content beside it.
"""

import base64
import binascii
import contextlib
import errno
import io
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any, BinaryIO, Protocol
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from local_stage.s3.checksums import ALGORITHMS, encode
from local_stage.s3.content import CHUNK, Content, ContentStore, ContentWriter

CONTENT_KEY = "strandline.content"
Environ = MutableMapping[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Any, Any], Iterable[bytes]]

_PART_OF_DATA = frozenset({"partNumber", "uploadId", "x-id"})
_LONGEST_LINE = 16 * 1024


class UploadRefusedError(Exception):
    """An upload that S3 would refuse, with S3's status and code."""

    def __init__(self, status: str, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class UploadReceiver:
    """Stores the bodies of uploads, then passes the request on to `app`."""

    def __init__(self, app: WsgiApp, store: ContentStore) -> None:
        self._app = app
        self._store = store

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if not is_upload(environ):
            _allow_copy_without_checksum(environ)
            return self._app(environ, start_response)
        body = _body_of(environ)
        try:
            environ[CONTENT_KEY] = self._receive(environ, body)
        except UploadRefusedError as refused:
            _drain(body)
            return _refuse(refused, environ, start_response)
        except OSError as error:
            _drain(body)
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            return _refuse(self._disk_full(), environ, start_response)
        _hide_body(environ)
        return self._app(environ, start_response)

    def _receive(self, environ: Environ, body: "_Body") -> Content:
        expected = dict(_supplied_checksums(environ))
        algorithms = {name for name in expected if name != "MD5"}
        algorithms |= set(_announced_algorithms(environ))
        payload_sha256 = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
        signed = re.fullmatch(r"[0-9a-f]{64}", payload_sha256) is not None
        if signed:
            algorithms.add("SHA256")
        chunked = payload_sha256.startswith("STREAMING-") or "aws-chunked" in environ.get("HTTP_CONTENT_ENCODING", "")
        with self._store.writer(sorted(algorithms)) as writer:
            trailers = _copy_chunked(body, writer, environ) if chunked else _copy_plain(body, writer)
            expected.update(_decode_checksums(trailers))
            if signed and writer.digest("SHA256").hex() != payload_sha256:
                raise UploadRefusedError(
                    "400 Bad Request",
                    "XAmzContentSHA256Mismatch",
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                )
            for name, digest in expected.items():
                if name in algorithms or name == "MD5":
                    _verify(name, digest, writer.digest(name))
            content = writer.finish()
        chosen = next((name for name in (*expected, *_announced_algorithms(environ)) if name != "MD5"), None)
        if chosen is not None and chosen in content.digests:
            environ["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = chosen
            environ[f"HTTP_X_AMZ_CHECKSUM_{chosen}"] = encode(content.digests[chosen])
        return content

    def _disk_full(self) -> UploadRefusedError:
        free = shutil.disk_usage(self._store.folder).free
        return UploadRefusedError(
            "507 Insufficient Storage",
            "InsufficientStorage",
            f"the disk that holds {self._store.folder} is full ({free} bytes free): nothing of this upload was kept; "
            "free some space and upload again",
        )


def is_upload(environ: Environ) -> bool:
    """Say whether the request is a PutObject or an UploadPart, told by what S3 itself goes by."""
    if environ.get("REQUEST_METHOD") != "PUT" or "HTTP_X_AMZ_COPY_SOURCE" in environ or "HTTP_X_AMZ_TARGET" in environ:
        return False
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if authorization and "/s3/aws4_request" not in authorization and not authorization.startswith("AWS "):
        return False
    _, _, key = environ.get("PATH_INFO", "").lstrip("/").partition("/")
    if not key or key.startswith("v20180820/"):
        return False
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    signature = {
        name for name in query if name.lower().startswith(("x-amz-", "awsaccesskeyid", "signature", "expires"))
    }
    return set(query) - signature <= _PART_OF_DATA


class _Body(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def readline(self, size: int, /) -> bytes: ...


class _Limited:
    """The next `left` bytes of a socket: reading on would wait for the next request."""

    def __init__(self, stream: BinaryIO, left: int) -> None:
        self._stream = stream
        self.left = left

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(min(size, self.left)) if self.left else b""
        self.left -= len(data)
        if not data:
            self.left = 0
        return data

    def readline(self, size: int, /) -> bytes:
        data = self._stream.readline(min(size, self.left)) if self.left else b""
        self.left -= len(data)
        return data


def _body_of(environ: Environ) -> _Body:
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        return io.BufferedReader(stream, CHUNK)
    return _Limited(stream, int(environ.get("CONTENT_LENGTH") or 0))


def _copy_plain(body: _Body, writer: ContentWriter) -> dict[str, str]:
    expected = body.left if isinstance(body, _Limited) else None
    received = 0
    while chunk := body.read(CHUNK):
        writer.write(chunk)
        received += len(chunk)
    if expected is not None and received != expected:
        raise _incomplete(received, expected)
    return {}


def _copy_chunked(body: _Body, writer: ContentWriter, environ: Environ) -> dict[str, str]:
    """Undo aws-chunked: lines `SIZE[;chunk-signature=...]`, the bytes, an empty line; a size of 0 ends, then trailers.

    Source: "Signature calculations for the authorization header: transferring payload in multiple chunks", S3 API.
    """
    received = 0
    while size := _chunk_size(body):
        while size:
            chunk = body.read(min(CHUNK, size))
            if not chunk:
                raise _incomplete(received, None)
            writer.write(chunk)
            received += len(chunk)
            size -= len(chunk)
        body.readline(_LONGEST_LINE)
    decoded = environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH")
    if decoded is not None and int(decoded) != received:
        raise _incomplete(received, int(decoded))
    trailers = {}
    while line := body.readline(_LONGEST_LINE).strip():
        name, _, value = line.decode("latin-1").partition(":")
        trailers[name.strip().lower()] = value.strip()
    _drain(body)
    return trailers


def _chunk_size(body: _Body) -> int:
    line = body.readline(_LONGEST_LINE)
    try:
        return int(line.partition(b";")[0].strip(), 16)
    except ValueError:
        raise UploadRefusedError("400 Bad Request", "IncompleteBody", "a chunk of the body has no valid size") from None


def _incomplete(received: int, expected: int | None) -> UploadRefusedError:
    of = "" if expected is None else f" of {expected}"
    return UploadRefusedError("400 Bad Request", "IncompleteBody", f"the body ended after {received}{of} bytes")


def _supplied_checksums(environ: Environ) -> Iterator[tuple[str, bytes]]:
    if "HTTP_CONTENT_MD5" in environ:
        try:
            yield "MD5", base64.b64decode(environ["HTTP_CONTENT_MD5"], validate=True)
        except binascii.Error:
            raise UploadRefusedError(
                "400 Bad Request", "InvalidDigest", "The Content-MD5 you specified is not valid."
            ) from None
    headers = {
        f"x-amz-checksum-{name.lower()}": environ[f"HTTP_X_AMZ_CHECKSUM_{name}"]
        for name in ALGORITHMS
        if f"HTTP_X_AMZ_CHECKSUM_{name}" in environ
    }
    yield from _decode_checksums(headers).items()


def _decode_checksums(values: dict[str, str]) -> dict[str, bytes]:
    decoded = {}
    for name in ALGORITHMS:
        header = f"x-amz-checksum-{name.lower()}"
        if header in values:
            try:
                decoded[name] = base64.b64decode(values[header], validate=True)
            except binascii.Error:
                raise UploadRefusedError(
                    "400 Bad Request", "InvalidRequest", f"Value for {header} header is invalid."
                ) from None
    return decoded


def _announced_algorithms(environ: Environ) -> list[str]:
    announced = [environ.get("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", "").upper()]
    announced += [
        name.strip().lower().removeprefix("x-amz-checksum-").upper()
        for name in environ.get("HTTP_X_AMZ_TRAILER", "").split(",")
    ]
    return [name for name in announced if name in ALGORITHMS]


def _verify(name: str, expected: bytes, actual: bytes) -> None:
    if expected == actual:
        return
    message = (
        "The Content-MD5 you specified did not match what we received."
        if name == "MD5"
        else f"The {name} you specified did not match the calculated checksum."
    )
    raise UploadRefusedError("400 Bad Request", "BadDigest", message)


def _hide_body(environ: Environ) -> None:
    environ["wsgi.input"] = io.BytesIO()
    environ["CONTENT_LENGTH"] = "0"
    for name in ("wsgi.input_terminated", "HTTP_TRANSFER_ENCODING", "HTTP_X_AMZ_DECODED_CONTENT_LENGTH"):
        environ.pop(name, None)
    environ["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
    encodings = [name.strip() for name in environ.pop("HTTP_CONTENT_ENCODING", "").split(",")]
    if kept := [name for name in encodings if name not in {"", "aws-chunked"}]:
        environ["HTTP_CONTENT_ENCODING"] = ",".join(kept)


def _allow_copy_without_checksum(environ: Environ) -> None:
    # moto asks a copy into a bucket with default retention for the checksum that only an upload can have
    if "HTTP_X_AMZ_COPY_SOURCE" in environ and environ.get("REQUEST_METHOD") == "PUT":
        environ.setdefault("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", "CRC32")


def _drain(body: _Body) -> None:
    # most clients send everything before they read the answer
    with contextlib.suppress(OSError):
        while body.read(CHUNK):
            pass


def _refuse(refused: UploadRefusedError, environ: Environ, start_response: StartResponse) -> list[bytes]:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message>"
        f"<Resource>{escape(environ.get('PATH_INFO', ''))}</Resource><RequestId>embedded</RequestId></Error>"
    ).encode()
    start_response(refused.status, [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))])
    return [text]
