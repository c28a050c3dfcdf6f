"""One pass measures all: regions by name, sites, and what becomes of the record."""

import subprocess

import numpy as np
import pysam
import pytest

from strandline.landing.manifest import Sex
from strandline.landing.regions import Region, parse_regions
from strandline.reads import read_batches
from strandline.reads.coverage import RegionDepth
from strandline.reads.gates import GateThresholds, Verdict
from strandline.reads.known_sites import KnownSite
from strandline.reads.measurement import (
    NamedRegion,
    Subject,
    Wanted,
    measure_alignment,
    read_names,
    summarise_regions,
    write_region_table,
)
from strandline.reads.quality import HISTOGRAM_DEPTHS, AlignmentQuality, summarise_coverage
from tests.unit.placed_reads import Placed, write_bam

SUBJECT = Subject(Sex.MALE, "toy/1")


def measure(bam, named=(), sites=(), analysed=None):
    regions = analysed or [one.region for one in named] or [Region("c", 0, 1000)]
    wanted = Wanted(tuple(regions), tuple(named), tuple(sites), None)
    return measure_alignment(bam, bam, wanted, SUBJECT, GateThresholds())


def test_regions_keep_the_names_of_their_bed():
    bed = b"# made by hand\ntrack name=x\nc\t0\t10\tEXON 1\t0\t+\nd 5 9\n\nc\t20\t30\t\nc 1 2 two\n"
    regions = parse_regions(bed, "a.bed", None)
    assert [one.name for one in read_names(bed, regions)] == ["EXON 1", "d:6-9", "c:21-30", "two"]
    assert [one.region for one in read_names(bed, regions)] == regions


def test_regions_under_twenty_reads_are_named_weakest_first(tmp_path):
    reads = [Placed(100, "100M", bases="A" * 100)] * 25 + [Placed(300, "50M", bases="A" * 50)] * 30
    named = [
        NamedRegion("good", Region("c", 100, 200)),
        NamedRegion("half", Region("c", 300, 400)),  # 30 reads over half of it
        NamedRegion("none", Region("d", 0, 10)),
        NamedRegion("overlap", Region("c", 150, 250)),  # 25 reads over half of it
    ]
    found = measure(write_bam(tmp_path / "a.bam", reads), named)
    regions = found.quality.regions
    assert (regions.count, regions.below_20) == (4, 3)
    assert [(one.name, one.mean_depth, one.fraction_at_20) for one in regions.weakest] == [
        ("none", 0.0, 0.0),
        ("overlap", 12.5, 0.5),
        ("half", 15.0, 0.5),
    ]
    write_region_table(named, found.region_depths, tmp_path / "regions.tsv")
    assert (tmp_path / "regions.tsv").read_text().splitlines()[:2] == [
        "#contig\tstart0\tend0\tname\tmean_depth\tfraction_at_20",
        "c\t100\t200\tgood\t25.00\t1.0000",
    ]


def test_a_file_without_a_read_is_measured_and_stopped_not_failed(tmp_path):
    """0x: nothing aligned at all."""
    found = measure(write_bam(tmp_path / "a.bam", []))
    stopped = {one.code for one in found.quality.checks if one.verdict is Verdict.STOPPED}
    assert stopped == {"low_mapping_rate", "low_proper_pairs", "depth_too_low"}
    assert AlignmentQuality.model_validate_json(found.quality.model_dump_json()) == found.quality


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 1])
def test_a_decoder_that_is_killed_is_named_wherever_it_was(tmp_path, monkeypatch, share):
    """OPS-08: what was killed is tried again; half a file would be taken for bad input, or for a fault of ours."""
    reads = [Placed(100, "100M", bases="A" * 100)] * 3000
    bam = write_bam(tmp_path / "a.bam", reads)
    script = f"head -c {int(share * bam.stat().st_size)} {bam}; kill -9 $$"
    monkeypatch.setattr(read_batches, "tool_command", lambda tool: ("/bin/sh", "-c", script, tool))
    with pytest.raises(subprocess.CalledProcessError) as caught:
        measure(bam)
    assert caught.value.returncode == -9


def test_five_thousand_reads_on_a_place_are_counted_exactly(tmp_path):
    reads = [Placed(100, "100M", bases="A" * 100)] * 5000
    found = measure(write_bam(tmp_path / "a.bam", reads), [NamedRegion("amplicon", Region("c", 100, 200))])
    assert found.coverage.mean_depth == 5000
    assert (found.coverage.median_depth, found.coverage.fold_80) == (5000, 1.0)
    summary = summarise_coverage(found.coverage)
    assert (len(summary.histogram), summary.histogram[-1]) == (HISTOGRAM_DEPTHS + 1, 100)


def test_depth_and_fold_80_are_those_of_the_depths_written_out(tmp_path):
    """By hand: 40 bases at 10, 40 at 20, 20 at 30: mean 18; half reach 20; four of five reach 10, so fold 1.8."""
    reads = [Placed(0, "100M", bases="A" * 100)] * 10
    reads += [Placed(40, "60M", bases="A" * 60)] * 10 + [Placed(80, "20M", bases="A" * 20)] * 10
    coverage = measure(write_bam(tmp_path / "a.bam", reads), analysed=[Region("c", 0, 100)]).coverage
    assert (coverage.mean_depth, coverage.median_depth) == (18.0, 20)
    assert coverage.fold_80 == pytest.approx(1.8)
    assert coverage.histogram == tuple(40 if depth in {10, 20} else 20 if depth == 30 else 0 for depth in range(31))


def test_sites_give_genotypes_and_foreign_reads_of_the_same_pass(tmp_path):
    """Two hundred sites, forty reads each, the sample without the allele everywhere, a foreign read in each tenth."""
    rng = np.random.default_rng(2)
    sites = [KnownSite("c", 4 * place, "A", "G", 0.5) for place in range(220)]
    reads = []
    for number in range(40):
        bases = np.full(900, "A")
        foreign = number < 4
        if foreign:
            bases[[site.position0 for site in sites if rng.random() < 0.5]] = "G"
        reads.append(Placed(0, "900M", bases="".join(bases), qualities="I" * 900))
    found = measure(write_bam(tmp_path / "a.bam", reads), sites=sites)
    assert set(found.fingerprint.copies.values()) <= {0, 1}
    assert sum(copies == 0 for copies in found.fingerprint.copies.values()) > 200
    assert found.quality.contamination.fraction == pytest.approx(0.1, abs=0.03)
    assert next(one for one in found.quality.checks if one.code == "contaminated").verdict is Verdict.STOPPED


def test_programs_are_those_of_the_header_each_once(tmp_path):
    bam = tmp_path / "a.bam"
    programs = [
        {"ID": "bwa", "PN": "bwa", "VN": "0.7.18"},
        {"ID": "a", "PN": "samtools", "VN": "1.21"},
        {"ID": "b", "PN": "samtools", "VN": "1.21"},
        {"ID": "unnamed"},
    ]
    with pysam.AlignmentFile(str(bam), "wb", header={"SQ": [{"SN": "c", "LN": 9}], "PG": programs}):
        pass
    assert measure(bam, analysed=[Region("c", 0, 9)]).quality.programs == ("bwa 0.7.18", "samtools 1.21")


def test_the_weakest_regions_are_cut_at_a_length_a_person_reads():
    named = [NamedRegion(str(place), Region("c", place, place + 1)) for place in range(300)]
    depths = [RegionDepth(one.region, 0, 0) for one in named]
    summary = summarise_regions(named, depths)
    assert (summary.below_20, len(summary.weakest)) == (300, 200)
