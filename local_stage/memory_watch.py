"""Watches how much memory child processes use, so that a limit is kept where there is no cgroup to keep it.

A limit on the address space would count every mapped file; what counts here is what a process alone holds in memory:
its resident size less the pages it shares (on macOS, which does not tell them apart, its resident size).
"""

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_INTERVAL_S = 0.25
_PROCESSES = Path("/proc")


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
        watched = {watch.pid for watch in watches}
        for watch in watches:
            used = sum(own_bytes(pid) for pid in _tree(watch.pid, watched - {watch.pid}))
            if not watch.closed:
                watch.see(used)


def _tree(pid: int, others: Collection[int]) -> Iterator[int]:
    """Yield a process and all its descendants, without `others` and theirs."""
    found = [pid]
    while found:
        one = found.pop()
        yield one
        found += [child for child in _children(one) if child not in others]


def _children(pid: int) -> list[int]:
    """Return the children of a process; Linux keeps a list of them, elsewhere all processes are looked through."""
    tasks = _PROCESSES / str(pid) / "task"
    try:
        return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
    except OSError:  # it has ended, or this is no Linux
        pass
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []


WATCHER = MemoryWatcher()
