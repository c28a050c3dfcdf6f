"""Watches how much memory child processes use, so that a limit is kept where there is no cgroup to keep it.

A limit on the address space would count every mapped file; what counts here is what a process alone holds in memory:
its resident size less the pages it shares (on macOS, which does not tell them apart, its resident size).
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psutil

_INTERVAL_S = 0.25  # one look at all processes takes 5 ms: 2 % of a core


def own_bytes(pid: int) -> int:
    """Return the bytes of memory that process `pid` alone holds; 0 once it has ended."""
    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0
    return max(0, memory.rss - getattr(memory, "shared", 0))


@dataclass(eq=False, slots=True)
class Watch:
    """One process tree under watch. `peak_bytes` is the most that was seen; `exceeded` tells whether it was ended."""

    pid: int
    limit_bytes: int
    on_exceeded: Callable[[], None]
    peak_bytes: int = 0
    exceeded: bool = False
    _closed: bool = field(default=False, repr=False)

    def see(self, used_bytes: int) -> None:
        """Take one measurement; the first one over the limit calls `on_exceeded`."""
        self.peak_bytes = max(self.peak_bytes, used_bytes)
        if used_bytes > self.limit_bytes and not self.exceeded and not self._closed:
            self.exceeded = True
            self.on_exceeded()

    def close(self) -> None:
        """Measure no more."""
        self._closed = True

    @property
    def closed(self) -> bool:
        """Whether the watch was closed."""
        return self._closed


class MemoryWatcher:
    """One thread that measures every watched tree a few times a second, and sleeps while there is none."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watches: list[Watch] = []
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def watch(self, pid: int, limit_bytes: int, on_exceeded: Callable[[], None]) -> Iterator[Watch]:
        """Watch the process `pid` and all its descendants while the block runs."""
        watch = Watch(pid, limit_bytes, on_exceeded)
        with self._changed:
            self._watches.append(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="memory-watcher", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield watch
        finally:
            with self._changed:
                watch.close()
                self._watches.remove(watch)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._watches:
                    self._changed.wait()
                watches = list(self._watches)
            self._measure(watches)
            threading.Event().wait(_INTERVAL_S)

    @staticmethod
    def _measure(watches: list[Watch]) -> None:
        used = {watch.pid: 0 for watch in watches}
        for pid, root in _roots(set(used)).items():
            used[root] += own_bytes(pid)
        for watch in watches:
            if not watch.closed:
                watch.see(used[watch.pid])


def _roots(wanted: set[int]) -> dict[int, int]:
    """Return which of the `wanted` processes each living process descends from (or is)."""
    own = os.getpid()
    parents = {process.pid: process.info["ppid"] for process in psutil.process_iter(["ppid"])}
    roots: dict[int, int] = {}
    for pid in parents:
        ancestor: int | None = pid
        while ancestor and ancestor != own:
            if ancestor in wanted:
                roots[pid] = ancestor
                break
            ancestor = parents.get(ancestor)
    return roots


WATCHER = MemoryWatcher()
