"""Alleles and genotypes of rows of a HealthOmics store, a column at a time."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strandline.lake.alleles import left_align
from strandline.landing.vcf.alleles import BLOCK_ALLELES

Array = np.ndarray[Any, np.dtype[Any]]

_UNSEEN: Final = sorted({".", *(allele.decode() for allele in BLOCK_ALLELES)})
_NOT_CALLED, _REFERENCE = -1, 0


@dataclass(frozen=True, slots=True)
class ChosenAlleles:
    """Of each row how many ALT alleles may be carried, the first of them ("" for none) and its number from 1."""

    counts: Array
    alts: pa.Array
    numbers: Array


@dataclass(frozen=True, slots=True)
class Allele:
    """Alleles, 0-based and half-open, trimmed of the bases that both share but for one; `numbers` is from 1."""

    starts0: Array
    ends0: Array
    refs: pa.Array
    alts: pa.Array
    numbers: Array

    def where(self, is_kept: Array) -> "Allele":
        """Return some of them."""
        mask = pa.array(is_kept)
        refs, alts = self.refs.filter(mask), self.alts.filter(mask)
        return Allele(self.starts0[is_kept], self.ends0[is_kept], refs, alts, self.numbers[is_kept])


@dataclass(frozen=True, slots=True)
class Genotypes:
    """Whether each row's sample carries the allele, and its genotype as VCF writes it after splitting."""

    is_carried: Array
    texts: pa.Array
    zygosities: pa.Array


def only_alleles(lists: pa.ListArray) -> ChosenAlleles:
    """Choose of each list of ALT alleles what a sample may carry: not what stands for alleles that were not seen."""
    rows, values = _flat(lists)
    is_seen = pc.invert(pc.is_in(values, pa.array(_UNSEEN))).to_numpy(zero_copy_only=False)
    counts = np.bincount(rows[is_seen], minlength=len(lists))
    numbers = _places_in_lists(lists, rows) + 1
    firsts = np.full(len(lists), -1, dtype=np.int64)
    seen = np.flatnonzero(is_seen)[::-1]
    firsts[rows[seen]] = seen  # of several the first, which is written last
    alts = pc.fill_null(values.take(pa.array(firsts, mask=firsts < 0)), fill_value="")
    of_rows = np.where(firsts < 0, 0, numbers[np.maximum(firsts, 0)] if len(numbers) else 0)
    is_bases = pc.match_substring_regex(alts, r"^[A-Za-z]+$")
    return ChosenAlleles(counts, pc.if_else(is_bases, pc.utf8_upper(alts), alts), of_rows)


def trim(starts0: Array, ends0: Array, refs: pa.Array, alts: pa.Array, numbers: Array) -> Allele:
    """Drop the bases that REF and ALT share, the last ones first, and keep one of each."""
    both_long = pc.and_(pc.greater(pc.binary_length(refs), 1), pc.greater(pc.binary_length(alts), 1))
    is_bases = pc.match_substring_regex(alts, r"^[A-Z]+$")
    rows = np.flatnonzero(pc.and_(both_long, is_bases).to_numpy(zero_copy_only=False))
    if not len(rows):
        return Allele(starts0, ends0, refs, alts, numbers)
    starts0, ends0 = starts0.copy(), ends0.copy()
    texts = refs.to_pylist(), alts.to_pylist()
    for row in rows.tolist():
        ref, alt = texts[0][row], texts[1][row]
        most = min(len(ref), len(alt)) - 1
        tail = next((n for n in range(most) if ref[-1 - n] != alt[-1 - n]), most)
        head = next((n for n in range(most - tail) if ref[n] != alt[n]), most - tail)
        texts[0][row], texts[1][row] = ref[head : len(ref) - tail], alt[head : len(alt) - tail]
        starts0[row] += head
        ends0[row] = starts0[row] + len(texts[0][row])
    return Allele(starts0, ends0, pa.array(texts[0], pa.string()), pa.array(texts[1], pa.string()), numbers)


@dataclass(frozen=True, slots=True)
class Bases:
    """The bases of one contig, as `left_align` asks for them."""

    whole: bytes

    def fetch(self, _contig: str, start0: int, end0: int, /) -> str:
        """Return the bases of a half-open, 0-based interval."""
        return self.whole[start0:end0].decode("ascii")


