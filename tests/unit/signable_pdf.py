"""A PDF to be signed, made without fonts of the system: a page, its tags, and a made-up font for ASCII."""

from functools import cache
from io import BytesIO

from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    NumberObject,
)

from strandline.reporting.signature_page import bring_letters


@cache
def signable_pdf(pages: int = 1) -> bytes:
    """Return what `append_signatures` takes."""
    return bring_letters(_written(_tagged(pages)), _written(_sheet()))


def _tagged(pages: int) -> PdfWriter:
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(595, 842)
    document = _dictionary(Type=NameObject("/StructElem"), S=NameObject("/Document"), K=ArrayObject())
    root = _dictionary(
        Type=NameObject("/StructTreeRoot"),
        K=ArrayObject([writer._add_object(document)]),
        ParentTree=_dictionary(Nums=ArrayObject([NumberObject(0), ArrayObject()])),
    )
    writer.root_object[NameObject("/StructTreeRoot")] = writer._add_object(root)
    return writer


def _sheet() -> PdfWriter:
    """A page whose font has the letters of ASCII by their own numbers, each half as wide as high."""
    writer = PdfWriter()
    page = writer.add_blank_page(595, 842)
    cmap = DecodedStreamObject()
    lines = "\n".join(f"<{code:04x}> <{code:04x}>" for code in range(0x20, 0x7F))
    cmap.set_data(f"95 beginbfchar\n{lines}\nendbfchar".encode())
    widths = ArrayObject([NumberObject(0x20), ArrayObject([NumberObject(500)] * 95)])
    font = _dictionary(
        Type=NameObject("/Font"),
        Subtype=NameObject("/Type0"),
        Encoding=NameObject("/Identity-H"),
        ToUnicode=writer._add_object(cmap),
        DescendantFonts=ArrayObject([writer._add_object(_dictionary(W=widths))]),
    )
    page[NameObject("/Resources")] = _dictionary(Font=_dictionary(F=writer._add_object(font)))
    return writer


def _dictionary(**values: object) -> DictionaryObject:
    return DictionaryObject({NameObject(f"/{name}"): value for name, value in values.items()})


def _written(writer: PdfWriter) -> bytes:
    out = BytesIO()
    writer.write(out)
    return out.getvalue()
