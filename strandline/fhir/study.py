"""The genomic study: what was analysed and how, what could be called and what could not.

The guide has no Observation for regions any more: since 3.0.0 the analysis of the study names them. So absence from the
findings means "not found" inside the called regions, "not known" inside the uncalled, and "not tested" elsewhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from strandline.fhir import codes
from strandline.fhir.codes import SUBMISSIONS, Json
from strandline.fhir.drafting import Draft, reference_of
from strandline.landing.regions import Region, merge_regions
from strandline.reads.quality import QualitySummary

MOST_REGIONS: Final = 100
"""Regions named one by one; a file holds them all."""
_METHODS: Final = f"{codes.GUIDE}/CodeSystem/genomic-study-method-type-cs"
_METHOD: Final = codes.concept(_METHODS, "ngs-mps", "Next-Generation (NGS)/Massively parallel sequencing (MPS)")
_TYPES: Final = f"{codes.GUIDE}/CodeSystem/genomic-study-type-cs"
_SMALL_VARIANTS: Final = ("SNV", "MNV", "INSERTION", "DELETION", "COMPLEX")


def study(draft: Draft, analysis: Json) -> Json:
    """The study, of one analysis. Source: profile genomic-study."""
    says = f"Genomic study of submission {draft.source.submission_id}."
    return draft.resource("Procedure", "study", says, "genomic-study") | {
        "extension": [codes.extension("genomic-study-analysis-ext", valueReference=reference_of(analysis))],
        "identifier": [{"system": SUBMISSIONS, "value": draft.source.submission_id}],
        "basedOn": [draft.reference_to("order")],
        "status": "completed",
        "category": codes.LABORATORY,
        "code": codes.concept(_TYPES, "func-var", "Functional variation detection"),
        "subject": draft.reference_to("patient"),
        "performedDateTime": draft.time,
    }


def analysis(draft: Draft, files: Sequence[Json]) -> Json:
    """The analysis, its metrics and regions. Source: profile genomic-study-analysis.

    Args:
        draft: of the bundle.
        files: DocumentReferences of data files, the calls first.
    """
    source = draft.source
    label = source.reference_label
    says = f"Analysis against {label}: {_metrics(source.quality)}."
    return draft.resource("Procedure", "analysis", says, "genomic-study-analysis") | {
        "extension": [*_extensions(draft), *_outputs(files)],
        "status": "completed",
        "category": codes.LABORATORY,
        "subject": draft.reference_to("patient"),
        "performedDateTime": draft.time,
        "note": [{"text": f"Strandline {source.platform_version}; reference bundle {label}."}],
    }


def data_file(draft: Draft, name: str, file_format: str) -> Json:
    """A file of the analysis, by its name in the submission's folder. Source: profile genomic-data-file."""
    return draft.resource("DocumentReference", f"file/{name}", f"File {name}.", "genomic-data-file") | {
        "status": "current",
        "docStatus": "preliminary",
        "type": codes.concept(codes.FILE_FORMATS, file_format, file_format.upper()),
        "subject": draft.reference_to("patient"),
        "date": draft.instant,
        "content": [{"attachment": {"title": name, "creation": draft.time}}],
    }


def uncalled_of(studied: Iterable[Region], called: Iterable[Region]) -> list[Region]:
    """Return what was analysed and is not callable.

    >>> uncalled_of([Region("c", 0, 10)], [Region("c", 2, 4), Region("c", 6, 10)])
    [Region(contig='c', start0=0, end0=2), Region(contig='c', start0=4, end0=6)]
    """
    by_contig: dict[str, list[Region]] = {}
    for region in merge_regions(list(called)):
        by_contig.setdefault(region.contig, []).append(region)
    left: list[Region] = []
    for region in merge_regions(list(studied)):
        inside = [
            other
            for other in by_contig.get(region.contig, ())
            if other.end0 > region.start0 and other.start0 < region.end0
        ]
        edges = [region.start0, *(at for other in inside for at in (other.start0, other.end0)), region.end0]
        left += [Region(region.contig, first, last) for first, last in list(pairwise(edges))[::2] if first < last]
    return left


def _extensions(draft: Draft) -> Iterator[Json]:
    source = draft.source
    yield codes.extension("genomic-study-analysis-method-type", valueCodeableConcept=_METHOD)
    for kind in _SMALL_VARIANTS:
        yield codes.extension("genomic-study-analysis-change-type", valueCodeableConcept=codes.CHANGE[kind])
    yield codes.extension("genomic-study-analysis-genomic-source-class", valueCodeableConcept=codes.GERMLINE)
    yield codes.extension("genomic-study-analysis-specimen", valueReference=draft.reference_to("specimen"))
    yield codes.extension("genomic-study-analysis-focus", valueReference=draft.reference_to("patient"))
    made_by: Json = {"url": "device", "valueReference": draft.reference_to("device")}
    yield codes.extension("genomic-study-analysis-device", extension=[made_by])
    depth = {"value": round(source.quality.coverage.mean_depth, 2), "unit": "reads"}
    metrics: list[Json] = [
        {"url": "read-depth", "valueQuantity": depth},
        {"url": "metrics-description", "valueString": _metrics(source.quality)},
    ]
    yield codes.extension("genomic-study-analysis-metrics", extension=metrics)
    yield codes.extension("genomic-study-analysis-regions", extension=list(_regions(draft)))
    if source.assembly in codes.ASSEMBLY:
        build = codes.ASSEMBLY[source.assembly]
        yield codes.extension("genomic-study-analysis-genome-build", valueCodeableConcept=build)


def _regions(draft: Draft) -> Iterator[Json]:
    source = draft.source
    coverage = source.quality.coverage
    yield {
        "url": "description",
        "valueString": (
            f"{coverage.analysed_bases} bases of {source.reference_label} analysed; {coverage.callable_bases} of them "
            "callable (at least 10 reads of mapping quality 20). Inside callable bases a variant that is not reported "
            "was not found or meets no reporting criterion; inside other analysed bases nothing is known; all other "
            "bases were not tested. Regions are written with 1-based coordinates, both ends included."
        ),
    }
    said = source.regions
    yield from _named("studied", said.studied)
    yield from _named("called", said.called)
    if said.studied is not None and said.called is not None:
        yield from _named("uncalled", uncalled_of(said.studied, said.called))


def _named(url: str, regions: Sequence[Region] | None) -> Iterator[Json]:
    """Name regions one by one, and say how many more there are."""
    if regions is None:
        return
    for region in regions[:MOST_REGIONS]:
        text = f"{region.contig}:{region.start0 + 1}-{region.end0}"
        yield {"url": url, "valueCodeableConcept": {"text": text}}
    if len(regions) > MOST_REGIONS:
        more = f"{len(regions) - MOST_REGIONS} more {url} regions: see the BED files of the analysis"
        yield {"url": url, "valueCodeableConcept": {"text": more}}


def _outputs(files: Sequence[Json]) -> Iterator[Json]:
    for file in files:
        parts = [
            {"url": "file", "valueReference": reference_of(file)},
            {"url": "type", "valueCodeableConcept": file["type"]},
        ]
        yield codes.extension("genomic-study-analysis-output", extension=parts)


def _metrics(quality: QualitySummary) -> str:
    return (
        f"{quality.alignment.read_count} reads, {quality.alignment.mapped_fraction:.1%} aligned, "
        f"{quality.alignment.duplicate_fraction:.1%} duplicates; {quality.coverage.fraction_at_20:.1%} of the analysed "
        "bases at 20 reads or more"
    )
