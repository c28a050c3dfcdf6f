"""Tables that are made of others: a cohort's frequencies and gene burden; and cohorts that are frozen under a name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from strandline.aws.lake import Lake
from strandline.aws.lake_files import range_of, read_in_order
from strandline.errors import RejectedInputError
from strandline.lake.frequencies import (
    COUNTED_COLUMNS,
    CallableSpans,
    Members,
    count_alleles,
    count_burden,
    join_burden,
)
from strandline.lake.layout import merge_sorted, rows_per_batch, runs_of
from strandline.lake.tables import lake_tables

if TYPE_CHECKING:
    from pyiceberg.table import Table

EVERY_SAMPLE: Final = "all"
"""The cohort of every sample, as last submitted."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What was made anew for one cohort."""

    cohort: str
    samples: int
    alleles: int
    genes_and_samples: int


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Members of a cohort and the submissions that speak for them; `snapshot_id` of variants, or None for today's."""

    members: Members
    submissions: tuple[str, ...]
    snapshot_id: int | None


def refresh(lake: Lake, cohort: str = EVERY_SAMPLE, *, assembly: str | None = None) -> Refreshed:
    """Make a cohort's rows of `cohort_frequencies` and `gene_burden` anew, each in one commit.

    Args:
        lake: where the tables are.
        cohort: a frozen cohort, or `all`.
        assembly: GRCh37 or GRCh38, for the pseudoautosomal regions.

    Raises:
        RejectedInputError: `cohort_unknown`.
        TemporaryError: `lake_contended`.
    """
    chosen = _choose(lake, cohort)
    variants, regions = lake.load("variants"), lake.load("callable_regions")
    known = frozenset(regions.scan(selected_fields=("sample_id",)).to_arrow()["sample_id"].unique().to_pylist())
    burden: list[pa.Table] = []

    def make_rows() -> Iterator[pa.Table]:
        burden.clear()
        for contig in _contigs(variants, chosen.snapshot_id):
            spans = CallableSpans.of(_regions_of(regions, contig), chosen.members, known)
            for rows in _rows_by_position(variants, contig, chosen):
                burden.append(count_burden(rows))
                yield count_alleles(rows, contig, chosen.members, spans, cohort=cohort, assembly=assembly)

    alleles = lake.replace_rows("cohort_frequencies", cohort, make_rows)
    genes = lake.replace_rows("gene_burden", cohort, lambda: [join_burden(burden, cohort)])
    return Refreshed(cohort, len(chosen.members.sample_ids), alleles, genes)


def freeze(lake: Lake, cohort: str, query: str, sample_ids: Sequence[str], *, now: datetime) -> int:
    """Keep these samples as a cohort, with the rows of variants that there are now, and return how many they are.

    The snapshot of variants is kept from expiry by a tag. Freezing the same samples again changes nothing.

    Raises:
        RejectedInputError: `cohort_frozen`, where the name is of other samples; `cohort_unknown_samples`;
            `cohort_empty`.
    """
    latest = _latest_submissions(lake)
    wanted = sorted(set(sample_ids))
    if not wanted or cohort == EVERY_SAMPLE:
        raise RejectedInputError("cohort_empty", "the query chose no sample, or the name is 'all': choose another")
    unknown = sum(sample_id not in latest for sample_id in wanted)
    if unknown:
        raise RejectedInputError("cohort_unknown_samples", f"{unknown} of {len(wanted)} chosen are not in the lake")
    frozen = _members_of(lake, cohort)
    if frozen.num_rows:
        if sorted(frozen["sample_id"].to_pylist()) != wanted:
            raise RejectedInputError("cohort_frozen", f"'{cohort}' is frozen with other samples: take another name")
        return int(frozen.num_rows)
    snapshot_id = lake.commit("variants", partial(_tag, name=cohort))
    rows = [
        {
            "cohort": cohort,
            "sample_id": sample_id,
            "submission_id": latest[sample_id][0],
            "query": query,
            "variants_snapshot_id": snapshot_id,
            "frozen_at": now,
        }
        for sample_id in wanted
    ]
    table = pa.Table.from_pylist(rows, schema=lake_tables()["cohorts"].arrow_schema())
    return lake.replace_rows("cohorts", cohort, lambda: [table])


