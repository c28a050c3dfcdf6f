"""Forecasts against runs whose times lie on known lines. ANA-14."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.forecast import FinishedRun, JobClass, fit_model, forecast_error, read_measured_runs

GIB = 1 << 30


def run(gib: float, elapsed_s: float, **seconds: float) -> FinishedRun:
    size = round(gib * GIB)
    return FinishedRun(read_bytes=size, output_bytes=size // 2, elapsed_s=elapsed_s, seconds_by_step=seconds)


lines = st.tuples(st.floats(0.5, 1000), st.floats(0.5, 1000))


@given(lines, lines, st.lists(st.floats(0.01, 50), min_size=2, max_size=6, unique_by=lambda gib: round(gib, 1)))
def test_times_on_a_line_are_forecast_exactly(whole, step, sizes):
    runs = [run(gib, whole[0] + whole[1] * gib, AlignReads=step[0] + step[1] * gib) for gib in sizes]
    expected = fit_model(runs).forecast(20 * GIB, {})
    assert expected.elapsed_s == pytest.approx(whole[0] + whole[1] * 20, rel=1e-3)
    assert expected.seconds_by_step == {"AlignReads": pytest.approx(step[0] + step[1] * 20, rel=1e-3)}


@given(st.lists(st.tuples(st.floats(0.01, 50), st.floats(0.1, 10_000)), min_size=1, max_size=6))
def test_nothing_takes_less_than_no_time_and_more_reads_never_take_less(points):
    model = fit_model([run(gib, seconds, AlignReads=seconds) for gib, seconds in points])
    small, large = model.forecast(1, {}), model.forecast(100 * GIB, {})
    assert 0 <= small.elapsed_s <= large.elapsed_s
    assert 0 <= small.seconds_by_step["AlignReads"] <= large.seconds_by_step["AlignReads"]


def test_an_hour_of_a_job_costs_the_processors_that_its_share_of_an_instance_has():
    """Two vCPUs with 7.5 GiB are two; one with 8 GiB takes the place of two, for 4 GiB come with each."""
    model = fit_model([run(1, 7200, AlignReads=3600, CallVariants=1800)])
    classes = {"AlignReads": JobClass(2, 7680), "CallVariants": JobClass(1, 8192)}
    expected = model.forecast(GIB, classes)
    assert expected.vcpu_hours == pytest.approx(2 * 1.0 + 2 * 0.5)
    assert expected.output_bytes == GIB // 2


def test_the_error_is_that_of_each_run_forecast_from_the_others():
    """Of one size, each second weighing by its inverse square: 100 and 100 say 100 for the 200, half of it too little;
    100 and 200 say (1/100 + 1/200) / (1/100^2 + 1/200^2) = 120 for either 100. Of 20%, 20% and 50% the median is 20%.
    """
    assert forecast_error([run(1, 100), run(1, 100), run(1, 200)]) == pytest.approx(0.2)
    assert forecast_error([run(1, 100), run(1, 100)]) is None
    assert forecast_error([run(gib, 10 + gib) for gib in (1, 2, 3)]) == pytest.approx(0, abs=1e-9)


def test_without_a_run_there_is_no_model():
    with pytest.raises(ValueError, match="finished run"):
        fit_model([])


def test_runs_that_come_with_the_software_have_every_step():
    runs = read_measured_runs()
    assert len({measured.read_bytes for measured in runs}) >= 2
    for measured in runs:
        steps = {"AlignReads", "MeasureQuality", "CallVariants", "Annotate", "FilterAndQc"}
        assert set(measured.seconds_by_step) == steps
        assert sum(measured.seconds_by_step.values()) > 1
