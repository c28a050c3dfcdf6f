"""Numbers to text and back, and decimals, as Trino (and so Java) has them.

Source: java.lang.Double.toString and java.lang.Double.parseDouble, Java SE 21; https://trino.io/docs/current/functions/decimal.html
"""

import decimal
import math
import re

import numpy

from local_stage.athena.failures import AthenaFailure

_DOUBLE = re.compile(r"[+-]?(NaN|Infinity|((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)[fFdD]?)", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_BOOLEANS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}
_EXACT = decimal.Context(prec=100)


def double_text(value: float) -> str:
    """Return a double as Trino writes it.

    >>> [double_text(value) for value in (1.0, 0.001, 1e7, 1.5e-5, float("inf"), -0.0)]
    ['1.0', '0.001', '1.0E7', '1.5E-5', 'Infinity', '-0.0']
    """
    return _java_text(repr(float(value)), value)


def real_text(value: float) -> str:
    """Return a real as Trino writes it: with the digits that tell it from the next real.

    >>> real_text(0.1), real_text(3.4028235e38)
    ('0.1', '3.4028235E38')
    """
    return _java_text(str(numpy.float32(value)), value)


def _java_text(digits_text: str, value: float) -> str:
    if value != value:  # noqa: PLR0124 - the one value that is not itself
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        shown = format(decimal.Decimal(digits_text), "f")
        return shown if "." in shown else f"{shown}.0"
    sign, digits, exponent = decimal.Decimal(digits_text).normalize().as_tuple()
    shown = "".join(map(str, digits))
    power = int(exponent) + len(shown) - 1
    return f"{'-' if sign else ''}{shown[0]}.{shown[1:] or '0'}E{power}"


def integer_text(text: str, kind: str) -> str:
    """Return a text that is an integer as it is.

    Raises:
        AthenaFailure: INVALID_CAST_ARGUMENT, it is none.
    """
    if _INTEGER.fullmatch(text) is None:
        raise _no_cast(text, kind)
    return text


def double_of_text(text: str, kind: str) -> float:
    """Return the double that a text is, as Java reads it.

    Raises:
        AthenaFailure: INVALID_CAST_ARGUMENT, it is none.
    """
    stripped = text.strip()
    if _DOUBLE.fullmatch(stripped) is None:
        raise _no_cast(text, kind)
    return float(stripped.rstrip("fFdD") if stripped[-1] in "fFdD" else stripped)


def decimal_of_text(text: str, precision: int, scale: int, kind: str) -> str:
    """Return a number as a decimal of a precision and scale, half away from zero.

    Raises:
        AthenaFailure: INVALID_CAST_ARGUMENT, it is no number, or too large.
    """
    if _DECIMAL.fullmatch(text) is None:
        raise AthenaFailure(
            "INVALID_CAST_ARGUMENT",
            f"Cannot cast {kind} '{text}' to DECIMAL({precision}, {scale}). Value is not a number.",
        )
    value = decimal.Decimal(text).quantize(decimal.Decimal(1).scaleb(-scale), decimal.ROUND_HALF_UP, _EXACT)
    if len(value.as_tuple().digits) > precision:
        raise AthenaFailure(
            "INVALID_CAST_ARGUMENT", f"Cannot cast {kind} '{text}' to DECIMAL({precision}, {scale}). Value too large."
        )
    return format(value, "f")


def boolean_of_text(text: str) -> bool:
    """Return the truth value that a text is.

    Raises:
        AthenaFailure: INVALID_CAST_ARGUMENT, it is none.
    """
    found = _BOOLEANS.get(text.lower())
    if found is None:
        raise _no_cast(text, "boolean")
    return found


def _no_cast(text: str, kind: str) -> AthenaFailure:
    return AthenaFailure("INVALID_CAST_ARGUMENT", f"Cannot cast '{text}' to {kind.upper()}")


def divide_decimals(dividend: str, divisor: str, scale: int) -> str:
    """Return the quotient of two decimals with `scale` digits, half away from zero, as Trino does.

    >>> divide_decimals("1.0", "3", 1), divide_decimals("-5", "2.0", 0)
    ('0.3', '-3')
    """
    if not decimal.Decimal(divisor):
        raise AthenaFailure("DIVISION_BY_ZERO", "Division by zero")
    quotient = _EXACT.divide(decimal.Decimal(dividend), decimal.Decimal(divisor))
    return _bounded(quotient, scale)


def multiply_decimals(one: str, other: str, scale: int) -> str:
    """Return the product of two decimals with `scale` digits."""
    return _bounded(_EXACT.multiply(decimal.Decimal(one), decimal.Decimal(other)), scale)


def decimal_remainder(dividend: str, divisor: str) -> str:
    """Return what division leaves, with the sign of the dividend."""
    if not decimal.Decimal(divisor):
        raise AthenaFailure("DIVISION_BY_ZERO", "Division by zero")
    return format(_EXACT.remainder(decimal.Decimal(dividend), decimal.Decimal(divisor)), "f")


def _bounded(value: decimal.Decimal, scale: int) -> str:
    rounded = value.quantize(decimal.Decimal(1).scaleb(-scale), decimal.ROUND_HALF_UP, _EXACT)
    if len(rounded.as_tuple().digits) > 38:
        raise AthenaFailure("NUMERIC_VALUE_OUT_OF_RANGE", "Decimal overflow")
    return format(rounded, "f")


def cube_root(value: float) -> float:
    """Return the cube root, exact where it is a whole number, as it is in Java."""
    root = math.cbrt(value)
    whole = float(round(root)) if math.isfinite(root) else root
    return whole if whole**3 == value else root


def to_base(value: int, radix: int) -> str:
    """Return an integer in base 2 to 36.

    >>> to_base(255, 16), to_base(-5, 2)
    ('ff', '-101')
    """
    _check_radix(radix)
    digits, rest = "", abs(value)
    while rest:
        rest, digit = divmod(rest, radix)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return ("-" if value < 0 else "") + (digits or "0")


def from_base(text: str, radix: int) -> int:
    """Return the integer that a text is in base 2 to 36."""
    _check_radix(radix)
    try:
        if "_" in text or text != text.strip():
            raise ValueError(text)
        found = int(text, radix)
    except ValueError:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"Not a valid base-{radix} number: {text}") from None
    if not -(2**63) <= found < 2**63:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", f"Not a valid base-{radix} number: {text}")
    return found


def _check_radix(radix: int) -> None:
    if not 2 <= radix <= 36:
        raise AthenaFailure("INVALID_FUNCTION_ARGUMENT", "Radix must be between 2 and 36")
