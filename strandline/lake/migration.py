"""Rows of the lake from an exported HealthOmics variant or annotation store.

Positions of a store are 0-based and half-open; each row is one sample and allele, with the genotype as numbers of
alleles (-1: not called, or another allele of a record that was split). Source: AWS HealthOmics user guide, "Running
queries on HealthOmics variant stores"; the columns are those that the views of `strandline/lake/views` document.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from strandline.errors import RejectedInputError
from strandline.lake.migrated_alleles import Allele, Bases, align, genotypes_of, kinds_of, only_alleles, trim
from strandline.lake.tables import lake_tables

Array = np.ndarray[Any, np.dtype[Any]]

NOT_CARRIED: Final = "no_allele_carried"
SEVERAL: Final = "several_alleles"
INVALID: Final = "row_invalid"
WRONG_BUILD: Final = "wrong_build"
_OURS: Final = {
    "GENE": "gene",
    "TRANSCRIPT": "transcript",
    "CONSEQUENCE": "consequence",
    "HGVSG": "hgvs_genomic",
    "HGVSC": "hgvs_coding",
    "HGVSP": "hgvs_protein",
    "ALLELEID": "clinvar_id",
    "CLNSIG": "clinvar_significance",
    "AF": "population_frequency",
}
"""What the view `omicsvariants` of a lake of ours puts into `attributes`; a store of HealthOmics has INFO there."""
_IDENTIFYING: Final = ("contig", "position", "ref", "alt", "quality", "filters", "genotype", "depth", "alt_depth")


class Sequences(Protocol):
    """What a build says of its contigs."""

    def length(self, contig: str, /) -> int | None:
        """Return the length of a contig in bases, None where it is not known."""
        ...

    def bases(self, contig: str, /) -> bytes | None:
        """Return a contig's bases in capitals, None where there are none to compare with."""
        ...


@dataclass(frozen=True, slots=True)
class Migrated:
    """What came of some rows of a store: rows of `variants` and of `sites`, and how many rows were refused, by why."""

    variants: pa.Table
    sites: pa.Table
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MigratedFile:
    """What the rows of one sample have in common."""

    submission_id: str
    sample_id: str
    reference_name: str
    reference_version: str
    site: str | None = None


@cache
def store_schema(view: str = "omicsvariants") -> pa.Schema:
    """Return the columns of a store and their types, as the view of that name documents them."""
    lines = files("strandline.lake").joinpath(f"views/{view}.sql").read_text(encoding="utf-8").splitlines()
    told = [line.removeprefix("-- ").split(": ") for line in lines[1:] if line.startswith("-- ")]
    return pa.schema([pa.field(name, _TYPES[kind]) for name, kind in told])


def check_columns(found: pa.Schema, where: str, view: str = "omicsvariants") -> None:
    """Refuse an export that lacks a column, or has one of another type.

    Integers may be of any width, and texts of either; `importjobid` may be missing.

    Raises:
        RejectedInputError: `migrate_column_missing` or `migrate_column_type`.
    """
    for wanted in store_schema(view):
        if wanted.name == "importjobid":
            continue
        place = found.get_field_index(wanted.name)
        if place < 0:
            raise RejectedInputError(
                "migrate_column_missing", f"{where} has no column '{wanted.name}': export the store with SELECT *"
            )
        if not _is_like(found.field(place).type, wanted.type):
            raise RejectedInputError(
                "migrate_column_type",
                f"{where}: column '{wanted.name}' is {found.field(place).type}, not {wanted.type}: export it as it is",
            )


def migrate_variants(rows: pa.Table, contig: str, made: MigratedFile, sequences: Sequences | None) -> Migrated:
    """Turn a sample's rows of one contig into rows of `variants` and `sites`, both sorted by position.

    Args:
        rows: of the store, every row of the sample on this contig.
        contig: the contig.
        made: whose rows they are.
        sequences: of the build that the rows are said to be on; where a position or a REF base is not the build's,
            every row is refused as `wrong_build`.
    """
    rows = rows.select(store_schema().names[1:]).cast(pa.schema(list(store_schema())[1:])).combine_chunks()
    refused: dict[str, int] = {}
    alleles, kept = _alleles_of(rows, refused)
    if sequences is not None and not _fits(alleles, contig, sequences):
        empty = {name: lake_tables()[name].arrow_schema().empty_table() for name in ("variants", "sites")}
        return Migrated(empty["variants"], empty["sites"], {WRONG_BUILD: rows.num_rows})
    rows = rows.take(pa.array(kept))
    genotypes = genotypes_of(_combined(rows["calls"]), alleles.numbers, _combined(rows["phased"]))
    _count(refused, NOT_CARRIED, int((~genotypes.is_carried).sum()))
    is_carried = pa.array(genotypes.is_carried)
    rows, alleles = rows.filter(is_carried), alleles.where(genotypes.is_carried)
    bases = sequences.bases(contig) if sequences is not None else None
    if bases is not None:
        alleles = align(alleles, contig, Bases(bases))
    order = pa.array(np.lexsort((alleles.alts.to_numpy(zero_copy_only=False), alleles.starts0)))
    columns = _columns(rows, contig, made, alleles)
    columns |= {"genotype": genotypes.texts.filter(is_carried), "zygosity": genotypes.zygosities.filter(is_carried)}
    split = pc.fill_null(_combined(rows["splitfrommultiallelic"]), fill_value=False)
    columns["called_genotype"] = pc.if_else(split, columns["genotype"], pa.scalar(None, pa.string()))
    return Migrated(_table("variants", columns, order), _sites(rows, columns, order), refused)


