"""The job AlignReads on what a sample may come in, against a small reference bundle. ANA-01, ANA-06."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pysam
import pytest

from strandline.aws.jobs import run_job
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact, artifact_key
from strandline.landing.manifest import DeclaredFile, FileRole, ReferenceName
from strandline.landing.regions import Region
from strandline.reads.measurement import KeptCounts, Wanted, count_batches
from strandline.reads.read_batches import open_batches
from strandline.reads.reference_bundle import make_bundle
from tests.integration.conftest import ROOT, SAMPLE, Aws, load, manifest_of
from tests.integration.test_jobs import SETTINGS, buckets

LENGTH, INSERT, PAIRS = 100, 300, 40
BASES = "".join("ACGT"[i] for i in np.random.default_rng(31).integers(0, 4, 5000))
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def mates(number: int) -> tuple[str, str]:
    """Return both ends of a fragment of the reference, as the sequencer reads them."""
    start, end = 100 + 60 * number, 100 + 60 * number + INSERT + number % 9
    return BASES[start : start + LENGTH], BASES[end - LENGTH : end].translate(COMPLEMENT)[::-1]


def fastq(mate: int, numbers: range) -> bytes:
    return "".join(f"@r{n}/{mate + 1}\n{mates(n)[mate]}\n+\n{'I' * LENGTH}\n" for n in numbers).encode()


def declared(name: str, role: FileRole, body: bytes, read_group: str | None = None) -> DeclaredFile:
    digest = hashlib.sha256(body).hexdigest()
    return DeclaredFile(name=name, role=role, size_bytes=len(body), sha256=digest, read_group=read_group)


@pytest.fixture
def reference(aws: Aws, tmp_path: Path) -> ReferenceName:
    (tmp_path / "toy.fa").write_text(f">c\n{BASES}\n")
    bundle = make_bundle(tmp_path / "toy.fa", tmp_path / "bundle")
    for path in (tmp_path / "bundle").iterdir():
        aws.bucket("references").upload(path, f"references/{bundle.label}/{path.name}")
    return ReferenceName(name=bundle.name, version=bundle.version)


def align(aws: Aws, reference: ReferenceName, files: dict[DeclaredFile, bytes], cram: Path) -> int:
    """Land a sample's files, run the job, keep its alignments as `cram`, and return its exit code."""
    bodies = {file.name: body for file, body in files.items()}
    aws.submit("s-1", bodies, manifest_of({}, files=tuple(files), reference=reference))
    job = load(ROOT / "batch_images/align_reads/job.py")

    def work(workspace: Workspace) -> None:
        workspace.step_keys = {"AlignReads": "key"}
        job.align(workspace, 1)
        shutil.copyfile(workspace.path(Artifact.ALIGNED), cram)

    return run_job("AlignReads", work, SETTINGS, buckets(aws))


def groups_of(cram: Path) -> list[dict[str, str]]:
    with pysam.AlignmentFile(str(cram)) as opened:
        return list(opened.header.to_dict()["RG"])


def test_each_pair_of_a_manifest_becomes_a_read_group_of_one_cram(aws, reference, tmp_path):
    files = {}
    for lane, numbers in (("FC.1", range(20)), ("FC.2", range(20, PAIRS))):
        for mate, role in enumerate((FileRole.READS_1, FileRole.READS_2)):
            body = fastq(mate, numbers)
            files[declared(f"{lane}_{mate}.fastq", role, body, lane)] = body
    assert align(aws, reference, files, tmp_path / "out.cram") == 0
    group = {"SM": SAMPLE.sample_id, "PL": SAMPLE.platform, "LB": SAMPLE.library}
    assert groups_of(tmp_path / "out.cram") == [{"ID": name, "PU": name, **group} for name in ("FC.1", "FC.2")]
    kept = aws.bucket("analysis").read(artifact_key("s-1", Artifact.READ_COUNTS), limit_bytes=1 << 20)
    wanted = Wanted((Region("c", 0, len(BASES)),), (), (), None)
    with open_batches(tmp_path / "out.cram", tmp_path / "toy.fa") as (contigs, batches):
        counts = count_batches(contigs, batches, wanted)
    assert KeptCounts.model_validate_json(kept).counts == counts
    assert counts.mapping.properly_paired == 2 * PAIRS


def write_alignment(path: Path, md5: str, sample: str) -> bytes:
    lines = {"SQ": [{"SN": "c", "LN": len(BASES), "M5": md5}], "RG": [{"ID": "FC.1", "SM": sample}]}
    with pysam.AlignmentFile(str(path), "wc" if path.suffix == ".cram" else "wb", header=lines) as sink:
        for number in range(PAIRS):
            for flag, bases in zip((77, 141), mates(number), strict=True):
                sink.write(
                    pysam.AlignedSegment.fromstring(
                        f"r{number}\t{flag}\t*\t0\t0\t*\t*\t0\t0\t{bases}\t{'I' * LENGTH}\tRG:Z:FC.1", sink.header
                    )
                )
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "bases", "sample", "code"),
    [
        ("aligned.cram", BASES, SAMPLE.sample_id, None),  # called as the job's own output is
        ("in.bam", "of another build", SAMPLE.sample_id, None),
        ("in.cram", "of another build", SAMPLE.sample_id, "reference_mismatch"),
        ("in.bam", BASES, "OTHER", "sample_swapped"),
    ],
)
def test_a_bam_or_cram_is_aligned_anew_or_refused_by_a_code(aws, reference, tmp_path, name, bases, sample, code):
    md5 = hashlib.md5(bases.encode(), usedforsecurity=False).hexdigest()
    body = write_alignment(tmp_path / name, md5, sample)
    exit_code = align(aws, reference, {declared(name, FileRole.ALIGNED_READS, body): body}, tmp_path / "out.cram")
    cause = aws.table.failure("s-1", "AlignReads")
    assert (exit_code, cause.code if cause else None) == (65 if code else 0, code)
    if code is None:
        assert [(group["ID"], group["SM"]) for group in groups_of(tmp_path / "out.cram")] == [
            ("FC.1", SAMPLE.sample_id)
        ]
