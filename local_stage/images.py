"""Container images of the embedded AWS: a tag, and the folder that the image would be built from.

Whoever deploys registers the folders; the server looks them up when a job starts. Both know the stage's own folder.
"""

import json
import os
import threading
from pathlib import Path

from local_stage.context import StageContext

_FILE = "images.json"
_state_dir: list[Path] = []
_writing = threading.Lock()


def install(context: StageContext) -> None:
    """Look images up in this stage's folder."""
    _state_dir[:] = [context.state_dir]


def register(state_dir: Path, tag: str, directory: Path) -> None:
    """Say which folder the image with this tag is built from."""
    with _writing:
        known = _read(state_dir)
        known[tag] = str(directory.resolve())
        draft = state_dir / f".images.{os.getpid()}.json"
        draft.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
        draft.replace(state_dir / _FILE)


def resolve(image_uri: str) -> Path:
    """Return the folder of an image, by the tag at the end of its URI.

    Raises:
        LookupError: no such image was deployed.
    """
    if not _state_dir:
        raise LookupError("the embedded AWS is not running in this process")
    tag = image_uri.rsplit(":", 1)[-1]
    directory = _read(_state_dir[0]).get(tag)
    if directory is None:
        raise LookupError(
            f"{image_uri} is no image of a deployed stack: the embedded AWS runs images that the stacks are built with"
        )
    return Path(directory)


def _read(state_dir: Path) -> dict[str, str]:
    try:
        known: dict[str, str] = json.loads((state_dir / _FILE).read_text())
    except FileNotFoundError:
        return {}
    return known