def tag_of(cohort: str) -> str:
    """Return the name of the tag that keeps a cohort's snapshot of variants."""
    return f"cohort-{cohort}"


def _tag(table: "Table", *, name: str) -> int:
    current = table.current_snapshot()
    if current is None:
        raise RejectedInputError("cohort_empty", "no variants have been loaded yet")
    if tag_of(name) not in table.metadata.refs:
        table.manage_snapshots().create_tag(current.snapshot_id, tag_of(name)).commit()
    return int(table.refresh().metadata.refs[tag_of(name)].snapshot_id)


def _choose(lake: Lake, cohort: str) -> _Chosen:
    latest = _latest_submissions(lake)
    if cohort == EVERY_SAMPLE:
        members = Members(tuple(latest), tuple(sex for _, sex in latest.values()))
        return _Chosen(members, tuple(submission for submission, _ in latest.values()), None)
    frozen = _members_of(lake, cohort)
    if not frozen.num_rows:
        raise RejectedInputError("cohort_unknown", f"there is no cohort '{cohort}': freeze it first")
    sample_ids = frozen["sample_id"].to_pylist()
    sexes = tuple(latest[sample_id][1] if sample_id in latest else None for sample_id in sample_ids)
    tagged = lake.load("variants").metadata.refs.get(tag_of(cohort))
    if tagged is None:
        raise RejectedInputError("cohort_unknown", f"the rows of '{cohort}' are no longer kept: a subject was erased")
    return _Chosen(Members(tuple(sample_ids), sexes), tuple(frozen["submission_id"].to_pylist()), tagged.snapshot_id)


def _latest_submissions(lake: Lake) -> dict[str, tuple[str, str | None]]:
    """Return the submission that was loaded last of each sample, and the sex that it declares."""
    rows = lake.load("samples").scan(selected_fields=("sample_id", "submission_id", "sex", "loaded_at")).to_arrow()
    ordered = rows.sort_by([("loaded_at", "ascending"), ("submission_id", "ascending")]).to_pylist()
    return {row["sample_id"]: (row["submission_id"], row["sex"]) for row in ordered}


def _members_of(lake: Lake, cohort: str) -> pa.Table:
    rows = lake.load("cohorts").scan().to_arrow()
    return rows.filter(pc.equal(rows["cohort"], cohort))


def _contigs(variants: "Table", snapshot_id: int | None) -> list[str]:
    tasks = variants.scan(snapshot_id=snapshot_id).plan_files()
    return sorted({task.file.partition[0] for task in tasks})


def _regions_of(regions: "Table", contig: str) -> pa.Table:
    from pyiceberg.expressions import EqualTo, Reference  # noqa: PLC0415 - heavy for a command that only asks

    fields = ("sample_id", "start0", "end_position", "is_callable")
    return regions.scan(row_filter=EqualTo(term=Reference("contig"), value=contig), selected_fields=fields).to_arrow()


def _rows_by_position(variants: "Table", contig: str, chosen: _Chosen) -> Iterator[pa.Table]:
    """Yield the cohort's rows of a contig in pieces that each hold every row of their positions."""
    tasks = variants.scan(snapshot_id=chosen.snapshot_id).plan_files()
    runs = runs_of(range_of(variants, task, "position") for task in tasks if task.file.partition[0] == contig)
    size = rows_per_batch(len(runs))
    submissions = pa.array(chosen.submissions, pa.string())
    streams = [
        (rows for file in run for rows in read_in_order(variants, file.file, "position", size, columns=COUNTED_COLUMNS))
        for run in runs
    ]
    for rows in merge_sorted(streams, ("position",)):
        yield rows.filter(pc.is_in(rows["submission_id"], submissions))
