"""The names that a workflow's definition leaves open. Apart from the construct, so that a check needs no CDK."""

import re
from collections.abc import Mapping

_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")


def refuse_other_names(text: str, substitutions: Mapping[str, str]) -> None:
    """Raise unless the `${names}` in `text` are exactly the names given."""
    asked = set(_SUBSTITUTION.findall(text))
    if asked != set(substitutions):
        missing, unused = sorted(asked - set(substitutions)), sorted(set(substitutions) - asked)
        raise ValueError(f"the definition asks for {missing} which is not given, and has no place for {unused}")
