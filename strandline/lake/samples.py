"""Samples of records as rows of genotypes and of reference blocks. Source: VCF 4.5, sections 1.6.2 and 5.5."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strandline.errors import RejectedInputError
from strandline.lake import arrow_columns as arrow
from strandline.lake import genotypes as gt
from strandline.lake import vcf_lines as lines
from strandline.lake.info import PER_ALLELE, PER_ALT, PER_GENOTYPE, WHOLE
from strandline.lake.sites import Sites
from strandline.lake.text_scan import OK, Numbers, empty_slots, number_spans
from strandline.lake.vcf_records import Records
from strandline.lake.vcf_source import VcfSource
from strandline.landing.vcf.definitions import UNKNOWN, FieldDefinition

_INTEGER: Final = frozenset({b"Integer"})
_NUMBER: Final = frozenset({b"Integer", b"Float"})
# keys that have columns of their own, where the header declares them so: Numbers and Types
_OWN: Final[dict[bytes, tuple[frozenset[bytes], frozenset[bytes]]]] = {
    b"GT": (frozenset({b"1"}), frozenset({b"String"})),
    b"AD": (frozenset({b"R", b"."}), _INTEGER),
    b"DP": (frozenset({b"1"}), _INTEGER),
    b"GQ": (frozenset({b"1"}), _NUMBER),
    b"PL": (frozenset({b"G", b"."}), _INTEGER),
    b"GL": (frozenset({b"G", b"."}), frozenset({b"Float"})),
    b"PS": (frozenset({b"1"}), _INTEGER),
    b"MIN_DP": (frozenset({b"1"}), _INTEGER),
}
_FEW_CODES: Final = 1 << (2 * gt.CODE_BITS)
_TOLD_IN_PART: Final = frozenset({b"GL", b"MIN_DP"})  # as a distance, and of blocks
_CUTS: Final = {b"A": PER_ALT, b"R": PER_ALLELE, b"G": PER_GENOTYPE}
_REFUSALS: Final = {
    gt.SAMPLE_COUNT: ("vcf_columns", "the line has more or fewer samples than the header"),
    gt.MANY_VALUES: ("vcf_sample_parts", "a sample has more values than FORMAT has keys"),
    gt.BAD_GENOTYPE: ("vcf_gt_form", "GT is not allele numbers or '.' divided by / or |"),
    gt.BAD_ALLELE: ("vcf_gt_allele", "GT names an allele that the record does not have"),
    gt.PLOIDY_OVER: ("vcf_ploidy", f"a genotype has over {gt.MOST_PLOIDY} alleles, which the lake does not take"),
    gt.BAD_NUMBER: ("vcf_genotype_type", "a sample's value is not of the Type that the header declares"),
    gt.BAD_COUNT: ("vcf_genotype_count", "a sample has more or fewer values than the header's Number asks for"),
}


@dataclass(frozen=True, slots=True)
class _Keys:
    """The FORMAT keys of some records, each in a slot of its own.

    Attributes:
        names: the keys, by slot.
        formats, counts, slots: as `find_values` takes them.
        cuts: how each is cut to an allele.
        others: slots of keys that have no column of their own.
    """

    names: list[bytes]
    formats: Numbers
    counts: Numbers
    slots: NDArray[np.int32]
    cuts: Numbers
    others: Numbers


@dataclass(frozen=True, slots=True)
class _Cells:
    """What the samples have in some records: where each value starts and stops, by slot and cell."""

    records: Records
    keys: _Keys
    starts: NDArray[np.int32]
    stops: NDArray[np.int32]
    sample_count: int

    def find(self, key: bytes) -> tuple[Numbers, Numbers] | None:
        """Return where the values of a key are; None where no record has it."""
        if key not in self.keys.names:
            return None
        slot = self.keys.names.index(key)
        return self.starts[slot], self.stops[slot]

    def numbers(self, key: bytes, cells: Numbers) -> Numbers:
        """Return the integer that each of some cells has, NONE where it has none."""
        values = np.empty(len(cells), np.int32)
        found = self.find(key)
        if found is None or not len(cells):
            values.fill(gt.NONE)
        else:
            state, number = gt.read_numbers(self.records.text, *found, cells, values)
            self.check(state, lambda: cells[number], key)
        return values

    def check(self, state: int, cell: Callable[[], int], key: bytes) -> None:
        """Raise what a state other than OK means."""
        if state != OK:
            raise self.refusal(state, cell() // self.sample_count, key)

    def refusal(self, state: int, record: int, key: bytes = b"") -> RejectedInputError:
        """Return the error that a state means."""
        return self.records.refusal(*_REFUSALS[state], record, f"FORMAT/{key.decode()}" if key else "")


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of some cells: the site and cell of each, its allele (from 1) and how many its record has, and GT."""

    sites: Numbers
    cells: Numbers
    alts: Numbers
    alt_counts: Numbers
    codes: Numbers
    zygosities: Numbers
    ploidies: Numbers
    phased: NDArray[np.bool_]


