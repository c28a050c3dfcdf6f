"""FORMAT and samples, a column of values at a time; compiled. Source: VCF 4.5, section 1.6.2.

A cell is what one sample has in one record; a row is a cell and one ALT allele.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from strandline.lake.compiled import compiled
from strandline.lake.info import (
    PER_ALT,
    PER_GENOTYPE,
    WHOLE,
    copy_cut,
    genotype_count,
    genotype_place,
    is_missing,
    value_count,
)
from strandline.lake.text_scan import BAD, OK, Bytes, Numbers, Places, parse_float, parse_integer
from strandline.lake.vcf_lines import COLUMN_COUNT, SAMPLES

Table = NDArray[np.int32]
Flags = NDArray[np.bool_]

HET, HOM_ALT, HEMI, REF, OTHER_ALT, NO_CALL = range(6)
ZYGOSITIES: Final = ("HET", "HOM_ALT", "HEMI", "REF", "OTHER_ALT", "NO_CALL")

NONE: Final = -(2**31)  # a number that is missing; no VCF integer is it (VCF 4.5, section 1.3)
ABSENT: Final = -1  # where a value that is not there starts
MOST_PLOIDY: Final = 10
CODE_BITS: Final = 3  # of a genotype's code for each allele: 1 for a phased divider before it, 2 for the allele
CODE_PHASED: Final = 4
CODE_MISSING, CODE_REF, CODE_ALT = 1, 2, 3

SAMPLE_COUNT: Final = 21
MANY_VALUES: Final = 22
BAD_GENOTYPE: Final = 23
BAD_ALLELE: Final = 24
PLOIDY_OVER: Final = 25
BAD_NUMBER: Final = 26
BAD_COUNT: Final = 27
NO_ROOM: Final = 28

_TAB, _COMMA, _COLON, _SLASH, _PIPE, _DOT = 9, 44, 58, 47, 124, 46
_NO_ALLELE: Final = -2


@compiled
def find_values(
    text: Bytes,
    columns: Places,
    ends: Places,
    formats: Numbers,
    key_counts: Numbers,
    slots: Table,
    sample_count: int,
    starts: Table,
    stops: Table,
) -> tuple[int, int]:
    """Find the values of all cells; return OK or what is wrong, and the record.

    Args:
        columns, ends: of the records, as `find_columns` takes and fills them.
        formats: which FORMAT each record has; of each, `key_counts` keys, and for each of those in `slots` the row of
            `starts` and `stops` that its values belong to, ABSENT for none.
        starts, stops: out, a column a cell: where a value starts, and one behind it. To be filled with ABSENT.
    """
    cell = 0
    for record in range(formats.shape[0]):
        form = formats[record]
        key_count = max(key_counts[form], 1)
        at, end = columns[record * COLUMN_COUNT + SAMPLES], ends[record]
        for _ in range(sample_count):
            if at > end:
                return SAMPLE_COUNT, record
            key, begin = 0, at
            while True:
                char = text[at] if at < end else _TAB
                if char in (_COLON, _TAB):
                    if key == key_count:
                        return MANY_VALUES, record
                    slot = slots[form, key]
                    if slot >= 0:
                        starts[slot, cell] = begin
                        stops[slot, cell] = at
                    key += 1
                    begin = at + 1
                    if char == _TAB:
                        break
                at += 1
            at += 1
            cell += 1
        if sample_count and at <= end:
            return SAMPLE_COUNT, record
    return OK, 0


@compiled
def read_alleles(text: Bytes, start: int, end: int, alt_count: int, alleles: Numbers) -> tuple[int, int, int]:
    """Read GT into `alleles`, -1 where missing; return OK or what is wrong, the ploidy, and the phased bits.

    A divider before the first allele, as VCF 4.4 has it, is passed over. The bits are 1 for a `|`, from the second
    allele on.
    """
    at = start + 1 if start < end and (text[start] == _SLASH or text[start] == _PIPE) else start
    ploidy, phased = 0, 0
    while True:
        value, digits = 0, 0
        is_dot = at < end and text[at] == _DOT
        if is_dot:
            at += 1
        while not is_dot and at < end and 48 <= text[at] <= 57 and digits < 6:
            value = value * 10 + int(text[at]) - 48
            digits += 1
            at += 1
        if not is_dot and not digits:
            return BAD_GENOTYPE, 0, 0
        if ploidy == MOST_PLOIDY:
            return PLOIDY_OVER, 0, 0
        if value > alt_count:
            return BAD_ALLELE, 0, 0
        alleles[ploidy] = -1 if is_dot else value
        ploidy += 1
        if at >= end:
            return OK, ploidy, phased
        if text[at] == _PIPE:
            phased |= 1 << ploidy
        elif text[at] != _SLASH:
            return BAD_GENOTYPE, 0, 0
        at += 1


@compiled
def read_genotypes(
    text: Bytes,
    starts: Numbers,
    stops: Numbers,
    alt_counts: Numbers,
    first_sites: Numbers,
    site_alts: Numbers,
    sample_count: int,
    keeps_all: bool,
    sites: Numbers,
    cells: Numbers,
    codes: Numbers,
    zygosities: Numbers,
    ploidies: Numbers,
    phased: Flags,
    alleles: Numbers,
) -> tuple[int, int, int]:
    """Read GT into rows; return OK or what is wrong, the record, and how many rows there are.

    Args:
        starts, stops: of GT in each cell.
        alt_counts: ALT alleles of each record.
        first_sites: the first site of each record, and behind them how many sites there are; `site_alts` says which
            ALT allele each is, from 1.
        keeps_all: rows of cells that do not carry the allele, too.
        sites, cells, codes, zygosities, ploidies, phased: out, with room for a row a site and sample. A code is the
            genotype seen from one allele, which is 1 there, any other one as ref; 3 bits an allele.
        alleles: room for MOST_PLOIDY.
    """
    row = 0
    for record in range(alt_counts.shape[0]):
        if first_sites[record] == first_sites[record + 1]:
            continue
        for sample in range(sample_count):
            cell = record * sample_count + sample
            if starts[cell] < 0:
                continue  # nobody said what the sample has
            state, ploidy, bits = read_alleles(text, starts[cell], stops[cell], alt_counts[record], alleles)
            if state != OK:
                return state, record, 0
            for site in range(first_sites[record], first_sites[record + 1]):
                zygosity = _zygosity(alleles, ploidy, site_alts[site])
                if zygosity <= HEMI or keeps_all:
                    sites[row] = site
                    cells[row] = cell
                    codes[row] = _code(alleles, ploidy, bits, site_alts[site])
                    zygosities[row] = zygosity
                    ploidies[row] = ploidy
                    phased[row] = ploidy > 1 and bits == (1 << ploidy) - 2
                    row += 1
    return OK, 0, row


@compiled
def find_reference_calls(
    text: Bytes,
    starts: Numbers,
    stops: Numbers,
    cells: Numbers,
    alt_counts: Numbers,
    alleles: Numbers,
    are_reference: Flags,
) -> tuple[int, int]:
    """Tell of cells whether GT says ref and nothing else; return OK or what is wrong, and in which of them.

    `alleles` has room for MOST_PLOIDY.
    """
    for number in range(cells.shape[0]):
        cell = cells[number]
        are_reference[number] = False
        if starts[cell] >= 0:
            state, ploidy, _ = read_alleles(text, starts[cell], stops[cell], alt_counts[number], alleles)
            if state != OK:
                return state, number
            are_reference[number] = _zygosity(alleles, ploidy, _NO_ALLELE) == REF
    return OK, 0


@compiled
def read_numbers(text: Bytes, starts: Numbers, stops: Numbers, cells: Numbers, values: Numbers) -> tuple[int, int]:
    """Read the integer of each cell, a fraction rounded, NONE where missing; return OK or BAD_NUMBER, and where."""
    for number in range(cells.shape[0]):
        start, end = starts[cells[number]], stops[cells[number]]
        values[number] = NONE
        if start >= 0:
            state, value = parse_integer(text, start, end)
            if state == OK:
                values[number] = value
            elif state == BAD:
                float_state, fraction = parse_float(text, start, end)
                if float_state != OK or not -2147483000.0 < fraction < 2147483000.0:
                    return BAD_NUMBER, number
                values[number] = int(np.rint(fraction))
    return OK, 0


@compiled
def read_depths(
    text: Bytes,
    starts: Numbers,
    stops: Numbers,
    cells: Numbers,
    alts: Numbers,
    alt_counts: Numbers,
    is_strict: bool,
    scratch: Numbers,
    ref_depths: Numbers,
    alt_depths: Numbers,
) -> tuple[int, int]:
    """Read AD of rows: the depths of ref and of the row's allele; return OK or what is wrong, and in which row.

    Args:
        cells, alts, alt_counts: of each row, its cell, its allele and how many its record has.
        is_strict: whether the header's Number asks for a value an allele; else other counts are passed over.
        scratch: room for the values of one cell.
    """
    for row in range(cells.shape[0]):
        start, end = starts[cells[row]], stops[cells[row]]
        ref_depths[row] = NONE
        alt_depths[row] = NONE
        if start >= 0 and not is_missing(text, start, end):
            count = _list_integers(text, start, end, scratch)
            if count < 0:
                return BAD_NUMBER, row
            if count == alt_counts[row] + 1:
                ref_depths[row] = scratch[0]
                alt_depths[row] = scratch[alts[row]]
            elif is_strict:
                return BAD_COUNT, row
    return OK, 0


@compiled
def read_likelihoods(
    text: Bytes,
    starts: Numbers,
    stops: Numbers,
    cells: Numbers,
    alts: Numbers,
    alt_counts: Numbers,
    ploidies: Numbers,
    is_strict: bool,
    are_logs: bool,
    scratch: Numbers,
    offsets: Numbers,
    values: Numbers,
) -> tuple[int, int]:
    """Read PL or GL of rows: those of the genotypes of ref and the row's allele; none where one is missing.

    A haploid genotype may have the likelihoods of diploid ones.

    Args:
        cells, alts, alt_counts, ploidies: of each row.
        is_strict: whether the header's Number asks for a value a genotype; else other counts are passed over.
        are_logs: whether they are log10, of which the Phred-scaled distance from the best is taken, rounded.
        offsets, values: out, where those of each row begin, and all of them.

    Returns:
        OK or what is wrong, NO_ROOM where `values` is too short, and in which row.
    """
    at = 0
    offsets[0] = 0
    for row in range(cells.shape[0]):
        start, end = starts[cells[row]], stops[cells[row]]
        if start >= 0 and not is_missing(text, start, end):
            count = (
                _list_distances(text, start, end, scratch) if are_logs else _list_integers(text, start, end, scratch)
            )
            ploidy = ploidies[row]
            if count < 0:
                return BAD_NUMBER, row
            if ploidy == 1 and count == genotype_count(alt_counts[row] + 1, 2):
                ploidy = 2
            if count == genotype_count(alt_counts[row] + 1, ploidy):
                if at + ploidy + 1 > values.shape[0]:
                    return NO_ROOM, row
                for copies in range(ploidy + 1):
                    values[at] = scratch[genotype_place(copies, ploidy, alts[row])]
                    at += 1
                for place in range(at - ploidy - 1, at):
                    if values[place] == NONE:
                        at = offsets[row]
                        break
            elif is_strict:
                return BAD_COUNT, row
        offsets[row + 1] = at
    return OK, 0


@compiled
def copy_others(
    text: Bytes,
    starts: Table,
    stops: Table,
    slots: Numbers,
    cuts: Numbers,
    cells: Numbers,
    alts: Numbers,
    alt_counts: Numbers,
    ploidies: Numbers,
    offsets: Numbers,
    keys: Numbers,
    value_offsets: Numbers,
    data: Bytes,
) -> tuple[int, int, int]:
    """Copy, for each row, the values of some keys, cut to its allele.

    Args:
        starts, stops: as `find_values` fills them; `slots` and `cuts` say which rows of them, and how they are cut.
        cells, alts, alt_counts, ploidies: of each row.
        offsets: out, where the entries of each row begin.
        keys, value_offsets, data: out, each entry's place in `slots` and where its value begins in `data`.

    Returns:
        OK or what is wrong, NO_ROOM where one of the last three is too short; in which row; the key, or the number of
        entries.
    """
    entry, at = 0, 0
    offsets[0] = 0
    value_offsets[0] = 0
    for row in range(cells.shape[0]):
        for key in range(slots.shape[0]):
            start, end = starts[slots[key], cells[row]], stops[slots[key], cells[row]]
            if start < 0:
                continue
            if entry == keys.shape[0] or at + end - start + 1 > data.shape[0]:
                return NO_ROOM, row, key
            cut = cuts[key]
            if cut != WHOLE and not is_missing(text, start, end):
                wanted = alt_counts[row] + (0 if cut == PER_ALT else 1)
                if cut == PER_GENOTYPE:
                    wanted = genotype_count(alt_counts[row] + 1, ploidies[row])
                if value_count(text, start, end) != wanted:
                    return BAD_COUNT, row, key
            at = copy_cut(text, start, end, cut, alts[row], ploidies[row], data, at)
            keys[entry] = key
            entry += 1
            value_offsets[entry] = at
        offsets[row + 1] = entry
    return OK, 0, entry


@compiled
def _zygosity(alleles: Numbers, ploidy: int, alt: int) -> int:
    copies, missing, refs = 0, 0, 0
    for number in range(ploidy):
        if alleles[number] == alt:
            copies += 1
        elif alleles[number] < 0:
            missing += 1
        elif alleles[number] == 0:
            refs += 1
    if copies:
        if ploidy == 1:
            return HEMI
        return HOM_ALT if copies == ploidy else HET
    if missing:
        return NO_CALL
    return REF if refs == ploidy else OTHER_ALT


@compiled
def _code(alleles: Numbers, ploidy: int, phased: int, alt: int) -> int:
    code = 0
    for number in range(ploidy - 1, -1, -1):
        allele = alleles[number]
        said = CODE_MISSING if allele < 0 else (CODE_ALT if allele == alt else CODE_REF)
        code = (code << CODE_BITS) | said | (CODE_PHASED if phased >> number & 1 else 0)
    return code


@compiled
def _list_integers(text: Bytes, start: int, end: int, values: Numbers) -> int:
    """Read comma-divided integers, NONE where missing; return how many, or -1 where one is none."""
    count, first = 0, start
    for place in range(start, end + 1):
        if place == end or text[place] == _COMMA:
            state, value = parse_integer(text, first, place)
            if state == BAD:
                return -1
            values[count] = value if state == OK else NONE
            count += 1
            first = place + 1
    return count


@compiled
def _list_distances(text: Bytes, start: int, end: int, values: Numbers) -> int:
    """Read comma-divided log10 likelihoods as Phred-scaled distances from the best; as `_list_integers`."""
    best, count, first = -1e300, 0, start
    for place in range(start, end + 1):
        if place == end or text[place] == _COMMA:
            state, value = parse_float(text, first, place)
            if state == BAD:
                return -1
            best = max(best, value) if state == OK else best
            first = place + 1
    first = start
    for place in range(start, end + 1):
        if place == end or text[place] == _COMMA:
            state, value = parse_float(text, first, place)
            distance = 10.0 * (best - value)
            values[count] = int(np.rint(distance)) if state == OK and distance < 2e9 else NONE
            count += 1
            first = place + 1
    return count
