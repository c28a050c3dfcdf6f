"""The reads over a variant as a still picture: SVG that loads nothing, for a screen and for paper.

Every mismatch has a colour and a letter, so that the picture also tells what it shows without colours.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from strandline.reads.pileup import Allele, PiledRead, Pileup

_CELL, _ROW = 8.0, 8.5
_LEFT, _RIGHT, _TOP = 8.0, 8.0, 16.0
_DEPTH_HEIGHT: Final = 34.0
_COLOURS: Final = {"A": "#1a7a3c", "C": "#1f5fa8", "G": "#9a5b00", "T": "#b3261e", "N": "#5a6672"}
_STROKES: Final[dict[str, tuple[tuple[tuple[float, float], ...], ...]]] = {  # in a box of 4 by 5.4, y downwards
    "A": (((0, 5.4), (2, 0), (4, 5.4)), ((0.8, 3.6), (3.2, 3.6))),
    "C": (((4, 0.8), (3, 0), (1, 0), (0, 1), (0, 4.4), (1, 5.4), (3, 5.4), (4, 4.6)),),
    "G": (((4, 0.8), (3, 0), (1, 0), (0, 1), (0, 4.4), (1, 5.4), (3, 5.4), (4, 4.4), (4, 3), (2.4, 3)),),
    "T": (((0, 0), (4, 0)), ((2, 0), (2, 5.4))),
    "N": (((0, 5.4), (0, 0), (4, 5.4), (4, 0)),),
}
_OTHER_COLOUR: Final = "#5a6672"
_INSERTION: Final = "#6b3fa0"
_READ: Final = {True: "#d9d3e6", False: "#d3dfe6"}
_INK, _SOFT, _MARK = "#17212b", "#52606d", "#fff0c2"
_FONT: Final = "Liberation Mono, DejaVu Sans Mono, Menlo, Consolas, monospace"
_LONGEST: Final = 12
_STRANDS: Final = {False: "forward", True: "reverse"}


@dataclass(frozen=True, slots=True)
class ReadPicture:
    """A picture and what it shows, in words."""

    svg: str
    says: str

    @property
    def data_uri(self) -> str:
        """The picture as an address that loads nothing."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg.encode()).decode()}"


def draw_reads(pileup: Pileup, ref: str, alt: str) -> ReadPicture:
    """Return the picture of a pile-up; `ref` and `alt` are the variant's alleles."""
    columns = pileup.window.length
    width = _LEFT + columns * _CELL + _RIGHT
    reads_top = _TOP + _DEPTH_HEIGHT + _ROW + 6
    height = reads_top + max(len(pileup.reads), 1) * _ROW + 8
    says = describe(pileup, ref, alt)
    parts = [
        *_mark(pileup, height),
        *_ruler(pileup),
        *_depth(pileup),
        *_reference(pileup, _TOP + _DEPTH_HEIGHT + 2),
        *_reads(pileup, reads_top),
    ]
    if not pileup.reads:
        parts.append(_text(width / 2, reads_top + 8, "no reads", _SOFT))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="{_FONT}" font-size="8">'
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>{"".join(parts)}</svg>'
    )
    return ReadPicture(svg, says)


def describe(pileup: Pileup, ref: str, alt: str) -> str:
    """Return in words what the reads over the variant show.

    Counts are of all reads over it, which may be more than are drawn.
    """
    names = {Allele.ALT: _short(alt), Allele.REF: _short(ref), Allele.OTHER: "something else"}
    told = [
        f"{pileup.count(allele)} show{'s' if pileup.count(allele) == 1 else ''} {name} ({_by_strand(pileup, allele)})"
        for allele, name in names.items()
        if pileup.count(allele) or allele is not Allele.OTHER
    ]
    over = sum(pileup.count(allele) for allele in names)
    place = f"{pileup.window.contig}:{pileup.window.start0 + pileup.variant_columns[0] + 1:,}"
    reads = f"{over} read{'' if over == 1 else 's'} of mapping quality 20 or more reach{'es' if over == 1 else ''}"
    drawn = f" {len(pileup.reads)} of {pileup.read_count} reads are drawn." if pileup.read_count else ""
    cut = " More lie there than are counted." if pileup.is_cut else ""
    return f"{reads} over {place}: {'; '.join(told)}.{drawn}{cut}"


