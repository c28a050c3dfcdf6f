"""What a truncating variant does to its transcript, and how much PVS1 it can carry at most.

Source: Abou Tayoun et al. 2018, doi:10.1002/humu.23626, figure 1; nonsense-mediated decay is predicted where the stop
lies more than 50 bases before the last junction of exons.
"""

from dataclasses import dataclass
from typing import Final

from strandline.variants.records import VariantCall
from strandline.variants.transcripts import Transcript

_SPARED: Final = 50
_LARGE_SHARE: Final = 0.1
_VERY_STRONG, _STRONG, _MODERATE, _SUPPORTING = 8, 4, 2, 1
_STOPS: Final = frozenset({"stop_gained", "frameshift"})
_SPLICE: Final = frozenset({"splice_donor", "splice_acceptor"})


@dataclass(frozen=True, slots=True)
class Truncation:
    """The points that PVS1 can carry, and on what ground."""

    points: int
    says: str


def truncation_of(call: VariantCall, transcript: Transcript | None) -> Truncation | None:
    """Return what the call truncates on its chosen transcript, None where it truncates nothing.

    Args:
        call: an annotated call; the effect on the chosen transcript counts.
        transcript: that transcript; without it, or where its frame is not known, nothing is said about the decay.
    """
    shown = call.chosen_consequence
    term = shown.term if shown else ""
    if term == "start_lost":
        return Truncation(_SUPPORTING, "Start codon lost; another start downstream may serve.")
    if term not in _STOPS | _SPLICE:
        return None
    what = term.replace("_", " ").capitalize()
    span = transcript.coding_span if transcript and transcript.frame_is_known else None
    if transcript is None or span is None:
        return Truncation(_SUPPORTING, f"{what}; the transcript is not known well enough to tell more.")
    if term in _SPLICE:
        return _of_splicing(what, call, transcript, span)
    place0 = min(max(_first_changed0(call), transcript.start0), transcript.end0 - 1)
    return _of_stop(what, transcript.locate(place0)[0], transcript, span)


def _of_stop(what: str, offset: int, transcript: Transcript, span: tuple[int, int]) -> Truncation:
    junction = _last_junction(transcript)
    if junction is not None and offset < junction - _SPARED:
        return Truncation(_VERY_STRONG, f"{what}, more than {_SPARED} bases before the last junction: decay predicted.")
    share = (span[1] - offset) / (span[1] - span[0])
    return Truncation(*_without_decay(what, share, "no decay predicted, as it lies at the end of the transcript"))


def _of_splicing(what: str, call: VariantCall, transcript: Transcript, span: tuple[int, int]) -> Truncation:
    """Judge the loss of the exon beside the splice site; that a cryptic site serves instead is not predicted."""
    place0 = _first_changed0(call)
    exon = min(transcript.exons, key=lambda one: min(abs(one[0] - place0), abs(one[1] - place0)))
    offsets = sorted((transcript.locate(exon[0])[0], transcript.locate(exon[1] - 1)[0]))
    first, last = max(offsets[0], span[0]), min(offsets[1] + 1, span[1])
    coding, caveat = max(0, last - first), "A cryptic site could serve instead: not predicted."
    if coding == 0:
        return Truncation(_SUPPORTING, f"{what} of an exon without coding sequence. {caveat}")
    if coding % 3:
        stop = _of_stop(f"{what}; without its exon of {coding} coding bases the frame shifts", first, transcript, span)
        return Truncation(stop.points, f"{stop.says} {caveat}")
    points, says = _without_decay(f"{what}; without its exon", coding / (span[1] - span[0]), "the frame stays")
    return Truncation(points, f"{says} {caveat}")


def _without_decay(what: str, share: float, why: str) -> tuple[int, str]:
    points = _STRONG if share > _LARGE_SHARE else _MODERATE
    return points, f"{what}: {why}; {100 * max(share, 0.0):.0f}% of the protein is lost."


def _first_changed0(call: VariantCall) -> int:
    """Return the first base that is not the reference's, 0-based: insertions and deletions begin with one that is."""
    return call.position - 1 if call.is_snv else call.position


def _last_junction(transcript: Transcript) -> int | None:
    """Return the offset of the first base of the last exon in the spliced transcript, None where there is one exon."""
    if len(transcript.exons) == 1:
        return None
    last = transcript.exons[-1] if transcript.is_forward else transcript.exons[0]
    return transcript.length - (last[1] - last[0])
