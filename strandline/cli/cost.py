"""`strandline cost`: what submissions cost to keep, and what samples will take before they are sent."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from strandline.aws.deployment import Deployment
from strandline.aws.forecasting import job_classes
from strandline.aws.storage_costs import PriceList, TierCost, read_prices
from strandline.cli.console import Cell, OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.cli.submission import read_samples
from strandline.errors import RejectedInputError
from strandline.forecast import FinishedRun, forecast_error, read_measured_runs
from strandline.journey import LANDING_PREFIX, submission_prefix

_READS_TIER: Final = "GLACIER_IR"  # where the lifecycle rule of the landing bucket puts them after a day


def show_cost(
    submission_id: Annotated[str | None, typer.Argument(help="One submission; all by tier where left out.")] = None,
    prices: Annotated[
        Path | None, typer.Option("--prices", help="Price list (JSON) of another region or contract.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option("--dry-run", help="Sample sheet: forecast its samples, and send nothing.")
    ] = None,
    against_forecast: Annotated[
        bool, typer.Option("--against-forecast", help="Show what the submission's steps took beside their forecast.")
    ] = False,
    stage: StageOption = LOCAL,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Estimate what is paid for S3: a month of each tier, now and 1, 30 and 90 days on, and once for requests.

    With --dry-run: how long the samples of a sheet will take, and what they will cost.

    Example: strandline cost --dry-run samples.csv
    """
    listed = _read_prices(prices)
    deployment = connect(stage)
    if sheet is not None:
        show_forecast(deployment, sheet, listed, form)
        return
    if against_forecast:
        show_accuracy(deployment, submission_id, form)
        return
    if submission_id is not None and deployment.submissions.get(submission_id) is None:
        raise RejectedInputError("submission_unknown", f"no submission {submission_id}: see 'strandline status'")
    prefix = LANDING_PREFIX if submission_id is None else submission_prefix(submission_id)
    found = deployment.storage_costs.estimate(prefix, listed, datetime.now(UTC))
    costs = _by_tier(found) if submission_id is None else found
    rows: list[tuple[Cell, ...]] = []
    for _, group in groupby(costs, key=lambda cost: cost.after_days):
        same_day = list(group)
        rows += [_row(cost, form) for cost in same_day]
        if form is OutputFormat.TABLE:
            rows.append(_row(_total(same_day), form))
    print_rows(("after_days", "bucket", "tier", "objects", "bytes", "cost_a_month", "cost_once"), rows, form)
    say(
        f"{listed.currency}, prices of {listed.region} as of {listed.as_of}; storage and requests of S3, without "
        "retrieval, transfer, lake and compute"
    )


def show_forecast(deployment: Deployment, sheet: Path, prices: PriceList, form: OutputFormat) -> None:
    """Say of each sample of a sheet how long it will take and what it will cost, and of all together."""
    model, runs = deployment.past_runs.model()
    classes = job_classes(deployment.batch, deployment.stage, list(model.line_by_step))
    rows: list[tuple[Cell, ...]] = []
    for one in read_samples(sheet):
        size = sum(_size(sheet.parent / path) for lane in one.reads for path in lane.files)
        expected = model.forecast(size, classes)
        kept = prices.month(_READS_TIER, size) + prices.month("STANDARD", expected.output_bytes)
        paid = expected.vcpu_hours * prices.vcpu_hour
        rows.append((one.sample.sample_id, size, round(expected.elapsed_s), expected.vcpu_hours, paid, kept))
    if form is OutputFormat.TABLE:
        rows.append(("total", *(sum(column) for column in list(zip(*rows, strict=True))[1:])))
    shown = [tuple(round(cell, 6) if isinstance(cell, float) else cell for cell in row) for row in rows]
    print_rows(("sample", "read_bytes", "seconds", "vcpu_hours", "compute", "storage_a_month"), shown, form)
    error = forecast_error(runs)
    off = f"half of them forecast to {error:.0%} or better" if error is not None else "too few to tell how well"
    say(
        f"{prices.currency}, prices of {prices.region} as of {prices.as_of}, On-Demand (Spot stays under it); seconds "
        f"of one sample alone. From {len(runs)} finished samples of {_owner(deployment, runs)}, {off}"
    )


def show_accuracy(deployment: Deployment, submission_id: str | None, form: OutputFormat) -> None:
    """Show what each step of a submission took beside what would have been forecast without it."""
    if submission_id is None:
        raise RejectedInputError("submission_missing", "name the submission: strandline cost ID --against-forecast")
    run = deployment.past_runs.run_of(submission_id)
    if run is None:
        raise RejectedInputError(
            "run_not_comparable", f"{submission_id} is not finished, or took over steps of another submission"
        )
    model, _ = deployment.past_runs.model(without=submission_id)
    expected = model.forecast(run.read_bytes, {})
    pairs = [(step, expected.seconds_by_step.get(step), taken) for step, taken in run.seconds_by_step.items()]
    rows: list[tuple[Cell, ...]] = []
    for name, forecast, taken in [*pairs, ("arrival to report", expected.elapsed_s, run.elapsed_s)]:
        off = f"{(forecast - taken) / taken:+.0%}" if forecast is not None else None
        rows.append((name, round(forecast, 1) if forecast is not None else None, round(taken, 1), off))
    print_rows(("step", "forecast_s", "took_s", "off"), rows, form)


def _owner(deployment: Deployment, runs: Sequence[FinishedRun]) -> str:
    if runs == read_measured_runs():
        return "a machine with two processors, because this stage has too few of its own"
    return f"stage {deployment.stage}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise RejectedInputError("file_not_found", f"{path}: {error.strerror}; check the path") from None


def _read_prices(path: Path | None) -> PriceList:
    if path is None:
        return read_prices()
    try:
        return PriceList.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise RejectedInputError(
            "prices_invalid", f"{path} is no price list: write it as strandline/aws/prices_us_east_1.json"
        ) from None


def _by_tier(costs: Sequence[TierCost]) -> list[TierCost]:
    """Sum over the buckets, in the order of days."""
    summed: dict[tuple[int, str], TierCost] = {}
    for cost in costs:
        _add(summed.setdefault((cost.after_days, cost.tier), TierCost(cost.after_days, "all", cost.tier)), cost)
    return list(summed.values())


def _total(costs: Sequence[TierCost]) -> TierCost:
    total = TierCost(costs[0].after_days, "total", "")
    for cost in costs:
        _add(total, cost)
    return total


def _add(sum_: TierCost, cost: TierCost) -> None:
    sum_.objects += cost.objects
    sum_.size_bytes += cost.size_bytes
    sum_.month += cost.month
    sum_.once += cost.once


def _row(cost: TierCost, form: OutputFormat) -> tuple[Cell, ...]:
    sums: list[Cell] = [round(cost.month, 6), round(cost.once, 6)]
    if form is not OutputFormat.JSON:
        sums = [f"{amount:.6f}" for amount in sums]
    return (cost.after_days, cost.bucket, cost.tier, cost.objects, cost.size_bytes, *sums)
