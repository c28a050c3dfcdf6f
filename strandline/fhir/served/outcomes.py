"""What a request is refused with, and OperationOutcomes that say so.

Source: HL7 FHIR R4 (4.0.1), OperationOutcome and value set issue-type; RESTful API, "Status codes".
"""

from http import HTTPStatus

from strandline.fhir.codes import Json


class RefusedRequestError(Exception):
    """A request that is answered with an OperationOutcome alone. `says` never holds what the caller sent."""

    def __init__(self, status: HTTPStatus, code: str, says: str, *, is_recorded: bool = False) -> None:
        super().__init__(says)
        self.status = status
        self.code = code
        self.says = says
        self.is_recorded = is_recorded
        """The audit log tells of it: somebody asked for what is not theirs, or with what cannot be meant."""


def operation_outcome(code: str, says: str, severity: str = "error") -> Json:
    """Return an OperationOutcome of one issue; `code` is of the value set issue-type."""
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code, "diagnostics": says}]}


def invalid(says: str) -> RefusedRequestError:
    """Return the refusal of a request that says what cannot be meant: a mistake, or somebody who tries what happens."""
    return RefusedRequestError(HTTPStatus.BAD_REQUEST, "invalid", says, is_recorded=True)


def unsupported(says: str) -> RefusedRequestError:
    """Return the refusal of what FHIR knows and this server does not do."""
    return RefusedRequestError(HTTPStatus.BAD_REQUEST, "not-supported", says)


def not_found() -> RefusedRequestError:
    """Return the answer for what is not there and, word for word, for what is another's."""
    return RefusedRequestError(HTTPStatus.NOT_FOUND, "not-found", "there is no such resource for you to read")


def too_costly(says: str) -> RefusedRequestError:
    """Return the refusal of what would be more than one answer may hold."""
    return RefusedRequestError(HTTPStatus.FORBIDDEN, "too-costly", says)
