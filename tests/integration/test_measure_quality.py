"""MeasureQuality with a bundle that has frequencies: a mixed sample stops, and what was measured is kept. ANA-05."""

import gzip

import numpy as np
import pytest

from strandline.aws.counting import read_wanted
from strandline.aws.workspace import Buckets, Workspace
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, artifact_key
from strandline.landing.manifest import ReferenceName
from strandline.reads import mosdepth
from strandline.reads.fingerprint import parse_fingerprint
from strandline.reads.measurement import CountAlong, KeptCounts
from strandline.reads.quality import AlignmentQuality
from strandline.reads.reference_bundle import BundleSources, make_bundle
from tests.integration.conftest import READS, ROOT, load, manifest_of
from tests.unit.placed_reads import Placed, write_bam

LENGTH = 2_000
SITES = range(2, 898, 4)


@pytest.fixture
def mixed(aws, tmp_path, monkeypatch):
    """A submission whose alignments hold a tenth of another person's reads, and its workspace; without mosdepth."""
    monkeypatch.setattr(mosdepth, "TOOL", "no-mosdepth")
    (tmp_path / "toy.fa").write_text(f">c\n{'A' * LENGTH}\n")
    records = "".join(f"c\t{position + 1}\t.\tA\tG\t.\t.\tAF=0.5\n" for position in SITES)
    header = '##fileformat=VCFv4.3\n##contig=<ID=c>\n##INFO=<ID=AF,Number=A,Type=Float,Description="f">\n'
    body = f"{header}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n{records}".encode()
    (tmp_path / "f.vcf.gz").write_bytes(gzip.compress(body))
    bundle = make_bundle(
        tmp_path / "toy.fa", tmp_path / "bundle", annotations=BundleSources(frequencies=tmp_path / "f.vcf.gz")
    )
    for path in (tmp_path / "bundle").iterdir():
        aws.bucket("references").upload(path, f"references/{bundle.label}/{path.name}")
    rng = np.random.default_rng(2)
    reads = [Placed(0, "900M", bases="A" * 900, qualities="I" * 900)] * 36
    for _ in range(2):  # the other person's haplotypes, two reads of each
        haplotype = np.full(900, "A")
        haplotype[[position for position in SITES if rng.random() < 0.5]] = "G"
        reads += [Placed(0, "900M", bases="".join(haplotype), qualities="I" * 900)] * 2
    bam = write_bam(tmp_path / "a.bam", reads, {"c": LENGTH})
    name = ReferenceName(name=bundle.name, version=bundle.version)
    aws.submit("s-1", READS, manifest_of(READS, reference=name))
    aws.bucket("analysis").upload(bam, artifact_key("s-1", Artifact.ALIGNED))
    aws.bucket("analysis").write(artifact_key("s-1", Artifact.ALIGNED_INDEX), b"nobody reads it here")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Workspace("s-1", aws.table, Buckets(aws.bucket("analysis"), aws.bucket("references")), scratch)


def test_a_mixed_sample_stops_and_its_record_says_how_much_is_foreign(aws, mixed):
    measure = load(ROOT / "batch_images/measure_quality/job.py").measure
    gates = '{"stop_below_proper_pair_fraction": 0}'
    with pytest.raises(RejectedInputError, match=r"^contaminated: .*of another person, at most 0.05 is expected"):
        measure(mixed, gates, 1)

    def kept(artifact):
        return aws.bucket("analysis").read(artifact_key("s-1", artifact), limit_bytes=1 << 20)

    quality = AlignmentQuality.model_validate_json(kept(Artifact.ALIGNMENT_QUALITY))
    assert quality.coverage_tool.startswith("own count, reads decoded by samtools 1.")
    assert quality.contamination.fraction == pytest.approx(0.1, abs=0.03)
    assert quality.known_sites == len(SITES)
    assert quality.thresholds.stop_below_proper_pair_fraction == 0
    assert len(parse_fingerprint(kept(Artifact.FINGERPRINT), "fingerprint.json").copies) > 200


def test_limits_that_cannot_be_stop_the_job_before_any_work(mixed):
    measure = load(ROOT / "batch_images/measure_quality/job.py").measure
    with pytest.raises(RejectedInputError, match=r"^gates_invalid: "):
        measure(mixed, '{"no_such_limit": 1}', 1)
    assert list(mixed.scratch.iterdir()) == []


def test_what_was_counted_while_aligning_is_taken_only_where_those_are_the_reads(aws, mixed):
    """Counts of half as many reads: they are believed under the key of the reads, and the CRAM is read otherwise."""
    job = load(ROOT / "batch_images/measure_quality/job.py")
    bundle = mixed.reference()
    reads = [Placed(0, "900M", bases="A" * 900, qualities="I" * 900)] * 20
    bam = write_bam(mixed.scratch / "half.bam", reads, {"c": LENGTH})
    along = CountAlong(read_wanted(mixed, bundle))
    along.read(iter([bam.read_bytes()]))
    kept = KeptCounts(of="of these", programs=("bwa 1",), counts=along.counts)
    key = artifact_key("s-1", Artifact.READ_COUNTS)
    aws.bucket("analysis").write(key, kept.model_dump_json().encode())
    gates = '{"stop_below_proper_pair_fraction": 0, "stop_below_mean_depth": 0, "stop_above_contamination": 1}'

    def measured(reads_key):
        mixed.step_keys = {"AlignReads": reads_key}
        job.measure(mixed, gates, 1)
        return AlignmentQuality.model_validate_json(mixed.path(Artifact.ALIGNMENT_QUALITY).read_bytes())

    taken, read = measured("of these"), measured("of others")
    assert (taken.mapping.reads, taken.programs) == (20, ("bwa 1",))
    assert (read.mapping.reads, read.programs) == (40, ())
