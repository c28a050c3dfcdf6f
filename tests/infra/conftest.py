"""Every stage's templates, synthesized once a session as `cdk deploy` would, in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STAGE_NAMES = ("local", "dev", "qa", "prod")
PARTS = ("storage", "catalog", "network", "compute", "workflow", "intake", "alarms")


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
    """Every stage's assembly. Assets are left where they lie: nothing here needs a copy of them."""
    folder = tmp_path_factory.mktemp("assemblies")
    runs = {
        stage: subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "app.py"),
                *(f"-c{pair}" for pair in ("account=111122223333", "region=us-east-1", f"stage={stage}")),
                "-caws:cdk:disable-asset-staging=true",
            ],
            env={**os.environ, "CDK_OUTDIR": str(folder / stage)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for stage in STAGE_NAMES
    }
    for stage, run in runs.items():
        output, errors = run.communicate(timeout=240)
        assert run.returncode == 0, f"{stage}: {output}{errors}"
        assert output + errors == "", f"{stage} did not synthesize in silence"
    return {stage: Assembly(stage, folder / stage) for stage in STAGE_NAMES}


@pytest.fixture(params=STAGE_NAMES)
def assembly(request: pytest.FixtureRequest, assemblies: Mapping[str, Assembly]) -> Assembly:
    """Each stage in turn."""
    return assemblies[request.param]


@pytest.fixture
def prod(assemblies: Mapping[str, Assembly]) -> Assembly:
    return assemblies["prod"]


@pytest.fixture
def local(assemblies: Mapping[str, Assembly]) -> Assembly:
    return assemblies["local"]
