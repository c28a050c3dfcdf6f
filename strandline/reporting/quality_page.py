"""The quality page of a sample, `qc.html`: checks first, then what they rest on, with charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup

from strandline.reads.gates import CheckOutcome, Verdict
from strandline.reads.quality import AlignmentQuality, QualitySummary, VariantStatistics
from strandline.reads.read_quality import MateQuality
from strandline.reporting.charts import Axis, Line, Point, draw_bars, draw_lines
from strandline.reporting.pages import render_page

_CYCLE = Axis("cycle (base of the read)")
_FRACTION = Axis("fraction", 0, 1)
_MATES = ("mate 1", "mate 2")
VERDICT_WORDS = {
    Verdict.PASSED: "passed",
    Verdict.WARNED: "look at it",
    Verdict.STOPPED: "stops the sample",
    Verdict.NOT_POSSIBLE: "not possible",
}


@dataclass(frozen=True, slots=True)
class QualityPageInput:
    """What a page is made from. `summary` is None where a sample was stopped before calling."""

    submission_id: str
    sample_id: str
    reference: str
    measured: AlignmentQuality
    summary: QualitySummary | None
    platform_version: str


def build_quality_page(source: QualityPageInput) -> str:
    """Return the page as one HTML document without scripts and without anything to load."""
    measured, statistics = source.measured, source.summary.statistics if source.summary else None
    return render_page(
        "quality_page.html",
        source=source,
        measured=measured,
        variants=source.summary.variants if source.summary else None,
        statistics=statistics,
        overall=overall_verdict(measured.checks),
        words=VERDICT_WORDS,
        number=format_number,
        mates=[(name, mate) for name, mate in zip(_MATES, measured.mates, strict=True) if mate.reads],
        read_charts=_read_charts(measured.mates),
        alignment_charts=[*_insert_chart(measured), *_depth_charts(measured)],
        variant_charts=_variant_charts(statistics) if statistics else [],
    )


def overall_verdict(checks: Sequence[CheckOutcome]) -> Verdict:
    """Return the worst verdict; a check that was not possible is no fault of the sample."""
    found = {check.verdict for check in checks}
    return next((one for one in (Verdict.STOPPED, Verdict.WARNED) if one in found), Verdict.PASSED)


def format_number(value: float | None) -> str:
    """Return a figure as a person reads it.

    >>> [format_number(value) for value in (None, 0.0123456, 31.417, 571.0)]
    ['', '0.0123', '31.4', '571']
    """
    if value is None:
        return ""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def cumulative_depth(histogram: Sequence[int]) -> list[Point]:
    """Return for each depth the fraction of bases that reach it.

    >>> cumulative_depth([1, 1, 2])
    [(0.0, 1.0), (1.0, 0.75), (2.0, 0.5)]
    """
    total = sum(histogram)
    reached = list(accumulate(reversed(histogram)))[::-1]
    return [(float(depth), count / total) for depth, count in enumerate(reached)] if total else []


def _read_charts(mates: Sequence[MateQuality]) -> list[Markup]:
    named = [(name, mate) for name, mate in zip(_MATES, mates, strict=True) if mate.reads]
    qualities = [
        Line(f"{name}, {what}", _by_cycle(values))
        for name, mate in named
        for what, values in (("mean", mate.mean_quality_by_cycle), ("nine of ten", mate.lowest_decile_by_cycle))
    ]
    adapters = [
        Line(f"{name}, {adapter}", _by_cycle(shares))
        for name, mate in named
        for adapter, shares in mate.adapter_fraction_by_cycle.items()
        if shares and shares[-1] >= 0.0001
    ]
    charts = [draw_lines("Base quality along the reads", _CYCLE, Axis("quality (Phred)", 0, 42), qualities)]
    for name, mate in named:
        columns = zip(*mate.base_fractions_by_cycle, strict=True)
        lines = [Line(base, _by_cycle(shares)) for base, shares in zip("ACGTN", columns, strict=True)]
        charts.append(draw_lines(f"Bases along {name}", _CYCLE, Axis("fraction", 0), lines))
    gc = [Line(name, _points(_smooth(mate.reads_by_gc_percent, mate.reads))) for name, mate in named]
    charts.append(draw_lines("G and C of the reads", Axis("G and C, %", 0, 100), Axis("fraction of reads", 0), gc))
    charts.append(draw_lines("Reads that have run into an adapter", _CYCLE, Axis("fraction", 0), adapters))
    return [chart for chart in charts if chart]


def _insert_chart(measured: AlignmentQuality) -> list[Markup]:
    counts = list(measured.inserts.histogram)
    kept = next((end for end, done in enumerate(accumulate(counts)) if done >= 0.998 * sum(counts)), 0) + 1
    lines = [Line("pairs", _points(counts[:kept]))] if any(counts) else []
    return [draw_lines("Insert size", Axis("bases", 0), Axis("pairs", 0), lines)]


def _depth_charts(measured: AlignmentQuality) -> list[Markup]:
    points = cumulative_depth(measured.coverage.histogram)
    kept = [point for point in points if point[1] >= 0.002] or points
    shown = [Line("bases", kept)]
    return [draw_lines("Bases that reach a depth", Axis("depth (reads)", 0), _FRACTION, shown)]


def _variant_charts(statistics: VariantStatistics) -> list[Markup]:
    steps = len(statistics.allele_fractions)
    shares = [(f"{100 * place // steps}", float(n)) for place, n in enumerate(statistics.allele_fractions)]
    lengths = [(str(length), float(count)) for length, count in statistics.indel_lengths.items()]
    changes = [(change.replace(">", " to "), float(count)) for change, count in statistics.substitutions.items()]
    charts = [
        draw_bars("Base changes", Axis("from and to"), Axis("variants", 0), changes),
        draw_bars("Indel lengths", Axis("bases gained, or lost below 0"), Axis("variants", 0), lengths),
        draw_bars("Reads with the variant, heterozygous", Axis("% of reads, from"), Axis("variants", 0), shares),
    ]
    return [chart for chart in charts if chart]


def _smooth(counts: Sequence[int], reads: int) -> list[float]:
    """Return fractions of the reads, each the mean of five: a read's length leaves some percents out."""
    padded = [0, 0, *counts, 0, 0]
    return [sum(padded[place : place + 5]) / (5 * reads) for place in range(len(counts))]


def _by_cycle(values: Sequence[float]) -> list[Point]:
    return [(float(cycle), float(value)) for cycle, value in enumerate(values, start=1)]


def _points(values: Sequence[float]) -> list[Point]:
    return [(float(place), float(value)) for place, value in enumerate(values)]
