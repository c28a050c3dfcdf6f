"""Codes of an authenticator. Sources: RFC 4226 (HOTP), RFC 6238 (TOTP): SHA-1, six digits, steps of 30 s."""

import base64
import hmac
import secrets
from hashlib import sha1
from typing import Final

STEP_S: Final = 30
_DIGITS: Final = 6
_STEPS_APART: Final = 1
"""How far the clocks of a server and a phone may be apart, in steps. RFC 6238, section 5.2."""


def new_secret() -> str:
    """Return 160 random bits in base32, as an authenticator takes them."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, step: int, digits: int = _DIGITS) -> str:
    """Return the code of one step since 1970.

    >>> code_at("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 59 // STEP_S, digits=8)
    '94287082'
    """
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8), sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def step_of(code: str, secret: str, now: float, last_used: int = -1) -> int | None:
    """Return the step whose code this is, None where it is of no step near `now` or of one not after `last_used`."""
    current = int(now) // STEP_S
    for step in range(current - _STEPS_APART, current + _STEPS_APART + 1):
        if step > last_used and hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            return step
    return None