def _by_strand(pileup: Pileup, allele: Allele) -> str:
    counts = pileup.counts
    return ", ".join(f"{counts.get((allele, strand), 0)} {name}" for strand, name in _STRANDS.items())


def _mark(pileup: Pileup, height: float) -> Iterator[str]:
    """The variant's columns, behind everything."""
    first, last = pileup.variant_columns
    yield (
        f'<rect x="{_x(first):.1f}" y="{_TOP - 3:.1f}" width="{(last - first) * _CELL:.1f}" '
        f'height="{height - _TOP:.1f}" fill="{_MARK}" stroke="#c98a00" stroke-width="0.6"/>'
    )


def _ruler(pileup: Pileup) -> Iterator[str]:
    """1-based positions, every twenty bases, and the contig."""
    window = pileup.window
    for place in range(window.start0 // 20 * 20 + 20, window.end0 + 1, 20):
        column = place - 1 - window.start0
        if 0 <= column < window.length:
            yield _text(_x(column) + _CELL / 2, 8, f"{place:,}", _SOFT, size=7)
            yield f'<path d="M{_x(column) + _CELL / 2:.1f} 10v3" stroke="{_SOFT}" stroke-width="0.6"/>'


def _depth(pileup: Pileup) -> Iterator[str]:
    """Depth as bars, with the highest named."""
    highest = max(pileup.depth, default=0)
    bottom = _TOP + _DEPTH_HEIGHT - 2
    if highest:
        steps = "".join(
            f"L{_x(column):.1f} {bottom - depth / highest * (_DEPTH_HEIGHT - 8):.1f}h{_CELL}"
            for column, depth in enumerate(pileup.depth)
        )
        yield f'<path d="M{_x(0):.1f} {bottom:.1f}{steps}V{bottom:.1f}z" fill="#9fb6c3"/>'
    length = pileup.window.length * _CELL
    yield f'<path d="M{_x(0):.1f} {bottom:.1f}h{length:.1f}" stroke="{_SOFT}" stroke-width="0.6"/>'
    yield _text(_x(0) + 2, _TOP + 5, f"depth, at most {highest}", _SOFT, anchor="start", size=7)


def _reference(pileup: Pileup, top: float) -> Iterator[str]:
    """The bases of the reference, one path a colour."""
    for base, colour in _COLOURS.items():
        places = [(_x(column), top) for column, found in enumerate(pileup.reference) if found == base]
        yield from _letters(((*place, base) for place in places), colour)
    others = [(_x(column), top, "N") for column, found in enumerate(pileup.reference) if found not in _COLOURS]
    yield from _letters(others, _OTHER_COLOUR)


def _reads(pileup: Pileup, top: float) -> Iterator[str]:
    """Each read a bar with a point towards its end, a line through what is deleted, letters where it differs.

    What has one colour is one path: a picture of two thousand shapes takes a PDF seconds.
    """
    rows = [(read, top + row * _ROW) for row, read in enumerate(pileup.reads)]
    for is_reverse, colour in _READ.items():
        bars = [
            _bar(read, *ends, y) for read, y in rows if read.is_reverse is is_reverse for ends in _stretches(read.bases)
        ]
        yield from _filled(bars, colour)
    yield from _stroked([_line(read, *ends, y) for read, y in rows for ends in _stretches(read.bases, gaps=True)], _INK)
    differing = [
        (_x(read.first + at), y, base)
        for read, y in rows
        for at, base in enumerate(read.bases)
        if base != "-" and base.upper() != pileup.reference[read.first + at]
    ]
    for base, colour in _COLOURS.items():
        boxes = [f"M{x:.1f} {y:.1f}h{_CELL}v{_ROW - 1}h-{_CELL}z" for x, y, found in differing if _known(found) == base]
        yield from _filled(boxes, colour)
    yield from _letters(((x, y - 0.4, base) for x, y, base in differing), "#fff")
    yield from (
        part for read, y in rows for column, length in read.insertions for part in _inserted(_x(column + 1), y, length)
    )


def _letters(places: Iterable[tuple[float, float, str]], colour: str) -> Iterator[str]:
    """Bases as strokes, with no font: upper case tall, lower case, of low quality, small."""
    strokes = []
    for x, y, base in places:
        size = 1.0 if base.isupper() else 0.75
        left, top = x + _CELL / 2 - 2 * size, y + 1.2 + (1 - size) * 5.4
        strokes += [
            f"M{left + size * line[0][0]:.1f} {top + size * line[0][1]:.1f}"
            + "".join(f"L{left + size * px:.1f} {top + size * py:.1f}" for px, py in line[1:])
            for line in _STROKES[_known(base)]
        ]
    yield from _stroked(strokes, colour)


def _known(base: str) -> str:
    return base.upper() if base.upper() in _STROKES else "N"


def _filled(paths: Sequence[str], colour: str) -> Iterator[str]:
    if paths:
        yield f'<path d="{"".join(paths)}" fill="{colour}"/>'


def _stroked(paths: Sequence[str], colour: str) -> Iterator[str]:
    if paths:
        yield f'<path d="{"".join(paths)}" fill="none" stroke="{colour}" stroke-width="1.1"/>'


def _line(read: PiledRead, first: int, last: int, top: float) -> str:
    return f"M{_x(read.first + first):.1f} {top + _ROW / 2 - 0.5:.1f}H{_x(read.first + last):.1f}"


def _bar(read: PiledRead, first: int, last: int, top: float) -> str:
    left, right, bottom = _x(read.first + first), _x(read.first + last), top + _ROW - 1
    middle = (top + bottom) / 2
    if read.is_reverse and first == 0:
        return f"M{right:.1f} {top:.1f}H{left + 3:.1f}L{left:.1f} {middle:.1f}L{left + 3:.1f} {bottom:.1f}H{right:.1f}z"
    if not read.is_reverse and last == len(read.bases):
        return (
            f"M{left:.1f} {top:.1f}H{right - 3:.1f}L{right:.1f} {middle:.1f}L{right - 3:.1f} {bottom:.1f}H{left:.1f}z"
        )
    return f"M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}z"


def _inserted(x: float, top: float, length: int) -> Iterator[str]:
    """A mark between two columns with the number of inserted bases."""
    label = str(length)
    width = 4.2 * len(label) + 3
    yield f'<rect x="{x - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_ROW - 1}" fill="{_INSERTION}"/>'
    yield _text(x, top + 6.2, label, "#fff", size=7, bold=True)


def _stretches(bases: str, *, gaps: bool = False) -> Iterator[tuple[int, int]]:
    """Yield where letters, or gaps, stand without a break: first and behind the last."""
    start = None
    for at, base in enumerate([*bases, None]):
        is_wanted = base is not None and (base == "-") is gaps
        if is_wanted and start is None:
            start = at
        elif not is_wanted and start is not None:
            yield start, at
            start = None


def _x(column: int) -> float:
    return _LEFT + column * _CELL


def _text(
    x: float, y: float, words: str, colour: str, *, anchor: str = "middle", size: int = 8, bold: bool = False
) -> str:
    weight = ' font-weight="700"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"{weight}>'
        f"{escape(words)}</text>"
    )


def _short(allele: str) -> str:
    return allele if len(allele) <= _LONGEST else f"{allele[:_LONGEST]}… ({len(allele)} bases)"
