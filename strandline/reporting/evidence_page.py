"""The page on which reads can be moved and zoomed: igv.js, the bases and the reads in one HTML file.

igv.js (MIT) is not kept here: whoever makes the page gives its file.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pysam
from markupsafe import Markup

from strandline.landing.regions import Region, merge_regions
from strandline.reporting.findings import Findings, Tier
from strandline.reporting.pages import render_page
from strandline.reporting.report import MOST_DETAILED, STYLES
from strandline.reporting.report_rows import row_of
from strandline.variants.records import VariantCall

FLANK_BASES: Final = 500
MOST_READS_A_PLACE: Final = 2_000
_SHOWN_BASES: Final = 40
_STARTER: Final = """
(async () => {
  const tracks = JSON.parse(document.getElementById("tracks").textContent);
  const browser = await igv.createBrowser(document.getElementById("igv"), tracks);
  for (const button of document.querySelectorAll("button[data-locus]"))
    button.addEventListener("click", () => browser.search(button.dataset.locus));
})();
"""


@dataclass(frozen=True, slots=True)
class IgvPage:
    """What the page is made from: igv.js itself, the reads and bases with their indexes, and a title."""

    igv_js: str
    aligned: Path
    fasta: Path
    title: str


@dataclass(frozen=True, slots=True)
class _Place:
    title: str
    locus: str


def build_evidence_page(page: IgvPage, findings: Findings) -> str:
    """Return the page for the findings that a report shows in full; reads within 500 bases of each are in it."""
    calls = [one.call for one in findings.named if one.tier is not Tier.UNANNOTATED][:MOST_DETAILED]
    places = [_Place(f"{row_of(call, {}).title} ({call.contig}:{call.position:,})", _locus(call)) for call in calls]
    program = page.igv_js.replace("</script", "<\\/script")
    return render_page(
        "evidence.html",
        STYLES,
        title=page.title,
        places=places,
        allowed=" ".join(_hash_source(script) for script in (program, _STARTER)),
        tracks=_tracks(page, calls),
        igv=Markup(program),  # noqa: S704 - igv.js itself, whose file the operator gives
        starter=Markup(_STARTER),  # noqa: S704 - our own
    )


def _tracks(page: IgvPage, calls: Sequence[VariantCall]) -> dict[str, Any]:
    """Return what igv.js is told: the bases and the reads around the calls."""
    windows = _windows(page.fasta, calls)
    with TemporaryDirectory(prefix="strandline-") as folder:
        reads = _reads_around(page, windows, Path(folder) / "reads.bam")
    fasta = _bases_of(page.fasta, windows)
    return {
        "reference": {"id": "reference", "name": "reference", "fastaURL": _uri(fasta), "indexed": False},
        "loadDefaultGenomes": False,
        "locus": _locus(calls[0]) if calls else "all",
        "tracks": [
            {
                "type": "alignment", "format": "bam", "name": "reads", "url": _uri(reads), "indexed": False,
                "height": 500, "showSoftClips": True,
            }
        ],
    }  # fmt: skip


def _windows(fasta: Path, calls: Sequence[VariantCall]) -> list[Region]:
    with pysam.FastaFile(str(fasta)) as bases:
        return merge_regions(
            [
                Region(
                    call.contig,
                    max(0, call.position - 1 - FLANK_BASES),
                    min(call.position + _SHOWN_BASES + FLANK_BASES, bases.get_reference_length(call.contig)),
                )
                for call in calls
            ]
        )


def _reads_around(page: IgvPage, windows: Sequence[Region], path: Path) -> bytes:
    with pysam.AlignmentFile(str(page.aligned), reference_filename=str(page.fasta)) as reads:
        with pysam.AlignmentFile(str(path), "wb", header=reads.header) as sink:
            for window in windows:
                for number, read in enumerate(reads.fetch(window.contig, window.start0, window.end0)):
                    if number == MOST_READS_A_PLACE:
                        break
                    sink.write(read)
        return path.read_bytes()


def _bases_of(fasta: Path, windows: Sequence[Region]) -> bytes:
    """Return the bases of the windows, each named by where it lies: igv.js reads `@len=` as its contig's length."""
    with pysam.FastaFile(str(fasta)) as bases:
        return "".join(
            f">{one.contig}:{one.start0 + 1}-{one.end0} @len={bases.get_reference_length(one.contig)}\n"
            f"{bases.fetch(one.contig, one.start0, one.end0)}\n"
            for one in windows
        ).encode()


def _locus(call: VariantCall) -> str:
    return f"{call.contig}:{max(1, call.position - _SHOWN_BASES)}-{call.position + _SHOWN_BASES}"


def _hash_source(script: str) -> str:
    """Return what the page's policy knows a script by. Source: Content Security Policy 3, section 2.3.1."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _uri(body: bytes) -> str:
    return f"data:application/octet-stream;base64,{base64.b64encode(body).decode()}"  # as it is: igv.js unpacks BGZF
