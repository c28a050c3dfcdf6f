"""The page of signatures behind a PDF that was signed without it, as an increment: the signed bytes stay in front.

A PDF that is laid before its signers brings along, unseen, the letters that names are written in
(`bring_letters`), so that whoever has it and the signatures makes the same page of them, without a font, Pango or a
network (`append_signatures`). Sources: ISO 32000-1, 7.5.6 (incremental updates), 14.5 (page-piece dictionaries), 14.8
(tagged PDF); 21 CFR 11.50.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Any, Final

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    NumberObject,
    TextStringObject,
)

from strandline.errors import RejectedInputError
from strandline.reporting.signature_block import PrintedSignature, SignedVersion

_RANGES: Final = ((0x21, 0x7E), (0xA1, 0xAC), (0xAE, 0x24F), (0x384, 0x3CE), (0x400, 0x45F), (0x1E80, 0x1EF9))
LETTERS: Final = (
    "".join(chr(code) for first, last in _RANGES for code in range(first, last + 1) if chr(code).isprintable())
    + " \u2010\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u20ac"
)
"""Latin, Greek and Cyrillic: letters that stand side by side without being joined."""
_HEADER: Final = "%PDF-1.7"
_OWNER: Final = "/Strandline"
_LEFT, _RIGHT, _TOP, _BOTTOM = 45.36, 550.0, 780.0, 60.0
_LEADING: Final = 1.45
_UNMAPPED_WIDTH: Final = 1000


@dataclass(frozen=True, slots=True)
class _Line:
    """A piece of text: its kind in the tagged document, its size in points, and the space before it."""

    kind: str
    text: str
    size: float
    before: float


@dataclass(frozen=True, slots=True)
class _Letters:
    """A font that the PDF brings: `code_by_letter` as its encoding has them, widths in 1/1000 of the size."""

    name: str
    font: IndirectObject
    code_by_letter: dict[str, int]
    width_by_code: dict[int, float]


def bring_letters(pdf: bytes, sheet: bytes) -> bytes:
    """Return a PDF with the fonts of another one, which no page of it shows.

    Args:
        pdf: what will be signed.
        sheet: a PDF that shows `LETTERS`.
    """
    writer = PdfWriter(clone_from=BytesIO(pdf))
    writer.pdf_header = _HEADER
    writer.metadata = None  # what is said of the document stands in its XMP
    fonts = _resolved(PdfReader(BytesIO(sheet)).pages[0])["/Resources"]["/Font"]
    brought = ArrayObject([font.clone(writer).indirect_reference for font in map(_resolved, fonts.values())])
    data = DictionaryObject(
        {
            NameObject("/LastModified"): TextStringObject("D:19700101000000Z"),  # the same bytes each time
            NameObject("/Private"): writer._add_object(DictionaryObject({NameObject("/Fonts"): brought})),
        }
    )
    writer.root_object[NameObject("/PieceInfo")] = DictionaryObject({NameObject(_OWNER): data})
    return _written(writer)


def append_signatures(pdf: bytes, version: SignedVersion, signatures: Sequence[PrintedSignature]) -> bytes:
    """Return the PDF with a page, or more, that names its signatures; it begins with the given bytes.

    The same PDF and signatures give the same bytes. Letters that the PDF does not bring are written as their numbers.

    Raises:
        RejectedInputError: `report_not_for_signature`, where this is no PDF that was made to be signed.
    """
    try:
        writer = PdfWriter(BytesIO(pdf), incremental=True)
        letters = list(_letters(writer))
        page_count, tree = len(writer.pages), _resolved(writer.root_object["/StructTreeRoot"])
    except (PyPdfError, KeyError, ValueError, TypeError, AttributeError, IndexError):
        letters = []
    if not letters or not signatures:
        raise RejectedInputError("report_not_for_signature", "the PDF has no place for signatures: render it anew")
    lines = list(_lines(pdf, page_count, version, signatures))
    section = _Section(writer, tree, letters)
    for page in _paged(lines, letters):
        section.add_page(page)
    return _written(writer)


class _Section:
    """A section of a tagged document, and its pages."""

    def __init__(self, writer: PdfWriter, tree: DictionaryObject, letters: Sequence[_Letters]) -> None:
        self._writer, self._tree, self._letters = writer, tree, letters
        document = _resolved(tree["/K"][0] if isinstance(tree["/K"], ArrayObject) else tree["/K"])
        self._content = ArrayObject()
        section = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/StructElem"),
                NameObject("/S"): NameObject("/Sect"),
                NameObject("/P"): _reference(document),
                NameObject("/K"): self._content,
            }
        )
        self._section = writer._add_object(section)  # pypdf has no public way to add an object
        document["/K"].append(self._section)

    def add_page(self, lines: Sequence[tuple[str, float, float, str]]) -> None:
        """Add a page of lines: kind, size, height on the page, text."""
        numbers = _resolved(self._tree["/ParentTree"])["/Nums"]
        place = max(int(number) for number in numbers[::2]) + 1
        page = self._writer.add_blank_page(595.275591, 841.889764)
        drawn = [self._draw(number, line) for number, line in enumerate(lines)]
        content = DecodedStreamObject()
        content.set_data("\n".join(drawn).encode("ascii"))
        fonts = DictionaryObject({NameObject(one.name): one.font for one in self._letters})
        page[NameObject("/Contents")] = self._writer._add_object(content)
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        page[NameObject("/Tabs")] = NameObject("/S")
        page[NameObject("/StructParents")] = NumberObject(place)
        elements = ArrayObject([self._element(number, line[0], page) for number, line in enumerate(lines)])
        self._content.extend(elements)
        numbers.extend([NumberObject(place), elements])

    def _element(self, number: int, kind: str, page: DictionaryObject) -> IndirectObject:
        return self._writer._add_object(
            DictionaryObject(
                {
                    NameObject("/Type"): NameObject("/StructElem"),
                    NameObject("/S"): NameObject(f"/{kind}"),
                    NameObject("/P"): self._section,
                    NameObject("/Pg"): _reference(page),
                    NameObject("/K"): ArrayObject([NumberObject(number)]),
                }
            )
        )

    def _draw(self, number: int, line: tuple[str, float, float, str]) -> str:
        kind, size, height, text = line
        shown = " ".join(
            f"{font.name} {size:g} Tf <{''.join(f'{code:04x}' for code in codes)}> Tj"
            for font, codes in _encoded(text, self._letters)
        )
        return f"/{kind} <</MCID {number}>> BDC BT 1 0 0 1 {_LEFT:g} {height:.2f} Tm {shown} ET EMC"


def _lines(
    pdf: bytes, page_count: int, version: SignedVersion, signatures: Sequence[PrintedSignature]
) -> Iterator[_Line]:
    yield _Line("H2", "Electronic signatures", 16, 0)
    yield _Line("P", f"Released as version {version.version} of {version.submission_id}.", 10, 10)
    if version.amends:
        yield _Line("P", f"This version takes the place of version {version.amends}: {version.reason}", 10, 4)
    for one in signatures:
        yield _Line("P", one.printed_name, 13, 18)
        yield _Line("P", one.meaning, 10, 2)
        yield _Line("P", f"Signed at {one.signed_at:%Y-%m-%d %H:%M:%S} UTC as user {one.user_name}", 10, 2)
    before = "The page before this one is" if page_count == 1 else f"The {page_count} pages before this one are"
    said = f"{before} what was signed: the first {len(pdf):,} bytes of this file. Their SHA-256:"
    yield _Line("P", said, 9, 24)
    yield _Line("P", sha256(pdf).hexdigest(), 9, 2)
    yield _Line("P", "SHA-256 of the signed record, which names this file and the others of the release:", 9, 8)
    yield _Line("P", version.sha256, 9, 2)


def _paged(lines: Sequence[_Line], letters: Sequence[_Letters]) -> Iterator[list[tuple[str, float, float, str]]]:
    page: list[tuple[str, float, float, str]] = []
    height = _TOP
    for line in lines:
        for number, text in enumerate(_wrapped(line, letters)):
            height -= line.size * _LEADING + (0 if number else line.before)
            if height < _BOTTOM:
                yield page
                page, height = [], _TOP
            page.append((line.kind, line.size, height, text))
    yield page


def _wrapped(line: _Line, letters: Sequence[_Letters]) -> Iterator[str]:
    said = ""
    for word in line.text.split():
        longer = f"{said} {word}".strip()
        if said and _width(longer, letters) * line.size > (_RIGHT - _LEFT) * 1000:
            yield said
            longer = word
        said = longer
    yield said


def _width(text: str, letters: Sequence[_Letters]) -> float:
    return sum(
        font.width_by_code.get(code, _UNMAPPED_WIDTH) for font, codes in _encoded(text, letters) for code in codes
    )


def _encoded(text: str, letters: Sequence[_Letters]) -> list[tuple[_Letters, list[int]]]:
    """Return the text as runs of one font each."""
    runs: list[tuple[_Letters, list[int]]] = []
    known = "".join(one if _font_of(one, letters) else f"[U+{ord(one):04X}]" for one in text)
    for letter in known:
        font = _font_of(letter, letters)
        if font is None:
            raise RejectedInputError("report_not_for_signature", "the PDF lacks letters: render it anew")
        if not runs or runs[-1][0] is not font:
            runs.append((font, []))
        runs[-1][1].append(font.code_by_letter[letter])
    return runs


def _font_of(letter: str, letters: Sequence[_Letters]) -> _Letters | None:
    return next((one for one in letters if letter in one.code_by_letter), None)


def _letters(writer: PdfWriter) -> Iterator[_Letters]:
    private = _resolved(writer.root_object)["/PieceInfo"][_OWNER]["/Private"]
    for number, reference in enumerate(_resolved(private)["/Fonts"]):
        font = _resolved(reference)
        cmap = _resolved(font["/ToUnicode"]).get_data().decode("ascii")
        widths = _resolved(font["/DescendantFonts"][0])["/W"]
        yield _Letters(f"/S{number}", _reference(font), _codes(cmap), _widths(widths))


def _codes(cmap: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for block in re.findall(r"beginbfchar(.*?)endbfchar", cmap, re.DOTALL):
        for code, letter in re.findall(r"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            found.setdefault(bytes.fromhex(letter).decode("utf-16-be"), int(code, 16))
    return found


def _widths(array: ArrayObject) -> dict[int, float]:
    found: dict[int, float] = {}
    for first, widths in zip(array[::2], array[1::2], strict=True):
        found |= {int(first) + number: float(width) for number, width in enumerate(widths)}
    return found


def _resolved(value: Any) -> Any:
    """Return what a reference leads to; of which kind it is says the document alone."""
    return value.get_object()


def _reference(value: DictionaryObject) -> IndirectObject:
    if value.indirect_reference is None:
        raise ValueError("an object of a PDF has no number")
    return value.indirect_reference


def _written(writer: PdfWriter) -> bytes:
    out = BytesIO()
    writer.write(out)
    return out.getvalue()
