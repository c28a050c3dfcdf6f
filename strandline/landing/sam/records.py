"""What holds for the mandatory fields of records, whichever format they were read from: whole arrays at a time.

Source: SAM 1, 1.4 and 2. Positions are 1-based, 0 where there is none; contigs are numbers of @SQ lines, -1 for `*`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strandline.landing.findings import KEPT_PER_RULE, FindingLog, Rule
from strandline.landing.sam import rules
from strandline.landing.sam.header import Header
from strandline.landing.sam.order import NameOrder

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

PAIRED: Final = 0x1
UNMAPPED: Final = 0x4
_OF_MATES: Final = 0x2 | 0x8 | 0x20 | 0x40 | 0x80  # SAM 1, 1.4.2: no assumptions where 0x1 is unset
_OF_MAPPED: Final = 0x2 | 0x100 | 0x800  # likewise where 0x4 is set
_DEFINED: Final = 0xFFF
_NO_QUALITY: Final = 255
_LOWEST_TEMPLATE: Final = -(1 << 31)
_UNPLACED: Final = 1 << 30  # sorts after every contig


@dataclass(frozen=True, slots=True)
class RecordPlaces:
    """Where some records stand: 1-based numbers in the file, and 1-based lines where they are text."""

    records: Integers
    lines: Integers | None = None


@dataclass(frozen=True, slots=True)
class RecordColumns:
    """Mandatory fields of some records in a row, one array each.

    Attributes:
        base_count: length of SEQ, 0 for `*`.
        has_cigar: False for `*`.
        query_span, reference_span: bases that CIGAR takes of the read and of the contig.
    """

    places: RecordPlaces
    flag: Integers
    contig: Integers
    position: Integers
    quality: Integers
    next_contig: Integers
    next_position: Integers
    template_length: Integers
    base_count: Integers
    has_cigar: Mask
    query_span: Integers
    reference_span: Integers


class RecordChecks:
    """Checks columns after columns, remembers the order, and counts.

    Attributes:
        record_count: records seen, with those that `skip` was told of.
    """

    def __init__(self, header: Header, log: FindingLog, *, any_contig: bool = False) -> None:
        """Take the header; with `any_contig` it has no @SQ lines, and 0 stands for whatever contig is named."""
        self.header = header
        self.record_count = 0
        self.mapped_count = 0
        self.unplaced_count = 0
        self._log = log
        count = 1 if any_contig else len(header.lengths)
        self.mapped_by_contig: Integers = np.zeros(count, dtype=np.int64)
        self.unmapped_by_contig: Integers = np.zeros(count, dtype=np.int64)
        lengths = [-1] if any_contig else header.lengths
        self._lengths: Integers = np.append(np.array(lengths, dtype=np.int64), -1)  # the last stands for `*`
        self._circular: Mask = np.zeros(count + 1, dtype=np.bool_)
        self._circular[list(header.circular)] = True
        self._last_key = -1
        self._is_ordered = header.sort_order == "coordinate" and not any_contig  # @SQ lines give the contigs' order
        self._names = NameOrder(header.sub_sort) if header.sort_order == "queryname" else None

    @property
    def wants_names(self) -> bool:
        """Whether the order of names was declared, so that `check` is to be given them."""
        return self._names is not None

    def check(self, columns: RecordColumns, names: Sequence[bytes] = ()) -> None:
        """Check some records; those before them were given before."""
        self.record_count += len(columns.flag)
        contig = self._check_contigs(columns)
        mapped: Mask = (columns.flag & UNMAPPED) == 0
        placed: Mask = (contig >= 0) & (columns.position > 0)
        self._check_flags(columns, mapped)
        self._check_places(columns, contig, mapped, placed)
        wrong = mapped & placed & columns.has_cigar & (columns.base_count > 0)
        self.report(rules.CIGAR_LENGTH, wrong & (columns.query_span != columns.base_count), columns.places, "CIGAR")
        self._count(contig, mapped)
        if self._is_ordered:
            self._check_order(columns, contig)
        if self._names is not None:
            self._check_names(names, columns.places)

    def skip(self, count: int = 1) -> None:
        """Count records that were too broken to be checked."""
        self.record_count += count

    def report(self, rule: Rule, broken: Mask, places: RecordPlaces, field: str, kind: str | None = None) -> None:
        """Note where a rule is broken: the first few by place, the others by count."""
        if not broken.any():
            return
        found = np.flatnonzero(broken)
        for at in found[:KEPT_PER_RULE].tolist():
            line = None if places.lines is None else int(places.lines[at])
            self._log.add(rule, line=line, record=int(places.records[at]), field=field, kind=kind)
        if len(found) > KEPT_PER_RULE:
            self._log.add(rule, field=field, kind=kind, count=len(found) - KEPT_PER_RULE)

    def _check_contigs(self, columns: RecordColumns) -> Integers:
        """Return the contigs, -1 for those that no @SQ line has."""
        count = len(self._lengths) - 1
        known = columns.contig
        for contig, field in ((columns.contig, "RNAME"), (columns.next_contig, "RNEXT")):
            unknown = (contig < -1) | (contig >= count)
            self.report(rules.CONTIG_UNKNOWN, unknown, columns.places, field)
            if field == "RNAME" and unknown.any():
                known = np.where(unknown, -1, contig)
        for position, field in ((columns.position, "POS"), (columns.next_position, "PNEXT")):
            self.report(rules.POSITION, position < 0, columns.places, field, "negative")
        self.report(rules.TEMPLATE_LENGTH, columns.template_length <= _LOWEST_TEMPLATE, columns.places, "TLEN", "-2^31")
        return known

    def _check_flags(self, columns: RecordColumns, mapped: Mask) -> None:
        flag = columns.flag
        self.report(rules.FLAG_RESERVED, flag > _DEFINED, columns.places, "FLAG")
        alone = ((flag & PAIRED) == 0) & ((flag & _OF_MATES) != 0)
        self.report(rules.FLAG_UNDEFINED, alone, columns.places, "FLAG", "bits of a mate on a single read")
        unmapped = ~mapped & ((flag & _OF_MAPPED) != 0)
        self.report(rules.FLAG_UNDEFINED, unmapped, columns.places, "FLAG", "bits of an alignment on an unmapped read")
        without = mapped & (columns.quality == _NO_QUALITY)
        self.report(rules.MAPQ_UNAVAILABLE, without, columns.places, "MAPQ")

    def _check_places(self, columns: RecordColumns, contig: Integers, mapped: Mask, placed: Mask) -> None:
        unplaced = (columns.contig == -1) | (columns.position == 0)
        self.report(rules.MAPPED_UNPLACED, mapped & unplaced, columns.places, "POS")
        length = self._lengths[contig]
        end = columns.position + np.where(mapped, np.maximum(columns.reference_span, 1), 1) - 1
        outside = placed & (length >= 0) & ((columns.position > length) | ((end > length) & ~self._circular[contig]))
        self.report(rules.OUTSIDE_CONTIG, outside, columns.places, "POS")
        next_contig = np.where(columns.next_contig >= len(self._lengths) - 1, -1, np.maximum(columns.next_contig, -1))
        length = self._lengths[next_contig]
        outside = (length >= 0) & (columns.next_position > length)
        self.report(rules.MATE_OUTSIDE_CONTIG, outside, columns.places, "PNEXT")

    def _count(self, contig: Integers, mapped: Mask) -> None:
        self.mapped_count += int(mapped.sum())
        known = contig >= 0
        self.unplaced_count += int((~known).sum())
        if self.mapped_by_contig.size and known.any():
            low, high = int(contig[known].min()), int(contig[known].max()) + 1  # sorted files: few contigs at a time
            for counts, chosen in ((self.mapped_by_contig, known & mapped), (self.unmapped_by_contig, known & ~mapped)):
                counts[low:high] += np.bincount(contig[chosen] - low, minlength=high - low)

    def _check_order(self, columns: RecordColumns, contig: Integers) -> None:
        key = np.where(contig < 0, _UNPLACED, contig) << 32
        key += np.where(contig < 0, 0, np.maximum(columns.position, 0))
        before = np.concatenate(([self._last_key], key[:-1]))
        self.report(rules.NOT_SORTED, key < before, columns.places, "POS", "SO:coordinate")
        self._last_key = int(key[-1])

    def _check_names(self, names: Sequence[bytes], places: RecordPlaces) -> None:
        order = self._names
        if order is None:
            return
        for at, name in enumerate(names):
            if not order.take(name):
                rule = rules.NOT_SORTED if order.is_declared else rules.NAMES_NOT_SORTED
                line = None if places.lines is None else int(places.lines[at])
                self._log.add(rule, line=line, record=int(places.records[at]), field="QNAME", kind="SO:queryname")
