"""`strandline cost`: what submissions cost to keep, now and as the lifecycle rules move them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from strandline.aws.storage_costs import PriceList, TierCost, read_prices
from strandline.cli.console import Cell, OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.errors import RejectedInputError
from strandline.journey import LANDING_PREFIX, submission_prefix


def show_cost(
    submission_id: Annotated[str | None, typer.Argument(help="One submission; all by tier where left out.")] = None,
    prices: Annotated[
        Path | None, typer.Option("--prices", help="Price list (JSON) of another region or contract.")
    ] = None,
    stage: StageOption = LOCAL,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Estimate what is paid for S3: a month of each tier, now and 1, 30 and 90 days on, and once for requests.

    Example: strandline cost --format csv
    """
    listed = _read_prices(prices)
    deployment = connect(stage)
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