def migrate_annotations(rows: pa.Table, source: str, release: str, release_id: str, contig_prefix: str) -> pa.Table:
    """Turn rows of an annotation store, of one contig, into rows of `annotations` sorted by position.

    Rows without one allele in bases are left out; `contig_prefix` is put before a contig that lacks it.
    """
    names = store_schema("omicsannotations").names[1:]
    rows = rows.select(names).cast(pa.schema(list(store_schema("omicsannotations"))[1:])).combine_chunks()
    alleles, kept = _alleles_of(rows, {})
    rows = rows.take(pa.array(kept))
    contigs = _combined(rows["contigname"])
    named = pc.if_else(
        pc.starts_with(contigs, contig_prefix), contigs, pc.binary_join_element_wise(contig_prefix, contigs, "")
    )
    count = rows.num_rows
    columns = {
        "release_id": pa.repeat(pa.scalar(release_id), count),
        "source": pa.repeat(pa.scalar(source), count),
        "release": pa.repeat(pa.scalar(release), count),
        "contig": named,
        "source_contig": contigs,
        "position": pa.array(alleles.starts0 + 1),
        "end_position": pa.array(alleles.ends0),
        "ref": alleles.refs,
        "alt": alleles.alts,
        "identifier": pc.binary_join(rows["names"], ";"),
        "quality": rows["qual"],
        "filters": pc.binary_join(rows["filters"], ";"),
        "attributes": rows["attributes"],
    }
    return _table("annotations", columns, pa.array(np.argsort(alleles.starts0, kind="stable")))


class ContentDigest:
    """A digest of a sample's rows of `variants` in their order, so that the same export again is the same content."""

    def __init__(self, sample_id: str) -> None:
        self._digest = hashlib.sha256(sample_id.encode() + b"\0")

    def add(self, variants: pa.Table) -> None:
        """Take rows."""
        sink = pa.BufferOutputStream()
        pa_csv.write_csv(variants.select(_IDENTIFYING), sink, pa_csv.WriteOptions(include_header=False))
        self._digest.update(sink.getvalue())

    def submission_id(self) -> str:
        """Return what the rows are loaded as."""
        return f"omics-{self._digest.hexdigest()[:32]}"


_TYPES: Final[Mapping[str, pa.DataType]] = {
    "varchar": pa.string(),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "array(varchar)": pa.list_(pa.string()),
    "array(integer)": pa.list_(pa.int32()),
    "array(double)": pa.list_(pa.float64()),
    "map(varchar,varchar)": pa.map_(pa.string(), pa.string()),
}


def _is_like(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_null(found):
        return True  # a column in which nothing was ever written
    if pa.types.is_list(wanted) or pa.types.is_large_list(wanted):
        is_list = pa.types.is_list(found) or pa.types.is_large_list(found)
        return is_list and _is_like(found.value_type, wanted.value_type)
    if pa.types.is_map(wanted):
        return pa.types.is_map(found) and all(pa.types.is_string(kind) for kind in (found.key_type, found.item_type))
    for is_of in (pa.types.is_integer, pa.types.is_boolean, pa.types.is_floating):
        if is_of(wanted):
            return bool(is_of(found))
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_dictionary(found))


def _alleles_of(rows: pa.Table, refused: dict[str, int]) -> tuple[Allele, Array]:
    """Return the one allele of each row that has one, trimmed, and which rows these are."""
    chosen = only_alleles(_combined(rows["alternatealleles"]))
    _count(refused, NOT_CARRIED, int((chosen.counts == 0).sum()))
    _count(refused, SEVERAL, int((chosen.counts > 1).sum()))
    starts, ends = (pc.fill_null(rows[name], fill_value=-1).to_numpy() for name in ("start", "end"))
    refs = pc.utf8_upper(_combined(rows["referenceallele"]))
    lengths = pc.fill_null(pc.binary_length(refs), fill_value=0).to_numpy(zero_copy_only=False)
    is_bases = pc.fill_null(pc.match_substring_regex(refs, r"^[A-Z]+$"), fill_value=False).to_numpy(
        zero_copy_only=False
    )
    is_symbol = ~pc.match_substring_regex(chosen.alts, r"^[A-Za-z]+$").to_numpy(zero_copy_only=False)
    is_whole = (starts >= 0) & is_bases & ((ends == starts + lengths) | (is_symbol & (ends > starts)))
    _count(refused, INVALID, int(((chosen.counts == 1) & ~is_whole).sum()))
    kept = np.flatnonzero((chosen.counts == 1) & is_whole)
    taken = pa.array(kept)
    return trim(starts[kept], ends[kept], refs.take(taken), chosen.alts.take(taken), chosen.numbers[kept]), kept


