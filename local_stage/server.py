"""The embedded AWS as a process of its own: `python -m local_stage.server --state-dir DIR --port PORT`.

It listens on the loopback interface only, writes `state.json` into its folder once it can answer, and ends cleanly on
SIGTERM or SIGINT.
"""

import argparse
import contextlib
import gc
import importlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from moto.core.common_models import BaseModel
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from local_stage import events, images, replacing, s3
from local_stage.callers import PermissionRecord, RoleFront
from local_stage.cloud_trail import TrailFront
from local_stage.cloudformation.api import CloudFormationApp
from local_stage.context import REGION, StageContext
from local_stage.http_api import ApiFront
from local_stage.s3.upload import UploadReceiver
from local_stage.state import PERMISSIONS_NAME, RunningServer, write_server

HOST = "127.0.0.1"
_POLL_S = 0.05  # how soon a request to stop is seen
_USED_SERVICES = {
    "cloudformation": "list_stacks",
    "s3": "list_buckets",
    "kms": "list_keys",
    "iam": "list_roles",
    "ec2": "describe_vpcs",
    "logs": "describe_log_groups",
    "glue": "get_databases",
    "lambda": "list_functions",
    "dynamodb": "list_tables",
    "batch": "describe_job_queues",
    "stepfunctions": "list_state_machines",
    "athena": "list_work_groups",
    "sqs": "list_queues",
    "sns": "list_topics",
    "events": "list_rules",
    "cloudwatch": "describe_alarms",
}
_EXTENSIONS = (
    *("dynamodb", "lambda_functions", "batch", "step_functions"),
    *("glue", "glue_jobs", "callers", "lake_formation", "athena", "cognito", "log_subscriptions"),
)


class Dispatcher(DomainDispatcherApplication):
    """moto's dispatcher, with services of our own, and not trying every address pattern on every request."""

    def __init__(self, own_apps: Mapping[str, Any]) -> None:
        super().__init__(create_backend_app)
        self.app_instances.update(own_apps)
        self._backend_by_host: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """Return the name of the service that answers for `host`."""
        if host not in self._backend_by_host:
            self._backend_by_host[host] = super().get_backend_for_host(host)
        return self._backend_by_host[host]


class QuietHandler(MotoRequestHandler):
    """Answers in one packet, at once, and keeps no access log."""

    wbufsize = -1  # the status line, the headers and a small body leave together
    disable_nagle_algorithm = True  # else each answer can wait 40 ms for an acknowledgement

    def run_wsgi(self) -> None:
        """Answer a client that waits for leave to send its body before anything else, as the buffer would keep it."""
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            del self.headers["Expect"]
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        super().run_wsgi()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: one line for each request helps nobody."""


@dataclass(slots=True)
class EmbeddedAws:
    """A running embedded AWS."""

    context: StageContext
    port: int
    _server: BaseWSGIServer
    _thread: threading.Thread
    _parts: list[Any]

    def stop(self) -> None:
        """Stop answering, end every child process, and put moto back as it was."""
        for part in self._parts:
            if hasattr(part, "stop"):
                part.stop()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.context.keeper.stop()
        replacing.restore()


def start(state_dir: Path, port: int = 0, extensions: Sequence[str] = _EXTENSIONS) -> EmbeddedAws:
    """Start the embedded AWS in threads of this process; another port is taken when `port` is in use."""
    state_dir.mkdir(parents=True, exist_ok=True)
    listener = _listen(port)
    taken = int(listener.getsockname()[1])
    context = StageContext(endpoint_url=f"http://{HOST}:{taken}", state_dir=state_dir)
    store = s3.ContentStore(state_dir / "objects")
    front = RoleFront(
        ApiFront(UploadReceiver(Dispatcher({"cloudformation": CloudFormationApp(context)}), store), context),
        _find_workgroup,
        PermissionRecord(state_dir / PERMISSIONS_NAME),
    )
    trail = TrailFront(front, context)
    server = make_server(
        HOST,
        taken,
        trail,
        threaded=True,
        request_handler=QuietHandler,
        fd=listener.detach(),
    )
    replacing.replace(BaseModel, "__new__", staticmethod(_new_untracked))
    s3.install(context, store, events.publish)
    images.install(context)
    events.install(context)
    parts: list[Any] = [events, trail]
    for name in extensions:
        part = importlib.import_module(f"local_stage.{name}")
        part.install(context)
        parts.append(part)
    thread = threading.Thread(target=partial(server.serve_forever, _POLL_S), name="embedded-aws", daemon=True)
    thread.start()
    return EmbeddedAws(context, taken, server, thread, parts)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run until a signal says to stop."""
    parser = argparse.ArgumentParser(prog="python -m local_stage.server", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="this stage's own folder")
    parser.add_argument("--port", type=int, default=0, help="port to listen on if it is free (0: any)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    _isolate_environment()
    gc.set_threshold(50_000, 20, 50)  # most of what is made here stays: looking through it often finds nothing
    aws = start(options.state_dir.resolve(), options.port)
    os.environ["AWS_ENDPOINT_URL"] = aws.context.endpoint_url
    write_server(options.state_dir, RunningServer.of_this_process(aws.context.endpoint_url, aws.port))
    threading.Thread(target=_warm_up, args=(aws.context,), name="warm-up", daemon=True).start()
    ended.wait()
    aws.stop()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all that has to end has ended; taking this heap apart object by object would take seconds


def _find_workgroup(operation: str, asked: Mapping[str, Any]) -> str | None:
    found: str | None = importlib.import_module("local_stage.athena.moto_seams").find_workgroup(operation, asked)
    return found


def _new_untracked(cls: type[Any], *args: Any, **kwargs: Any) -> Any:
    """Make an instance that moto's dashboard does not keep: it would keep every object and message for good."""
    del args, kwargs
    return object.__new__(cls)


def _warm_up(context: StageContext) -> None:
    """Load the services that every deployment uses, while whoever started this still prepares the templates."""
    for service, operation in _USED_SERVICES.items():
        getattr(context.client(service), operation)()


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.bind((HOST, 0))
    listener.listen(128)
    return listener


def _isolate_environment() -> None:
    """Make sure that nothing in here ever talks to a real account."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN"):
        os.environ.pop(name, None)
    os.environ.update(
        AWS_ACCESS_KEY_ID="embedded",
        AWS_SECRET_ACCESS_KEY="embedded",  # noqa: S106 - the embedded AWS checks no signature
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_EC2_METADATA_DISABLED="true",
    )
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # absent where stdout is replaced


if __name__ == "__main__":
    main()
