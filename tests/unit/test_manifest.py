"""The manifest of a submission."""

import json
import re
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.landing.manifest import Manifest, derive_submission_id, parse_manifest

DIGEST = "0" * 64
DOCUMENT = {
    "manifest_version": "1",
    "sample": {"sample_id": "HG002", "subject_id": "PT00042", "sex": "MALE"},
    "reference": {"name": "slice", "version": "0c2b"},
    "files": [
        {"name": "R1.fastq.gz", "role": "READS_1", "size_bytes": 1, "sha256": DIGEST},
        {"name": "R2.fastq.gz", "role": "READS_2", "size_bytes": 1, "sha256": DIGEST},
    ],
}


def changed(path: str, value: object) -> bytes:
    document = json.loads(json.dumps(DOCUMENT))
    *parents, last = path.split(".")
    place = document
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = value
    return json.dumps(document).encode()


def test_a_manifest_survives_being_written_and_read():
    manifest = Manifest.model_validate(DOCUMENT)
    assert parse_manifest(manifest.to_json()) == manifest


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("sample.sample_id", "../x", "invalid_sample_id"),
        ("sample.subject_id", "John Smith", "manifest_invalid"),
        ("sample.unknown", 1, "manifest_invalid"),
        ("files.0.name", "a/b", "invalid_file_name"),
        ("files.0.name", "manifest.json", "manifest_lists_itself"),
        ("files.0.name", "R2.fastq.gz", "duplicate_file_name"),
        ("files.0.role", "READS_2", "wrong_read_files"),
        ("files.0.sha256", "xyz", "manifest_invalid"),
        ("files.0.size_bytes", -1, "manifest_invalid"),
        ("manifest_version", "2", "manifest_invalid"),
        ("reference.version", "../..", "invalid_file_name"),
    ],
)
def test_a_wrong_field_is_named_by_a_code(path, value, code):
    with pytest.raises(RejectedInputError) as caught:
        parse_manifest(changed(path, value))
    assert caught.value.code == code


def declared(name: str, role: str, read_group: str | None = None) -> dict[str, object]:
    lane = {} if read_group is None else {"read_group": read_group}
    return {"name": name, "role": role, "size_bytes": 1, "sha256": sha256(name.encode()).hexdigest(), **lane}


def parse_files(*files: dict[str, object]) -> Manifest:
    return parse_manifest(json.dumps({**DOCUMENT, "files": files}).encode())


R1, R2, ALIGNED, REGIONS = "READS_1", "READS_2", "ALIGNED_READS", "REGIONS"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([("a", R1)], "wrong_read_files"),
        ([("a", REGIONS)], "wrong_read_files"),
        ([("a", R1), ("b", R1), ("c", R2)], "read_group_missing"),
        ([("a", R1), ("b", R2), ("c", R1), ("d", R2)], "read_group_missing"),
        ([("a", R1), ("b", R2, "L1")], "read_group_missing"),
        ([("a", R1, "L1"), ("b", R2, "L1"), ("c", R1), ("d", R2)], "read_group_missing"),
        ([("a", R1, "L1"), ("b", R2, "L2")], "read_group_incomplete"),
        ([("a", R1, "L1"), ("b", R2, "L1"), ("c", R1, "L2")], "read_group_incomplete"),
        ([("a", R1, "L1"), ("b", R2, "L1"), ("c", R1, "L1"), ("d", R2, "L1")], "read_group_incomplete"),
        ([("a", R1, "L 1"), ("b", R2, "L 1")], "manifest_invalid"),
        ([("a", R1), ("b", R2), ("c.bam", ALIGNED)], "reads_of_two_kinds"),
        ([("a", R1), ("c.bam", ALIGNED)], "reads_of_two_kinds"),
        ([("c.bam", ALIGNED), ("d.cram", ALIGNED)], "wrong_read_files"),
        ([("c.sam", ALIGNED)], "wrong_read_files"),
        ([("c.bam", ALIGNED, "L1")], "read_group_misplaced"),
        ([("a", R1), ("b", R2), ("r", REGIONS, "L1")], "read_group_misplaced"),
        ([("c.bam", ALIGNED), ("r", REGIONS), ("s", REGIONS)], "wrong_region_files"),
    ],
)
def test_reads_that_are_neither_whole_pairs_nor_one_bam_or_cram_are_refused_by_a_code(files, code):
    """ING-05."""
    with pytest.raises(RejectedInputError) as caught:
        parse_files(*(declared(*file) for file in files))
    assert caught.value.code == code


def test_a_file_that_stands_in_two_lanes_under_two_names_is_refused():
    """Every read of it would be counted twice."""
    files = [declared(f"{mate}_{lane}", role, lane) for lane in ("L1", "L2") for mate, role in ((1, R1), (2, R2))]
    assert len(parse_files(*files).read_sets()) == 2
    files[2]["sha256"] = files[0]["sha256"]
    with pytest.raises(RejectedInputError, match=r"^same_file_twice: "):
        parse_files(*files)


def test_a_sample_declares_no_read_group_its_files_do():
    with pytest.raises(RejectedInputError, match=r"^manifest_invalid: .*sample\.read_group"):
        parse_manifest(changed("sample.read_group", "FC.1"))


