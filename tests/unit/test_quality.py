"""The quality record: written, read again, and read where it is of the first version. ANA-05."""

import json

import pytest
from pydantic import ValidationError

from strandline.reads.quality import QualitySummary
from tests.unit.made_up import QUALITY


def test_transitions_to_transversions_need_a_transversion():
    assert QUALITY.variants.transition_ratio == 3.0
    assert QUALITY.variants.model_copy(update={"transversions": 0}).transition_ratio is None


def test_a_summary_survives_being_written_and_read():
    assert QualitySummary.model_validate_json(QUALITY.model_dump_json()) == QUALITY


def test_a_damaged_summary_is_refused_without_repeating_its_values():
    with pytest.raises(ValidationError) as caught:
        QualitySummary.model_validate_json('{"sample_id": ["HG002"]}')
    assert "HG002" not in str(caught.value)


def test_a_record_of_the_first_version_is_still_read():
    """It had none of the later sections."""
    later = {"schema_version", "subject_id", "declared_sex", "measured", "statistics"}
    first = json.loads(QUALITY.model_dump_json())
    first = {name: value for name, value in first.items() if name not in later}
    first["coverage"] = {
        name: first["coverage"][name]
        for name in ("analysed_bases", "callable_bases", "mean_depth", "fraction_at_10", "fraction_at_20")
    } | {"fraction_at_30": 0.6}
    assert QualitySummary.model_validate(first) == QUALITY
