"""BED files of the regions to analyse. Source: BED v1.0 specification (GA4GH), sections 1.1 and 1.3."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from strandline.errors import RejectedInputError

REGIONS_LIMIT_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Region:
    """Half-open, 0-based interval, as in BED."""

    contig: str
    start0: int
    end0: int

    @property
    def length(self) -> int:
        """Bases in the interval."""
        return self.end0 - self.start0


def parse_regions(body: bytes, name: str, length_by_contig: Mapping[str, int] | None) -> list[Region]:
    """Parse a BED file and check it against the contigs of the reference, where they are given.

    Raises:
        RejectedInputError: `regions_too_large`, `regions_invalid`, `contig_not_in_reference`,
            `region_outside_contig` or `regions_empty`, with the 1-based line.
    """
    if len(body) > REGIONS_LIMIT_BYTES:
        raise RejectedInputError("regions_too_large", f"{name} is over 64 MiB: merge neighbouring intervals")
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError as error:
        raise RejectedInputError("regions_invalid", f"{name} is not plain text (byte {error.start})") from None
    regions: list[Region] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        regions.append(_parse_line(line, f"{name}, line {number}", length_by_contig))
    if not regions:
        raise RejectedInputError("regions_empty", f"{name} holds no interval")
    return regions


def merge_regions(regions: list[Region]) -> list[Region]:
    """Return the same bases as sorted intervals that neither overlap nor touch.

    >>> merge_regions([Region("c", 5, 9), Region("c", 0, 5), Region("b", 1, 2)])
    [Region(contig='b', start0=1, end0=2), Region(contig='c', start0=0, end0=9)]
    """
    merged: list[Region] = []
    for region in sorted(regions, key=lambda r: (r.contig, r.start0, r.end0)):
        last = merged[-1] if merged else None
        if last and last.contig == region.contig and region.start0 <= last.end0:
            merged[-1] = Region(last.contig, last.start0, max(last.end0, region.end0))
        else:
            merged.append(region)
    return merged


def _parse_line(line: str, where: str, length_by_contig: Mapping[str, int] | None) -> Region:
    fields = line.split()
    if len(fields) < 3 or not fields[1].isdigit() or not fields[2].isdigit():
        raise RejectedInputError("regions_invalid", f"{where}: expected contig, start and end")
    region = Region(fields[0], int(fields[1]), int(fields[2]))
    if region.start0 >= region.end0:
        raise RejectedInputError("regions_invalid", f"{where}: start must be less than end (0-based, half-open)")
    if length_by_contig is None:
        return region
    if region.contig not in length_by_contig:
        raise RejectedInputError(
            "contig_not_in_reference",
            f"{where}: this contig is not in the reference; use the reference that the regions were made for",
        )
    if region.end0 > length_by_contig[region.contig]:
        raise RejectedInputError("region_outside_contig", f"{where}: the interval ends after the contig does")
    return region
