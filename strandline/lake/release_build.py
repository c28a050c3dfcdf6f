"""Whether a release of a source is of the genome that the lake's variants are of: on another, its places are others."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from strandline.errors import RejectedInputError
from strandline.lake.alleles import Reference
from strandline.lake.annotation_files import AnnotationFile
from strandline.reads.reference_bundle.builds import Build, chromosome_of, length_of

_NAMES: Final[Mapping[Build, re.Pattern[str]]] = {
    Build.GRCH37: re.compile(r"GRCh37|hg19|\bb37\b|hs37|human_g1k_v37", re.IGNORECASE),
    Build.GRCH38: re.compile(r"GRCh38|hg38|\bb38\b|hs38", re.IGNORECASE),
    Build.T2T: re.compile(r"CHM13|hs1\b", re.IGNORECASE),
}
_ADVICE: Final = "load the source's release for that build, or lift it over first"
_COMPARED: Final = 500
"""Of the alleles that come together, so many are compared with the reference: on another build three of four differ."""


def check_header(file: AnnotationFile, name: str, build: Build) -> None:
    """Compare what a file says of its genome with the build that its rows are to be of.

    Raises:
        RejectedInputError: `annotation_build`, where the header names another build, or a chromosome has the length of
            another's.
    """
    told = {one for one, pattern in _NAMES.items() if file.says_build and pattern.search(file.says_build)}
    if told and build not in told:
        raise _other_build(f"{name} says that it is of {' or '.join(sorted(told))}", build)
    for contig, length in file.length_by_contig.items():
        chromosome = chromosome_of(contig)
        expected = length_of(build, chromosome)
        others = [one for one in _NAMES if one is not build and length_of(one, chromosome) == length]
        if expected is not None and expected != length and others:
            raise _other_build(f"{name}: its {contig} has {length:,} bases, as in {others[0]}", build)


def check_rows(
    rows: Iterable[pa.Table], name: str, build: Build, reference: Reference | None = None
) -> Iterator[pa.Table]:
    """Yield rows of `annotations`, none behind the end of its chromosome or with bases that the reference has not.

    Args:
        rows: with `contig`, `end_position`, and `position` (1-based) and `ref` for the bases.
        name: of the file.
        build: that they are to be of.
        reference: compared with some of the rows, evenly over them; None compares lengths alone.

    Raises:
        RejectedInputError: `annotation_build`.
    """
    for table in rows:
        ends = pa.table([table["contig"], table["end_position"]], ["contig", "end"]).group_by("contig")
        for row in ends.aggregate([("end", "max")]).to_pylist():
            longest = length_of(build, chromosome_of(row["contig"]))
            if longest is not None and row["end_max"] > longest:
                place = f"{row['contig']}:{row['end_max']:,}"
                raise _other_build(f"{name} has a place {place} behind the end of that chromosome", build)
        if reference is not None:
            _compare(table, name, build, reference)
        yield table


def _compare(table: pa.Table, name: str, build: Build, reference: Reference) -> None:
    with_bases = table.select(["contig", "position", "ref"]).filter(pc.match_substring_regex(table["ref"], "^[ACGT]+$"))
    step = max(1, with_bases.num_rows // _COMPARED)
    for row in with_bases.take(pa.array(range(0, with_bases.num_rows, step), pa.int64())).to_pylist():
        start0 = row["position"] - 1
        try:
            bases = reference.fetch(row["contig"], start0, start0 + len(row["ref"])).upper()
        except (KeyError, ValueError):  # of pysam, for a contig that it does not know
            continue
        if "N" not in bases and bases != row["ref"]:
            raise _other_build(f"{name}: its reference bases at {row['contig']}:{row['position']:,} are others", build)


def _other_build(says: str, build: Build) -> RejectedInputError:
    return RejectedInputError("annotation_build", f"{says}, and it was to be loaded as {build}: {_ADVICE}")
