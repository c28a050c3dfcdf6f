"""What is shipped: complete, within Lambda's limits, pinned alike everywhere."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import pytest

from infra import bundling
from infra.runtimes import FunctionRuntime

ROOT = Path(__file__).resolve().parents[2]
ALONE = Path(__file__).with_name("imports_alone.py")
UNPACKED_LIMIT_BYTES = 250 * 1024 * 1024
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "lambdas").glob("*/handler.py"))
IMAGES = sorted(path.parent.name for path in (ROOT / "batch_images").glob("*/job.py"))
GLUE_JOBS = sorted(path.stem for path in (ROOT / "glue_jobs").glob("*.py"))
CLOUD_PYTHON = "3.13"


def pins(path):
    """Version by distribution of a requirements file; markers aside."""
    lines = [line.partition(";")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return dict(line.split("==") for line in lines if re.fullmatch(r"[\w.-]+==[\w.]+", line))


def shipped(assembly):
    """Function name, asset folder and layer folders of every function of a stage."""
    source = {}
    for part in ("workflow", "intake", "acts", "api", "release", "fhir-api"):
        assets = json.loads((assembly.folder / f"{part}.assets.json").read_text(encoding="utf-8"))
        source |= {key.partition("-")[0]: Path(value["source"]["path"]) for key, value in assets["files"].items()}
    for part in ("workflow", "intake", "acts", "api", "release", "fhir-api"):
        layers = assembly.resources("AWS::Lambda::LayerVersion", part)
        for function in assembly.properties("AWS::Lambda::Function", part):
            folders = [layers[layer["Ref"]]["Properties"]["Content"]["S3Key"] for layer in function["Layers"]]
            yield (
                function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"],
                assembly.folder / source[function["Code"]["S3Key"].removesuffix(".zip")],
                [assembly.folder / source[key.removesuffix(".zip")] for key in folders],
            )


def interpreter(version):
    """A Python of that minor version on this machine, or None."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    candidates = [shutil.which(f"python{version}")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += sorted(map(str, pyenv.glob(f"{version}.*/bin/python{version}")), reverse=True)
    for candidate in filter(None, candidates):
        run = subprocess.run([candidate, "-c", "import sys; print(sys.version)"], check=False, capture_output=True)
        if run.returncode == 0 and run.stdout.decode().startswith(version):
            return candidate
    return None


