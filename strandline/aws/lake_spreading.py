"""Where the work of a cohort is done: processes of this machine, or executors of a Spark cluster, with one code.

Both carry a function of a module, its arguments and its results as pickles, so that what runs over one runs over the
other. A piece may run twice, where Spark lost the first one's machine: it changes nothing that a reader sees.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from pyspark import SparkContext

Given = TypeVar("Given")
Made = TypeVar("Made")


class Spread(Protocol):
    """Does one piece of work for each item, and returns what came of them in the items' order."""

    def __call__(self, work: Callable[[Given], Made], items: Sequence[Given]) -> list[Made]: ...


@contextmanager
def over_processes(jobs: int) -> Iterator[Spread]:
    """Yield what does `jobs` pieces at a time, each in a process of its own; one job is done in this process."""
    if jobs == 1:
        yield lambda work, items: list(map(work, items))
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield lambda work, items: list(pool.map(work, items))


def over_executors(spark: "SparkContext") -> Spread:
    """Return what makes a task of each piece: as many run at a time as the cluster has cores.

    A task that fails is tried again by Spark (`spark.task.maxFailures`), and then the whole fails.
    """

    def spread(work: Callable[[Given], Made], items: Sequence[Given]) -> list[Made]:
        if not items:
            return []
        made: list[Made] = spark.parallelize(items, len(items)).map(work).collect()
        return made

    return spread
