"""One warm process that runs one function under AWS's own runtime client."""

import contextlib
import json
import os
import queue
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from local_stage.callers import role_variables
from local_stage.context import StageContext
from local_stage.lambda_functions.function import FunctionSpec
from local_stage.lambda_functions.runtime_api import Event, Report, ReportKind, RuntimeApi
from local_stage.log_streams import LogStream
from local_stage.memory_watch import WATCHER, own_bytes

_INIT_LIMIT_S = 60.0  # AWS gives 10 s; the first import of a package here also compiles it
_MIB = 1 << 20
_MAX_LOG_LINE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one invocation ended. `payload` is JSON; `failed` is what makes AWS set FunctionError."""

    payload: bytes
    failed: bool
    log: str


class Worker:
    """A process for one function. It runs one event at a time; `alive` turns false once it can run no more."""

    def __init__(self, spec: FunctionSpec, context: StageContext, runtime: Path) -> None:
        self.spec = spec
        self.idle_since = time.monotonic()
        self._context = context
        self._scratch = Path(tempfile.mkdtemp(prefix="lambda-"))
        self._api = RuntimeApi()
        today = time.strftime("%Y/%m/%d", time.gmtime())
        stream_name = f"{today}/[{spec.version}]{uuid.uuid4().hex}"
        self._stream = LogStream(context, spec.log_group, stream_name)
        environment = _environment(spec, context, runtime, self._scratch)
        environment |= {"AWS_LAMBDA_RUNTIME_API": self._api.address, "AWS_LAMBDA_LOG_STREAM_NAME": stream_name}
        self._started = time.monotonic()
        # -S: without this environment's site-packages. What the function may import stands in PYTHONPATH.
        self._process = context.keeper.spawn(
            [sys.executable, "-S", "-m", "awslambdaric", spec.handler],
            env=environment,
            cwd=spec.task_root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._output = _Output(self._process)
        self._init_s: float | None = None
        self.alive = True
        threading.Thread(target=self._await_end, name=f"lambda-{spec.name}", daemon=True).start()

    def invoke(self, payload: bytes, *, client_context: str | None = None) -> Outcome:
        """Run the function on `payload` and wait for what comes of it, at most the function's timeout."""
        request_id = str(uuid.uuid4())
        self._api.ready.wait(_INIT_LIMIT_S)
        if self._init_s is None:
            self._init_s = time.monotonic() - self._started
            init_s: float | None = self._init_s
        else:
            init_s = None
        started = time.monotonic()
        limit_bytes = self.spec.memory_mb * _MIB
        with WATCHER.watch(self._process.pid, limit_bytes, self._kill) as memory:
            report = self._run(request_id, payload, client_context)
            duration_s = time.monotonic() - started
            memory.peak_bytes = max(memory.peak_bytes, own_bytes(self._process.pid))
        if report is None or report.kind in (ReportKind.INIT_FAILED, ReportKind.ENDED):
            self.close()
        body = self._error_body(request_id, report, exceeded=memory.exceeded)
        lines = self._output.take()
        if body is not None and report is None:
            lines.append(f"{_timestamp()} {request_id} Task timed out after {self.spec.timeout_s:.2f} seconds")
        log = [f"START RequestId: {request_id} Version: {self.spec.version}", *lines, f"END RequestId: {request_id}"]
        log.append(_report_line(request_id, duration_s, self.spec.memory_mb, memory.peak_bytes, init_s))
        self._stream.write(log)
        self.idle_since = time.monotonic()
        if body is not None:
            return Outcome(body, failed=True, log="\n".join(log))
        if report is None:
            raise AssertionError("an invocation without a report has an error")
        return Outcome(report.body, failed=report.kind is ReportKind.RAISED, log="\n".join(log))

    def close(self) -> None:
        """End the process and everything it started."""
        self.alive = False
        self._kill()
        self._api.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _run(self, request_id: str, payload: bytes, client_context: str | None) -> Report | None:
        """Return what the worker reports, or None when its time is over."""
        deadline_ms = int((time.time() + self.spec.timeout_s) * 1000)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.spec.arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{request_id.replace('-', '')[:24]};Sampled=0",
        }
        if client_context:
            headers["Lambda-Runtime-Client-Context"] = client_context
        self._api.send(Event(payload, headers))
        try:
            return self._api.reports.get(timeout=self.spec.timeout_s)
        except queue.Empty:
            return None

    def _error_body(self, request_id: str, report: Report | None, *, exceeded: bool) -> bytes | None:
        """Return the error that AWS answers with where the function itself gave no answer."""
        if report is None:
            message = f"RequestId: {request_id} Error: Task timed out after {self.spec.timeout_s:.2f} seconds"
            return _error("Sandbox.Timedout", message)
        if report.kind is ReportKind.INIT_FAILED:
            return report.body
        if report.kind is ReportKind.ENDED:
            message = f"RequestId: {request_id} Error: Runtime exited with error: {_how_it_ended(self._process)}"
            return _error("Runtime.OutOfMemory" if exceeded else "Runtime.ExitError", message)
        return None

    def _await_end(self) -> None:
        self._process.wait()
        self.alive = False
        with contextlib.suppress(RuntimeError):
            self._context.keeper.release(self._process)
        self._api.report(Report(ReportKind.ENDED))

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


