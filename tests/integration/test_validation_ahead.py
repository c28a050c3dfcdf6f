"""Validation of what is complete while the rest still arrives, and what the workflow takes over from it.

Why: docs/decisions/0021-validation-ahead.md.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pysam
import pytest

from strandline.aws import landed_units
from strandline.aws.landed_files import LandedFile
from strandline.aws.verdicts import FileVerdict
from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, SubmissionState, exception_record_key, landing_key
from strandline.landing.manifest import DeclaredFile, FileRole, Manifest, ReferenceName
from tests.integration.conftest import (
    NOW,
    READS,
    REFERENCE,
    ROOT,
    SAMPLE,
    Aws,
    Handler,
    fastq,
    load,
    manifest_of,
    names_nobody,
    register_reference_bundle,
)
from tests.integration.test_register_object import batch, event_of

LANES = {f"L{lane}_R{mate}.fastq.gz": fastq(mate, count=10 * lane) for lane in (1, 2) for mate in (1, 2)}
FIRST_LANE = {name: body for name, body in LANES.items() if name.startswith("L1")}
SECOND_LANE = {name: body for name, body in LANES.items() if name.startswith("L2")}
CHANGED = gzip.compress(gzip.decompress(LANES["L1_R1.fastq.gz"]).replace(b"ACGTN", b"TCGTN", 1), 0, mtime=0)


def declare(name: str, body: bytes) -> DeclaredFile:
    if name.endswith(".bed"):
        role, lane = FileRole.REGIONS, None
    elif name.endswith((".bam", ".cram")):
        role, lane = FileRole.ALIGNED_READS, None
    else:
        role, lane = (FileRole.READS_1 if "_R1" in name else FileRole.READS_2), name[:2]
    return DeclaredFile(
        name=name, role=role, size_bytes=len(body), sha256=hashlib.sha256(body).hexdigest(), read_group=lane
    )


def manifest_of_lanes(bodies: dict[str, bytes] = LANES, reference: ReferenceName | None = None) -> Manifest:
    reference = reference or ReferenceName(name=REFERENCE.name, version=REFERENCE.version)
    return Manifest(sample=SAMPLE, reference=reference, files=tuple(declare(*item) for item in bodies.items()))


class Door:
    """Lands files and tells `register_object` of them, as S3 and EventBridge do."""

    def __init__(self, aws: Aws, register: Handler) -> None:
        self._aws = aws
        self._register = register

    def land(self, bodies: dict[str, bytes], *, times: int = 1) -> None:
        for name, body in bodies.items():
            event = event_of("s-1", self._aws.land("s-1", name, body))
            for _ in range(times):
                assert self._register(batch(event)) == {"batchItemFailures": []}

    def land_manifest(self, manifest: Manifest | None = None) -> None:
        self.land({MANIFEST_NAME: (manifest or manifest_of_lanes()).to_json()})


@pytest.fixture
def door(aws: Aws, handler: Callable[[str], Handler]) -> Door:
    register_reference_bundle(aws)
    return Door(aws, handler("register_object"))


@pytest.fixture
def validate(handler: Callable[[str], Handler]) -> Handler:
    return handler("validate_files")


@pytest.fixture
def calls(session: Any) -> Iterator[list[str]]:
    """Every call of AWS in order: the operation, and for S3 the name of the file."""
    made: list[str] = []

    def note(model: Any, params: dict[str, Any], **_: Any) -> None:
        key = params["url_path"].rpartition("/")[2] if model.service_model.service_name == "s3" else ""
        made.append(f"{model.name} {key}".strip())

    session.events.register("before-call", note)
    yield made
    session.events.unregister("before-call", note)


def read_files(calls: list[str]) -> set[str]:
    return {call.removeprefix("GetObject ") for call in calls if call.startswith("GetObject ")} & set(LANES)


def test_a_pair_is_validated_while_another_is_still_to_come(aws, door, validate):
    """ING-03, ING-04: the verdict is there before the rest, and moves no state."""
    door.land_manifest()
    door.land(FIRST_LANE)
    (asked,) = aws.ahead()
    assert aws.executions() == []
    assert validate(asked) == {"verdict": "ACCEPTED"}
    assert [(said.file, said.verdict, said.summary) for said in aws.table.verdicts("s-1")] == [
        ("L1_R1.fastq.gz", "ACCEPTED", "10 pairs of 50 to 50 bases"),
        ("L1_R2.fastq.gz", "ACCEPTED", "10 pairs of 50 to 50 bases"),
    ]
    assert aws.table.get("s-1").state is SubmissionState.RECEIVED


@pytest.mark.parametrize("seed", range(6))
def test_in_whatever_order_and_number_events_come_each_unit_is_started_once_at_most_and_the_submission_once(
    aws, door, seed
):
    chance = Random(seed)  # noqa: S311 - a seed makes it the same each time
    bodies = list({**LANES, MANIFEST_NAME: manifest_of_lanes().to_json()}.items())
    chance.shuffle(bodies)
    landed: set[str] = set()
    for name, body in bodies:
        landed.add(name)
        before = len(aws.ahead())
        door.land({name: body}, times=2)
        complete = [lane for lane in (FIRST_LANE, SECOND_LANE) if landed >= {*lane, MANIFEST_NAME}]
        new = [lane for lane in complete if name in lane or name == MANIFEST_NAME]
        assert len(aws.ahead()) - before == (len(new) if len(landed) < len(bodies) else 0)
    assert len({asked["unit"] for asked in aws.ahead()}) == len(aws.ahead())
    assert aws.executions() == ["s-1"]


@pytest.mark.parametrize("order", [[MANIFEST_NAME, *READS], [*READS, MANIFEST_NAME]])
def test_a_sample_of_one_pair_starts_nothing_ahead(aws, door, order):
    bodies = READS | {MANIFEST_NAME: manifest_of(READS).to_json()}
    door.land({name: bodies[name] for name in order}, times=2)
    assert aws.ahead() == []
    assert aws.executions() == ["s-1"]


def test_an_ordinary_sample_is_validated_with_as_many_calls_as_before_there_was_validation_ahead(
    aws, door, validate, calls
):
    door.land(READS | {MANIFEST_NAME: manifest_of(READS).to_json()})
    calls.clear()
    validate({"submission_id": "s-1"})
    # the second look at the files gave way to one at verdicts, and two PutItem to one transaction
    assert sorted(calls) == sorted(
        [
            "Query",  # files
            "GetObject manifest.json",
            "GetItem",  # state
            "Query",  # verdicts
            "HeadObject manifest.sig",
            "GetItem",  # must this site sign
            "Query",  # same content
            "GetItem",  # the submission that has it: this one
            "HeadObject bundle.json",
            "GetObject bundle.json",
            "GetObject R1.fastq.gz",
            "GetObject R2.fastq.gz",
            "TransactWriteItems",
        ]
    )


def test_the_workflow_reads_only_what_was_not_validated_ahead(aws, door, validate, calls, said):
    door.land_manifest()
    door.land(FIRST_LANE)
    validate(aws.ahead()[0])
    first = {verdict.file: verdict.checked_at for verdict in aws.table.verdicts("s-1")}
    door.land(SECOND_LANE)
    assert aws.executions() == ["s-1"]
    calls.clear()
    assert validate({"submission_id": "s-1"}) == {"verdict": "ACCEPTED"}
    assert read_files(calls) == set(SECOND_LANE)
    now = {verdict.file: verdict.checked_at for verdict in aws.table.verdicts("s-1")}
    assert now.items() >= first.items()
    assert now.keys() == LANES.keys()
    assert '"VerdictsTakenOver":[1' in said()


def test_what_was_refused_ahead_is_refused_without_another_look(aws, door, validate, calls):
    bodies = LANES | {"L1_R2.fastq.gz": fastq(2, count=9)}
    door.land_manifest(manifest_of_lanes(bodies))
    door.land({name: bodies[name] for name in FIRST_LANE})
    assert validate(aws.ahead()[0]) == {"verdict": "REJECTED"}
    assert aws.table.get("s-1").state is SubmissionState.RECEIVED
    door.land(SECOND_LANE)
    calls.clear()
    with pytest.raises(RejectedInputError, match=r"^mate_counts_differ: "):
        validate({"submission_id": "s-1"})
    assert read_files(calls) == set(SECOND_LANE)


def test_a_file_that_was_replaced_is_validated_anew(aws, door, validate, calls):
    door.land_manifest()
    door.land(FIRST_LANE | {"L1_R1.fastq.gz": CHANGED})
    assert validate(aws.ahead()[0]) == {"verdict": "REJECTED"}
    assert {verdict.code for verdict in aws.table.verdicts("s-1")} == {"checksum_mismatch"}
    door.land({"L1_R1.fastq.gz": LANES["L1_R1.fastq.gz"]})
    of_the_first, of_the_second = aws.ahead()
    assert validate(of_the_first) == {"verdict": "REPLACED"}
    assert validate(of_the_second) == {"verdict": "ACCEPTED"}
    door.land(SECOND_LANE)
    calls.clear()
    assert validate({"submission_id": "s-1"}) == {"verdict": "ACCEPTED"}
    assert read_files(calls) == set(SECOND_LANE)


def rejudge(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landed_units, "_version_of_the_judges", lambda: "another")


def ask_again(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for state in (SubmissionState.VALIDATING, SubmissionState.QUARANTINED):
        aws.table.move("s-1", state, who="t", why="t", now=NOW)
    aws.table.reopen("s-1", who="m.curie", why="look again", now=NOW)


@pytest.mark.parametrize("happens", [rejudge, ask_again])
def test_with_other_rules_or_when_a_person_asks_for_another_look_everything_is_read(
    aws, door, validate, calls, monkeypatch, happens
):
    door.land_manifest()
    door.land(FIRST_LANE)
    validate(aws.ahead()[0])
    door.land(SECOND_LANE)
    happens(aws, monkeypatch)
    calls.clear()
    assert validate({"submission_id": "s-1"}) == {"verdict": "ACCEPTED"}
    assert read_files(calls) == set(LANES)


def test_a_verdict_holds_for_no_other_version_declaration_or_reference():
    manifest = manifest_of_lanes(FIRST_LANE)
    landed = {file.name: LandedFile(file.name, "v1", file.size_bytes) for file in manifest.files}
    first, second = manifest.files
    others = [
        (manifest, landed | {first.name: LandedFile(first.name, "v2", first.size_bytes)}),
        (manifest, landed | {second.name: LandedFile(second.name, "v1", second.size_bytes + 1)}),
        (changed(manifest, files=(first.model_copy(update={"sha256": "0" * 64}), second)), landed),
        (changed(manifest, files=(first.model_copy(update={"size_bytes": 1}), second)), landed),
        (changed(manifest, reference=ReferenceName(name="slice", version="ffff")), landed),
    ]
    swapped = tuple(
        file.model_copy(update={"role": role})
        for file, role in zip(manifest.files, (FileRole.READS_2, FileRole.READS_1), strict=True)
    )
    others.append((changed(manifest, files=swapped), landed))
    (unit,) = landed_units.landed_units(manifest, landed)
    assert landed_units.landed_units(manifest, landed) == [unit]
    digests = {landed_units.landed_units(*other)[0].digest for other in others}
    assert len(digests | {unit.digest}) == len(others) + 1
    another_sample = changed(manifest, sample=SAMPLE.model_copy(update={"sample_id": "other"}))
    assert landed_units.landed_units(another_sample, landed) == [unit]


def changed(manifest: Manifest, **changes: Any) -> Manifest:
    return manifest.model_copy(update=changes)


def test_a_verdict_that_comes_late_does_not_hide_that_on_what_came_instead(aws, door, validate):
    door.land_manifest()
    door.land(FIRST_LANE)
    versions = {file.name: file.version_id for file in aws.table.landed_files("s-1")}
    said = FileVerdict("L1_R1.fastq.gz", "REJECTED", version_id=versions["L1_R1.fastq.gz"])
    manifest_version = versions[MANIFEST_NAME]
    assert aws.table.record_verdicts("s-1", [said], manifest_version=manifest_version)
    door.land({"L1_R1.fastq.gz": LANES["L1_R1.fastq.gz"]})
    validate(aws.ahead()[-1])
    before = aws.table.verdicts("s-1")
    assert not aws.table.record_verdicts("s-1", [said], manifest_version=manifest_version)
    door.land_manifest()
    for verdict in before:
        assert not aws.table.record_verdicts("s-1", [verdict], manifest_version=manifest_version)
    assert aws.table.verdicts("s-1") == before


def test_a_file_of_another_size_than_declared_is_refused_ahead_without_being_read(aws, door, validate, calls):
    door.land_manifest()
    door.land(FIRST_LANE | {"L1_R2.fastq.gz": LANES["L1_R2.fastq.gz"][:-1]})
    calls.clear()
    assert validate(aws.ahead()[0]) == {"verdict": "REJECTED"}
    assert {verdict.code for verdict in aws.table.verdicts("s-1")} == {"size_mismatch"}
    assert read_files(calls) == set()


def test_regions_wait_for_their_reference_and_reads_do_not(aws, handler):
    bodies = {"panel.bed": b"c\t0\t1001\n", **FIRST_LANE}
    door = Door(aws, handler("register_object"))
    door.land_manifest(manifest_of_lanes(bodies | SECOND_LANE))
    door.land(bodies)
    regions, reads = aws.ahead()
    validate = handler("validate_files")
    assert validate(regions) == {"verdict": "UNDECIDED"}
    assert validate(reads) == {"verdict": "ACCEPTED"}
    register_reference_bundle(aws)
    assert validate(regions) == {"verdict": "REJECTED"}  # contig c has 1000 bases


def test_what_is_too_large_for_the_function_goes_to_the_job_and_only_that(aws, door, handler, monkeypatch):
    sizes = {file.name: file.size_bytes for file in manifest_of_lanes().files}
    of_a_lane = [sum(sizes[name] for name in lane) for lane in (FIRST_LANE, SECOND_LANE)]
    monkeypatch.setenv("LAMBDA_VALIDATION_LIMIT_BYTES", str(of_a_lane[0] - 1))
    door.land_manifest()
    door.land(FIRST_LANE)
    (asked,) = aws.ahead()
    assert handler("validate_files")(asked) == {"verdict": "TOO_LARGE"}
    run_the_job(aws, monkeypatch, asked)
    assert {verdict.verdict for verdict in aws.table.verdicts("s-1")} == {"ACCEPTED"}
    door.land(SECOND_LANE)
    for limit, verdict in ((of_a_lane[1] - 1, "TOO_LARGE"), (of_a_lane[1], "ACCEPTED")):
        monkeypatch.setenv("LAMBDA_VALIDATION_LIMIT_BYTES", str(limit))
        assert handler("validate_files")({"submission_id": "s-1"}) == {"verdict": verdict}


def test_the_job_that_refuses_ahead_has_done_its_work(aws, door, monkeypatch):
    door.land_manifest()
    door.land(FIRST_LANE | {"L1_R1.fastq.gz": CHANGED})
    run_the_job(aws, monkeypatch, aws.ahead()[0])
    assert {verdict.code for verdict in aws.table.verdicts("s-1")} == {"checksum_mismatch"}
    assert aws.table.failure("s-1", "ValidateLargeFiles") is None


def run_the_job(aws: Aws, monkeypatch: pytest.MonkeyPatch, asked: dict[str, str]) -> None:
    """Run `batch_images/validate_files` to success, as Batch does."""
    told = {"SUBMISSION_ID": asked["submission_id"], "UNIT": asked["unit"], "THREADS": "1", "CODE_VERSION": "1"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    job = load(ROOT / "batch_images" / "validate_files" / "job.py")
    settings = job.ValidationJobSettings.from_env()
    buckets = job.open_buckets(analysis="analysis", references="references", landing="landing")
    assert job.run_job("ValidateAhead", lambda space: job.validate(space, settings.unit), settings, buckets) == 0


def test_a_submission_that_expires_keeps_what_was_said_of_its_files(aws, door, handler, validate):
    door.land_manifest()
    door.land(FIRST_LANE | {"L1_R1.fastq.gz": CHANGED})
    validate(aws.ahead()[0])
    late = (NOW + timedelta(days=40_000)).isoformat()
    assert handler("expire_submissions")({"time": late}) == {"expired": 1}
    assert aws.table.get("s-1").state is SubmissionState.QUARANTINED
    record = json.loads(aws.bucket("quarantine").read(exception_record_key("s-1"), limit_bytes=100_000))
    assert [(said["file"], said["code"]) for said in record["verdicts"]] == [
        ("L1_R1.fastq.gz", "checksum_mismatch"),
        ("L1_R2.fastq.gz", "checksum_mismatch"),
    ]
    assert record["verdicts"][0]["version_id"] == next(
        file["version_id"] for file in record["files"] if file["name"] == "L1_R1.fastq.gz"
    )


def test_a_lost_event_is_made_up_for_by_the_sweep_ahead_too(aws, door, handler):
    door.land_manifest()
    door.land({"L1_R1.fastq.gz": LANES["L1_R1.fastq.gz"]})
    aws.land("s-1", "L1_R2.fastq.gz", LANES["L1_R2.fastq.gz"])
    assert aws.ahead() == []
    landed = aws.bucket("landing").current(landing_key("s-1", "L1_R2.fastq.gz"))
    later = (landed.modified + timedelta(minutes=10)).isoformat()
    sweep = handler("sweep_landing")
    assert [sweep({"time": later}) for _ in range(2)] == [{"started": 0}] * 2
    assert len(aws.ahead()) == 1


def aligned(folder: Path, suffix: str, bases: bytes) -> bytes:
    """Return a BAM or CRAM of one read on contig `c`, as htslib writes it with a reference of these bases."""
    fasta, path = folder / "c.fa", folder / f"reads.{suffix}"
    fasta.write_bytes(b">c\n" + bases + b"\n")
    header = pysam.AlignmentHeader.from_dict(
        {
            "HD": {"VN": "1.6", "SO": "coordinate"},
            "SQ": [{"SN": "c", "LN": len(bases), "M5": hashlib.md5(bases, usedforsecurity=False).hexdigest()}],
            "RG": [{"ID": "a", "SM": "x"}],
        }
    )
    read = pysam.AlignedSegment(header)
    read.query_name, read.reference_id, read.reference_start, read.mapping_quality = "r1", 0, 10, 60
    read.cigarstring, read.query_sequence = "50M", bases[10:60].decode()
    read.query_qualities = pysam.qualitystring_to_array("I" * 50)
    with pysam.AlignmentFile(
        str(path), {"bam": "wb", "cram": "wc"}[suffix], header=header, reference_filename=str(fasta)
    ) as sink:
        sink.write(read)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("suffix", "declared", "outcome"),
    [
        ("bam", b"ACGT" * 250, ("ACCEPTED", None, set())),
        ("bam", b"TCGT" * 250, ("ACCEPTED", None, {"sam_reference_differs"})),
        ("cram", b"ACGT" * 250, ("ACCEPTED", None, {"cram_not_decoded"})),
        ("cram", b"TCGT" * 250, ("REJECTED", "cram_reference_differs", {"cram_reference_differs", "cram_not_decoded"})),
    ],
)
def test_an_alignment_file_is_held_against_the_sequence_dictionary_of_its_bundle(
    aws, validate, tmp_path, suffix, declared, outcome
):
    """ING-04. A BAM holds its bases and is only warned of; a CRAM cannot be read with another reference."""
    md5 = hashlib.md5(declared, usedforsecurity=False).hexdigest()
    contig = REFERENCE.contigs[0].model_copy(update={"md5": md5})
    register_reference_bundle(aws, REFERENCE.model_copy(update={"contigs": (contig,)}))
    bodies = {f"reads.{suffix}": aligned(tmp_path, suffix, b"ACGT" * 250)}
    aws.submit("s-1", bodies, manifest_of_lanes(bodies))
    verdict, code, _ = outcome
    if code is None:
        assert validate({"submission_id": "s-1"}) == {"verdict": verdict}
    else:
        with pytest.raises(RejectedInputError, match=rf"^{code}: "):
            validate({"submission_id": "s-1"})
    (said,) = aws.table.verdicts("s-1")
    assert (said.verdict, said.code, set(said.counts)) == outcome
    assert said.summary == (None if code else "1 records")


def test_an_alignment_file_that_was_cut_is_refused(aws, validate, tmp_path):
    register_reference_bundle(aws)
    bodies = {"reads.bam": aligned(tmp_path, "bam", b"ACGT" * 250)[:-40]}
    aws.submit("s-1", bodies, manifest_of_lanes(bodies))
    with pytest.raises(RejectedInputError, match=r"^bgzf_|^bam_"):
        validate({"submission_id": "s-1"})


def test_no_line_ahead_names_the_sample_or_the_subject(aws, door, validate, said):
    door.land_manifest()
    door.land(FIRST_LANE | {"L1_R1.fastq.gz": CHANGED})
    validate(aws.ahead()[0])
    text = said()
    assert "a unit was validated ahead" in text
    assert names_nobody(text + json.dumps(aws.ahead()))
