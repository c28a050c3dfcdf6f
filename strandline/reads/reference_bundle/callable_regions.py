"""Callable regions of a bundle: a BED with the bundle's contig names.

Source: BED v1 specification (samtools/hts-specs).
"""

from pathlib import Path
from typing import Final

from strandline.errors import RejectedInputError
from strandline.reads.reference_bundle.contig_names import ContigNames
from strandline.reads.reference_bundle.description import SourceOrigin
from strandline.reads.reference_bundle.source_text import (
    BEYOND_THE_END,
    BgzfSink,
    Placement,
    SourceText,
    whole_number,
)

_NOT_A_REGION: Final = (b"#", b"track", b"browser")


def write_regions(path: Path, sink: Path, *, names: ContigNames) -> SourceOrigin:
    """Write regions (0-based, end excluded) to BGZF; comments and display lines are dropped.

    Raises:
        RejectedInputError: `source_invalid`, `source_unsorted`, `source_ambiguous`, `source_empty`,
            `source_of_another_reference`, or a code of `SourceText.lines`.
    """
    source = SourceText(path)
    placement = Placement(source, names)
    done: set[bytes] = set()
    name, before0 = b"", 0
    with BgzfSink(sink) as written:
        for line in source.lines():
            if not line.strip() or line.startswith(_NOT_A_REGION):
                continue
            columns = line.split(b"\t")
            if len(columns) < 3:
                raise source.invalid("a region has a contig, a start and an end between tabs")
            start0, end = whole_number(source, columns[1]), whole_number(source, columns[2])
            if start0 >= end:
                raise source.invalid("a region ends before it starts")
            if columns[0] != name:
                done.add(name)
                name, before0 = columns[0], 0
            if name in done or start0 < before0:
                raise RejectedInputError(
                    "source_unsorted",
                    f"{path.name}, line {source.line_number}: its regions are not in order of contig and start: sort "
                    "them, such as with 'sort -k1,1 -k2,2n'",
                )
            before0 = start0
            contig = placement.place(name.decode(errors="replace"))
            if contig is None:
                continue
            if end > contig.length:
                placement.leave_out(BEYOND_THE_END)
                continue
            written.write(b"\t".join((contig.name.encode(), *columns[1:])))
            placement.kept += 1
        placement.check()
        return placement.describe(written.sha256)
