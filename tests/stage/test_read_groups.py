"""Two lanes of a sample, and its BAM, through the whole workflow. Requirements: ING-01, ING-05, ANA-01, ANA-06."""

from pathlib import Path

import pysam
import pytest

from strandline.aws.submitting import LocalReads
from strandline.cli.analysis import fetch_results
from strandline.journey import Artifact, SubmissionState
from strandline.variants.comparison import compare_calls

UNITS = "FC1.1", "FC1.2"
FIRST_MATE, SECOND_MATE = 77, 141  # of a pair, neither of them placed


def deal(reads: tuple[Path, Path], folder: Path) -> list[LocalReads]:
    """Deal the pairs of two FASTQ files out to two lanes, in turn."""
    lanes = []
    for number, unit in enumerate(UNITS):
        paths = folder / f"{unit}_1.fastq", folder / f"{unit}_2.fastq"
        for source, path in zip(reads, paths, strict=True):
            with pysam.FastxFile(str(source)) as records:
                path.write_text("".join(f"{one}\n" for at, one in enumerate(records) if at % 2 == number))
        lanes.append(LocalReads(paths, unit))
    return lanes


def to_bam(lanes: list[LocalReads], path: Path, sample_id: str) -> Path:
    """Write the reads of some lanes as a BAM that is not aligned, a read group each."""
    header = {"HD": {"VN": "1.6"}, "RG": [{"ID": lane.read_group, "SM": sample_id, "PU": "a unit"} for lane in lanes]}
    with pysam.AlignmentFile(str(path), "wb", header=header) as sink:
        for lane in lanes:
            first, second = (pysam.FastxFile(str(one)) for one in lane.paths)
            for pair in zip(first, second, strict=True):
                for read, flag in zip(pair, (FIRST_MATE, SECOND_MATE), strict=True):
                    record = pysam.AlignedSegment(sink.header)
                    record.query_name, record.flag = read.name.rpartition("/")[0], flag
                    record.query_sequence = read.sequence
                    record.query_qualities = pysam.qualitystring_to_array(read.quality)
                    record.set_tag("RG", lane.read_group)
                    sink.write(record)
    return path


@pytest.fixture(scope="module")
def results(lab, made_up, tmp_path_factory) -> dict[str, Path]:
    """What came of two lanes and of the same reads as a BAM, both on their way at the same time."""
    folder = tmp_path_factory.mktemp("lanes")
    lanes = deal(made_up.reads, folder)
    sent = {
        "SYN-LANES": lab.send_lanes("SYN-LANES", lanes),
        "SYN-BAM": lab.send_lanes("SYN-BAM", [LocalReads((to_bam(lanes, folder / "in.bam", "SYN-BAM"),))]),
    }
    for sample_id, submission_id in sent.items():
        record = lab.wait(submission_id)
        assert record.state is SubmissionState.IN_REVIEW, record
        fetch_results(lab.deployment, submission_id, folder / sample_id)
    return {sample_id: folder / sample_id for sample_id in sent}


@pytest.mark.parametrize(("sample_id", "units"), [("SYN-LANES", UNITS), ("SYN-BAM", ("a unit", "a unit"))])
def test_the_cram_names_both_read_groups_and_holds_every_read_under_its_own(results, made_up, sample_id, units):
    path = str(results[sample_id] / Artifact.ALIGNED)
    with pysam.AlignmentFile(path, reference_filename=str(made_up.bundle_folder / "reference.fa")) as cram:
        groups = [(group["ID"], group["SM"], group["PU"]) for group in cram.header.to_dict()["RG"]]
        read_groups = [read.get_tag("RG") for read in cram if not read.is_secondary and not read.is_supplementary]
    assert groups == [(name, sample_id, unit) for name, unit in zip(UNITS, units, strict=True)]
    with pysam.FastxFile(str(made_up.reads[0])) as pairs:
        pair_count = sum(1 for _ in pairs)
    counts = [read_groups.count(name) for name in UNITS]
    assert (sum(counts), counts[0] - counts[1]) == (2 * pair_count, 2 * (pair_count % 2))


@pytest.mark.parametrize("sample_id", ["SYN-LANES", "SYN-BAM"])
def test_every_planted_variant_is_found_and_nothing_else(results, made_up, sample_id):
    calls = results[sample_id] / Artifact.CALLS
    score = compare_calls(calls, made_up.truth, made_up.bundle_folder / "reference.fa")
    for kind in (score.snv, score.indel):
        assert kind.true_positives > 10
        assert kind.f1 == 1.0
