"""Rows of `annotations` from the sites of a source's VCF, such as ClinVar's."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strandline.errors import RejectedInputError
from strandline.lake.tables import lake_tables

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_AS_READ: Final = ("position", "end_position", "ref", "alt", "identifier", "quality", "filters")


@dataclass(frozen=True, slots=True)
class Release:
    """A release of a source. Of one source, the last release in the order of the alphabet is the current one.

    Raises:
        RejectedInputError: `release_name`.
    """

    source: str
    release: str

    def __post_init__(self) -> None:
        if not (_NAME.fullmatch(self.source) and _NAME.fullmatch(self.release)):
            raise RejectedInputError(
                "release_name",
                "source and release are made of letters, digits, '.', '_' and '-', as in ClinVar 2026-11-01",
            )

    @property
    def release_id(self) -> str:
        """Both in one name; loading the same release again replaces its rows."""
        return f"{self.source.lower()}-{self.release}"


def annotation_batches(
    sites: Iterable[pa.RecordBatch], release: Release, info_keys: Sequence[str], *, contig_prefix: str = ""
) -> Iterator[pa.Table]:
    """Yield rows of `annotations`, as many at a time as sites come.

    Args:
        sites: of `read_vcf`, in the order of the file.
        release: what they are of.
        info_keys: keys of INFO that the header declares: each row's attributes have all of them, null where the record
            has not, because Athena refuses to look up a key that a map lacks.
        contig_prefix: put before names of contigs that do not begin with it, so that they are the lake's, such as chr.
    """
    schema = lake_tables()["annotations"].arrow_schema()
    for batch in sites:
        if not batch.num_rows:
            continue
        columns: dict[str, Any] = {name: batch[name] for name in _AS_READ}
        contigs = batch["contig"].cast(pa.string())
        has_prefix = pc.starts_with(contigs, contig_prefix)
        columns |= {
            "release_id": pa.repeat(pa.scalar(release.release_id), batch.num_rows),
            "source": pa.repeat(pa.scalar(release.source), batch.num_rows),
            "release": pa.repeat(pa.scalar(release.release), batch.num_rows),
            "source_contig": contigs,
            "contig": pc.if_else(has_prefix, contigs, pc.binary_join_element_wise(contig_prefix, contigs, "")),
            "attributes": with_all_keys(batch["info"], info_keys),
        }
        yield pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)


def with_all_keys(maps: pa.MapArray, keys: Sequence[str]) -> pa.MapArray:
    """Return maps from text to text that each have these keys and those that any of them has, null where it had none.

    >>> with_all_keys(pa.array([[("A", "1")], []], pa.map_(pa.string(), pa.string())), ["A", "B"]).to_pylist()
    [[('A', '1'), ('B', None)], [('A', None), ('B', None)]]
    """
    offsets = maps.offsets.to_numpy()
    first, last = int(offsets[0]), int(offsets[-1])
    found, values = maps.keys[first:last].cast(pa.string()), maps.items[first:last].cast(pa.string())
    names = pa.array(dict.fromkeys([*keys, *found.unique().to_pylist()]), pa.string())
    rows = np.repeat(np.arange(len(maps)), np.diff(offsets))
    places = np.full((len(maps), len(names)), -1, dtype=np.int64)
    places[rows, pc.index_in(found, names).to_numpy(zero_copy_only=False)] = np.arange(len(found))
    flat = places.ravel()
    taken = values.take(pa.array(flat, mask=flat < 0))
    ends = pa.array(np.arange(len(maps) + 1) * len(names), pa.int32())
    return pa.MapArray.from_arrays(ends, names.take(pa.array(np.tile(np.arange(len(names)), len(maps)))), taken)
