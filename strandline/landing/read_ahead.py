"""An iterator that runs in a thread of its own, a few items ahead of its reader."""

from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from threading import Semaphore, Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class _End:
    """What stands after the last item: nothing, or the exception that the source ended with."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class ReadAhead(Generic[T]):
    """Iterate over `source` in a thread, at most `depth` items ahead.

    An exception of the source is raised where its next item would have stood. Leaving the context ends the thread,
    once the item it is at is done, and waits for it: nothing touches the source after that.
    """

    def __init__(self, source: Iterable[T], depth: int) -> None:
        self._source = source
        self._items: SimpleQueue[T | _End] = SimpleQueue()
        self._room = Semaphore(depth)
        self._is_left = False
        self._thread = Thread(target=self._run, name="read-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_left = True
        self._room.release()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        while True:
            item = self._items.get()
            if isinstance(item, _End):
                self._items.put(item)  # for whoever asks again
                if item.error is not None:
                    raise item.error
                return
            self._room.release()
            yield item

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            items = iter(self._source)
            while self._room.acquire() and not self._is_left:
                try:
                    item = next(items)
                except StopIteration:
                    break
                self._items.put(item)
        except BaseException as raised:  # handed to the reader, who raises it
            error = raised
        self._items.put(_End(error))
