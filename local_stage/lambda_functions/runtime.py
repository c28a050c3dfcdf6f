"""What a Lambda runtime gives a function: the runtime client and the AWS SDK, and nothing else.

A worker starts without this environment's site-packages, so a function that misses a package in its own package or
layers misses it here too, as it would on AWS.
"""

import importlib.util
from pathlib import Path

from local_stage.lambda_functions import runtime_client_in_python

# The Python runtimes of AWS bring the SDK with what it needs, and the runtime client with what that needs.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
_PROVIDED = (
    "awslambdaric",
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot_restore_py",
    "urllib3",
)
_NATIVE_CLIENT = "runtime_client"


def native_client() -> Path | None:
    """Return awslambdaric's native client, or None where it was installed without (there is none for macOS)."""
    spec = importlib.util.find_spec(_NATIVE_CLIENT)
    return None if spec is None or spec.origin is None else Path(spec.origin)


def link_runtime(folder: Path, client: Path | None) -> Path:
    """Fill `folder` with links to what the runtime provides, and return it.

    Without a native `client`, ours in Python takes its place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in _PROVIDED:
        _link(folder, _location(name))
    if client is not None:
        _link(folder, client)
    else:
        _link(folder, Path(runtime_client_in_python.__file__), name=f"{_NATIVE_CLIENT}.py")
    return folder


def _location(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name}: not installed, but functions of the embedded AWS need it: run `make setup`")
    origin = Path(spec.origin)
    return origin.parent if spec.submodule_search_locations else origin


def _link(folder: Path, target: Path, *, name: str | None = None) -> None:
    link = folder / (name or target.name)
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)
