"""How far files are: bars on a terminal, a line a file elsewhere; always on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import TransferSpeedColumn as SpeedColumn

from strandline.cli.console import messages, say


@contextmanager
def show_uploads() -> Iterator[Callable[[str, int, int], None]]:
    """Give what is told a file's name, how many of its bytes are there, and its size."""
    if not messages.is_terminal:
        yield _Lines().tell
        return
    with _bars() as bars:
        task_by_name: dict[str, TaskID] = {}
        lock = Lock()

        def tell(name: str, there: int, size: int) -> None:
            with lock:
                if name not in task_by_name:
                    task_by_name[name] = bars.add_task(name, total=size)
            bars.update(task_by_name[name], completed=there)

        yield tell


@contextmanager
def show_hashing(total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Give what is told of each number of bytes that were read."""
    if not messages.is_terminal:
        yield lambda _count: None
        return
    with _bars(transient=True) as bars:
        task = bars.add_task("reading files", total=total_bytes)
        yield lambda count: bars.advance(task, count)


def _bars(*, transient: bool = False) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), SpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=messages, transient=transient)


class _Lines:
    """Says how each file began, where some of it was there, and that it is there."""

    def __init__(self) -> None:
        self._began: set[str] = set()

    def tell(self, name: str, there: int, size: int) -> None:
        is_first, is_whole = name not in self._began, there == size
        self._began.add(name)
        if is_first and is_whole and size:
            say(f"{name} was there already")
        elif is_whole and not (is_first and size):
            say(f"uploaded {name}")
