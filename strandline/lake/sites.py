"""Records as sites: one row a record and ALT allele, with INFO as a map of what is of that allele."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strandline.lake import arrow_columns as arrow
from strandline.lake import vcf_lines as lines
from strandline.lake.alleles import Reference, SplitAllele, left_align, split_alleles
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
from strandline.lake.text_scan import Numbers, Places, empty_slots, intern_text
from strandline.lake.vcf_records import Records
from strandline.lake.vcf_source import VcfSource
from strandline.landing.vcf.definitions import UNKNOWN

MOST_INFO_KEYS: Final = 4096
_ASKED: Final = (b"END", b"MIN_DP")  # what blocks need to know of INFO
_CUTS: Final = {b"A": PER_ALT, b"R": PER_ALLELE}
_KINDS: Final = {b"Integer": INTEGER, b"Float": FLOAT, b"Flag": FLAG}
_MOST_SPLITS_KEPT: Final = 50_000
_REFUSALS: Final = {
    WRONG_TYPE: ("vcf_info_type", "a value is not of the Type that the header declares"),
    WRONG_COUNT: ("vcf_info_count", "there are more or fewer values than the Number that the header declares asks for"),
    MANY_KEYS: ("vcf_info_keys", f"the file has over {MOST_INFO_KEYS} different INFO keys"),
}


class _Texts(dict[str, int]):
    """Numbers texts as they are asked for."""

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


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
        self._splits: dict[str, list[SplitAllele]] = {}
        self.prefix = b"".join(self._keys)

    def read(self, records: Records) -> Sites:
        """Return the sites of records whose block begins with `prefix`.

        Raises:
            RejectedInputError: `vcf_quality`, `vcf_info_type`, `vcf_info_count`, `vcf_info_keys`.
        """
        pairs, pair_texts = records.numbered(lines.REF, lines.QUAL)
        split = [self._split(pair) for pair in pair_texts.to_pylist()]
        counts = np.array([len(alleles) for alleles in split], np.int32)[pairs]
        first = np.zeros(len(records) + 1, np.int32)
        np.cumsum(counts, out=first[1:])
        of = np.repeat(np.arange(len(records), dtype=np.int32), counts)
        alleles = [allele for one in split for allele in one]
        begins = np.cumsum(np.array([0, *(len(one) for one in split)], np.int32), dtype=np.int32)
        chosen = (begins[pairs[of]] + np.arange(len(of)) - first[of]).astype(np.int32)
        alts: Numbers = np.array([allele.number for allele in alleles], np.int32)[chosen]
        contigs, contig_texts = records.numbered(lines.CHROM, lines.POS)
        infos, answers = self._read_info(records, first, alts)
        placed = self._place(records, of, chosen, alleles, (contigs, contig_texts.to_pylist()))
        ends = np.where(placed.is_symbolic & (answers[of, 0] > 0), answers[of, 0], placed.ends)
        qualities, has_quality = records.qualities()
        filters, filter_texts = records.numbered(lines.FILTER, lines.INFO)
        columns = {
            "contig": arrow.coded(contigs[of], contig_texts),
            "position": arrow.numbers(placed.positions),
            "end_position": arrow.numbers(ends),
            "ref": placed.refs,
            "alt": placed.alts,
            "variant_type": placed.kinds,
            "quality": arrow.numbers(qualities[of], has_quality[of]),
            "filters": arrow.coded(filters[of], filter_texts),
        }
        is_block = counts == 0
        block_columns = answers[:, 0].copy(), answers[:, 1].copy()
        return Sites(first, of, alts, is_block, *block_columns, columns, infos, arrow.coded(contigs, contig_texts))

    def _split(self, pair: str) -> list[SplitAllele]:
        found = self._splits.get(pair)
        if found is None:
            ref, alts = pair.split("\t")
            found = split_alleles(ref.upper(), [alt.upper() if alt.isalpha() else alt for alt in alts.split(",")])
            if len(self._splits) < _MOST_SPLITS_KEPT:
                self._splits[pair] = found
        return found

    def _place(
        self,
        records: Records,
        of: Numbers,
        chosen: Numbers,
        alleles: list[SplitAllele],
        contigs: tuple[Numbers, list[str]],
    ) -> "_Placed":
        refs, alts, kinds = _Texts(), _Texts(), _Texts()
        table = np.array(
            [(one.shift, refs[one.ref], alts[one.alt], kinds[one.kind], len(one.ref)) for one in alleles], np.int64
        ).reshape(-1, 5)
        rows = table[chosen]
        positions = records.positions[of] + rows[:, 0]
        ref_codes, alt_codes = rows[:, 1].astype(np.int32), rows[:, 2].astype(np.int32)
        ends = positions + rows[:, 4] - 1
        if self._reference is not None:
            movable = np.array([_may_move(one) for one in alleles], np.bool_)[chosen]
            for site in np.flatnonzero(movable):
                allele, contig = alleles[chosen[site]], contigs[1][contigs[0][of[site]]]
                at, ref, alt = left_align(contig, int(positions[site]), allele.ref, allele.alt, self._reference)
                positions[site], ref_codes[site], alt_codes[site] = at, refs[ref], alts[alt]
                ends[site] = at + len(ref) - 1
        return _Placed(
            positions,
            ends,
            arrow.coded(ref_codes, arrow.texts(list(refs))),
            arrow.coded(alt_codes, arrow.texts(list(alts))),
            arrow.coded(rows[:, 3].astype(np.int32), arrow.texts(list(kinds))),
            rows[:, 3] == kinds.get("SYMBOLIC", -1),
        )

    def _read_info(self, records: Records, first: Numbers, alts: Numbers) -> tuple[pa.Array, NDArray[np.int32]]:
        """Return the maps of the sites, and what `_ASKED` says in each record."""
        starts, ends = records.bounds(lines.INFO)
        counts, sizes = np.diff(first), ends - starts + 2
        entries_most = int(((sizes // 2 + 1) * counts).sum())
        slots, known = empty_slots(MOST_INFO_KEYS)
        key_count = np.array([len(self._keys)], np.int32)
        self._know_keys(slots, known, records)
        offsets, keys = np.empty(len(alts) + 1, np.int32), np.empty(entries_most, np.int32)
        value_offsets, data = np.empty(entries_most + 1, np.int32), np.empty(int((sizes * counts).sum()), np.uint8)
        answers = np.empty((len(records), len(_ASKED)), np.int32)
        entries = np.empty(4 * (int(sizes.max(initial=0)) // 2 + 2), np.int64)
        self._guesses[self._guesses >= len(self._keys)] = ABSENT
        count, record, key = read_info(
            records.text,
            records.columns,
            records.alt_counts,
            first,
            alts,
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


@dataclass(frozen=True, slots=True)
class _Placed:
    positions: Places
    ends: Places
    refs: pa.Array
    alts: pa.Array
    kinds: pa.Array
    is_symbolic: NDArray[np.bool_]


def _may_move(allele: SplitAllele) -> bool:
    return allele.kind in {"INSERTION", "DELETION", "COMPLEX"} and allele.ref[-1] == allele.alt[-1]
