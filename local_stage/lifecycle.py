"""Starting, looking at and ending the embedded AWS of a stage.

Everything a stage leaves lies in its own folder (see `state`). Two callers at once wait for each other on a lock file.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from local_stage.context import stage_client
from local_stage.deployment import deploy
from local_stage.differences import Difference, differences
from local_stage.permissions import RolePermission, list_permissions
from local_stage.state import (
    PERMISSIONS_NAME,
    RunningServer,
    present_code,
    read_server,
    state_folder,
    write_server,
)
from local_stage.synthesis import ROOT, synthesize
from strandline.errors import RejectedInputError, TemporaryError

if TYPE_CHECKING:
    from local_stage.verification import Check

Progress = Callable[[str], None]

FIRST_PORT = 4580
_START_S = 60
_STOP_S = 20
_LOCK_S = 300
_started: "list[subprocess.Popen[bytes]]" = []  # they outlive this process on purpose; those that end are reaped here
_TOOLS = ("bwa-mem2", "bwa", "samtools", "bcftools")


@dataclass(frozen=True, slots=True)
class StageState:
    """A stage that is up. `outputs_by_stack` maps stack name to output key to value."""

    stage: str
    folder: Path
    endpoint_url: str
    pid: int
    template_hash: str
    outputs_by_stack: dict[str, dict[str, str]]

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of all stacks together; those that only pass values between stacks are left out."""
        return {
            key: value
            for outputs in self.outputs_by_stack.values()
            for key, value in outputs.items()
            if not key.startswith("ExportsOutput")
        }


@dataclass(frozen=True, slots=True)
class StageStatus:
    """How a stage is now. What can only be asked of a running one is empty or None otherwise.

    `missing_by_caller` names the callers that cannot run here, and what each lacks; `missing_by_joint` likewise what
    genotypes cohorts together.
    """

    stage: str
    folder: Path
    running: bool
    endpoint_url: str | None
    pid: int | None
    uptime_s: float | None
    memory_bytes: int | None
    status_by_stack: dict[str, str]
    resource_count: int
    functions: list[str]
    messages_by_queue: dict[str, int]
    jobs_by_queue: dict[str, int]
    differences: list[Difference]
    missing_tools: list[str]
    missing_by_caller: dict[str, list[str]]
    missing_by_joint: dict[str, list[str]]


def up(stage: str, *, progress: Progress) -> StageState:
    """Have the embedded AWS of a stage running with the present templates deployed. Twice equals once.

    Raises:
        RejectedInputError: the templates cannot be synthesized or deployed.
        TemporaryError: the server did not start, or another command works on the stage for too long.
    """
    folder = state_folder(stage)
    with _lock(folder):
        running = _living(folder)
        if running is None:
            _clear(folder)
            starting = _spawn(folder)
            try:
                assembly = synthesize(stage, progress=progress)
            except BaseException:
                _end_child(starting)
                raise
            progress("waiting for the embedded AWS")
            running = _wait_until_ready(folder, starting)
        else:
            assembly = synthesize(stage, progress=progress)
        template_hash = (assembly / "source-hash.txt").read_text().strip()
        if running.template_hash != template_hash:
            outputs = _deploy_or_clear(running, assembly, folder, progress)
            running = running.with_deployment(template_hash, outputs)
            write_server(folder, running)
        return _state(stage, folder, running)


def down(stage: str) -> bool:
    """End the embedded AWS of a stage and remove what it kept. Say whether there was one running."""
    folder = state_folder(stage)
    if not folder.exists():
        return False
    with _lock(folder):
        running = _living(folder)
        if running is not None:
            _end(running)
        _clear(folder)
    return running is not None


def current(stage: str) -> StageState | None:
    """Return the stage if it is up and deployed, without changing anything."""
    folder = state_folder(stage)
    running = _living(folder)
    if running is None or not running.template_hash:
        return None
    return _state(stage, folder, running)


def permissions(stage: str) -> list[RolePermission]:
    """Return what roles may do, beside what they did since the stage came up.

    Raises:
        RejectedInputError: `stage_down`.
    """
    folder = state_folder(stage)
    running = _living(folder)
    if running is None:
        raise RejectedInputError("stage_down", f"stage {stage} is not up: run `strandline stage up`")
    return list_permissions(running.endpoint_url, folder / PERMISSIONS_NAME)


def status(stage: str) -> StageStatus:
    """Look at a stage without changing anything."""
    folder = state_folder(stage)
    running = _living(folder)
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    process = running.process() if running is not None else None
    if running is None or process is None:
        lacking = (missing, _missing_callers(), _missing_joint())
        return StageStatus(stage, folder, False, None, None, None, None, {}, 0, [], {}, {}, differences(), *lacking)
    url = running.endpoint_url
    cloudformation = stage_client("cloudformation", url)
    stacks = {item["StackName"]: item["StackStatus"] for item in cloudformation.describe_stacks()["Stacks"]}
    resources = sum(
        len(cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]) for name in stacks
    )
    functions = [item["FunctionName"] for item in stage_client("lambda", url).list_functions()["Functions"]]
    family = [process, *process.children(recursive=True)]
    return StageStatus(
        stage=stage,
        folder=folder,
        running=True,
        endpoint_url=url,
        pid=running.pid,
        uptime_s=time.time() - running.process_started,
        memory_bytes=sum(_memory(member) for member in family),
        status_by_stack=stacks,
        resource_count=resources,
        functions=sorted(functions),
        messages_by_queue=_messages_by_queue(url),
        jobs_by_queue=_jobs_by_queue(url),
        differences=differences(),
        missing_tools=missing,
        missing_by_caller=_missing_callers(),
        missing_by_joint=_missing_joint(),
    )


