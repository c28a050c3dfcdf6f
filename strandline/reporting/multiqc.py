"""Quality records as MultiQC reads them: custom content, files that end in `_mqc.json`.

Source: MultiQC documentation, "Custom content" (ids, plot types, general statistics). A file holds one table or plot;
MultiQC puts files with the same id together by sample.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from strandline.reads.quality import AlignmentQuality, QualitySummary
from strandline.reporting.quality_page import cumulative_depth

Number = float | int | None


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of the general statistics; `scale` is what a fraction is shown as a percentage by."""

    key: str
    title: str
    description: str
    value: Callable[[AlignmentQuality], Number]
    percent: bool = False

    def header(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"title": self.title, "description": self.description, "namespace": "Strandline"}
        return shown | ({"suffix": "%", "min": 0, "max": 100, "format": "{:,.2f}"} if self.percent else {})

    def cell(self, measured: AlignmentQuality) -> Number:
        value = self.value(measured)
        return round(100 * value, 4) if self.percent and value is not None else value


_COLUMNS: Final = (
    _Column("reads", "Reads", "Reads, both mates", lambda m: m.mapping.reads),
    _Column("mapped", "Mapped", "Reads that align", lambda m: m.mapping.fraction(m.mapping.mapped), percent=True),
    _Column(
        "proper_pairs",
        "Paired",
        "Reads that are properly paired",
        lambda m: m.mapping.fraction(m.mapping.properly_paired),
        percent=True,
    ),
    _Column(
        "duplicates",
        "Duplicates",
        "Reads that are duplicates",
        lambda m: m.mapping.fraction(m.mapping.duplicates),
        percent=True,
    ),
    _Column("q30", "Q30", "Bases of quality 30 or more, mate 1", lambda m: m.mates[0].q30_fraction, percent=True),
    _Column("gc", "GC", "G and C, mate 1", lambda m: m.mates[0].gc_fraction, percent=True),
    _Column("insert", "Insert", "Median insert size in bases", lambda m: m.inserts.median),
    _Column("mean_depth", "Depth", "Mean depth in reads", lambda m: round(m.coverage.mean_depth, 3)),
    _Column("at_20", "At 20x", "Analysed bases at 20 reads", lambda m: m.coverage.fraction_at_20, percent=True),
    _Column("fold_80", "Fold-80", "Fold-80 base penalty", lambda m: m.coverage.fold_80),
    _Column(
        "contamination",
        "Foreign",
        "Reads of another person",
        lambda m: m.contamination.fraction if m.contamination else None,
        percent=True,
    ),
    _Column("x_ratio", "X ratio", "Depth on X over that on autosomes", lambda m: m.sex.x_ratio),
)


def general_statistics(measured: AlignmentQuality, sample_id: str, summary: QualitySummary | None) -> str:
    """Return one sample's line of MultiQC's general statistics."""
    cells = {column.key: column.cell(measured) for column in _COLUMNS}
    headers = [{column.key: column.header()} for column in _COLUMNS]
    if summary:
        cells |= {"variants": summary.variants.passed, "ts_tv": summary.variants.transition_ratio}
        headers += [
            {"variants": {"title": "Variants", "description": "Alleles that passed", "namespace": "Strandline"}},
            {"ts_tv": {"title": "Ts/Tv", "description": "Transitions to transversions", "namespace": "Strandline"}},
        ]
    data = {sample_id: {key: value for key, value in cells.items() if value is not None}}
    return _dump({"id": "strandline", "plot_type": "generalstats", "pconfig": headers, "data": data})


def cohort_plots(measured_by_sample: Mapping[str, AlignmentQuality]) -> dict[str, str]:
    """Return the files of three plots over several samples, by name."""
    qualities, inserts, depths = {}, {}, {}
    for sample, measured in measured_by_sample.items():
        for number, mate in enumerate(measured.mates, start=1):
            if mate.reads:
                qualities[f"{sample}, mate {number}"] = dict(enumerate(mate.mean_quality_by_cycle, start=1))
        inserts[sample] = {place: count for place, count in enumerate(measured.inserts.histogram) if count}
        depths[sample] = {
            int(depth): round(100 * share, 3) for depth, share in cumulative_depth(measured.coverage.histogram)
        }
    plots = (
        ("strandline_base_quality", "Base quality", "Mean quality along the reads", "cycle", "Phred", qualities),
        ("strandline_insert_size", "Insert size", "Pairs by the length of their fragment", "bases", "pairs", inserts),
        ("strandline_depth", "Depth", "Analysed bases that reach a depth", "reads", "% of bases", depths),
    )
    return {
        f"{name}_mqc.json": _dump(
            {
                "id": name,
                "section_name": title,
                "description": description,
                "parent_id": "strandline_quality",
                "parent_name": "Strandline",
                "plot_type": "linegraph",
                "pconfig": {"id": f"{name}_plot", "title": f"Strandline: {title}", "xlab": xlab, "ylab": ylab},
                "data": {sample: points for sample, points in data.items() if points},
            }
        )
        for name, title, description, xlab, ylab, data in plots
        if any(data.values())
    }


def _dump(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1)
