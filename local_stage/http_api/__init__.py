"""HTTP APIs of API Gateway in front of functions, signed requests checked."""

from local_stage.http_api.front import ApiFront, endpoint_of
from local_stage.http_api.signatures import SignatureRefusedError, SigningCaller, verify_presigned, verify_signed

__all__ = [
    "ApiFront",
    "SignatureRefusedError",
    "SigningCaller",
    "endpoint_of",
    "verify_presigned",
    "verify_signed",
]
