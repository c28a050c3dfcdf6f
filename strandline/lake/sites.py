"""Records as sites: one row a record and ALT allele, with INFO as a map of what is of that allele."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strandline.lake import arrow_columns as arrow
from strandline.lake import vcf_lines as lines
from strandline.lake.alleles import KINDS, Reference, has_small_letters, left_align, split_alleles
from strandline.lake.info import (
    ABSENT,
    FLAG,
    FLOAT,
    INTEGER,
    MANY_KEYS,
    PER_ALLELE,
    PER_ALT,
    TEXT,
    WHOLE,
    WRONG_COUNT,
    WRONG_TYPE,
    read_info,
)
from strandline.lake.text_scan import Numbers, Places, empty_slots, intern_text, number_spans
from strandline.lake.vcf_records import Records
from strandline.lake.vcf_source import VcfSource
from strandline.landing.vcf.definitions import UNKNOWN

MOST_INFO_KEYS: Final = 4096
_ASKED: Final = (b"END", b"MIN_DP")  # what blocks need to know of INFO
_CUTS: Final = {b"A": PER_ALT, b"R": PER_ALLELE}
_KINDS: Final = {b"Integer": INTEGER, b"Float": FLOAT, b"Flag": FLAG}
_REFUSALS: Final = {
    WRONG_TYPE: ("vcf_info_type", "a value is not of the Type that the header declares"),
    WRONG_COUNT: ("vcf_info_count", "there are more or fewer values than the Number that the header declares asks for"),
    MANY_KEYS: ("vcf_info_keys", f"the file has over {MOST_INFO_KEYS} different INFO keys"),
}


@dataclass(frozen=True, slots=True)
class Sites:
    """The sites of some records, a row each.

    Attributes:
        first: for each record its first site; behind them how many sites there are.
        records, alts: which record, and which of its ALT alleles, from 1.
        is_block: of each record, whether it names no other allele.
        block_ends, block_depths: of each record, INFO/END (1-based, inclusive) and MIN_DP; ABSENT where there is none.
        columns: contig, position, end_position, ref, alt, variant_type, quality, filters.
        source_positions, infos: POS of the record, and INFO.
        contigs: the contig of each record.
    """

    first: Numbers
    records: Numbers
    alts: Numbers
    is_block: NDArray[np.bool_]
    block_ends: Numbers
    block_depths: Numbers
    columns: dict[str, pa.Array]
    infos: pa.Array
    contigs: pa.Array


class SiteReader:
    """Reads the sites of one file; it remembers what repeats."""

    def __init__(self, source: VcfSource, reference: Reference | None) -> None:
        self._reference = reference
        declared = [key for key in source.header.infos if key not in _ASKED]
        self._keys = [*_ASKED, *declared][:MOST_INFO_KEYS]
        definitions = [source.definition(key, of_info=True) or UNKNOWN for key in self._keys]
        self._cuts = np.array([_CUTS.get(one.number, WHOLE) for one in definitions], np.int32)
        self._kinds = np.array([_KINDS.get(one.type, TEXT) for one in definitions], np.int32)
        self._guesses = np.full(64, -1, np.int32)
        self.prefix = b"".join(self._keys)

    def read(self, records: Records) -> Sites:
        """Return the sites of records whose block begins with `prefix`.

        Raises:
            RejectedInputError: `vcf_quality`, `vcf_info_type`, `vcf_info_count`, `vcf_info_keys`.
        """
        split = _split(records)
        infos, answers = self._read_info(records, split)
        contigs, contig_texts = records.numbered(lines.CHROM, lines.POS)
        placed = self._place(records, split, contig_texts.take(arrow.numbers(contigs)))
        of = split.records
        symbolic_ends = np.where(split.kinds == KINDS.index("SYMBOLIC"), answers[of, 0], ABSENT)
        qualities, has_quality = records.qualities()
        filters, filter_texts = records.numbered(lines.FILTER, lines.INFO)
        columns = {
            "contig": arrow.coded(contigs[of], contig_texts),
            "position": arrow.numbers(placed.positions),
            "end_position": arrow.numbers(np.where(symbolic_ends > 0, symbolic_ends, placed.ends)),
            "ref": placed.refs,
            "alt": placed.alts,
            "variant_type": arrow.coded(split.kinds, arrow.texts(KINDS)),
            "quality": arrow.numbers(qualities[of], has_quality[of]),
            "filters": arrow.coded(filters[of], filter_texts),
        }
        return Sites(
            first=split.first,
            records=of,
            alts=split.alts,
            is_block=np.diff(split.first) == 0,
            block_ends=answers[:, 0].copy(),
            block_depths=answers[:, 1].copy(),
            columns=columns,
            infos=infos,
            contigs=arrow.coded(contigs, contig_texts),
        )

    def _place(self, records: Records, split: "_Split", contigs: pa.Array) -> "_Placed":
        positions = records.positions[split.records] + split.shifts
        ends = positions + (split.ref_ends - split.ref_starts) - 1
        refs = _allele_texts(records, split.ref_starts, split.ref_ends)
        alts = _allele_texts(records, split.alt_starts, split.alt_ends)
        if self._reference is None:
            return _Placed(positions, ends, refs, alts)
        may_move = np.isin(split.kinds, [KINDS.index(kind) for kind in ("INSERTION", "DELETION", "COMPLEX")])
        may_move &= records.text[split.ref_ends - 1] | 32 == records.text[split.alt_ends - 1] | 32
        moved_refs, moved_alts = refs.to_pylist(), alts.to_pylist()
        for site in np.flatnonzero(may_move):
            contig, ref, alt = contigs[int(split.records[site])].as_py(), moved_refs[site], moved_alts[site]
            at, moved_refs[site], moved_alts[site] = left_align(contig, int(positions[site]), ref, alt, self._reference)
            positions[site], ends[site] = at, at + len(moved_refs[site]) - 1
        return _Placed(
            positions, ends, arrow.texts(moved_refs).dictionary_encode(), arrow.texts(moved_alts).dictionary_encode()
        )

    def _read_info(self, records: Records, split: "_Split") -> tuple[pa.Array, NDArray[np.int32]]:
        """Return the maps of the sites, and what `_ASKED` says in each record."""
        starts, ends = records.bounds(lines.INFO)
        counts, sizes = np.diff(split.first), ends - starts + 2
        entries_most = int(((sizes // 2 + 1) * counts).sum())
        slots, known = empty_slots(MOST_INFO_KEYS)
        key_count = np.array([len(self._keys)], np.int32)
        self._know_keys(slots, known, records)
        offsets, keys = np.empty(len(split.alts) + 1, np.int32), np.empty(entries_most, np.int32)
        value_offsets, data = np.empty(entries_most + 1, np.int32), np.empty(int((sizes * counts).sum()), np.uint8)
        answers = np.empty((len(records), len(_ASKED)), np.int32)
        entries = np.empty(4 * (int(sizes.max(initial=0)) // 2 + 2), np.int64)
        self._guesses[self._guesses >= len(self._keys)] = ABSENT
        count, record, key = read_info(
            records.text,
            records.columns,
            records.alt_counts,
            split.first,
            split.alts,
            self._cuts,
            self._kinds,
            slots,
            known,
            key_count,
            self._guesses,
            entries,
            np.arange(len(_ASKED), dtype=np.int32),
            answers.reshape(-1),
            offsets,
            keys,
            value_offsets,
            data,
        )
        if count < 0:
            code, says = _REFUSALS[-count]
            raise records.refusal(
                code, says, record, f"INFO/{self._keys[key].decode()}" if code[9:] != "keys" else "INFO"
            )
        names = arrow.known_texts(records.text, known, int(key_count[0]))
        values = arrow.string_column(value_offsets[: count + 1], data)
        return arrow.maps(offsets, arrow.coded(keys[:count], names), values), answers

    def _know_keys(self, slots: Numbers, known: Places, records: Records) -> None:
        at = 0
        for number, key in enumerate(self._keys):
            intern_text(records.text, at, at + len(key), slots, known, number)
            at += len(key)


class _Split(NamedTuple):
    """The alleles of some records, as `split_alleles` fills them."""

    first: Numbers
    records: Numbers
    alts: Numbers
    shifts: Numbers
    kinds: Numbers
    ref_starts: Places
    ref_ends: Places
    alt_starts: Places
    alt_ends: Places


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where sites stand (1-based, both ends included), and their alleles."""

    positions: Places
    ends: Places
    refs: pa.Array
    alts: pa.Array


