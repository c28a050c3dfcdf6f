"""Handing releases of a stage to another system: by HTTPS, told to the audit log before, a receipt kept after."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from pydantic import TypeAdapter

from strandline.aws.fhir_audit import FhirAudit
from strandline.aws.fhir_store import FhirStore
from strandline.errors import RejectedInputError
from strandline.fhir.codes import Json
from strandline.fhir.push import Answered, Receipt, Send, push_release
from strandline.fhir.served.access import Caller
from strandline.fhir.served.releases import Release, ReleaseStatus, withdrawn
from strandline.fhir.served.service import Read

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_RECEIPT: Final = TypeAdapter(Receipt)
_LARGEST_ANSWER_BYTES: Final = 64 << 20
_TIMEOUT_S: Final = 120


class _NoRedirects(HTTPRedirectHandler):
    """A token goes to nobody but the endpoint that was named."""

    def redirect_request(self, *_: Any) -> None:
        return None


def sender(endpoint: str, token: str | None, context: ssl.SSLContext | None = None) -> Send:
    """Return what sends a transaction to an endpoint that `check_endpoint` let pass."""
    opener = build_opener(HTTPSHandler(context=context or ssl.create_default_context()), _NoRedirects)
    headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}

    def send(body: bytes) -> Answered:
        request = Request(endpoint, data=body, headers=headers, method="POST")  # noqa: S310 - it is https
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as answer:
                return Answered(answer.status, answer.read(_LARGEST_ANSWER_BYTES))
        except HTTPError as error:
            with error:
                return Answered(error.code, error.read(1 << 16), _seconds(error.headers.get("Retry-After")))
        except (URLError, TimeoutError, OSError):
            return Answered(0, b"")

    return send


@dataclass(frozen=True, slots=True)
class Pushing:
    """What handing over takes: where releases are, who is told, and where receipts are kept."""

    client: "DynamoDBClient"
    table: str
    store: FhirStore
    audit: FhirAudit
    caller: Caller

    def push(
        self,
        submission_id: str,
        endpoint: str,
        send: Send,
        *,
        clock: Callable[[], datetime],
        pause: Callable[[float], None],
    ) -> Receipt:
        """Hand the current version of a release over and keep the receipt.

        Raises:
            RejectedInputError: `not_released`, and what `push_release` refuses.
            TemporaryError: `audit_log_busy`, `endpoint_unreachable`.
        """
        release = self.store.release(submission_id)
        if release is None:
            raise RejectedInputError(
                "not_released", "nothing of the submission was released: sign and deliver it first"
            )
        resources = _resources(release, self.store)
        self.audit(self.caller, [Read(submission_id, f"pushes version {release.version} to another system")])
        receipt = push_release(release, resources, endpoint, send, clock=clock, pause=pause)
        self.client.put_item(TableName=self.table, Item=_item(receipt))
        return receipt

    def receipts(self, submission_id: str) -> list[Receipt]:
        """Return the receipts of a submission, the last of each version and endpoint."""
        found = self.client.query(
            TableName=self.table,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": f"PUSH#{submission_id}"}},
        )
        return [_RECEIPT.validate_json(item["receipt"]["S"]) for item in found["Items"]]


def _resources(release: Release, store: FhirStore) -> list[Json]:
    found = [
        resource
        for cluster in release.clusters
        for chunk in range(cluster.chunks)
        for resource in store.chunk(release, cluster.number, chunk)
    ]
    if release.status is ReleaseStatus.WITHDRAWN:
        return [withdrawn(resource, release) for resource in found]
    return found


def _item(receipt: Receipt) -> dict[str, Any]:
    where = sha256(receipt.endpoint.encode()).hexdigest()[:16]
    key = {"pk": {"S": f"PUSH#{receipt.submission_id}"}, "sk": {"S": f"{receipt.version:06d}#{where}"}}
    return key | {"receipt": {"S": _RECEIPT.dump_json(receipt).decode()}}


def _seconds(text: str | None) -> float | None:
    """Return what Retry-After says in seconds; a date there counts as nothing said."""
    with suppress(ValueError, TypeError):
        return float(int(text or ""))
    return None
