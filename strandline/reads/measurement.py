"""One pass over a sample's alignments that measures all that can be known before variants are called."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam
from pydantic import BaseModel, ConfigDict

from strandline.landing.manifest import Sex
from strandline.landing.regions import Region
from strandline.reads.alignment import AlignmentMetrics
from strandline.reads.contamination import HomozygousSite, estimate_contamination, estimate_from_homozygous_sites
from strandline.reads.coverage import Coverage, CoverageMeter, RegionDepth
from strandline.reads.fingerprint import Fingerprint, take_fingerprint
from strandline.reads.gates import GateThresholds, Measured, check_gates
from strandline.reads.known_sites import KnownSite, SiteCounts, SiteMeter
from strandline.reads.mapping import InsertSizes, MappingCounts, MappingMeter
from strandline.reads.quality import (
    MOST_WEAK_REGIONS,
    AlignmentQuality,
    RegionSummary,
    WeakRegion,
    summarise_coverage,
    summarise_inserts,
)
from strandline.reads.read_batches import ReadBatch, decode_batches, open_batches
from strandline.reads.read_quality import MateQuality, ReadQualityMeter
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
    """What the measures are held against: the declared sex, and the reference bundle by its label."""

    declared_sex: Sex
    reference_label: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured sample. `region_depths` are of the named regions, in their order."""

    quality: AlignmentQuality
    coverage: Coverage
    region_depths: tuple[RegionDepth, ...]
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is counted.

    Attributes:
        analysed: 0-based, half-open.
        named: the submission's own regions, none where the whole reference is analysed.
        sites: common variants with their frequencies, none where the bundle has no frequencies.
        assembly: of the reference, which tells where X and Y are alike.
    """

    analysed: tuple[Region, ...]
    named: tuple[NamedRegion, ...]
    sites: tuple[KnownSite, ...]
    assembly: str | None

    @property
    def tallied(self) -> list[Region]:
        """Intervals whose own depth is counted: the named regions, then what tells the sex."""
        return [*(one.region for one in self.named), *without_pseudoautosomal(self.analysed, self.assembly)]


@dataclass(frozen=True, slots=True)
class ReadCounts:
    """What one pass over a sample's alignments counts, before anything is concluded from it.

    Attributes:
        coverage: its `tallied` are the named regions, then what tells the sex.
    """

    mates: tuple[MateQuality, MateQuality]
    mapping: MappingCounts
    inserts: InsertSizes
    coverage: Coverage
    sites: tuple[SiteCounts, ...]


class KeptCounts(BaseModel):
    """Counts that were taken while the alignments were written.

    `of` is the key of the step that wrote them, `programs` are the tools that their header names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str
    programs: tuple[str, ...]
    counts: ReadCounts


def measure_alignment(
    aligned: Path, reference: Path, wanted: Wanted, subject: Subject, limits: GateThresholds, *, threads: int = 1
) -> Measurement:
    """Count and judge a coordinate-sorted CRAM or BAM with duplicates marked.

    Args:
        aligned: the reads.
        reference: FASTA with its index.
        wanted: what is counted.
        subject: what is held against the measures.
        limits: of the checks.
        threads: that may decode.

    Raises:
        subprocess.CalledProcessError: where samtools failed.
    """
    counts = count_alignment(aligned, reference, wanted, threads=threads)
    return judge_counts(counts, wanted, subject, limits, programs=aligned_by(aligned))


def count_alignment(aligned: Path, reference: Path, wanted: Wanted, *, threads: int = 1) -> ReadCounts:
    """Count a coordinate-sorted CRAM or BAM with duplicates marked, in one pass.

    Raises:
        subprocess.CalledProcessError: where samtools failed.
    """
    with open_batches(aligned, reference, threads=threads) as (contigs, batches):
        return count_batches(contigs, batches, wanted)


def count_batches(contigs: Sequence[str], batches: Iterable[ReadBatch], wanted: Wanted) -> ReadCounts:
    """Count coordinate-sorted records with duplicates marked; `contigs` are those of their header, in order."""
    coverage_meter = CoverageMeter(contigs, wanted.analysed, wanted.tallied)
    site_meter = SiteMeter(contigs, wanted.sites)
    mapping_meter, read_meter = MappingMeter(), ReadQualityMeter()
    for batch in batches:
        site_meter.add(batch, coverage_meter.add(batch))
        mapping_meter.add(batch)
        read_meter.add(batch)
    mapping, inserts = mapping_meter.finish()
    return ReadCounts(
        mates=read_meter.finish(),
        mapping=mapping,
        inserts=inserts,
        coverage=coverage_meter.finish(),
        sites=tuple(site_meter.finish()),
    )


class CountAlong:
    """Counts what goes into a CRAM: what `align_reads` takes for `along`."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._counts: ReadCounts | None = None
        self.record_count = 0

    def read(self, chunks: Iterator[bytes]) -> None:
        """Count the records of a sorted BAM, which comes in pieces of any size."""
        with decode_batches(chunks) as (contigs, batches):
            self._counts = count_batches(contigs, self._numbered(batches), self._wanted)

    @property
    def metrics(self) -> AlignmentMetrics:
        """The counts that `samtools flagstat` gives."""
        mapping = self.counts.mapping
        return AlignmentMetrics(
            read_count=mapping.reads,
            mapped_fraction=mapping.fraction(mapping.mapped),
            properly_paired_fraction=mapping.fraction(mapping.properly_paired),
            duplicate_fraction=mapping.fraction(mapping.duplicates),
        )

    @property
    def counts(self) -> ReadCounts:
        """What was counted; RuntimeError before anything was."""
        if self._counts is None:
            raise RuntimeError("nothing was read yet")
        return self._counts

    def _numbered(self, batches: Iterable[ReadBatch]) -> Iterator[ReadBatch]:
        for batch in batches:
            self.record_count += len(batch)
            yield batch


def judge_counts(
    counts: ReadCounts,
    wanted: Wanted,
    subject: Subject,
    limits: GateThresholds,
    *,
    programs: Sequence[str],
    coverage_tool: str = "",
) -> Measurement:
    """Conclude and judge; a sample that a gate stops is measured like any other, and nothing is raised for it.

    `programs` are the tools that the header of the alignments names, `coverage_tool` is what measured depth.
    """
    coverage, tallied = counts.coverage, counts.coverage.tallied
    depths, by_sex = tallied[: len(wanted.named)], tallied[len(wanted.named) :]
    fingerprint = take_fingerprint(subject.reference_label, counts.sites)
    homozygous = _homozygous_sites(counts.sites, fingerprint)
    sex = check_sex(by_sex, subject.declared_sex, x_heterozygosity=_heterozygosity_on_x(fingerprint))
    found = Measured(
        mapping=counts.mapping,
        inserts=counts.inserts,
        mates=counts.mates,
        coverage=coverage,
        sex=sex,
        contamination=estimate_contamination(one for one in counts.sites if not is_x(one.site.contig)),
    )
    quality = AlignmentQuality(
        mates=found.mates,
        mapping=counts.mapping,
        estimated_library_size=counts.mapping.estimated_library_size,
        inserts=summarise_inserts(counts.inserts),
        coverage=summarise_coverage(coverage),
        coverage_tool=coverage_tool,
        regions=summarise_regions(wanted.named, depths) if wanted.named else None,
        sex=sex,
        contamination=found.contamination,
        charr=estimate_from_homozygous_sites(homozygous),
        charr_sites=len(homozygous),
        known_sites=len(wanted.sites),
        checks=tuple(check_gates(found, limits)),
        thresholds=limits,
        programs=tuple(programs),
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
