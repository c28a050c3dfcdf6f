"""Packages for functions and images, made without Docker and kept in `build/` under the hash of what they hold."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import mkdtemp

from infra.runtimes import FunctionRuntime

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
_LEFT_OUT = frozenset({"__pycache__", "tests"})
_BYTECODE = shutil.ignore_patterns("__pycache__")
_KEPT_S = 2 * 86_400


class PackagingError(Exception):
    """What a function needs could not be fetched; the message is the installer's own."""


@dataclass(frozen=True, slots=True)
class Package:
    """A folder ready to ship, and the hash that names its content."""

    path: Path
    content_hash: str


def function_package(name: str) -> Package:
    """The folder of one function: its handler and nothing else."""
    folder = ROOT / "lambdas" / name
    return Package(folder, _content_hash([folder]))


def source_layer() -> Package:
    """The `strandline` package as a layer."""
    content_hash = _content_hash([ROOT / "strandline"])

    def fill(target: Path) -> None:
        shutil.copytree(ROOT / "strandline", target / "python" / "strandline", ignore=_BYTECODE)

    return Package(_made_once(BUILD / "layers" / f"strandline-{content_hash[:16]}", fill), content_hash)


def source_package() -> Package:
    """The `strandline` package in a folder of its own, to be zipped for Glue.

    An asset is known by its hash alone: this one and the layer have the same files in other folders.
    """
    content_hash = hashlib.sha256(f"package {_content_hash([ROOT / 'strandline'])}".encode()).hexdigest()

    def fill(target: Path) -> None:
        shutil.copytree(ROOT / "strandline", target / "strandline", ignore=_BYTECODE)

    return Package(_made_once(BUILD / "packages" / f"strandline-{content_hash[:16]}", fill), content_hash)


def pins_of_image(name: str) -> list[str]:
    """What `batch_images/{name}/requirements.txt` pins, as `name==version`."""
    lines = (ROOT / "batch_images" / name / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition(";")[0].strip() for line in lines if "==" in line]


def requirements_layer(name: str, runtime: FunctionRuntime) -> Package:
    """What `lambdas/{name}-requirements.txt` pins, as a layer for `runtime`.

    Raises:
        PackagingError: The installer could not find or fetch a pinned wheel.
    """
    requirements = ROOT / "lambdas" / f"{name}-requirements.txt"
    machine = runtime.platform or f"{sys.platform}-{os.uname().machine}-{sys.version_info.micro}"
    key = f"{requirements.read_text(encoding='utf-8')}\n{runtime.python}\n{machine}"
    content_hash = hashlib.sha256(key.encode()).hexdigest()

    def fill(target: Path) -> None:
        packages = target / "python"
        packages.mkdir(parents=True)
        if runtime.platform is not None or not _copy_installed(requirements, packages):
            _install(requirements, packages, runtime)
        _remove_left_out(packages)

    return Package(_made_once(BUILD / "layers" / f"{name}-{content_hash[:16]}", fill), content_hash)


def image_context(name: str) -> Package:
    """The build context of one image: its Dockerfile, job and requirements beside the `strandline` package."""
    folder = ROOT / "batch_images" / name
    content_hash = _content_hash([folder, ROOT / "strandline"])

    def fill(target: Path) -> None:
        shutil.copytree(folder, target, ignore=_BYTECODE, dirs_exist_ok=True)
        shutil.copytree(ROOT / "strandline", target / "strandline", ignore=_BYTECODE)

    return Package(_made_once(BUILD / "images" / f"{name}-{content_hash[:16]}", fill), content_hash)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _content_hash(folders: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for path in _files(folder):
            digest.update(f"{folder.name}/{path.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _made_once(target: Path, fill: Callable[[Path], None]) -> Path:
    """Fill `target` unless it is there; half a folder is never seen, however many runs want it at once."""
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(dir=target.parent, prefix=".making-"))
    try:
        fill(fresh)
        fresh.chmod(0o755)
        with suppress(OSError):  # another run was first, with the same content
            fresh.rename(target)
        _forget_outdated(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _forget_outdated(current: Path) -> None:
    """Remove what the package was days ago; younger ones may still be in use by a stage that runs."""
    name = current.name.rpartition("-")[0]
    for other in current.parent.glob(f"{name}-*"):
        with suppress(FileNotFoundError):
            if other != current and time.time() - other.stat().st_mtime > _KEPT_S:
                shutil.rmtree(other, ignore_errors=True)


def _copy_installed(requirements: Path, target: Path) -> bool:
    """Copy the pinned distributions from the running environment; False where it has not all of them as pinned."""
    pins = [line.partition("==") for line in requirements.read_text(encoding="utf-8").splitlines() if "==" in line]
    distributions = []
    for name, _, version in pins:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            return False
        if distribution.version != version.split()[0] or distribution.files is None:
            return False
        distributions.append(distribution)
    for distribution in distributions:
        for file in distribution.files or ():
            if ".." in file.parts or _LEFT_OUT & set(file.parts):
                continue
            copy = target / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(str(distribution.locate_file(file))), copy)
    return True


def _install(requirements: Path, target: Path, runtime: FunctionRuntime) -> None:
    command = _install_command(requirements, target, runtime)
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode != 0:
        raise PackagingError(f"{requirements.name} for Python {runtime.python}: {result.stderr.strip()}")


def _install_command(requirements: Path, target: Path, runtime: FunctionRuntime) -> list[str]:
    arguments = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(target), "-r", str(requirements)]
    uv = shutil.which("uv")
    if uv:
        command = [uv, "pip", "install", "--python-version", runtime.python, *arguments]
        if runtime.platform:
            return [*command, "--python-platform", f"x86_64-{runtime.platform.removesuffix('_x86_64')}"]
        return [*command, "--python", sys.executable]
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    if runtime.platform:
        command += ["--implementation", "cp", "--python-version", runtime.python]
        for platform in _accepted_platforms(runtime.platform):
            command += ["--platform", platform]
    return command


def _accepted_platforms(platform: str) -> list[str]:
    """The tag and the older ones it runs: pip takes each literally."""
    glibc_minor = int(platform.split("_")[2])
    older = [f"manylinux_2_{minor}_x86_64" for minor in range(glibc_minor, 4, -1)]
    return [*older, "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]


def _remove_left_out(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and path.name in _LEFT_OUT:
            shutil.rmtree(path)
    shutil.rmtree(folder / "bin", ignore_errors=True)