def test_the_pairs_of_a_sample_are_its_read_groups_in_the_order_of_the_manifest():
    manifest = parse_files(
        declared("b2", R2, "FC.2"),
        declared("r.bed", REGIONS),
        declared("a1", R1, "FC.1"),
        declared("b1", R1, "FC.2"),
        declared("a2", R2, "FC.1"),
    )
    told = [(one.read_group, [file.name for file in one.files]) for one in manifest.read_sets()]
    assert told == [("FC.2", ["b1", "b2"]), ("FC.1", ["a1", "a2"])]


def test_a_single_pair_needs_no_read_group_and_a_bam_or_cram_is_one_set():
    (pair,) = Manifest.model_validate(DOCUMENT).read_sets()
    assert (pair.read_group, [file.name for file in pair.files]) == (None, ["R1.fastq.gz", "R2.fastq.gz"])
    (one,) = parse_files(declared("a.bam", ALIGNED), declared("r.bed", REGIONS)).read_sets()
    assert (one.read_group, [file.name for file in one.files]) == (None, ["a.bam"])
    (named,) = parse_files(declared("a", R1, "FC.1"), declared("b", R2, "FC.1")).read_sets()
    assert named.read_group == "FC.1"


def test_a_manifest_without_read_groups_says_nothing_of_them():
    assert json.loads(Manifest.model_validate(DOCUMENT).to_json())["files"] == DOCUMENT["files"]


LANES = st.lists(st.from_regex(r"\A[A-Za-z0-9._-]{1,64}\Z"), min_size=1, max_size=8, unique=True)


@given(lanes=LANES, data=st.data())
def test_however_the_files_of_some_lanes_are_ordered_each_lane_is_one_pair(lanes, data):
    """A manifest survives being written and read, its pairs hold both mates, and its fingerprint knows no order."""
    files = [
        declared(f"{number}_{mate}", role, lane)
        for number, lane in enumerate(lanes)
        for mate, role in enumerate((R1, R2), start=1)
    ]
    shuffled = parse_files(*data.draw(st.permutations(files)))
    assert parse_manifest(shuffled.to_json()) == shuffled
    assert {one.read_group: [file.name for file in one.files] for one in shuffled.read_sets()} == {
        lane: [f"{number}_1", f"{number}_2"] for number, lane in enumerate(lanes)
    }
    assert shuffled.content_fingerprint() == parse_files(*files).content_fingerprint()


@given(lanes=LANES, data=st.data())
def test_a_pair_that_lacks_a_mate_is_refused_whatever_the_others(lanes, data):
    files = [declared(f"{number}_{role}", role, lane) for number, lane in enumerate(lanes) for role in (R1, R2)]
    files.pop(data.draw(st.integers(0, len(files) - 1)))
    with pytest.raises(RejectedInputError, match=r"^(read_group_incomplete|wrong_read_files): "):
        parse_files(*files)


def test_a_rejection_never_repeats_the_value():
    with pytest.raises(RejectedInputError) as caught:
        parse_manifest(changed("sample.subject_id", "Jane Doe"))
    assert "Jane" not in str(caught.value)
    assert "sample.subject_id" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "manifest_not_json"),
        (b"{", "manifest_not_json"),
        (b"\xff\xfe{\x00}\x00\x00", "manifest_not_json"),
        (b"[" * 100_000, "manifest_not_json"),
        (b"[]", "manifest_invalid"),
        (b" " * ((1 << 20) + 1), "manifest_too_large"),
    ],
)
def test_bytes_that_are_no_manifest_are_rejected(body, code):
    with pytest.raises(RejectedInputError) as caught:
        parse_manifest(body)
    assert caught.value.code == code


def test_the_same_content_is_the_same_submission_and_any_change_is_another():
    one = Manifest.model_validate(DOCUMENT)
    assert derive_submission_id(one) == derive_submission_id(Manifest.model_validate(DOCUMENT))
    other = parse_manifest(changed("files.0.size_bytes", 2))
    assert derive_submission_id(one) != derive_submission_id(other)
    assert re.fullmatch("s-[0-9a-f]{16}", derive_submission_id(one))  # no sample id in keys, logs and alerts
    assert derive_submission_id(one, attempt=2) == derive_submission_id(one) + "-r2"


def test_a_manifest_that_chooses_the_default_caller_keeps_its_bytes_and_its_name():
    without = Manifest.model_validate(DOCUMENT)
    chosen = parse_manifest(changed("analysis", {"caller": "bcftools"}))
    assert "analysis" not in json.loads(without.to_json())
    assert chosen.to_json() == without.to_json()
    assert derive_submission_id(chosen) == derive_submission_id(without)


def test_the_same_reads_with_another_caller_are_no_duplicate():
    """ANA-02."""
    without = Manifest.model_validate(DOCUMENT)
    other = parse_manifest(changed("analysis", {"caller": "freebayes"}))
    assert parse_manifest(other.to_json()) == other
    assert other.content_fingerprint() != without.content_fingerprint()
    assert derive_submission_id(other) != derive_submission_id(without)


@pytest.mark.parametrize("analysis", [{"caller": "samtools"}, {"caller": "FreeBayes"}, {"depth": 3}, "freebayes"])
def test_a_choice_that_is_not_offered_is_refused(analysis):
    with pytest.raises(RejectedInputError, match=r"^manifest_invalid: "):
        parse_manifest(changed("analysis", analysis))
