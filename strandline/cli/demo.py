"""`strandline demo`: the whole way on a sample whose truth is known."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder with real reads and truth; a made-up family otherwise.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for what comes out.")] = Path("strandline-demo"),
) -> None:
    """Placeholder."""
