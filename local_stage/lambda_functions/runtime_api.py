"""The Runtime API (2018-06-01) that one worker talks to.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import queue
import socketserver
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ReportKind(Enum):
    """What a worker said, or what became of it."""

    RETURNED = auto()
    RAISED = auto()
    INIT_FAILED = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Report:
    """One message about a worker; `body` is JSON as the runtime client wrote it."""

    kind: ReportKind
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Event:
    """One event for the worker with the headers that accompany it."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class RuntimeApi:
    """A server for one worker on a loopback port of its own.

    `ready` is set once the worker asks for its first event, or has failed. Reports arrive in `reports`.
    """

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.reports: queue.Queue[Report] = queue.Queue()
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        threading.Thread(target=self._server.serve_forever, name="lambda-runtime-api", daemon=True).start()

    @property
    def address(self) -> str:
        """The value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.server_port}"

    def send(self, event: Event) -> None:
        """Give the worker its next event."""
        self._events.put(event)

    def report(self, report: Report) -> None:
        """Take a message about the worker."""
        self.reports.put(report)
        if report.kind in (ReportKind.INIT_FAILED, ReportKind.ENDED):
            self.ready.set()

    def next_event(self) -> Event | None:
        """Wait for an event; None when the server closes."""
        self.ready.set()
        return self._events.get()

    def close(self) -> None:
        """Stop serving, without waiting for it."""
        self._events.put(None)
        threading.Thread(target=self._shut_down, name="lambda-runtime-api-end", daemon=True).start()

    def _shut_down(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def server_bind(self) -> None:
        """Bind without asking the name service for this machine's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that was killed breaks its connection: its end is reported otherwise."""


def _handler_for(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each hop waits 40 ms for a delayed acknowledgement
        wbufsize = -1  # headers and body leave in one packet

        def do_GET(self) -> None:
            event = api.next_event()
            if event is None:
                self.close_connection = True
                self._answer(HTTPStatus.GONE)
            else:
                self._answer(HTTPStatus.OK, event.body, event.headers)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(HTTPStatus.ACCEPTED, b'{"status":"OK"}')
            kind = _report_kind(self.path)
            if kind is not None:
                api.report(Report(kind, body))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Nobody reads an access log of a private port."""

        def _answer(self, status: HTTPStatus, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _report_kind(path: str) -> ReportKind | None:
    if path.endswith("/init/error"):
        return ReportKind.INIT_FAILED
    if path.endswith("/response"):
        return ReportKind.RETURNED
    if path.endswith("/error"):
        return ReportKind.RAISED
    return None
