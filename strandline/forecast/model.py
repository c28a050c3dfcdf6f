"""A line through the finished runs of each step: so many seconds to begin with, and so many for each GiB of reads.

The reads' compressed size is what a lab knows before it sends anything. Lines are fitted by least squares of the
relative error, with neither part under zero, so that a short step of a small sample counts as much as a long one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from statistics import median
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

FEWEST_RUNS: Final = 3
"""Finished runs of a stage's own from which its forecasts are made; with fewer, those that come with the software."""

_GIB: Final = 1 << 30
_SHORTEST_S: Final = 0.05
_GIB_A_VCPU: Final = 4.0  # of general-purpose instances, whose price is taken


class FinishedRun(BaseModel):
    """One sample that went all the way: bytes of reads as sent and of outputs, seconds in all and of its jobs by step.

    `elapsed_s` is from the last file's arrival to the drafted report, with what a sample waits for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    read_bytes: int = Field(gt=0)
    output_bytes: int = Field(ge=0)
    elapsed_s: float = Field(gt=0)
    seconds_by_step: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class JobClass:
    """What a job reserves."""

    vcpus: float
    memory_mib: int

    @property
    def billed_vcpus(self) -> float:
        """The processors of a general-purpose instance's share that holds both: 4 GiB come with each."""
        return max(self.vcpus, self.memory_mib / 1024 / _GIB_A_VCPU)


@dataclass(frozen=True, slots=True)
class Line:
    """Seconds of a step: `fixed_s`, and `gib_s` for each GiB of reads."""

    fixed_s: float
    gib_s: float

    def seconds(self, read_bytes: int) -> float:
        """Return what a sample of this size takes."""
        return self.fixed_s + self.gib_s * read_bytes / _GIB


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of one sample: seconds in all, job seconds by step, vCPU hours to pay for, bytes that stay."""

    elapsed_s: float
    seconds_by_step: Mapping[str, float]
    vcpu_hours: float
    output_bytes: int


@dataclass(frozen=True, slots=True)
class Model:
    """Lines in all and by step, and the bytes of outputs for each byte of reads; `runs` is how many it rests on."""

    elapsed: Line
    line_by_step: Mapping[str, Line]
    output_share: float
    runs: int

    def forecast(self, read_bytes: int, class_by_step: Mapping[str, JobClass]) -> Forecast:
        """Return what a sample will take; a step whose class is not known costs one processor."""
        seconds = {step: line.seconds(read_bytes) for step, line in self.line_by_step.items()}
        hours = sum(
            taken / 3600 * class_by_step.get(step, JobClass(1, 1024)).billed_vcpus for step, taken in seconds.items()
        )
        return Forecast(self.elapsed.seconds(read_bytes), seconds, hours, round(self.output_share * read_bytes))


def fit_model(runs: Sequence[FinishedRun]) -> Model:
    """Fit a line through the whole and through each step of finished runs.

    Raises:
        ValueError: without any run.

    >>> one, three = (
    ...     FinishedRun(read_bytes=n << 30, output_bytes=n, elapsed_s=30 + 6 * n, seconds_by_step={"A": 10 + 5 * n})
    ...     for n in (1, 3)
    ... )
    >>> expected = fit_model([one, three]).forecast(2 << 30, {"A": JobClass(2, 4096)})
    >>> round(expected.elapsed_s, 6), round(expected.seconds_by_step["A"], 6)
    (42.0, 20.0)
    """
    if not runs:
        raise ValueError("a model needs a finished run")
    steps = dict.fromkeys(step for run in runs for step in run.seconds_by_step)
    return Model(
        _fit([(run.read_bytes / _GIB, run.elapsed_s) for run in runs]),
        {
            step: _fit([(r.read_bytes / _GIB, r.seconds_by_step[step]) for r in runs if step in r.seconds_by_step])
            for step in steps
        },
        median(run.output_bytes / run.read_bytes for run in runs),
        len(runs),
    )


def forecast_error(runs: Sequence[FinishedRun]) -> float | None:
    """Return the median of how far off the time of each run is when forecast from the others, as a fraction.

    None with under three runs.
    """
    if len(runs) < FEWEST_RUNS:
        return None
    errors = []
    for number, run in enumerate(runs):
        expected = fit_model([*runs[:number], *runs[number + 1 :]]).elapsed.seconds(run.read_bytes)
        errors.append(abs(expected - run.elapsed_s) / run.elapsed_s)
    return median(errors)


def read_measured_runs() -> list[FinishedRun]:
    """Return the runs that come with the software, of a machine with two processors."""
    body = files("strandline.forecast").joinpath("measured_runs.json").read_bytes()
    return list(_MeasuredRuns.model_validate_json(body).runs)


class _MeasuredRuns(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    measured: str
    machine: str
    runs: tuple[FinishedRun, ...]


def _fit(points: Sequence[tuple[float, float]]) -> Line:
    """Return the line with the least sum of squared relative errors among those with no part under zero."""
    weighed = [(x, y, 1 / max(y, _SHORTEST_S) ** 2) for x, y in points]
    w = sum(weight for *_, weight in weighed)
    wx = sum(weight * x for x, _, weight in weighed)
    wy = sum(weight * y for _, y, weight in weighed)
    wxx = sum(weight * x * x for x, _, weight in weighed)
    wxy = sum(weight * x * y for x, y, weight in weighed)
    candidates = [Line(wy / w, 0.0), Line(0.0, wxy / wxx)]
    spread = w * wxx - wx * wx
    if any(one[0] != other[0] for one, other in pairwise(points)) and spread > 0:
        slope = (w * wxy - wx * wy) / spread
        start = (wy - slope * wx) / w
        if slope >= 0 and start >= 0:
            return Line(start, slope)
    return min(candidates, key=lambda line: _loss(line, weighed))


def _loss(line: Line, weighed: Iterable[tuple[float, float, float]]) -> float:
    return sum(weight * (line.fixed_s + line.gib_s * x - y) ** 2 for x, y, weight in weighed)
