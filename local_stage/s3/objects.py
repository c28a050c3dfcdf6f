"""moto's objects, with their bytes on disk and their multipart uploads put together without moving any."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar
from xml.dom import minidom

from moto.core.utils import utcnow
from moto.s3 import models, notifications, responses, utils
from moto.s3.exceptions import (
    EntityTooSmall,
    InvalidPart,
    InvalidPartOrder,
    MalformedXML,
    NoSuchUpload,
    S3ClientError,
)
from moto.s3.models import FakeKey, FakeMultipart, S3Backend
from moto.s3.responses import S3Response

from local_stage.replacing import replace
from local_stage.s3.checksums import ALGORITHMS, encode, join_crcs, new_digest
from local_stage.s3.content import Content, ContentStore, join
from local_stage.s3.locks import default_lock, is_locked, requested_lock
from local_stage.s3.scope import request_header, request_scope
from local_stage.s3.upload import CONTENT_KEY

_writing = threading.RLock()
_SMALLEST_PART = 5 * 1024 * 1024


class StoredKey(FakeKey):
    """An object whose value is a `Content` on disk."""

    store: ClassVar[ContentStore]
    _content: Content | None = None

    @property  # type: ignore[override]  # moto says bytes, and only passes the value on
    def value(self) -> Content:
        """Return the content; reading it streams from disk."""
        if self._content is None:
            raise S3ClientError("NoSuchKey", f"{self.name} was deleted meanwhile")
        return self._content

    @value.setter
    def value(self, new_value: Content | bytes | str) -> None:
        if isinstance(new_value, str):
            new_value = new_value.encode()
        self._value_buffer.close()  # moto's own place for the bytes
        self._content = new_value if isinstance(new_value, Content) else self.store.put(new_value)
        self.contentsize = self._content.size
        if self._etag is None:
            self._etag = self._content.etag or self._content.md5 or _md5_of(self._content)

    def is_locked(self, governance_bypass: bool | str | None) -> bool:
        """Say whether Object Lock protects this version now."""
        return is_locked(self, bypass=str(governance_bypass).lower() == "true", now=utcnow())

    def dispose(self, garbage: bool = False) -> None:
        """Let go of the content: its files vanish once no copy and no reader needs them."""
        del garbage
        self._content = None
        self.disposed = True

    def __deepcopy__(self, memo: dict[int, Any]) -> "StoredKey":
        """Return another description of the same bytes: moto copies keys to list them."""
        del memo
        twin = object.__new__(StoredKey)
        twin.__dict__.update(self.__dict__)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError("objects of the embedded S3 live on disk and are not pickled")


@dataclass(frozen=True, slots=True)
class CompletedPart:
    """One part as CompleteMultipartUpload names it; `checksums` maps an S3 checksum name to its base64 text."""

    number: int
    etag: str
    checksums: Mapping[str, str]


def install_objects(store: ContentStore) -> None:
    """Make moto keep objects in `store`."""
    StoredKey.store = store
    replace(models, "FakeKey", StoredKey)
    replace(S3Backend, "create_multipart_upload", _wrap_create_multipart(S3Backend.create_multipart_upload))
    replace(S3Backend, "complete_multipart_upload", _complete_multipart_upload)
    replace(S3Backend, "upload_part", _wrap_upload_part(S3Backend.upload_part))
    replace(S3Backend, "copy_object", _wrap_copy(S3Backend.copy_object))
    replace(S3Response, "setup_class", _wrap_setup(S3Response.setup_class))
    replace(S3Response, "key_response", _wrap_key_response(S3Response.key_response))
    replace(S3Response, "get_object", _wrap_get(S3Response.get_object))
    replace(S3Response, "_complete_multipart_body", _parse_completed_parts)
    replace(responses, "compute_checksum", _wrap_compute_checksum(utils.compute_checksum))


def _wrap_setup(original: Callable[..., None]) -> Callable[..., None]:
    def setup_class(self: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        original(self, request, *args, **kwargs)
        content = request.environ.pop(CONTENT_KEY, None)  # the environment can outlive the answer
        if content is not None:
            self.body = content

    return setup_class


def _wrap_key_response(original: Callable[..., Any]) -> Callable[..., Any]:
    def key_response(self: Any, request: Any, full_url: str, headers: dict[str, Any]) -> Any:
        # bodies were received before this: what is left is quick, and the lock makes each write one step
        with request_scope(request.headers), nullcontext() if request.method in {"GET", "HEAD"} else _writing:
            return original(self, request, full_url, headers)

    return key_response


def _wrap_get(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_object(self: Any) -> Any:
        number = self._get_int_param("partNumber")
        status, headers, content = original(self)
        if not number or status != 200 or not content.part_sizes:
            return status, headers, content
        if number > len(content.part_sizes):
            raise S3ClientError("InvalidPartNumber", "The requested partnumber is not satisfiable")
        start = sum(content.part_sizes[: number - 1])
        part = content[start : start + content.part_sizes[number - 1]]
        headers["content-range"] = f"bytes {start}-{start + part.size - 1}/{content.size}"
        headers["content-length"] = str(part.size)
        headers["x-amz-mp-parts-count"] = str(len(content.part_sizes))
        return 206, {name: v for name, v in headers.items() if not name.startswith("x-amz-checksum-")}, part

    return get_object


def _wrap_create_multipart(original: Callable[..., Any]) -> Callable[..., Any]:
    def create_multipart_upload(self: Any, bucket_name: str, *args: Any, **kwargs: Any) -> Any:
        multipart = original(self, bucket_name, *args, **kwargs)
        multipart.requested_lock = requested_lock(self.get_bucket(bucket_name), request_header)
        return multipart

    return create_multipart_upload


def _wrap_copy(original: Callable[..., None]) -> Callable[..., None]:
    def copy_object(
        self: Any, src_key: Any, dest_bucket_name: str, dest_key_name: str, *args: Any, **kwargs: Any
    ) -> None:
        original(self, src_key, dest_bucket_name, dest_key_name, *args, **kwargs)
        copy = self.get_object(dest_bucket_name, dest_key_name)
        if copy.checksum_value == src_key.checksum_value:
            copy.checksum_type, copy.checksum_parts = src_key.checksum_type, src_key.checksum_parts

    return copy_object


def _wrap_upload_part(original: Callable[..., FakeKey]) -> Callable[..., FakeKey]:
    def upload_part(self: Any, bucket_name: str, multipart_id: str, part_id: int, value: Any) -> FakeKey:
        if multipart_id not in self.get_bucket(bucket_name).multiparts:
            raise NoSuchUpload(upload_id=multipart_id)
        return original(self, bucket_name, multipart_id, part_id, value)

    return upload_part


def _complete_multipart_upload(
    self: Any, bucket_name: str, multipart_id: str, body: Iterator[CompletedPart]
) -> FakeKey:
    bucket = self.get_bucket(bucket_name)
    if multipart_id not in bucket.multiparts:
        raise NoSuchUpload(upload_id=multipart_id)
    multipart: Any = bucket.multiparts[multipart_id]
    parts = _chosen_parts(multipart, list(body))
    md5 = hashlib.md5(b"".join(bytes.fromhex(part.md5 or _md5_of(part)) for part in parts), usedforsecurity=False)
    algorithm, kind, digest = _whole_checksum(multipart, parts)
    etag = f"{md5.hexdigest()}-{len(parts)}"
    content = join(parts, etag=etag, digests={algorithm: digest} if algorithm and digest else {})
    mode, until, hold = multipart.requested_lock or default_lock(bucket)
    key: FakeKey = self.put_object(
        bucket_name,
        multipart.key_name,
        content,
        storage=multipart.storage,
        etag=etag,
        multipart=multipart,
        encryption=multipart.sse_encryption,
        kms_key_id=multipart.kms_key_id,
        lock_mode=mode,
        lock_until=until,
        lock_legal_status=hold,
        disable_notification=True,  # else one object would send two events
    )
    del bucket.multiparts[multipart_id]
    for part in multipart.parts.values():
        part.dispose()  # the object holds the bytes now
    key.set_metadata(multipart.metadata)
    if algorithm and digest:
        key.checksum_algorithm, key.checksum_type = algorithm, kind
        key.checksum_value, key.checksum_parts = encode(digest), len(parts)
    self.put_object_tagging(key, multipart.tags)
    self.put_object_acl(bucket_name, key.name, multipart.acl, disable_notification=True)
    notifications.send_event(
        self.account_id,
        notifications.S3NotificationEvent.OBJECT_CREATED_COMPLETE_MULTIPART_UPLOAD_EVENT,
        bucket,
        key,
    )
    return key


def _chosen_parts(multipart: FakeMultipart, chosen: Sequence[CompletedPart]) -> list[Content]:
    if not chosen:
        raise MalformedXML
    contents: list[Content] = []
    for index, named in enumerate(chosen):
        part = multipart.parts.get(named.number)
        if part is None or part.etag.strip('"') != named.etag.strip('"'):
            raise InvalidPart
        content = _content_of(part)
        if index < len(chosen) - 1 and content.size < _SMALLEST_PART:
            raise EntityTooSmall
        for algorithm, value in named.checksums.items():
            if algorithm in content.digests and encode(content.digests[algorithm]) != value:
                raise InvalidPart
        contents.append(content)
    return contents


def _whole_checksum(multipart: FakeMultipart, parts: Sequence[Content]) -> tuple[str | None, str, bytes | None]:
    """Return algorithm, kind and value of the object's checksum, made of its parts'."""
    algorithm = (multipart.metadata.get("x-amz-checksum-algorithm") or "").upper()
    kind = multipart.metadata.get("x-amz-checksum-type") or ("FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE")
    if algorithm not in ALGORITHMS:
        return None, kind, None
    digests = [part.digests.get(algorithm) or _digest_of(part, algorithm) for part in parts]
    if kind == "COMPOSITE":
        composite = new_digest(algorithm)
        composite.update(b"".join(digests))
        return algorithm, kind, composite.digest()
    whole = digests[0]
    for part, digest in zip(parts[1:], digests[1:], strict=True):
        whole = join_crcs(algorithm, whole, digest, part.size)
    supplied = request_header(f"x-amz-checksum-{algorithm.lower()}")
    if supplied is not None and supplied != encode(whole):
        raise S3ClientError("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
    return algorithm, kind, whole


def _content_of(part: Any) -> Content:
    content: Content = part.value
    return content


def _parse_completed_parts(self: Any, body: bytes) -> Iterator[CompletedPart]:
    del self
    previous = 0
    for element in minidom.parseString(body).getElementsByTagName("Part"):  # noqa: S318 - the client is the own user
        texts = {
            child.tagName: "".join(node.data for node in child.childNodes if isinstance(node, minidom.Text))
            for child in element.childNodes
            if isinstance(child, minidom.Element)
        }
        number = int(texts["PartNumber"])
        if number <= previous:
            raise InvalidPartOrder
        previous = number
        checksums = {name: texts[f"Checksum{name}"] for name in ALGORITHMS if f"Checksum{name}" in texts}
        yield CompletedPart(number, texts["ETag"], checksums)


def _wrap_compute_checksum(original: Callable[..., bytes]) -> Callable[..., bytes]:
    def compute_checksum(body: bytes | Content, algorithm: str, encode_base64: bool = True) -> bytes:
        if not isinstance(body, Content) and algorithm not in {"CRC32C", "CRC64NVME"}:
            return original(body, algorithm, encode_base64)
        digest = _digest_of(body, algorithm)
        return encode(digest).encode() if encode_base64 else digest

    return compute_checksum


def _digest_of(body: bytes | Content, algorithm: str) -> bytes:
    if isinstance(body, Content) and algorithm in body.digests:
        return body.digests[algorithm]
    digest = new_digest(algorithm)
    for chunk in body if isinstance(body, Content) else [body]:
        digest.update(chunk)
    return digest.digest()


def _md5_of(content: Content) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    for chunk in content:
        md5.update(chunk)
    return md5.hexdigest()
