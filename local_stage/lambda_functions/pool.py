"""Warm workers, kept per function and version of its code, layers and settings."""

import os
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

from local_stage.context import StageContext
from local_stage.lambda_functions.function import FunctionSpec
from local_stage.lambda_functions.worker import Outcome, Worker

_IDLE_LIMIT_S = 600.0
_TOTAL_LIMIT = max(8, 4 * (os.cpu_count() or 2))  # workers at work at once; AWS gives an account 1000


class ThrottledError(Exception):
    """The function's reserved concurrency is used up."""


class WorkerPool:
    """Starts workers on demand, uses idle ones again and ends those that were idle for ten minutes.

    An invocation over the machine's limit waits; one over the function's own reserved concurrency is throttled.
    """

    def __init__(self, context: StageContext, runtime: Path) -> None:
        self._context = context
        self._runtime = runtime
        self._lock = threading.Lock()
        self._idle: dict[FunctionSpec, list[Worker]] = defaultdict(list)
        self._busy: Counter[str] = Counter()
        self._working: set[Worker] = set()
        self._room = threading.BoundedSemaphore(_TOTAL_LIMIT)
        self._stopped = threading.Event()
        threading.Thread(target=self._reap, name="lambda-reaper", daemon=True).start()

    def invoke(
        self, spec: FunctionSpec, payload: bytes, *, reserved: int | None = None, client_context: str | None = None
    ) -> Outcome:
        """Run one event on a worker for `spec`.

        Raises:
            ThrottledError: `reserved` invocations of the function run already.
        """
        self._enter(spec, reserved)
        try:
            with self._room:
                worker = self._take(spec)
                try:
                    return worker.invoke(payload, client_context=client_context)
                finally:
                    self._give_back(worker)
        finally:
            with self._lock:
                self._busy[spec.name] -= 1

    def discard(self, name: str) -> None:
        """End the idle workers of a function that was changed or deleted."""
        with self._lock:
            old = [spec for spec in self._idle if spec.name == name]
            workers = [worker for spec in old for worker in self._idle.pop(spec)]
        for worker in workers:
            worker.close()

    def stop(self) -> None:
        """End every worker, working or idle."""
        self._stopped.set()
        with self._lock:
            workers = [worker for idle in self._idle.values() for worker in idle] + list(self._working)
            self._idle.clear()
        for worker in workers:
            worker.close()

    def _enter(self, spec: FunctionSpec, reserved: int | None) -> None:
        with self._lock:
            if reserved is not None and self._busy[spec.name] >= reserved:
                raise ThrottledError(spec.name)
            self._busy[spec.name] += 1

    def _take(self, spec: FunctionSpec) -> Worker:
        with self._lock:
            idle = self._idle[spec]
            while idle:
                worker = idle.pop()
                if worker.alive:
                    self._working.add(worker)
                    return worker
                worker.close()
        worker = Worker(spec, self._context, self._runtime)
        with self._lock:
            self._working.add(worker)
        return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            self._working.discard(worker)
            if worker.alive and not self._stopped.is_set():
                self._idle[worker.spec].append(worker)
                return
        worker.close()

    def _reap(self) -> None:
        while not self._stopped.wait(_IDLE_LIMIT_S / 10):
            oldest = time.monotonic() - _IDLE_LIMIT_S
            with self._lock:
                tired = [worker for idle in self._idle.values() for worker in idle if worker.idle_since < oldest]
                for worker in tired:
                    self._idle[worker.spec].remove(worker)
            for worker in tired:
                worker.close()
