"""Glue's jobs of the embedded AWS: a run is a process of this machine with the job's own script and packages.

moto keeps jobs and pretends that their runs succeed. Here StartJobRun fetches the script and the zip files of
`--extra-py-files` from S3, starts Python on them with the job's arguments, and GetJobRun tells how it ended. Triggers
of the kind SCHEDULED start jobs at their time. Source: AWS Glue developer guide, "AWS Glue job parameters" and
"AWS Glue triggers"; API reference, `JobRun`.
"""

import contextlib
import logging
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from moto.core.utils import utcnow
from moto.glue.models import FakeJob, FakeJobRun, glue_backends

from local_stage.batch.attempt import job_variables
from local_stage.callers import role_variables
from local_stage.context import StageContext
from local_stage.log_streams import LogStream
from local_stage.replacing import replace
from local_stage.schedules import parse_schedule

_log = logging.getLogger(__name__)

_TICK_S = 1.0
_DEFAULT_TIMEOUT_MINUTES = 480
_MOST_MESSAGE = 2000
_CONSUMED = ("--extra-py-files", "--additional-python-modules", "--enable-auto-scaling")  # Glue acts on them itself
_running: list["_Runner"] = []  # none or one


def install(context: StageContext) -> None:
    """Make jobs run and triggers go off."""
    stop()
    runner = _Runner(context)
    _running.append(runner)
    replace(FakeJob, "start_job_run", _starting(FakeJob.start_job_run))
    replace(FakeJobRun, "as_dict", _telling(FakeJobRun.as_dict))
    replace(FakeJobRun, "status", _STATUS)
    threading.Thread(target=runner.tick_until_stopped, name="glue-triggers", daemon=True).start()


def stop() -> None:
    """Let no more triggers go off. Runs are children of the server and end with it."""
    while _running:
        _running.pop().stopped.set()


@dataclass(slots=True)
class _Runner:
    """Runs jobs for one embedded AWS."""

    context: StageContext
    stopped: threading.Event = field(default_factory=threading.Event)
    _due: dict[str, tuple[str, datetime | None]] = field(default_factory=dict)

    def start(self, job: Any, run: Any) -> None:
        run.status, run.completed_on, run.error = "RUNNING", None, None
        threading.Thread(target=self._run, args=(job, run), name=f"glue-{job.name}", daemon=True).start()

    def tick_until_stopped(self) -> None:
        while not self.stopped.wait(_TICK_S):
            try:
                self.tick(datetime.now(UTC))
            except Exception:  # one bad trigger must not silence the others for good
                _log.exception("triggers")

    def tick(self, now: datetime) -> None:
        """Start the jobs of triggers that are due at `now`."""
        backend = glue_backends[self.context.account][self.context.region]
        for name, trigger in list(backend.triggers.items()):
            if trigger.trigger_type != "SCHEDULED" or trigger.state != "ACTIVATED":
                self._due.pop(name, None)
                continue
            expression, moment = self._due.get(name, ("", None))
            if expression != trigger.schedule:
                self._due[name] = trigger.schedule, parse_schedule(trigger.schedule).next_after(now)
            elif moment is not None and moment <= now:
                self._due[name] = trigger.schedule, parse_schedule(trigger.schedule).next_after(now)
                self._fire(trigger)

    def _fire(self, trigger: Any) -> None:
        client = self.context.client("glue")
        for action in trigger.actions:
            with contextlib.suppress(client.exceptions.ConcurrentRunsExceededException):
                client.start_job_run(JobName=action.job_name, Arguments=dict(action.arguments or {}))

    def _run(self, job: Any, run: Any) -> None:
        scratch = Path(tempfile.mkdtemp(prefix="glue-"))
        try:
            code, last = self._follow(job, run, scratch)
            run.error = None if code == 0 else last[-_MOST_MESSAGE:] or f"exit status {code}"
            run.status = "TIMEOUT" if code is None else ("SUCCEEDED" if code == 0 else "FAILED")
        except Exception as error:
            _log.exception("job %s", job.name)
            run.error, run.status = f"{type(error).__name__}: {error}", "FAILED"
        finally:
            run.completed_on = run.modified_on = utcnow()
            shutil.rmtree(scratch, ignore_errors=True)

    def _follow(self, job: Any, run: Any, scratch: Path) -> tuple[int | None, str]:
        """Return the exit status, None where the time was over, and the last line that was printed."""
        arguments = dict(run.arguments or {})
        packages = [
            str(self._fetch(uri, scratch)) for uri in arguments.get("--extra-py-files", "").split(",") if uri.strip()
        ]
        script = self._fetch(job.command["ScriptLocation"], scratch)
        passed = {"--JOB_NAME": job.name, "--JOB_RUN_ID": run.job_run_id} | {
            name: value for name, value in arguments.items() if name not in _CONSUMED
        }
        process = self.context.keeper.spawn(
            [sys.executable, script, *(part for pair in passed.items() for part in pair)],
            env={**job_variables(self.context, scratch, packages), **role_variables(str(job.role))},
            cwd=scratch,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        lines, last = LogStream(self.context, "/aws-glue/jobs/output", run.job_run_id), ""
        clock = threading.Timer(60.0 * (run.timeout or _DEFAULT_TIMEOUT_MINUTES), process.kill)
        clock.daemon = True
        clock.start()
        if process.stdout is None:
            raise ValueError("the process was started without a pipe")
        with process.stdout as pipe:
            for line in pipe:
                last = line.decode("utf-8", "replace").rstrip()
                lines.write([last])
        status: int | None = process.wait()
        if not clock.is_alive():
            status = None
        clock.cancel()
        with contextlib.suppress(RuntimeError):
            self.context.keeper.release(process)
        return status, last

    def _fetch(self, uri: str, folder: Path) -> Path:
        place = urlsplit(uri.strip())
        path = folder / Path(place.path).name
        self.context.client("s3").download_file(place.netloc, place.path.lstrip("/"), str(path))
        return path


def _set_state(run: Any, state: str) -> None:
    run.state_here = state


_STATUS = property(lambda run: getattr(run, "state_here", "STARTING"), _set_state)
"""A run moves by what its process does, where moto moves it each time that somebody looks."""


def _starting(original: Callable[..., str]) -> Callable[..., str]:
    def start_job_run(self: Any, *args: Any, **kwargs: Any) -> str:
        run_id = original(self, *args, **kwargs)
        run = next(one for one in self.job_runs if one.job_run_id == run_id)
        _running[0].start(self, run)
        return run_id

    return start_job_run


def _telling(original: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """Return FakeJobRun.as_dict with what the run came to, in the place of what moto makes up."""

    def as_dict(self: Any) -> dict[str, Any]:
        told: Mapping[str, Any] = original(self)
        ended = self.completed_on
        answer = {name: value for name, value in told.items() if name not in {"CompletedOn", "GlueVersion"}}
        answer |= {
            "JobRunState": self.status,
            "LogGroupName": "/aws-glue/jobs",
            "ExecutionTime": int(((ended or utcnow()) - self.started_on).total_seconds()),
        }
        if ended is not None:
            answer["CompletedOn"] = ended
        if getattr(self, "error", None):
            answer["ErrorMessage"] = self.error
        return answer

    return as_dict
