"""One pass over a sample's alignments that measures all that can be known before variants are called."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam

from strandline.landing.manifest import Sex
from strandline.landing.regions import Region
from strandline.reads.contamination import HomozygousSite, estimate_contamination, estimate_from_homozygous_sites
from strandline.reads.coverage import Coverage, CoverageMeter, RegionDepth
from strandline.reads.fingerprint import Fingerprint, take_fingerprint
from strandline.reads.gates import GateThresholds, Measured, check_gates
from strandline.reads.known_sites import KnownSite, SiteCounts, SiteMeter
from strandline.reads.mapping import MappingMeter
from strandline.reads.quality import (
    MOST_WEAK_REGIONS,
    AlignmentQuality,
    RegionSummary,
    WeakRegion,
    summarise_coverage,
    summarise_inserts,
)
from strandline.reads.read_batches import open_batches
from strandline.reads.read_quality import ReadQualityMeter
from strandline.reads.sex import check_sex, is_x, without_pseudoautosomal

WEAK_BELOW: float = 20.0
"""Mean depth under which a region is named, in reads."""


@dataclass(frozen=True, slots=True)
class NamedRegion:
    """A region of the submission with the name that its BED gives it, or its place where it gives none."""

    name: str
    region: Region


@dataclass(frozen=True, slots=True)
class Subject:
    """What the measures are held against: the declared sex, and the reference bundle by label and assembly."""

    declared_sex: Sex
    reference_label: str
    assembly: str | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured sample. `region_depths` are of the named regions, in their order."""

    quality: AlignmentQuality
    coverage: Coverage
    region_depths: tuple[RegionDepth, ...]
    fingerprint: Fingerprint


def measure_alignment(
    aligned: Path,
    reference: Path,
    *,
    analysed: Sequence[Region],
    named: Sequence[NamedRegion],
    sites: Sequence[KnownSite],
    subject: Subject,
    limits: GateThresholds,
    threads: int = 1,
) -> Measurement:
    """Measure and judge; a sample that a gate stops is measured like any other, and nothing is raised for it.

    Args:
        aligned: coordinate-sorted CRAM or BAM with duplicates marked.
        reference: FASTA with its index.
        analysed: what is analysed; 0-based, half-open.
        named: the submission's own regions, none where the whole reference is analysed.
        sites: common variants with their frequencies, none where the bundle has no frequencies.
        subject: what is held against the measures.
        limits: of the checks.
        threads: that may decode.

    Raises:
        subprocess.CalledProcessError: where samtools failed.
    """
    by_sex = without_pseudoautosomal(analysed, subject.assembly)
    with open_batches(aligned, reference, threads=threads) as (contigs, batches):
        coverage_meter = CoverageMeter(contigs, analysed, [*(one.region for one in named), *by_sex])
        site_meter = SiteMeter(contigs, sites)
        mapping_meter, read_meter = MappingMeter(), ReadQualityMeter()
        for batch in batches:
            site_meter.add(batch, coverage_meter.add(batch))
            mapping_meter.add(batch)
            read_meter.add(batch)
    coverage, counts = coverage_meter.finish(), site_meter.finish()
    mapping, inserts = mapping_meter.finish()
    fingerprint = take_fingerprint(subject.reference_label, counts)
    homozygous = _homozygous_sites(counts, fingerprint)
    sex = check_sex(
        coverage.tallied[len(named) :], subject.declared_sex, x_heterozygosity=_heterozygosity_on_x(fingerprint)
    )
    found = Measured(
        mapping=mapping,
        inserts=inserts,
        mates=read_meter.finish(),
        coverage=coverage,
        sex=sex,
        contamination=estimate_contamination(one for one in counts if not is_x(one.site.contig)),
    )
    depths = coverage.tallied[: len(named)]
    quality = AlignmentQuality(
        mates=found.mates,
        mapping=mapping,
        estimated_library_size=mapping.estimated_library_size,
        inserts=summarise_inserts(inserts),
        coverage=summarise_coverage(coverage),
        regions=summarise_regions(named, depths) if named else None,
        sex=sex,
        contamination=found.contamination,
        charr=estimate_from_homozygous_sites(homozygous),
        charr_sites=len(homozygous),
        known_sites=len(sites),
        checks=tuple(check_gates(found, limits)),
        thresholds=limits,
        programs=aligned_by(aligned),
    )
    return Measurement(quality, coverage, depths, fingerprint)