def _split(records: Records) -> _Split:
    most = int(np.maximum(records.alt_counts, 1).sum())
    first = np.empty(len(records) + 1, np.int32)
    made = _Split(
        first=first,
        records=np.empty(most, np.int32),
        alts=np.empty(most, np.int32),
        shifts=np.empty(most, np.int32),
        kinds=np.empty(most, np.int32),
        ref_starts=np.empty(most, np.int64),
        ref_ends=np.empty(most, np.int64),
        alt_starts=np.empty(most, np.int64),
        alt_ends=np.empty(most, np.int64),
    )
    count = split_alleles(records.text, records.columns, *made)
    return _Split(
        first,
        made.records[:count],
        made.alts[:count],
        made.shifts[:count],
        made.kinds[:count],
        made.ref_starts[:count],
        made.ref_ends[:count],
        made.alt_starts[:count],
        made.alt_ends[:count],
    )


def _allele_texts(records: Records, starts: Places, ends: Places) -> pa.Array:
    """Return alleles, those in bases in capitals."""
    slots, known = empty_slots(len(starts))
    numbers = np.empty(len(starts), np.int32)
    count = number_spans(records.text, starts, ends, slots, known, numbers)
    texts = arrow.known_texts(records.text, known, count)
    if has_small_letters(records.text, known[: 2 * count : 2], known[1 : 2 * count : 2]):
        capitals = [text.upper() if text.isalpha() else text for text in texts.to_pylist()]
        return arrow.texts(capitals).take(arrow.numbers(numbers)).dictionary_encode()
    return arrow.coded(numbers, texts)
