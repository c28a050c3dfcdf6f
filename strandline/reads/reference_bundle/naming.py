"""Names of bundles: one folder in the references bucket, and what a person types as NAME or NAME/VERSION."""

import re
from pathlib import Path
from typing import Final

from strandline.errors import RejectedInputError

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.|$)){0,62}")


def is_bundle_name(text: str) -> bool:
    """Tell whether `text` can name a bundle: letters, digits, `_`, `-` and single dots, at most 63.

    >>> [is_bundle_name(text) for text in ("GRCh38.p14", "../x", "a/b", ".hidden", "")]
    [True, False, False, False, False]
    """
    return _NAME.fullmatch(text) is not None


def check_bundle_name(name: str) -> str:
    """Return `name` unchanged.

    Raises:
        RejectedInputError: `invalid_reference_name`.
    """
    if not is_bundle_name(name):
        raise RejectedInputError(
            "invalid_reference_name",
            "a reference's name holds letters, digits, '_', '-' and single dots, at most 63, begins with a letter or "
            "digit, and is no path: choose another",
        )
    return name


def split_label(text: str) -> tuple[str, str | None] | None:
    """Return the name and version that NAME or NAME/VERSION means, or None where it can be neither.

    >>> split_label("GRCh38/0c2b5f1a9e3d"), split_label("GRCh38"), split_label("/data/ref.fa")
    (('GRCh38', '0c2b5f1a9e3d'), ('GRCh38', None), None)
    """
    name, slash, version = text.partition("/")
    if not is_bundle_name(name) or (slash and not is_bundle_name(version)):
        return None
    return name, version or None


def derive_bundle_name(fasta: Path) -> str:
    """Return the name of a bundle that was given none, from the FASTA's.

    >>> derive_bundle_name(Path("GRCh38 slice.fa.gz"))
    'GRCh38-slice'
    """
    stem = re.sub(r"\.(gz|bgz)$", "", fasta.name)
    stem = re.sub(r"\.(fa|fasta|fna)$", "", stem)
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:63] or "reference"
