"""Every stage's templates, synthesized once a session, and views of them."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

collect_ignore = ["synthesize.py"]  # a script: importing it starts the CDK
ROOT = Path(__file__).resolve().parents[2]
STAGE_NAMES = ("local", "dev", "qa", "prod")
PARTS = (
    "storage",
    "identity",
    "catalog",
    "network",
    "compute",
    "workflow",
    "intake",
    "acts",
    "api",
    "release",
    "release-api",
    "fhir-api",
    "access",
    "alarms",
)


@dataclass(frozen=True, slots=True)
class Assembly:
    """What one synthesis wrote."""

    stage: str
    folder: Path

    def template(self, part: str) -> dict[str, Any]:
        """The template of one stack."""
        template: dict[str, Any] = json.loads((self.folder / f"{part}.template.json").read_text(encoding="utf-8"))
        return template

    @property
    def templates(self) -> dict[str, dict[str, Any]]:
        """Every template, by part, in the order of deployment."""
        return {part: self.template(part) for part in PARTS}

    @property
    def manifest(self) -> dict[str, Any]:
        """The assembly's own description."""
        manifest: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        return manifest

    def resources(self, resource_type: str, part: str | None = None) -> dict[str, dict[str, Any]]:
        """Resources of one type by logical id."""
        templates = [self.template(part)] if part else self.templates.values()
        return {
            logical_id: resource
            for template in templates
            for logical_id, resource in template["Resources"].items()
            if resource["Type"] == resource_type
        }

    def properties(self, resource_type: str, part: str | None = None) -> list[dict[str, Any]]:
        """Properties of the resources of one type."""
        return [resource.get("Properties", {}) for resource in self.resources(resource_type, part).values()]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the reviewed views of the templates anew")


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Assembly]:
    """Every stage's assembly, and that of prod without acknowledgements; workers of one run share them."""
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if is_worker else base) / "assemblies"
    with (folder.parent / "assemblies.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            synthesize_into(folder)
    return {path.name: Assembly(path.name, path) for path in folder.iterdir()}


def synthesize_into(folder: Path) -> None:
    """Synthesize everything; the folder appears when all of it is there."""
    partial, script = folder.with_suffix(".partial"), Path(__file__).with_name("synthesize.py")
    run = subprocess.run([sys.executable, script, partial], check=False, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    partial.rename(folder)


@pytest.fixture(params=STAGE_NAMES)
def assembly(request: pytest.FixtureRequest, assemblies: Mapping[str, Assembly]) -> Assembly:
    """Each stage in turn."""
    return assemblies[request.param]


@pytest.fixture
def prod(assemblies: Mapping[str, Assembly]) -> Assembly:
    return assemblies["prod"]


@pytest.fixture
def unacknowledged(assemblies: Mapping[str, Assembly]) -> Assembly:
    return assemblies["prod-unacknowledged"]