def import_alone(python, files, folders, *, bytecode, names=()):
    """What is wrong with each file that an interpreter cannot import from these folders alone."""
    run = subprocess.run(
        [
            *(python, "-I", "-S", "-X", f"pycache_prefix={bytecode}", str(ALONE)),
            *(",".join(names), ":".join(map(str, folders)), *map(str, files)),
        ],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def bytecode(tmp_path_factory):
    """Compiled modules, shared by the interpreters that the tests start."""
    return tmp_path_factory.mktemp("bytecode")


@pytest.mark.parametrize("stage", ["local", "prod"])
def test_each_handler_imports_from_its_package_and_layers_alone(assemblies, bytecode, stage):
    version = f"{sys.version_info.major}.{sys.version_info.minor}" if stage == "local" else CLOUD_PYTHON
    if stage != "local" and (sys.platform, os.uname().machine) != ("linux", "x86_64"):
        pytest.skip(f"the packages of {stage} are for Linux on x86_64")
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine to run the packages of {stage}")

    names, by_layers = [], {}
    for name, asset, layers in shipped(assemblies[stage]):
        names.append(name)
        by_layers.setdefault(tuple(layer / "python" for layer in layers), []).append(asset / "handler.py")

    def run(folders):
        return import_alone(python, by_layers[folders], folders, bytecode=bytecode)

    with ThreadPoolExecutor(max_workers=2) as pool:
        wrong = list(pool.map(run, by_layers))

    assert sorted(names) == FUNCTIONS
    assert wrong == [{}] * len(by_layers)


@pytest.mark.parametrize("name", IMAGES)
def test_each_job_imports_with_nothing_but_its_pinned_requirements(bytecode, name):
    pinned = pins(ROOT / "batch_images" / name / "requirements.txt")
    assert {distribution: metadata.version(distribution) for distribution in pinned} == pinned
    names = {file.parts[0].partition(".")[0] for pin in pinned for file in metadata.files(pin) or ()}
    job = ROOT / "batch_images" / name / "job.py"
    folders = [sysconfig.get_path("purelib"), bundling.image_context(name).path]

    assert import_alone(sys.executable, [job], folders, bytecode=bytecode, names=sorted(names | {"strandline"})) == {}


@pytest.mark.parametrize("name", GLUE_JOBS)
def test_each_glue_job_imports_with_our_package_and_what_it_has_installed(assemblies, bytecode, name):
    (asked,) = [
        job["DefaultArguments"]
        for job in assemblies["prod"].properties("AWS::Glue::Job", "compute")
        if job["Name"].endswith(f"-{name.replace('_', '-')}")
    ]
    pinned = dict(pin.split("==") for pin in asked["--additional-python-modules"].split(","))
    assert {distribution: metadata.version(distribution) for distribution in pinned} == pinned
    names = {file.parts[0].partition(".")[0] for pin in pinned for file in metadata.files(pin) or ()}
    folders = [sysconfig.get_path("purelib"), bundling.source_package().path]
    job = ROOT / "glue_jobs" / f"{name}.py"

    assert import_alone(sys.executable, [job], folders, bytecode=bytecode, names=sorted(names | {"strandline"})) == {}


def test_each_glue_job_runs_alone_encrypted_and_as_often_as_is_said(assembly):
    jobs = {job["Name"]: job for job in assembly.properties("AWS::Glue::Job")}
    (security,) = assembly.properties("AWS::Glue::SecurityConfiguration")
    (trigger,) = assembly.properties("AWS::Glue::Trigger")

    assert sorted(name.rpartition(f"{assembly.stage}-")[2].replace("-", "_") for name in jobs) == GLUE_JOBS
    for job in jobs.values():
        assert job["ExecutionProperty"] == {"MaxConcurrentRuns": 1}
        assert job["SecurityConfiguration"] == security["Name"]
        assert job["GlueVersion"] == "5.0"  # of Python 3.11, the oldest that we run on
    assert security["EncryptionConfiguration"]["CloudWatchEncryption"]["CloudWatchEncryptionMode"] == "SSE-KMS"
    assert (trigger["Schedule"], trigger["StartOnCreation"]) == ("cron(15 * * * ? *)", True)
    assert [action["JobName"] for action in trigger["Actions"]] == [f"strandline-{assembly.stage}-refresh-gold"]


def test_a_function_and_its_layers_fit_lambda(assemblies):
    for stage in ("local", "prod"):
        for name, asset, layers in shipped(assemblies[stage]):
            size = sum(
                file.stat().st_size for folder in (asset, *layers) for file in folder.rglob("*") if file.is_file()
            )
            assert size < UNPACKED_LIMIT_BYTES, f"{name} of {stage}: {size} bytes"
            assert len(layers) <= 5, name


@pytest.mark.parametrize(
    "requirements",
    sorted([*(ROOT / "lambdas").glob("*-requirements.txt"), *(ROOT / "batch_images").glob("*/requirements.txt")]),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_whatever_is_shipped_is_pinned_as_it_was_tested(requirements):
    tested = pins(ROOT / "requirements.txt")

    assert pins(requirements)
    assert {name: version for name, version in pins(requirements).items() if tested.get(name) != version} == {}


def test_two_packages_with_the_same_files_in_other_folders_are_two_assets():
    """CDK stages an asset by its hash alone: of two with one hash, the first is shipped as both."""
    layer, package = bundling.source_layer(), bundling.source_package()
    assert (layer.path / "python" / "strandline").is_dir()
    assert (package.path / "strandline").is_dir()
    assert layer.content_hash != package.content_hash


def test_a_layer_is_made_once_and_named_by_what_it_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(bundling, "BUILD", tmp_path)
    runtime = FunctionRuntime(python=f"{sys.version_info.major}.{sys.version_info.minor}", platform=None)

    first = bundling.requirements_layer("genomics", runtime)
    made = first.path.stat().st_mtime_ns
    again = bundling.requirements_layer("genomics", runtime)

    assert again == first
    assert again.path.stat().st_mtime_ns == made
    assert list((tmp_path / "layers").iterdir()) == [first.path], "nothing half-made is left"


def test_a_package_of_days_ago_makes_room_for_the_current_one(tmp_path, monkeypatch):
    monkeypatch.setattr(bundling, "BUILD", tmp_path)
    old, recent, other = (tmp_path / "layers" / name for name in ("strandline-0", "strandline-1", "runtime-0"))
    for folder in (old, recent, other):
        folder.mkdir(parents=True)
    for folder in (old, other):
        os.utime(folder, (0, 0))

    current = bundling.source_layer().path

    assert {path.name for path in (tmp_path / "layers").iterdir()} == {current.name, recent.name, other.name}


def test_no_package_holds_bytecode_or_the_tests_of_a_library(assemblies):
    for _, asset, layers in shipped(assemblies["prod"]):
        for folder in layers:
            assert not [path for path in folder.rglob("*") if path.is_dir() and path.name in {"__pycache__", "tests"}]
        assert {path.name for path in asset.iterdir() if path.name != "__pycache__"} == {"handler.py"}


def test_an_installer_that_fails_says_which_requirements(tmp_path, monkeypatch):
    (tmp_path / "lambdas").mkdir()
    (tmp_path / "lambdas" / "odd-requirements.txt").write_text("strandline-no-such-distribution==0.0.0\n")
    monkeypatch.setattr(bundling, "ROOT", tmp_path)
    monkeypatch.setattr(bundling, "BUILD", tmp_path / "build")
    monkeypatch.setattr(bundling, "_install_command", lambda *_: [sys.executable, "-c", "raise SystemExit('no wheel')"])

    with pytest.raises(bundling.PackagingError, match=r"^odd-requirements.txt for Python 3.13: no wheel"):
        bundling.requirements_layer("odd", FunctionRuntime(python="3.13", platform="manylinux_2_28_x86_64"))

    assert list((tmp_path / "build" / "layers").iterdir()) == [], "nothing half-made is left"


@pytest.mark.parametrize("name", IMAGES)
def test_each_image_is_pinned_and_runs_as_nobody_in_particular(name):
    dockerfile = (ROOT / "batch_images" / name / "Dockerfile").read_text(encoding="utf-8")

    for image in re.findall(r"^ARG \w+_IMAGE=(\S+)", dockerfile, re.MULTILINE):
        assert re.search(r":(v?\d+(\.\d+){2,3}(-\w+)*|release_\d+\.\d+)$", image), f"{image} is not pinned to a version"
    for tool in re.findall(r"^ARG (\w+)_VERSION=", dockerfile, re.MULTILINE):
        assert re.search(rf"^ARG {tool}_SHA256=[0-9a-f]{{64}}$", dockerfile, re.MULTILINE), tool
    assert "sha256sum -c" in dockerfile or "curl" not in dockerfile
    assert re.search(r"^USER job$", dockerfile, re.MULTILINE)
    assert dockerfile.rstrip().endswith('ENTRYPOINT ["python", "/app/job.py"]')
    assert not re.search(r"latest|password|secret|token", dockerfile, re.IGNORECASE)


@pytest.mark.parametrize("name", IMAGES)
def test_each_images_readme_names_the_versions_of_its_tools(name):
    folder = ROOT / "batch_images" / name
    readme = (folder / "README.md").read_text(encoding="utf-8")

    for tool, version in re.findall(r"^ARG (\w+)_VERSION=(\S+)", (folder / "Dockerfile").read_text(), re.MULTILINE):
        assert f"| {tool.lower().replace('_', '-')} | {version} |" in readme


def test_an_image_context_holds_the_job_and_our_source_and_nothing_else(assemblies):
    assert assemblies
    for name in IMAGES:
        context = bundling.image_context(name).path
        assert {path.name for path in context.iterdir()} == {
            *("Dockerfile", "README.md", "job.py", "requirements.txt", "strandline")
        }
