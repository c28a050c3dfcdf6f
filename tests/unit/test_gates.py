"""Gates that stop a sample before calling and say why, and checks that only warn. ANA-05, ANA-13."""

from dataclasses import replace
from typing import Any

import pytest

from strandline.errors import RejectedInputError
from strandline.landing.manifest import Sex
from strandline.landing.regions import Region
from strandline.reads.contamination import Contamination
from strandline.reads.coverage import Coverage
from strandline.reads.gates import (
    CheckOutcome,
    GateThresholds,
    Measured,
    Verdict,
    check_gates,
    parse_thresholds,
    refuse_stopped,
)
from strandline.reads.mapping import InsertSizes, MappingCounts
from strandline.reads.quality import warnings_of
from strandline.reads.read_quality import MateQuality
from strandline.reads.sex import SexCheck, SexFinding

MATE = MateQuality(
    reads=1000,
    bases=100_000,
    q20_fraction=0.99,
    q30_fraction=0.9,
    gc_fraction=0.41,
    unknown_fraction=0.0,
    mean_quality_by_cycle=(36.0,),
    lowest_decile_by_cycle=(30,),
    base_fractions_by_cycle=((0.3, 0.2, 0.2, 0.3, 0.0),),
    reads_by_length=(0, 1000),
    reads_by_gc_percent=(0,) * 101,
    adapter_fraction_by_cycle={"Nextera": (0.01,)},
    repeated=(),
)
GOOD = Measured(
    mapping=MappingCounts(reads=2000, mapped=1980, properly_paired=1900, duplicates=100),
    inserts=InsertSizes((0,) * 350 + (900,), 0, 900, 0, 0),
    mates=(MATE, MATE),
    coverage=Coverage(1000, 30.0, (0,) * 30 + (1000,), (Region("c", 0, 1000),)),
    sex=SexCheck(Sex.MALE, SexFinding.MALE, "", 0.5, 0.5),
    contamination=Contamination(0.001, 0.0, 0.002, 1000, 0.001),
)


def outcome(code: str, limits: GateThresholds | None = None, **changes: Any) -> CheckOutcome:
    """The outcome of one check on a good sample with some changes."""
    found = check_gates(replace(GOOD, **changes), limits or GateThresholds())
    return next(one for one in found if one.code == code)


def covered(depth: int, callable_bases: int = 1000) -> Coverage:
    return Coverage(1000, float(depth), (0,) * depth + (1000,), (Region("c", 0, callable_bases),))


def test_a_good_sample_passes_every_check():
    found = check_gates(GOOD, GateThresholds())
    assert {one.verdict for one in found} == {Verdict.PASSED}
    refuse_stopped(found)
    assert warnings_of(found) == ()