def align(alleles: Allele, contig: str, reference: Bases) -> Allele:
    """Move insertions and deletions, which are trimmed, as far to the left as the reference lets them."""
    kinds = kinds_of(alleles.refs, alleles.alts)
    rows = np.flatnonzero(pc.is_in(kinds, pa.array(["INSERTION", "DELETION"])).to_numpy(zero_copy_only=False))
    if not len(rows):
        return alleles
    starts0, ends0 = alleles.starts0.copy(), alleles.ends0.copy()
    refs, alts = alleles.refs.to_pylist(), alleles.alts.to_pylist()
    for row in rows.tolist():
        position, refs[row], alts[row] = left_align(contig, int(starts0[row]) + 1, refs[row], alts[row], reference)
        starts0[row], ends0[row] = position - 1, position - 1 + len(refs[row])
    return Allele(starts0, ends0, pa.array(refs, pa.string()), pa.array(alts, pa.string()), alleles.numbers)


def kinds_of(refs: pa.Array, alts: pa.Array) -> pa.Array:
    """Return what each pair of alleles makes, as `strandline.variants.kinds.variant_type` says it."""
    ref_length, alt_length = pc.binary_length(refs), pc.binary_length(alts)
    begins = pc.equal(pc.utf8_slice_codeunits(refs, 0, 1), pc.utf8_slice_codeunits(alts, 0, 1))
    cases = {
        "SYMBOLIC": pc.starts_with(alts, "<"),
        "SPANNING_DELETION": pc.equal(alts, "*"),
        "BREAKEND": pc.invert(pc.match_substring_regex(alts, r"^[A-Za-z]+$")),
        "SNV": pc.and_(pc.equal(ref_length, 1), pc.equal(alt_length, 1)),
        "MNV": pc.equal(ref_length, alt_length),
        "INSERTION": pc.and_(pc.equal(ref_length, 1), begins),
        "DELETION": pc.and_(pc.equal(alt_length, 1), begins),
    }
    conditions = pa.StructArray.from_arrays(list(cases.values()), names=list(cases))
    return pc.case_when(conditions, *(pa.scalar(name) for name in cases), pa.scalar("COMPLEX"))


def genotypes_of(calls: pa.ListArray, numbers: Array, phased: pa.BooleanArray) -> Genotypes:
    """Read genotypes that are numbers of alleles; `numbers` says which allele of its record each row is of."""
    rows, values = _flat(calls)
    alleles = pc.fill_null(values, fill_value=_NOT_CALLED).to_numpy(zero_copy_only=False)
    is_alt = alleles == numbers[rows] if len(rows) else np.zeros(0, dtype=bool)
    copies = np.bincount(rows[is_alt], minlength=len(calls))
    ploidies = np.bincount(rows, minlength=len(calls))
    letters = np.where(is_alt, 2, np.where(alleles == _REFERENCE, 1, 0))
    signs = pa.array([".", "0", "1"]).take(pa.array(letters, pa.int32()))
    offsets = np.concatenate([[0], np.cumsum(ploidies)]).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), signs)
    divider = pc.if_else(pc.fill_null(phased, fill_value=False), "|", "/")
    zygosities = np.where(ploidies == 1, "HEMI", np.where(copies == ploidies, "HOM_ALT", "HET"))
    return Genotypes(copies > 0, pc.binary_join(lists, divider), pa.array(zygosities.astype(object), pa.string()))


def _flat(lists: pa.ListArray) -> tuple[Array, pa.Array]:
    """Return the values of lists, and which row each is of."""
    return pc.list_parent_indices(lists).to_numpy(), pc.list_flatten(lists)


def _places_in_lists(lists: pa.ListArray, rows: Array) -> Array:
    """Return of each value of the lists which of its list it is, from 0."""
    lengths = np.bincount(rows, minlength=len(lists))
    begins = np.cumsum(lengths) - lengths
    return np.arange(len(rows)) - begins[rows] if len(rows) else np.zeros(0, dtype=np.int64)
