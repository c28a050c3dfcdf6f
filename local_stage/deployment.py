"""A cloud assembly, as `app.py` writes it, deployed into the embedded AWS: assets first, then stack after stack."""

import json
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_stage import images
from local_stage.context import ACCOUNT, REGION, stage_client
from local_stage.synthesis import ROOT
from strandline.errors import RejectedInputError

_QUALIFIER = "hnb659fds"
_BOOTSTRAP_VERSION = "30"
_ASSET_BUCKET = f"cdk-{_QUALIFIER}-assets-{ACCOUNT}-{REGION}"
_OLD_ZIPS = 40  # packages kept in build/ for the next deployment
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can tell: equal folders give equal files


@dataclass(frozen=True, slots=True)
class StackPlan:
    """One stack of an assembly. `assets` is its asset manifest, `needs` the stacks that come before it."""

    identity: str
    name: str
    template: Path
    assets: Path | None
    needs: tuple[str, ...]


def read_assembly(assembly: Path) -> list[StackPlan]:
    """Return the stacks of an assembly in the order in which they are deployed."""
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    plans = {}
    for identity, artifact in artifacts.items():
        if artifact["type"] != "aws:cloudformation:stack":
            continue
        needs = artifact.get("dependencies", [])
        manifests = [
            assembly / artifacts[need]["properties"]["file"]
            for need in needs
            if artifacts[need]["type"] == "cdk:asset-manifest"
        ]
        plans[identity] = StackPlan(
            identity,
            artifact["properties"].get("stackName", identity),
            assembly / artifact["properties"]["templateFile"],
            manifests[0] if manifests else None,
            tuple(need for need in needs if artifacts[need]["type"] == "aws:cloudformation:stack"),
        )
    order = TopologicalSorter({identity: plan.needs for identity, plan in plans.items()}).static_order()
    return [plans[identity] for identity in order]


def deploy(
    assembly: Path, *, endpoint_url: str, state_dir: Path, progress: Callable[[str], None]
) -> dict[str, dict[str, str]]:
    """Deploy every stack of an assembly and remove those that it no longer has.

    Returns:
        The outputs of each stack: stack name to output key to value.

    Raises:
        RejectedInputError: `deployment_failed`, with the resource and the cause.
    """
    plans = read_assembly(assembly)
    _bootstrap(endpoint_url)
    outputs = {}
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="assets") as pool:
        published = {
            plan.identity: pool.submit(_publish, plan.assets, endpoint_url, state_dir)
            for plan in plans
            if plan.assets is not None
        }
        for plan in plans:
            progress(f"deploying {plan.name}")
            _wait_for_assets(published, plan)
            outputs[plan.name] = _deploy_stack(plan, endpoint_url)
    _remove_others(endpoint_url, {plan.name for plan in plans})
    return outputs


def _bootstrap(endpoint_url: str) -> None:
    """Make what `cdk bootstrap` makes and the templates rely on."""
    stage_client("ssm", endpoint_url).put_parameter(
        Name=f"/cdk-bootstrap/{_QUALIFIER}/version", Value=_BOOTSTRAP_VERSION, Type="String", Overwrite=True
    )
    s3 = stage_client("s3", endpoint_url)
    try:
        s3.head_bucket(Bucket=_ASSET_BUCKET)
    except ClientError:
        s3.create_bucket(Bucket=_ASSET_BUCKET)


def _wait_for_assets(published: Mapping[str, Future[None]], plan: StackPlan) -> None:
    try:
        if plan.identity in published:
            published[plan.identity].result()
    except OSError as error:
        raise RejectedInputError("deployment_failed", f"the assets of {plan.name} cannot be read: {error}") from error


def _publish(manifest: Path, endpoint_url: str, state_dir: Path) -> None:
    document = json.loads(manifest.read_text())
    s3 = stage_client("s3", endpoint_url)
    for identity, asset in document.get("files", {}).items():
        source = manifest.parent / asset["source"]["path"]
        if source.name.endswith(".template.json"):
            continue  # templates are passed on as they are
        file = _zip(source, identity) if asset["source"]["packaging"] == "zip" and source.is_dir() else source
        for destination in asset["destinations"].values():
            bucket, key = (_fill(destination[name]) for name in ("bucketName", "objectKey"))
            if not _is_there(s3, bucket, key):
                with file.open("rb") as body:
                    s3.put_object(Bucket=bucket, Key=key, Body=body)
    for asset in document.get("dockerImages", {}).values():
        for destination in asset["destinations"].values():
            folder = manifest.parent / asset["source"]["directory"]
            images.register(state_dir, _fill(destination["imageTag"]), folder)


def _zip(folder: Path, identity: str) -> Path:
    """Return the folder as a zip file, made once for each hash that the CDK gives it."""
    kept = ROOT / "build" / "asset-zips"
    kept.mkdir(parents=True, exist_ok=True)
    file = kept / f"{identity}.zip"
    if file.exists():
        file.touch()
        return file
    draft = kept / f".{uuid.uuid4().hex}"  # two stacks may share a layer
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                info = zipfile.ZipInfo(str(path.relative_to(folder)), _EARLIEST)
                info.external_attr = (path.stat().st_mode & 0xFFFF) << 16
                archive.writestr(info, path.read_bytes())
    draft.replace(file)
    for old in sorted(kept.glob("*.zip"), key=lambda path: path.stat().st_mtime)[:-_OLD_ZIPS]:
        old.unlink(missing_ok=True)
    return file


def _is_there(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError:
        return False
    return True


def _deploy_stack(plan: StackPlan, endpoint_url: str) -> dict[str, str]:
    cloudformation = stage_client("cloudformation", endpoint_url)
    asked = {
        "StackName": plan.name,
        "TemplateBody": plan.template.read_text(),
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    }
    try:
        if _status(cloudformation, plan.name).startswith(("ROLLBACK", "CREATE_FAILED")):
            cloudformation.delete_stack(StackName=plan.name)
        try:
            cloudformation.create_stack(**asked)
        except cloudformation.exceptions.AlreadyExistsException:
            _update(cloudformation, asked)
    except ClientError as error:
        message = error.response["Error"]["Message"]
        raise RejectedInputError("deployment_failed", f"{plan.name}: {message}") from error
    stack = cloudformation.describe_stacks(StackName=plan.name)["Stacks"][0]
    if stack["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        reason = stack.get("StackStatusReason", "no reason given")
        raise RejectedInputError("deployment_failed", f"{plan.name} is {stack['StackStatus']}: {reason}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _update(cloudformation: Any, asked: dict[str, Any]) -> None:
    try:
        cloudformation.update_stack(**asked)
    except ClientError as error:
        if "No updates are to be performed" not in error.response["Error"]["Message"]:
            raise


def _status(cloudformation: Any, name: str) -> str:
    try:
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError:
        return ""


def _remove_others(endpoint_url: str, kept: set[str]) -> None:
    cloudformation = stage_client("cloudformation", endpoint_url)
    for name in _stack_names(cloudformation):
        if name not in kept:
            cloudformation.delete_stack(StackName=name)


def _stack_names(cloudformation: Any) -> Iterator[str]:
    for stack in cloudformation.describe_stacks()["Stacks"]:
        yield stack["StackName"]


def _fill(text: str) -> str:
    known = {"${AWS::AccountId}": ACCOUNT, "${AWS::Region}": REGION, "${AWS::Partition}": "aws"}
    for name, value in known.items():
        text = text.replace(name, value)
    return text
