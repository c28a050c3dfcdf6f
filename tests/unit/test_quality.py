"""Gates that stop a sample nobody should interpret, and warnings for its report. ANA-05."""

import pytest
from pydantic import ValidationError

from strandline.errors import RejectedInputError
from strandline.reads.quality import CoverageSummary, QualitySummary, check_gates
from tests.unit.made_up import QUALITY


def measured(mean_depth: float, callable_bases: int = 1000) -> CoverageSummary:
    return QUALITY.coverage.model_copy(
        update={"mean_depth": mean_depth, "analysed_bases": 1000, "callable_bases": callable_bases}
    )


@pytest.mark.parametrize("mean_depth", [0.0, 4.99])
def test_under_five_reads_the_sample_stops(mean_depth):
    with pytest.raises(RejectedInputError, match=r"^depth_too_low: mean depth is .* at least 5 are needed"):
        check_gates(measured(mean_depth, callable_bases=0))


def test_a_shallow_sample_goes_on_with_both_warnings():
    depth, region = check_gates(measured(5.0, callable_bases=899))
    assert "5.0 reads" in depth
    assert "10.1% of the analysed bases are not callable" in region


def test_a_good_sample_has_no_warning():
    assert check_gates(measured(20.0, callable_bases=900)) == ()


def test_transitions_to_transversions_need_a_transversion():
    assert QUALITY.variants.transition_ratio == 3.0
    assert QUALITY.variants.model_copy(update={"transversions": 0}).transition_ratio is None


def test_a_summary_survives_being_written_and_read():
    assert QualitySummary.model_validate_json(QUALITY.model_dump_json()) == QUALITY


def test_a_damaged_summary_is_refused_without_repeating_its_values():
    with pytest.raises(ValidationError) as caught:
        QualitySummary.model_validate_json('{"sample_id": ["HG002"]}')
    assert "HG002" not in str(caught.value)