def _fits(alleles: Allele, contig: str, sequences: Sequences) -> bool:
    length = sequences.length(contig)
    if length is not None and len(alleles.ends0) and int(alleles.ends0.max()) > length:
        return False
    bases = sequences.bases(contig)
    if bases is None:
        return True
    whole = np.frombuffer(bases, np.uint8)
    refs = alleles.refs.cast(pa.binary())
    firsts = np.frombuffer(b"".join(pc.binary_slice(refs, 0, 1).to_pylist()), np.uint8)
    if (whole[alleles.starts0] != firsts).any():
        return False
    long = np.flatnonzero(pc.binary_length(refs).to_numpy() > 1)
    return all(
        bases[start : start + len(ref)] == ref
        for start, ref in zip(alleles.starts0[long].tolist(), refs.take(pa.array(long)).to_pylist(), strict=True)
    )


def _columns(rows: pa.Table, contig: str, made: MigratedFile, alleles: Allele) -> dict[str, Any]:
    names = pc.binary_join(_combined(rows["names"]), ";")
    depths = _combined(rows["alleledepths"])
    return {
        "sample_id": pa.repeat(pa.scalar(made.sample_id), rows.num_rows),
        "submission_id": pa.repeat(pa.scalar(made.submission_id), rows.num_rows),
        "reference_name": pa.repeat(pa.scalar(made.reference_name), rows.num_rows),
        "reference_version": pa.repeat(pa.scalar(made.reference_version), rows.num_rows),
        "site": pa.repeat(pa.scalar(made.site, pa.string()), rows.num_rows),
        "contig": pa.repeat(pa.scalar(contig), rows.num_rows),
        "position": pa.array(alleles.starts0 + 1),
        "end_position": pa.array(alleles.ends0),
        "ref": alleles.refs,
        "alt": alleles.alts,
        "variant_type": kinds_of(alleles.refs, alleles.alts),
        "alt_number": pa.array(alleles.numbers.astype(np.int32)),
        "source_position": pc.add(rows["start"], 1),
        "quality": rows["qual"],
        "filters": pc.coalesce(pc.binary_join(_combined(rows["filters"]), ";"), pa.scalar(".")),
        "identifier": names,
        "rsid": pc.if_else(pc.starts_with(names, "rs"), names, pa.scalar(None, pa.string())),
        "phased": pc.fill_null(rows["phased"], fill_value=False),
        "depth": rows["depth"],
        "ref_depth": _element(depths, np.zeros(rows.num_rows, dtype=np.int64)),
        "alt_depth": _element(depths, alleles.numbers),
        "genotype_quality": rows["conditionalquality"],
        "phase_set": rows["ps"],
        "phred_likelihoods": rows["phredlikelihoods"],
        "sample_fields": rows["information"],
    } | _annotations(_combined(rows["attributes"]))


def _annotations(attributes: pa.MapArray) -> dict[str, Any]:
    """Return columns of annotations from the attributes of a lake of ours; none from INFO."""
    if not _are_ours(attributes):
        return {}
    told = {column: pc.map_lookup(attributes, key, "first") for key, column in _OURS.items()}
    return told | {"population_frequency": told["population_frequency"].cast(pa.float64())}


def _are_ours(attributes: pa.MapArray) -> bool:
    return set(_OURS) == set(attributes.keys.unique().to_pylist())


def _sites(rows: pa.Table, columns: Mapping[str, Any], order: pa.Array) -> pa.Table:
    """Return rows of `sites`, with INFO, where the attributes are INFO."""
    attributes = _combined(rows["attributes"])
    if _are_ours(attributes):
        return lake_tables()["sites"].arrow_schema().empty_table()
    return _table("sites", {**columns, "info": attributes}, order)


def _element(lists: pa.ListArray, places: Array) -> pa.Array:
    """Return one value of each list, null where the list is too short or null."""
    starts, ends = (lists.offsets.to_numpy()[cut] for cut in (slice(None, -1), slice(1, None)))
    at = starts + places
    is_there = (at < ends) & ~pc.is_null(lists).to_numpy(zero_copy_only=False)
    return lists.values.take(pa.array(np.where(is_there, at, 0), mask=~is_there))


def _table(name: str, columns: Mapping[str, Any], order: pa.Array) -> pa.Table:
    schema = lake_tables()[name].arrow_schema()
    arrays = [
        _combined(columns[one.name]).take(order).cast(one.type)
        if one.name in columns
        else pa.nulls(len(order), one.type)
        for one in schema
    ]
    return pa.table(arrays, schema=schema)


def _combined(column: pa.Array | pa.ChunkedArray) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _count(refused: dict[str, int], why: str, count: int) -> None:
    if count:
        refused[why] = refused.get(why, 0) + count


def sum_refused(parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Return the numbers of refused rows of several parts together, by why."""
    total: dict[str, int] = {}
    for part in parts:
        for why, count in part.items():
            _count(total, why, count)
    return total