def _missing_callers() -> dict[str, list[str]]:
    from strandline.variants.callers import TRAITS, missing_tools  # noqa: PLC0415 - it brings pysam

    missing = {caller.value: missing_tools(caller) for caller in TRAITS}
    return {caller: tools for caller, tools in missing.items() if tools}


def _missing_joint() -> dict[str, list[str]]:
    from strandline.variants.joint_choice import JointCaller, missing_joint_tools  # noqa: PLC0415 - likewise

    missing = {joint.value: missing_joint_tools(joint) for joint in JointCaller}
    return {joint: tools for joint, tools in missing.items() if tools}


def verify(stage: str) -> "list[Check]":
    """Check a running stage level by level: server, stacks, every resource, an object's way through the services.

    Raises:
        RejectedInputError: `stage_down`, when there is nothing to verify.
    """
    from local_stage.verification import check_stage  # noqa: PLC0415 - it brings moto, a second to load

    state = current(stage)
    if state is None:
        raise RejectedInputError("stage_down", f"stage {stage} is not up: run `strandline stage up`")
    return check_stage(state.endpoint_url)


def _deploy_or_clear(
    running: RunningServer, assembly: Path, folder: Path, progress: Progress
) -> dict[str, dict[str, str]]:
    """Deploy; where the first deployment fails, leave no half of it for the next one to stumble over."""
    try:
        return deploy(assembly, endpoint_url=running.endpoint_url, state_dir=folder, progress=progress)
    except BaseException as error:
        if not running.template_hash:
            _end(running)
            _clear(folder)
        elif isinstance(error, RejectedInputError) and running.code != present_code():
            raise RejectedInputError(
                error.code,
                f"{error.message}. The embedded AWS that runs is of another version than this: end it with "
                "'strandline stage down', which gives up what it holds, and start it anew",
            ) from error
        raise


def _state(stage: str, folder: Path, running: RunningServer) -> StageState:
    return StageState(stage, folder, running.endpoint_url, running.pid, running.template_hash, running.outputs_by_stack)


def _living(folder: Path) -> RunningServer | None:
    server = read_server(folder)
    return server if server is not None and server.process() is not None else None


def _spawn(folder: Path) -> "subprocess.Popen[bytes]":
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "server.log").open("ab") as log:
        _started.append(
            subprocess.Popen(
                [sys.executable, "-m", "local_stage.server", "--state-dir", str(folder), "--port", str(FIRST_PORT)],
                cwd=ROOT,
                env={**os.environ, "MALLOC_ARENA_MAX": "2"},  # glibc keeps memory for each of many threads otherwise
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # it survives the command that started it
            )
        )
    return _started[-1]


def _wait_until_ready(folder: Path, starting: "subprocess.Popen[bytes]") -> RunningServer:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        server = _living(folder)
        if server is not None and server.pid == starting.pid:
            return server
        if starting.poll() is not None:
            raise TemporaryError("stage_start_failed", f"the embedded AWS ended at once: {_last_words(folder)}")
        time.sleep(0.05)
    _end_child(starting)
    raise TemporaryError("stage_start_failed", f"the embedded AWS did not answer: read {folder / 'server.log'}")


def _last_words(folder: Path) -> str:
    lines = (folder / "server.log").read_text(errors="replace").strip().splitlines()
    return f"{lines[-1] if lines else 'it said nothing'} ({folder / 'server.log'})"


def _end_child(starting: "subprocess.Popen[bytes]") -> None:
    if starting.poll() is None:
        starting.kill()
    starting.wait()


def _end(running: RunningServer) -> None:
    process = running.process()
    if process is None:
        return
    try:
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_S)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(_STOP_S)
    except psutil.NoSuchProcess:
        pass
    _started[:] = [child for child in _started if child.poll() is None]


def _clear(folder: Path) -> None:
    """Remove what a server kept. The log and the lock stay."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.name in {"server.log", "lock"}:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + _LOCK_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TemporaryError(
                        "stage_busy", f"another command works on this stage ({folder / 'lock'}): try again"
                    ) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _messages_by_queue(url: str) -> dict[str, int]:
    sqs = stage_client("sqs", url)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = {}
    for queue in sqs.list_queues().get("QueueUrls", []):
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        counts[queue.rsplit("/", 1)[-1]] = sum(int(attributes[name]) for name in names)
    return counts


def _jobs_by_queue(url: str) -> dict[str, int]:
    batch: Any = stage_client("batch", url)
    unfinished = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
    return {
        queue["jobQueueName"]: sum(
            len(batch.list_jobs(jobQueue=queue["jobQueueArn"], jobStatus=state)["jobSummaryList"])
            for state in unfinished
        )
        for queue in batch.describe_job_queues()["jobQueues"]
    }
