"""Sorted intervals that tell whether a place lies in them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from strandline.landing.regions import Region, merge_regions


class Intervals:
    """Regions by contig, merged."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self._by_contig: dict[str, list[Region]] = defaultdict(list)
        for region in merge_regions(list(regions)):
            self._by_contig[region.contig].append(region)

    def cover(self, contig: str, start0: int, end0: int) -> bool:
        """Whether the whole of a place, 0-based and half-open, lies in one of them.

        >>> there = Intervals([Region("c", 5, 9), Region("c", 9, 12)])
        >>> there.cover("c", 8, 12), there.cover("c", 4, 6)
        (True, False)
        """
        regions = self._by_contig.get(contig, [])
        at = bisect_right(regions, start0, key=lambda region: region.start0) - 1
        return at >= 0 and end0 <= regions[at].end0