class SampleReader:
    """Reads the samples of one file."""

    def __init__(self, source: VcfSource, *, keeps_all: bool) -> None:
        self._source = source
        self._names = arrow.texts(source.samples)
        self._keeps_all = keeps_all
        self._own = {key for key, declared in _OWN.items() if _is_declared(source, key, *declared)}
        self._room = 3.0  # likelihoods a row

    def read(self, records: Records, sites: Sites) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Return the rows of genotypes and those of blocks.

        Raises:
            RejectedInputError: `vcf_columns`, `vcf_gt_form`, `vcf_gt_allele`, `vcf_genotype_type`,
                `vcf_genotype_count`, `vcf_sample_parts`, `vcf_ploidy`.
        """
        cells = self._find_cells(records)
        return self._genotypes(cells, sites, self._read_rows(cells, sites)), self._blocks(cells, sites)

    def _find_cells(self, records: Records) -> _Cells:
        keys = self._keys(records)
        shape = len(keys.names), len(records) * len(self._names)
        starts, stops = np.full(shape, gt.ABSENT, np.int32), np.full(shape, gt.ABSENT, np.int32)
        cells = _Cells(records, keys, starts, stops, len(self._names))
        state, record = gt.find_values(
            records.text,
            records.columns,
            records.ends,
            keys.formats,
            keys.counts,
            keys.slots,
            len(self._names),
            starts,
            stops,
        )
        if state != OK:
            raise cells.refusal(state, record)
        return cells

    def _keys(self, records: Records) -> _Keys:
        formats, texts = records.numbered(lines.FORMAT, lines.SAMPLES)
        by_format = [text.encode().split(b":") if text not in {"", "."} else [] for text in texts.to_pylist()]
        names = list(dict.fromkeys(key for keys in by_format for key in keys))
        slots = np.full((len(by_format), max((len(keys) for keys in by_format), default=0) + 1), gt.ABSENT, np.int32)
        for number, keys in enumerate(by_format):
            slots[number, : len(keys)] = [names.index(key) for key in keys]
        cuts = [_CUTS.get(self._definition(key).number, WHOLE) for key in names]
        others = [slot for slot, key in enumerate(names) if key not in self._own or key in _TOLD_IN_PART]
        counts = np.array([len(keys) for keys in by_format], np.int32)
        return _Keys(names, formats, counts, slots, np.array(cuts, np.int32), np.array(others, np.int32))

    def _definition(self, key: bytes) -> FieldDefinition:
        return self._source.definition(key, of_info=False) or UNKNOWN

    def _find(self, cells: _Cells, key: bytes) -> tuple[Numbers, Numbers] | None:
        return cells.find(key) if key in self._own else None

    def _numbers(self, cells: _Cells, key: bytes, of: Numbers) -> Numbers:
        return cells.numbers(key, of) if key in self._own else np.full(len(of), gt.NONE, np.int32)

    def _read_rows(self, cells: _Cells, sites: Sites) -> _Rows:
        found, records = self._find(cells, b"GT"), cells.records
        most, count = len(sites.alts) * len(self._names) if found else 0, 0
        of, in_cells, codes, zygosities, ploidies = (np.empty(most, np.int32) for _ in range(5))
        phased = np.empty(most, np.bool_)
        if found:
            state, record, count = gt.read_genotypes(
                records.text,
                *found,
                records.alt_counts,
                sites.first,
                sites.alts,
                len(self._names),
                self._keeps_all,
                of,
                in_cells,
                codes,
                zygosities,
                ploidies,
                phased,
                np.empty(gt.MOST_PLOIDY, np.int32),
            )
            if state != OK:
                raise cells.refusal(state, record, b"GT")
        of = of[:count]
        return _Rows(
            sites=of,
            cells=in_cells[:count],
            alts=sites.alts[of],
            alt_counts=records.alt_counts[sites.records[of]],
            codes=codes[:count],
            zygosities=zygosities[:count],
            ploidies=ploidies[:count],
            phased=phased[:count],
        )

    def _genotypes(self, cells: _Cells, sites: Sites, rows: _Rows) -> pa.RecordBatch:
        columns = {"sample_id": arrow.coded(rows.cells % max(len(self._names), 1), self._names)}
        columns |= {name: column.take(arrow.numbers(rows.sites)) for name, column in sites.columns.items()}
        columns["genotype"] = _genotype_texts(rows.codes)
        columns["zygosity"] = arrow.coded(rows.zygosities, arrow.texts(gt.ZYGOSITIES))
        columns["phased"] = arrow.booleans(rows.phased)
        ref_depths, alt_depths = self._read_depths(cells, rows)
        columns["depth"] = _nullable(self._numbers(cells, b"DP", rows.cells))
        columns["ref_depth"], columns["alt_depth"] = _nullable(ref_depths), _nullable(alt_depths)
        columns["genotype_quality"] = _nullable(self._numbers(cells, b"GQ", rows.cells))
        columns["phase_set"] = _nullable(self._numbers(cells, b"PS", rows.cells)).cast(pa.int64())
        columns["phred_likelihoods"] = self._read_likelihoods(cells, rows)
        columns["called_genotype"] = self._called(cells, rows)
        columns["alt_number"] = arrow.numbers(rows.alts)
        columns["source_position"] = arrow.numbers(cells.records.positions[sites.records[rows.sites]])
        columns["sample_fields"] = self._others(cells, rows)
        columns["site"] = arrow.numbers(rows.sites)
        return pa.RecordBatch.from_pydict(columns)

    def _read_depths(self, cells: _Cells, rows: _Rows) -> tuple[Numbers, Numbers]:
        ref_depths, alt_depths = (np.full(len(rows.cells), gt.NONE, np.int32) for _ in range(2))
        found = self._find(cells, b"AD")
        if found:
            state, row = gt.read_depths(
                cells.records.text,
                *found,
                rows.cells,
                rows.alts,
                rows.alt_counts,
                self._definition(b"AD").number == b"R",
                _scratch(*found),
                ref_depths,
                alt_depths,
            )
            cells.check(state, lambda: rows.cells[row], b"AD")
        return ref_depths, alt_depths

    def _read_likelihoods(self, cells: _Cells, rows: _Rows) -> pa.Array:
        key = b"PL" if self._find(cells, b"PL") else b"GL"
        found = self._find(cells, key)
        offsets = np.zeros(len(rows.cells) + 1, np.int32)
        if found is None:
            return arrow.lists(offsets, arrow.numbers(np.empty(0, np.int32)), offsets[1:] > 0)
        while True:
            values = np.empty(int(self._room * len(rows.cells)), np.int32)
            state, row = gt.read_likelihoods(
                cells.records.text,
                *found,
                rows.cells,
                rows.alts,
                rows.alt_counts,
                rows.ploidies,
                self._definition(key).number == b"G",
                key == b"GL",
                _scratch(*found),
                offsets,
                values,
            )
            if state != gt.NO_ROOM:
                break
            self._room *= 2
        cells.check(state, lambda: rows.cells[row], key)
        return arrow.lists(offsets, arrow.numbers(values[: offsets[-1]]), offsets[1:] > offsets[:-1])

    def _called(self, cells: _Cells, rows: _Rows) -> pa.Array:
        """Return GT as it stands, of records with several ALT alleles."""
        several = np.flatnonzero(rows.alt_counts > 1)
        codes = np.zeros(len(rows.cells), np.int32)
        found = cells.find(b"GT")
        known_texts = arrow.texts([])
        if found and len(several):
            starts, stops = (part[rows.cells[several]].astype(np.int64) for part in found)
            slots, known = empty_slots(len(several))
            numbers = np.empty(len(several), np.int32)
            count = number_spans(cells.records.text, starts, stops, slots, known, numbers)
            codes[several] = numbers
            known_texts = arrow.known_texts(cells.records.text, known, count)
        return arrow.coded(codes, known_texts, rows.alt_counts > 1)

    def _others(self, cells: _Cells, rows: _Rows) -> pa.Array:
        keys = cells.keys
        sizes = (cells.stops[keys.others] - cells.starts[keys.others] + 1).sum(axis=0)[rows.cells]
        entries_most = len(rows.cells) * len(keys.others)
        offsets, codes = np.empty(len(rows.cells) + 1, np.int32), np.empty(entries_most, np.int32)
        value_offsets, data = np.empty(entries_most + 1, np.int32), np.empty(int(sizes.sum()), np.uint8)
        state, row, count = gt.copy_others(
            cells.records.text,
            cells.starts,
            cells.stops,
            keys.others,
            keys.cuts[keys.others],
            rows.cells,
            rows.alts,
            rows.alt_counts,
            rows.ploidies,
            offsets,
            codes,
            value_offsets,
            data,
        )
        if state != OK:
            raise cells.refusal(state, rows.cells[row] // cells.sample_count, keys.names[keys.others[count]])
        names = arrow.texts([keys.names[slot].decode() for slot in keys.others])
        values = arrow.string_column(value_offsets[: count + 1], data)
        return arrow.maps(offsets, arrow.coded(codes[:count], names), values, offsets[1:] > offsets[:-1])

    def _blocks(self, cells: _Cells, sites: Sites) -> pa.RecordBatch:
        records = cells.records
        of = np.repeat(np.flatnonzero(sites.is_block).astype(np.int32), len(self._names))
        samples = np.tile(np.arange(len(self._names), dtype=np.int32), int(sites.is_block.sum()))
        in_cells = of * len(self._names) + samples
        starts, ends = records.bounds(lines.REF)
        told = np.where(sites.block_ends > 0, sites.block_ends, records.positions - 1 + (ends - starts))
        depths, least = (self._numbers(cells, key, in_cells) for key in (b"DP", b"MIN_DP"))
        depths = np.where(sites.block_depths[of] >= 0, sites.block_depths[of], depths)
        depths = np.where(least != gt.NONE, least, depths)
        return pa.RecordBatch.from_pydict(
            {
                "sample_id": arrow.coded(samples, self._names),
                "contig": sites.contigs.take(arrow.numbers(of)),
                "start0": arrow.numbers(records.positions[of] - 1),
                "end0": arrow.numbers(told[of].astype(np.int64)),
                "min_depth": _nullable(depths),
                "genotype_quality": _nullable(self._numbers(cells, b"GQ", in_cells)),
                "is_called": arrow.booleans(self._reference_calls(cells, of, in_cells)),
            }
        )

    def _reference_calls(self, cells: _Cells, of: Numbers, in_cells: Numbers) -> NDArray[np.bool_]:
        found = self._find(cells, b"GT")
        called = np.zeros(len(in_cells), np.bool_)
        if found and len(in_cells):
            alt_counts = cells.records.alt_counts[of]
            scratch = np.empty(gt.MOST_PLOIDY, np.int32)
            state, number = gt.find_reference_calls(cells.records.text, *found, in_cells, alt_counts, scratch, called)
            cells.check(state, lambda: in_cells[number], b"GT")
        return called


def _is_declared(source: VcfSource, key: bytes, numbers: frozenset[bytes], types: frozenset[bytes]) -> bool:
    definition = source.definition(key, of_info=False) or UNKNOWN
    return definition.number in numbers and definition.type in types


def _nullable(values: Numbers) -> pa.Array:
    return arrow.numbers(values, values != gt.NONE)


def _scratch(starts: Numbers, stops: Numbers) -> Numbers:
    """Return room for as many numbers as the longest value can have."""
    return np.empty(int((stops - starts).max(initial=0)) // 2 + 2, np.int32)


def _genotype_texts(codes: Numbers) -> pa.Array:
    """Return genotypes as they are written, such as 0/1."""
    if len(codes) and codes.max() < _FEW_CODES:  # haploid and diploid ones are; counting them is quicker than sorting
        distinct = np.flatnonzero(np.bincount(codes, minlength=1))
        place_by_code = np.zeros(_FEW_CODES, np.int32)
        place_by_code[distinct] = np.arange(len(distinct))
        places = place_by_code[codes]
    else:
        distinct, found = np.unique(codes, return_inverse=True)
        places = found.astype(np.int32)
    return arrow.coded(places, arrow.texts([_genotype_text(int(code)) for code in distinct]))


def _genotype_text(code: int) -> str:
    text = ""
    while code:
        divider = "|" if code & gt.CODE_PHASED else "/"
        text += (divider if text else "") + ".01"[(code & 3) - 1]
        code >>= gt.CODE_BITS
    return text