def read_names(bed: bytes, regions: Sequence[Region]) -> list[NamedRegion]:
    """Put the names of a BED's fourth column to its regions, in the order of its lines.

    Args:
        bed: a BED file that was checked.
        regions: what `parse_regions` makes of it, one a line with an interval.
    """
    lines = [line for line in bed.decode("ascii").splitlines() if line.strip()]
    intervals = [line for line in lines if not line.startswith(("#", "track", "browser"))]
    cells = [line.split("\t") if "\t" in line else line.split() for line in intervals]
    return [
        NamedRegion(row[3].strip() if len(row) > 3 and row[3].strip() else _place(region), region)
        for row, region in zip(cells, regions, strict=True)
    ]


def summarise_regions(named: Sequence[NamedRegion], depths: Sequence[RegionDepth]) -> RegionSummary:
    """Count the regions under `WEAK_BELOW` and name the weakest, at most `MOST_WEAK_REGIONS`."""
    weak = sorted(
        (depth.mean_depth, place, depth) for place, depth in enumerate(depths) if depth.mean_depth < WEAK_BELOW
    )
    return RegionSummary(
        count=len(named),
        below_20=len(weak),
        weakest=tuple(
            WeakRegion(
                name=named[place].name,
                contig=depth.region.contig,
                start0=depth.region.start0,
                end0=depth.region.end0,
                mean_depth=round(mean, 2),
                fraction_at_20=round(depth.bases_at_20 / depth.region.length, 4),
            )
            for mean, place, depth in weak[:MOST_WEAK_REGIONS]
        ),
    )


def write_region_table(named: Sequence[NamedRegion], depths: Sequence[RegionDepth], path: Path) -> None:
    """Write a line a region, tab-separated: BED's columns, mean depth in reads, fraction of bases at 20 or more."""
    lines = ["#contig\tstart0\tend0\tname\tmean_depth\tfraction_at_20\n"]
    for one, depth in zip(named, depths, strict=True):
        region = one.region
        share = depth.bases_at_20 / region.length
        cells = (region.contig, region.start0, region.end0, one.name, f"{depth.mean_depth:.2f}", f"{share:.4f}")
        lines.append("\t".join(str(cell) for cell in cells) + "\n")
    path.write_text("".join(lines))


def aligned_by(aligned: Path) -> tuple[str, ...]:
    """Return the tools named in the header of the reads with their versions, each once.

    Source: SAM specification section 1.3 (`@PG`).
    """
    with pysam.AlignmentFile(str(aligned)) as reads:
        header = reads.header.to_dict()
    named = [f"{line['PN']} {line['VN']}" for line in header.get("PG", []) if "PN" in line and "VN" in line]
    return tuple(dict.fromkeys(named))


def _heterozygosity_on_x(fingerprint: Fingerprint) -> float | None:
    copies = [copies for site, copies in fingerprint.copies.items() if is_x(site.split(":", 1)[0])]
    return sum(one == 1 for one in copies) / len(copies) if copies else None


def _homozygous_sites(counts: Sequence[SiteCounts], fingerprint: Fingerprint) -> list[HomozygousSite]:
    autosomal = (one for one in counts if not is_x(one.site.contig))
    return [
        HomozygousSite(one.ref, one.depth, 1 - one.site.frequency)
        for one in autosomal
        if fingerprint.copies.get(one.site.name) == 2
    ]


def _place(region: Region) -> str:
    return f"{region.contig}:{region.start0 + 1}-{region.end0}"
