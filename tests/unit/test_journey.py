"""States, moves and keys of a submission."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.journey import (
    ALLOWED_MOVES,
    FINAL_FOR_THE_WORKFLOW,
    Artifact,
    SubmissionState,
    artifact_key,
    check_sample_id,
    landing_key,
    reference_key,
    split_landing_key,
)


@pytest.mark.parametrize(
    "sample_id", ["../../etc/passwd", "a/b", "a b", "", ".hidden", "a..b", "x" * 64, "é", "a\n", "-rf", "a;rm"]
)
def test_a_sample_id_that_could_leave_its_folder_is_rejected(sample_id):
    with pytest.raises(RejectedInputError, match=r"^invalid_sample_id: "):
        check_sample_id(sample_id)


@pytest.mark.parametrize("sample_id", ["HG002", "NA12878", "S-1_b.2", "9a", "x" * 63])
def test_an_ordinary_sample_id_is_accepted(sample_id):
    assert check_sample_id(sample_id) == sample_id


@given(st.text())
def test_no_landing_key_ever_leaves_its_submission(text):
    try:
        key = landing_key("s-1", text)
    except RejectedInputError:
        return
    assert re.fullmatch(r"submissions/s-1/[^/]+", key)
    assert ".." not in key
    assert split_landing_key(key) == ("s-1", text)


@given(st.text())
def test_splitting_any_key_gives_a_submission_or_nothing(key):
    parts = split_landing_key(key)
    assert parts is None or landing_key(*parts) == key


def test_a_key_with_a_path_in_its_submission_is_refused():
    with pytest.raises(RejectedInputError, match=r"^invalid_submission_id: "):
        artifact_key("a/b", Artifact.CALLS)
    with pytest.raises(RejectedInputError, match=r"^invalid_file_name: "):
        reference_key("name", "v1", "../bundle.json")


def test_every_state_can_be_reached_from_the_first_and_what_is_withdrawn_stays_so():
    reached, waiting = set(), {SubmissionState.RECEIVED}
    while waiting:
        state = waiting.pop()
        reached.add(state)
        waiting |= ALLOWED_MOVES[state] - reached
    assert reached == set(SubmissionState)
    assert ALLOWED_MOVES[SubmissionState.QUARANTINED] == {SubmissionState.VALIDATING, SubmissionState.WITHDRAWN}
    assert not ALLOWED_MOVES[SubmissionState.WITHDRAWN]


def test_the_workflow_never_releases_what_nobody_reviewed():
    before_release = {state for state, after in ALLOWED_MOVES.items() if SubmissionState.RELEASED in after}
    assert before_release == {SubmissionState.IN_REVIEW}
    assert SubmissionState.IN_REVIEW in FINAL_FOR_THE_WORKFLOW
