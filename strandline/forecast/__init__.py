"""How long a sample will take and what it will cost, from how long others took."""

from strandline.forecast.model import (
    FEWEST_RUNS,
    FinishedRun,
    Forecast,
    JobClass,
    Model,
    fit_model,
    forecast_error,
    read_measured_runs,
)

__all__ = [
    "FEWEST_RUNS",
    "FinishedRun",
    "Forecast",
    "JobClass",
    "Model",
    "fit_model",
    "forecast_error",
    "read_measured_runs",
]
