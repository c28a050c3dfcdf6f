"""Callers of variants, one module each, and the choice among them."""

from strandline.variants.callers.registry import (
    CALL_GVCF,
    CALL_WHOLE,
    TRAITS,
    CallerTraits,
    caller_version,
    check_installed,
    missing_tools,
)

__all__ = ["CALL_GVCF", "CALL_WHOLE", "TRAITS", "CallerTraits", "caller_version", "check_installed", "missing_tools"]
