"""What one embedded AWS leaves on disk about itself.

`state.json` is written twice: by the server once it answers, and by whoever deployed into it, with what was deployed.
Each writing replaces the file in one step, so a reader never sees half of it.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import psutil

PERMISSIONS_NAME = "permissions.jsonl"  # what each role did and was refused
_SAME_START_S = 1.0  # two readings of a process's start differ by less


@dataclass(frozen=True, slots=True)
class RunningServer:
    """One server process, and what was deployed into it.

    `process_started` (seconds since 1970) tells the process from a later one with the same number, `code` is a digest
    of the embedded AWS that it runs. `outputs_by_stack` and `template_hash` are empty until a deployment is complete.
    """

    endpoint_url: str
    port: int
    pid: int
    process_started: float
    code: str = ""
    template_hash: str = ""
    outputs_by_stack: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of_this_process(cls, endpoint_url: str, port: int) -> Self:
        """Describe the calling process."""
        return cls(endpoint_url, port, os.getpid(), psutil.Process().create_time(), present_code())

    def process(self) -> psutil.Process | None:
        """Return the living process, or None when it has ended, or when its number belongs to another one now."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.process_started) > _SAME_START_S:
                return None
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except psutil.NoSuchProcess:
            return None

    def with_deployment(self, template_hash: str, outputs_by_stack: dict[str, dict[str, str]]) -> Self:
        """Return the same server with what was deployed into it."""
        return replace(self, template_hash=template_hash, outputs_by_stack=outputs_by_stack)


def present_code() -> str:
    """Return a digest of the embedded AWS as it is on disk now, which a server keeps running after a change."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def state_folder(stage: str) -> Path:
    """Return the folder of a stage: `$STRANDLINE_HOME/{stage}`, or `.strandline/{stage}` beside the source."""
    home = os.environ.get("STRANDLINE_HOME")
    root = Path(home) if home else Path(__file__).resolve().parents[1] / ".strandline"
    return root.absolute() / stage


def read_server(folder: Path) -> RunningServer | None:
    """Return what the folder says, or None where it says nothing, or nothing that can be read."""
    try:
        document: dict[str, Any] = json.loads((folder / "state.json").read_text())
        return RunningServer(**document)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_server(folder: Path, server: RunningServer) -> None:
    """Replace what the folder says."""
    draft = folder / f".state.{os.getpid()}.json"
    draft.write_text(json.dumps(asdict(server), indent=1) + "\n")
    draft.replace(folder / "state.json")


def compiled_code_folder() -> Path:
    """Return where jobs keep what they compiled, for every stage of this user: it goes by its source's content."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    return Path(given) if given else Path.home() / ".cache" / "strandline" / "compiled"
