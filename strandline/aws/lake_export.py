"""The Parquet files that Athena's UNLOAD or CTAS makes of a HealthOmics store, in a folder or below an S3 prefix."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from strandline.errors import RejectedInputError
from strandline.lake.migration import check_columns, store_schema

_ROWS_AT_A_TIME: Final = 1 << 19
_ROWS_PER_GROUP: Final = 1 << 14
_BY_SAMPLE: Final = ("sampleid", "contigname")
_BY_CONTIG: Final = ("contigname",)


@dataclass(frozen=True, slots=True)
class ExportedStore:
    """Where an export lies; processes of a pool open it anew.

    Attributes:
        place: a folder, or s3://BUCKET/PREFIX.
        view: whose columns it has, `omicsvariants` or `omicsannotations`.
        endpoint_url, region: of an embedded AWS; None for the usual chain.
    """

    place: str
    view: str = "omicsvariants"
    endpoint_url: str | None = None
    region: str | None = None

    @contextmanager
    def by_sample(self) -> "Iterator[tuple[ExportedStore, Mapping[str, Mapping[str, int]]]]":
        """Yield the export such that a sample's rows of one contig can be read alone, and how many rows each has.

        Where files have rows of several samples beside one another they are sorted into files of a scratch folder
        first, which takes as much room as the export.

        Raises:
            RejectedInputError: `migrate_source_empty`, `migrate_column_missing` or `migrate_column_type`.
        """
        with self._arranged(_BY_SAMPLE) as (arranged, counted):
            counts: dict[str, dict[str, int]] = {}
            for (sample, contig), count in counted.items():
                counts.setdefault(sample, {})[contig] = count
            yield arranged, counts

    @contextmanager
    def by_contig(self) -> "Iterator[tuple[ExportedStore, Mapping[str, int]]]":
        """Yield the export such that the rows of one contig can be read alone, and how many rows each has.

        Raises:
            RejectedInputError: as `by_sample`.
        """
        with self._arranged(_BY_CONTIG) as (arranged, counted):
            yield arranged, {contig: count for (contig,), count in counted.items()}

    def rows(self, *, contig: str, sample_id: str | None = None) -> pa.Table:
        """Return the rows of one contig, of one sample or of all."""
        wanted = [ds.field("contigname") == contig]
        if sample_id is not None:
            wanted.append(ds.field("sampleid") == sample_id)
        columns = [name for name in store_schema(self.view).names if name != "importjobid"]
        return self._open().to_table(columns=columns, filter=reduce(and_, wanted))

    @contextmanager
    def _arranged(self, keys: Sequence[str]) -> "Iterator[tuple[ExportedStore, Counter[tuple[str, ...]]]]":
        source = self._open()
        if not source.files:
            raise RejectedInputError("migrate_source_empty", f"{self.place} holds no Parquet file: name the folder")
        for fragment in source.get_fragments():
            by_folder = [field for field in source.schema if field.name not in fragment.physical_schema.names]
            check_columns(pa.schema([*fragment.physical_schema, *by_folder]), Path(fragment.path).name, self.view)
        counted: Counter[tuple[str, ...]] = Counter()
        is_mixed = False
        for batch in source.to_batches(columns=list(keys)):
            found = _count(batch, keys)
            is_mixed |= len({key[0] for key in found}) > 1
            counted.update(found)
        if any(None in key for key in counted):
            raise RejectedInputError(
                "migrate_row_without_sample",
                f"{self.place} has rows without {' or '.join(keys)}: is it a variant store?",
            )
        if not is_mixed:
            yield self, counted
            return
        with TemporaryDirectory(prefix="strandline-") as scratch:
            _sort_into(source, Path(scratch), keys)
            yield replace(self, place=scratch, endpoint_url=None, region=None), counted

    def _open(self) -> Any:
        partitions = ds.partitioning(pa.schema([("sampleid", pa.string())]), flavor="hive")
        if not self.place.startswith("s3://"):
            return ds.dataset(self.place, format="parquet", partitioning=partitions)
        embedded: dict[str, Any] = {}
        if self.endpoint_url:
            embedded = {"endpoint_override": self.endpoint_url, "access_key": "embedded", "secret_key": "embedded"}
        if self.region:
            embedded["region"] = self.region
        place = self.place.removeprefix("s3://")
        return ds.dataset(place, filesystem=fs.S3FileSystem(**embedded), format="parquet", partitioning=partitions)


def _count(batch: pa.RecordBatch, keys: Sequence[str]) -> Counter[tuple[str, ...]]:
    grouped = pa.table(batch).group_by(list(keys)).aggregate([([], "count_all")]).to_pylist()
    return Counter({tuple(row[key] for key in keys): row["count_all"] for row in grouped})


def _sort_into(source: Any, folder: Path, keys: Sequence[str]) -> None:
    """Write sorted pieces whose groups of rows are so small that statistics leave out what is of others."""
    order = [(key, "ascending") for key in keys]
    with pq.ParquetWriter(folder / "sorted.parquet", source.schema, compression="zstd") as writer:
        for piece in _pieces(source):
            writer.write_table(piece.sort_by(order), row_group_size=_ROWS_PER_GROUP)


def _pieces(source: Any) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    for batch in source.to_batches():
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= _ROWS_AT_A_TIME:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)
