"""One object of S3 that answers ranges as S3 does, and whose answers fail as told."""

import io
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.response import StreamingBody


class FakeStore:
    """A client with one object, key `k`.

    `faults` says of each request in turn what becomes of it: "" nothing, "cut" the connection ends in the middle,
    "timeout" it stops answering, "short" fewer bytes come than were asked for, "replaced" another object stands there
    from now on, "deleted" none.
    """

    def __init__(self, body: bytes, *, version_id: str | None = "v1", faults: Iterable[str] = ()) -> None:
        self._body = body
        self._version = version_id
        self._faults = iter(faults)
        self._generation = 1
        self.ranges: list[tuple[int, int]] = []
        self.versions: list[str | None] = []

    def get_object(self, **asked: str) -> dict[str, Any]:
        assert (asked["Bucket"], asked["Key"]) == ("bucket", "k")
        first, last = (int(number) for number in asked["Range"].removeprefix("bytes=").split("-"))
        fault = next(self._faults, "")
        self.ranges.append((first, last))
        self.versions.append(asked.get("VersionId"))
        if fault == "replaced":
            self._generation += 1
        if fault == "deleted":
            raise _refusal("NoSuchVersion" if "VersionId" in asked else "NoSuchKey")
        if asked.get("IfMatch", self._etag()) != self._etag():
            raise _refusal("PreconditionFailed")
        if first >= len(self._body):
            raise _refusal("InvalidRange")
        part = self._body[first : last + 1]
        answer = {"ContentRange": f"bytes {first}-{first + len(part) - 1}/{len(self._body)}", "ETag": self._etag()}
        if self._version is not None:
            answer["VersionId"] = asked.get("VersionId") or f"{self._version}.{self._generation}"
        return answer | {"Body": _body(part, fault)}

    def _etag(self) -> str:
        return f'"{self._generation}"'


class _Silent(io.BytesIO):
    """Answers half of what it holds and then no more."""

    def read(self, size: int | None = -1, **_: Any) -> bytes:
        del size
        raise ReadTimeoutError(endpoint_url="https://s3")


def _body(part: bytes, fault: str) -> StreamingBody:
    half = part[: len(part) // 2]
    if fault == "timeout":
        return StreamingBody(_Silent(half), len(part))
    if fault == "short":
        return StreamingBody(io.BytesIO(half), len(half))
    return StreamingBody(io.BytesIO(half if fault == "cut" else part), len(part))


def _refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "GetObject")