class _Output:
    """What the process prints, collected line by line without holding it up."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        if process.stdout is None:
            raise ValueError("the process was started without a pipe")
        self._pipe = process.stdout
        self._fd = self._pipe.fileno()
        os.set_blocking(self._fd, False)
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._rest = b""
        threading.Thread(target=self._pump, name="lambda-output", daemon=True).start()

    def take(self) -> list[str]:
        """Return the lines since the last call: all that was printed before it, however busy this process is."""
        with self._lock:
            self._drain()
            lines, self._lines = self._lines, []
            return lines

    def _pump(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._fd, selectors.EVENT_READ)
            open_ = True
            while open_:
                selector.select()
                with self._lock:
                    open_ = self._drain()
        with self._lock:
            self._pipe.close()

    def _drain(self) -> bool:
        """Read what is there; return whether more can come."""
        if self._pipe.closed:
            return False
        while True:
            try:
                chunk = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return True
            *complete, self._rest = (self._rest + chunk).split(b"\n")
            if not chunk and self._rest:
                complete.append(self._rest)
                self._rest = b""
            self._lines += [line[:_MAX_LOG_LINE].decode("utf-8", "replace") for line in complete]
            if not chunk:
                return False


def _environment(spec: FunctionSpec, context: StageContext, runtime: Path, scratch: Path) -> dict[str, str]:
    """Return what Lambda sets, with this embedded AWS as the endpoint.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    python_paths = [spec.task_root]
    library_paths, program_paths = [spec.task_root, spec.task_root / "lib"], []
    for layer in reversed(spec.layers):  # a later layer overwrites an earlier one in /opt
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        python_paths += [layer / "python", layer / "python" / "lib" / version / "site-packages"]
        library_paths.append(layer / "lib")
        program_paths.append(layer / "bin")
    own = {
        "_HANDLER": spec.handler,
        **role_variables(spec.role_arn),
        "AWS_REGION": context.region,
        "AWS_DEFAULT_REGION": context.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "LAMBDA_RUNTIME_DIR": str(runtime),
        "LAMBDA_TASK_ROOT": str(spec.task_root),
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, library_paths)),
        "PATH": os.pathsep.join([*map(str, program_paths), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(map(str, [*python_paths, runtime])),
    }
    defaults = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": context.endpoint_url,
        "HOME": str(scratch),  # this user's own AWS configuration is no business of a function
        "LANG": "C.UTF-8",
        "POWERTOOLS_TRACE_DISABLED": "true",  # there is no X-Ray daemon
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(scratch),
        "TZ": ":UTC",
    }
    return {**defaults, **spec.variables, **own}


def _error(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def _how_it_ended(process: "subprocess.Popen[bytes]") -> str:
    status = process.wait()
    if status == -signal.SIGKILL:
        return "signal: killed"
    return f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def _timestamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000Z"


def _report_line(request_id: str, duration_s: float, memory_mb: int, peak_bytes: int, init_s: float | None) -> str:
    duration_ms = duration_s * 1000
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {int(duration_ms) + 1} ms",
        f"Memory Size: {memory_mb} MB",
        f"Max Memory Used: {-(-peak_bytes // _MIB)} MB",
    ]
    if init_s is not None:
        parts.append(f"Init Duration: {init_s * 1000:.2f} ms")
    return "\t".join(parts)
