"""What keeps the tables that are made of others up to date: cohorts are counted anew where the lake has changed."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from strandline.aws.lake import Lake
from strandline.aws.lake_gold import EVERY_SAMPLE, Refreshed, refresh, tag_of

if TYPE_CHECKING:
    from pyiceberg.table import Table

_READ: Final = ("samples", "variants", "callable_regions")
_STAMP: Final = "strandline.counted-from."


def refresh_changed(lake: Lake, *, assembly: str | None = None) -> list[Refreshed]:
    """Count every cohort anew of which the lake has other rows than when it was last counted; return these.

    What a cohort was counted from is kept with the table of frequencies, so that a hundred samples that were loaded
    since are one refresh, and none is where nothing was loaded. The cohort of every sample follows the tables of today;
    a frozen one its own snapshot, and is counted once.

    Raises:
        TemporaryError: `lake_contended`; what was refreshed before it stays.
    """
    done = []
    for cohort, stamp in _stamps(lake, assembly):
        if lake.load("cohort_frequencies").metadata.properties.get(_STAMP + cohort) == stamp:
            continue
        done.append(refresh(lake, cohort, assembly=assembly))
        lake.commit("cohort_frequencies", partial(_keep, cohort=cohort, stamp=stamp))
    return done


def _stamps(lake: Lake, assembly: str | None) -> Iterator[tuple[str, str]]:
    """Yield each cohort that can be counted, and a digest of what it is counted from as things are now."""
    snapshots = [lake.load(name).metadata.current_snapshot_id for name in _READ]
    if snapshots[0] is not None:
        yield EVERY_SAMPLE, _digest([assembly, *snapshots])
    frozen = lake.load("cohorts").scan(selected_fields=("cohort",)).to_arrow()["cohort"].unique().to_pylist()
    kept = lake.load("variants").metadata.refs
    for cohort in sorted(frozen):
        if tag_of(cohort) in kept:  # else a subject was erased: its rows are no longer kept
            yield cohort, _digest([assembly, kept[tag_of(cohort)].snapshot_id])


def _keep(table: "Table", *, cohort: str, stamp: str) -> int:
    with table.transaction() as transaction:
        transaction.set_properties({_STAMP + cohort: stamp})
    return 0


def _digest(read: list[object]) -> str:
    return hashlib.sha256(json.dumps(read).encode()).hexdigest()[:32]
