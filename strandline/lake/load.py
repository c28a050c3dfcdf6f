"""Rows of the lake's tables from what `read_vcf` yields of a VCF or gVCF, in the order of the tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strandline.errors import RejectedInputError
from strandline.lake.arrow_columns import with_plain_keys
from strandline.lake.tables import lake_tables
from strandline.lake.vcf_columns import VcfBatch
from strandline.reads.coverage import CALLABLE_DEPTH

CALLABLE_QUALITY: Final = 20
_ALIGNED_BY: Final = 10_000  # bases that alleles are taken to move to the left at most, where a reference aligns them


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """What rows of one file have in common.

    Attributes:
        submission_id: what replaces them as a whole.
        reference_name, reference_version: the reference bundle that the file was made on.
        is_aligned: whether alleles were moved to the left, so that rows may come out of order by some bases.
        site: who sent it; rows of no site are seen by no role of one.
    """

    submission_id: str
    reference_name: str
    reference_version: str
    is_aligned: bool = False
    site: str | None = None

    def values(self) -> dict[str, str | None]:
        """Return the columns that are the same in each row."""
        return {
            "submission_id": self.submission_id,
            "reference_name": self.reference_name,
            "reference_version": self.reference_version,
            "site": self.site,
        }


def check_samples(found: Sequence[str], declared: Sequence[str], file: str) -> None:
    """Refuse a file whose samples are not those that it was declared to hold.

    Raises:
        RejectedInputError: `lake_sample_name`.
    """
    if sorted(found) != sorted(declared):
        raise RejectedInputError(
            "lake_sample_name",
            f"{file}, #CHROM: the {len(found)} samples are not the {len(declared)} declared ones; "
            "name the samples in the file and in the declaration alike",
        )


def variant_rows(batches: Iterable[VcfBatch], loaded: LoadedFile) -> Iterator[pa.Table]:
    """Yield rows of `variants`: genotypes that carry an allele. Columns of annotations are null, but for `rsid`."""
    yield from _in_order((_rows("variants", _genotypes(batch), loaded) for batch in batches), "position", loaded)


def site_rows(batches: Iterable[VcfBatch], loaded: LoadedFile) -> Iterator[pa.Table]:
    """Yield rows of `sites`: what the file says of each record and ALT allele, whatever the sample."""
    yield from _in_order((_rows("sites", _columns(batch.sites), loaded) for batch in batches), "position", loaded)


def callable_rows(
    batches: Iterable[VcfBatch],
    loaded: LoadedFile,
    *,
    minimum_depth: int = CALLABLE_DEPTH,
    minimum_quality: int = CALLABLE_QUALITY,
) -> Iterator[pa.Table]:
    """Yield rows of `callable_regions` from the reference blocks of a gVCF.

    A block is callable where the genotype is the reference, the least depth (reads) is known and enough, and the
    genotype quality (Phred-scaled), where there is one, is enough. Source: VCF 4.5, section 5.5.
    """
    for batch in batches:
        columns = _columns(batch.blocks)
        depths, qualities = columns["min_depth"], columns["genotype_quality"]
        is_deep = pc.fill_null(pc.greater_equal(depths, minimum_depth), fill_value=False)
        is_good = pc.fill_null(pc.greater_equal(qualities, minimum_quality), fill_value=True)
        columns["is_callable"] = pc.and_(columns["is_called"], pc.and_(is_deep, is_good))
        columns |= {"end_position": columns["end0"], "minimum_depth": depths, "minimum_genotype_quality": qualities}
        if batch.blocks.num_rows:
            yield _rows("callable_regions", columns, loaded)


def _columns(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    return dict(zip(batch.schema.names, batch.columns, strict=True))


def _genotypes(batch: VcfBatch) -> dict[str, pa.Array]:
    columns = _columns(batch.genotypes)
    names = batch.sites["identifier"]
    rs = pc.if_else(pc.starts_with(names, "rs"), names, pa.scalar(None, pa.string()))
    columns["rsid"] = rs.take(columns.pop("site"))  # which site it is: the table's column says who sent it
    return columns


def _rows(table_name: str, columns: Mapping[str, pa.Array], loaded: LoadedFile) -> pa.Table:
    """Return columns as a table of the lake has them; one that is neither there nor the same in each row is null."""
    schema = lake_tables()[table_name].arrow_schema()
    count, same = len(next(iter(columns.values()))), loaded.values()
    arrays = []
    for field in schema:
        if field.name in columns:
            column = columns[field.name]
            arrays.append((with_plain_keys(column) if pa.types.is_map(field.type) else column).cast(field.type))
        elif same.get(field.name) is not None:
            arrays.append(pa.repeat(pa.scalar(same[field.name]), count))
        else:
            arrays.append(pa.nulls(count, field.type))
    return pa.table(arrays, schema=schema)


def _in_order(tables: Iterable[pa.Table], key: str, loaded: LoadedFile) -> Iterator[pa.Table]:
    """Yield rows of a sorted file in the order of `key` within a contig, though trimming and aligning moved some.

    What may still be preceded is held back: trimming only moves to the right, aligning by `_ALIGNED_BY` at most.

    Raises:
        RejectedInputError: `vcf_unsorted`.
    """
    held: pa.Table | None = None
    reached = (None, 0)
    for table in tables:
        for part in _by_contig(table):
            contig, sources = part["contig"][0].as_py(), part["source_position"].to_numpy()
            if held is not None and held["contig"][0].as_py() != contig:
                yield held
                held = None
            before = reached[1] if reached[0] == contig else 0
            if sources[0] < before or (np.diff(sources) < 0).any():
                raise RejectedInputError("vcf_unsorted", f"records of {contig} are not sorted by POS; sort the file")
            reached = (contig, int(sources[-1]))
            sure = reached[1] - (_ALIGNED_BY if loaded.is_aligned else 0)
            done, held = _cut_sorted(part if held is None else pa.concat_tables([held, part]), key, sure)
            if done.num_rows:
                yield done
    if held is not None:
        yield held


def _by_contig(table: pa.Table) -> Iterator[pa.Table]:
    if not table.num_rows:
        return
    ends = pc.run_end_encode(table["contig"].combine_chunks()).run_ends.to_pylist()
    for start, end in zip([0, *ends], ends, strict=False):
        yield table.slice(start, end - start)


def _cut_sorted(table: pa.Table, key: str, sure: int) -> tuple[pa.Table, pa.Table]:
    """Return the rows before a position, sorted, and the rest, sorted."""
    positions = table[key].to_numpy()
    if (np.diff(positions) < 0).any():
        order = np.argsort(positions, kind="stable")
        table, positions = table.take(pa.array(order)), positions[order]
    count = int(np.searchsorted(positions, sure))
    return table.slice(0, count), table.slice(count)