@pytest.mark.parametrize(
    ("code", "changes", "verdict"),
    [
        ("low_mapping_rate", {"mapping": MappingCounts(reads=100, mapped=49, properly_paired=95)}, Verdict.STOPPED),
        ("low_mapping_rate", {"mapping": MappingCounts(reads=100, mapped=89, properly_paired=95)}, Verdict.WARNED),
        ("low_mapping_rate", {"mapping": MappingCounts(reads=100, mapped=90, properly_paired=95)}, Verdict.PASSED),
        ("low_mapping_rate", {"mapping": MappingCounts()}, Verdict.STOPPED),
        ("low_proper_pairs", {"mapping": MappingCounts(reads=100, mapped=99, properly_paired=29)}, Verdict.STOPPED),
        ("low_proper_pairs", {"mapping": MappingCounts(reads=100, mapped=99, properly_paired=79)}, Verdict.WARNED),
        ("too_many_duplicates", {"mapping": MappingCounts(reads=100, duplicates=91)}, Verdict.STOPPED),
        ("too_many_duplicates", {"mapping": MappingCounts(reads=100, duplicates=31)}, Verdict.WARNED),
        ("insert_size_too_short", {"inserts": InsertSizes((0,) * 49 + (900,), 0, 900, 0, 0)}, Verdict.STOPPED),
        ("insert_size_too_short", {"inserts": InsertSizes((0,) * 149 + (900,), 0, 900, 0, 0)}, Verdict.WARNED),
        ("insert_size_too_short", {"inserts": InsertSizes((0,) * 350 + (99,), 0, 99, 0, 0)}, Verdict.NOT_POSSIBLE),
        ("mates_face_away", {"inserts": InsertSizes((0,) * 350 + (400,), 0, 400, 500, 0)}, Verdict.STOPPED),
        ("insert_size_too_short", {"inserts": InsertSizes((), 0, 0, 900, 0)}, Verdict.NOT_POSSIBLE),
        ("depth_too_low", {"coverage": covered(4)}, Verdict.STOPPED),
        ("depth_too_low", {"coverage": covered(0)}, Verdict.STOPPED),
        ("depth_too_low", {"coverage": covered(19)}, Verdict.WARNED),
        ("depth_too_low", {"coverage": covered(5000)}, Verdict.PASSED),
        ("few_callable_bases", {"coverage": covered(30, 899)}, Verdict.WARNED),
        ("uneven_coverage", {"coverage": Coverage(10, 30.0, (3, *(0,) * 40, 7), ())}, Verdict.NOT_POSSIBLE),
        ("uneven_coverage", {"coverage": Coverage(10, 30.0, (0, 0, 3, *(0,) * 40, 7), ())}, Verdict.WARNED),
        ("low_base_quality", {"mates": (replace(MATE, q30_fraction=0.59), MATE)}, Verdict.WARNED),
        (
            "adapters_in_reads",
            {"mates": (MATE, replace(MATE, adapter_fraction_by_cycle={"Nextera": (0.0, 0.11)}))},
            Verdict.WARNED,
        ),
        ("contaminated", {"contamination": Contamination(0.06, 0.03, 0.09, 200, 0.001)}, Verdict.STOPPED),
        ("contaminated", {"contamination": Contamination(0.06, 0.02, 0.09, 200, 0.001)}, Verdict.WARNED),
        ("contaminated", {"contamination": Contamination(0.03, 0.02, 0.04, 200, 0.001)}, Verdict.WARNED),
        ("contaminated", {"contamination": Contamination(0.5, 0.4, 0.5, 199, 0.001)}, Verdict.NOT_POSSIBLE),
        ("contaminated", {"contamination": None}, Verdict.NOT_POSSIBLE),
        ("sex_mismatch", {"sex": SexCheck(Sex.FEMALE, SexFinding.MALE, "", 0.5, 0.5)}, Verdict.STOPPED),
        ("sex_mismatch", {"sex": SexCheck(Sex.UNKNOWN, SexFinding.MALE, "", 0.5, 0.5)}, Verdict.PASSED),
        ("sex_mismatch", {"sex": SexCheck(Sex.MALE, SexFinding.UNDETERMINED, "no X")}, Verdict.NOT_POSSIBLE),
    ],
)
def test_each_measure_is_judged_at_its_limits(code, changes, verdict):
    found = outcome(code, **changes)
    assert found.verdict is verdict
    assert bool(found.message) == (verdict is not Verdict.PASSED)


def test_a_stopped_sample_is_refused_with_the_first_code_and_all_the_words():
    found = check_gates(
        replace(GOOD, mapping=MappingCounts(reads=100, mapped=10), coverage=covered(1)), GateThresholds()
    )
    with pytest.raises(RejectedInputError, match=r"^low_mapping_rate: ") as caught:
        refuse_stopped(found)
    assert "mean depth is 1.0 reads over 1000 analysed bases" in str(caught.value)


def test_a_warning_is_a_sentence_of_the_report():
    (words,) = warnings_of([outcome("depth_too_low", coverage=covered(19))])
    assert words == (
        "Mean depth is 19.0 reads over 1000 analysed bases, at least 20 is expected: sequence more, or submit with the "
        "regions that were sequenced."
    )


def test_a_lab_sets_its_own_limits_by_name():
    limits = parse_thresholds('{"stop_below_mean_depth": 31, "sex_mismatch": "WARN"}')
    assert outcome("depth_too_low", limits).verdict is Verdict.STOPPED
    swapped = SexCheck(Sex.FEMALE, SexFinding.MALE, "", 0.5, 0.5)
    assert outcome("sex_mismatch", limits, sex=swapped).verdict is Verdict.WARNED


@pytest.mark.parametrize(
    "text", ["", "[]", '{"stop_below_mean_dept": 3}', '{"warn_above_contamination": 2}', '{"sex_mismatch": "IGNORE"}']
)
def test_limits_that_cannot_be_are_refused(text):
    with pytest.raises(RejectedInputError, match=r"^gates_invalid: "):
        parse_thresholds(text)
