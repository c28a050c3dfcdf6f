"""Make `.venv/` hold what a requirements file pins: `python3 setup_environment.py requirements.txt`.

Standard library only, because it runs before anything is installed. Uses uv where it is found, pip otherwise. A stamp
with the hash of the requirements makes the second run free.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SUPPORTED = ((3, 11), (3, 14))


def main() -> int:
    """Install the asked requirements into `.venv/`, or do nothing where that was done before."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requirements", type=Path, help="requirements.txt or requirements-dev.txt")
    requirements: Path = parser.parse_args().requirements
    if not SUPPORTED[0] <= sys.version_info[:2] < SUPPORTED[1]:
        return _refuse(
            f"Python {sys.version.split()[0]} is not supported",
            "use Python 3.11, 3.12 or 3.13: make PYTHON=python3.12 setup",
        )
    environment = ROOT / ".venv"
    python = environment / "bin" / "python"
    stamp = environment / f".{requirements.stem}.sha256"
    wanted = _fingerprint(requirements)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return 0
    started = time.monotonic()
    installer = shutil.which("uv")
    _say(f"setting up .venv from {requirements.name} with {'uv' if installer else 'pip'} (once; the next time is free)")
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(environment)])
    if installer:
        install = [installer, "pip", "install", "--quiet", "--python", str(python)]
    else:
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        _run([*install, "-r", str(requirements)])
        _run([*install, "--no-deps", "--editable", str(ROOT)])
    except subprocess.CalledProcessError as error:
        return _refuse(
            f"the installer ended with exit code {error.returncode}",
            "read its message above, then run make setup again",
        )
    stamp.write_text(wanted)
    _say(f"environment ready in {time.monotonic() - started:.0f} s")
    return 0


def _fingerprint(requirements: Path) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in (requirements, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, env={**os.environ, "VIRTUAL_ENV": ""})


def _say(message: str) -> None:
    sys.stderr.write(f"strandline: {message}\n")
    sys.stderr.flush()


def _refuse(what: str, advice: str) -> int:
    _say(f"{what}; {advice}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
