"""What is needed to run one version of one function."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend

from local_stage.lambda_functions.packages import PackageStore


class NotRunnableError(Exception):
    """The embedded AWS cannot run this function; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """Everything that a worker depends on. Two functions with equal specs could share workers.

    `layers` are in the order of the function's configuration.
    """

    name: str
    arn: str
    role_arn: str
    version: str
    handler: str
    runtime: str
    memory_mb: int
    timeout_s: float
    log_group: str
    task_root: Path
    layers: tuple[Path, ...]
    environment: tuple[tuple[str, str], ...]

    @property
    def variables(self) -> Mapping[str, str]:
        """The function's own environment variables."""
        return dict(self.environment)


def describe_function(function: LambdaFunction, packages: PackageStore) -> FunctionSpec:
    """Read a function out of moto.

    Raises:
        NotRunnableError: it is not a Python function in a zip file.
    """
    if function.package_type != "Zip":
        raise NotRunnableError(f"{function.function_name}: only functions in zip files run here, not container images")
    runtime = str(function.run_time or "")
    if not runtime.startswith("python"):
        raise NotRunnableError(f"{function.function_name}: only Python functions run here, not {runtime or 'none'}")
    backend = get_backend(function.account_id, function.region)
    layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
    return FunctionSpec(
        name=function.function_name,
        arn=function.function_arn,
        role_arn=str(function.role),
        version=str(function.version),
        handler=str(function.handler),
        runtime=runtime,
        memory_mb=int(function.memory_size),
        timeout_s=float(function.timeout or 3),
        log_group=function.logs_group_name,
        task_root=packages.folder(function.code_digest),
        layers=tuple(packages.folder(layer.code_digest) for layer in layers if layer is not None),
        environment=tuple(sorted((name, str(value)) for name, value in function.environment_vars.items())),
    )
