"""The quality page and the cohort's: self-contained, checks first, every word from outside as text. ANA-05."""

import pytest

from strandline.reads.fingerprint import Fingerprint
from strandline.reads.gates import CheckOutcome, Verdict
from strandline.reads.quality import QualitySummary
from strandline.reporting.charts import Axis, Line, draw_bars, draw_lines
from strandline.reporting.cohort import CohortSample, Identity, build_cohort_page, compare_samples
from strandline.reporting.quality_page import QualityPageInput, build_quality_page, overall_verdict
from tests.unit.html_page import Page
from tests.unit.made_up_quality import MEASURED, measured, summary

HOSTILE = "<script>alert('x')</script>\"'&<img src=//evil.example/x onerror=1>"


def page(*, sample_id: str = "HG002", measured_=MEASURED, record: QualitySummary | None = None) -> Page:
    source = QualityPageInput("s-1", sample_id, "slice/0c2b", measured_, record, "0.1.0")
    return Page(build_quality_page(source))


def sample(submission_id: str, subject_id: str | None, copies: list[int], **changes) -> CohortSample:
    fingerprint = Fingerprint(
        reference="toy/1", copies={f"c:{place}:A:G": one for place, one in enumerate(copies, start=1)}
    )
    fields = {
        "sample_id": f"sample-{submission_id}",
        "subject_id": subject_id,
        "measured": MEASURED,
        "summary": summary(),
        "fingerprint": fingerprint,
    }
    return CohortSample(submission_id=submission_id, **(fields | changes))


ONE = [0, 1, 2, 1] * 50
OTHER = [1, 1, 0, 0] * 50  # shares no allele at a quarter of the sites


def test_checks_come_first_then_what_they_rest_on():
    text = page(record=summary()).text
    places = [text.index(words) for words in ("Mean depth", "it is uneven", "Nextera", "BRCA2 exon 3", "1.23% (1.00")]
    assert places == sorted(places)
    for words in ("look at it", "Base changes", "C to T", "12,345", "limits", "mosdepth 0.3.3", "bwa 0.7.18"):
        assert words.lower() in text.lower()


def test_a_sample_that_was_stopped_has_a_page_that_says_so():
    stopped = CheckOutcome("contaminated", "Reads of another person", Verdict.STOPPED, 0.2, 0.05, "a fifth is foreign")
    text = page(measured_=measured(checks=(stopped,))).text
    for words in ("stops the sample", "a fifth is foreign", "Variants were not called"):
        assert words in text


def test_a_page_loads_nothing_and_runs_nothing():
    for shown in (page(record=summary()), Page(build_cohort_page([sample("s-1", None, ONE)], [], "0.1.0"))):
        assert not {"script", "link", "img", "iframe"} & set(shown.tags)
        assert not [value for name, value in shown.attributes if name == "src" or value.startswith("http")]
        assert shown.tags.count("svg") >= 2


def test_what_a_file_says_is_text_and_never_markup():
    region = MEASURED.regions.weakest[0].model_copy(update={"name": HOSTILE})
    regions = MEASURED.regions.model_copy(update={"weakest": (region,)})
    check = CheckOutcome("x", HOSTILE, Verdict.WARNED, 1.0, 1.0, HOSTILE)
    shown = page(sample_id=HOSTILE, measured_=measured(regions=regions, checks=(check,), programs=(HOSTILE,)))
    assert shown.text.count(HOSTILE) >= 5
    assert "script" not in shown.tags
    hostile = sample("s-1", None, ONE, sample_id=HOSTILE)
    cohort = Page(build_cohort_page([hostile], [], "0.1.0"))
    assert HOSTILE in cohort.text
    assert "script" not in cohort.tags


def test_a_page_of_what_could_not_be_measured_says_that():
    inserts = MEASURED.inserts.model_copy(update={"median": None, "median_absolute_deviation": None, "histogram": ()})
    bare = measured(
        inserts=inserts, contamination=None, charr=None, known_sites=0, regions=None, estimated_library_size=None
    )
    text = page(measured_=bare).text
    for words in ("not measured", "no estimate", "no population frequencies"):
        assert words in text


def test_the_worst_verdict_is_that_of_the_sample():
    checks = [CheckOutcome("x", "x", one) for one in Verdict]
    assert overall_verdict(checks) is Verdict.STOPPED
    assert overall_verdict(checks[:2]) is Verdict.WARNED
    assert overall_verdict([CheckOutcome("x", "x", Verdict.NOT_POSSIBLE)]) is Verdict.PASSED


@pytest.mark.parametrize(
    ("subjects", "genotypes", "identity"),
    [
        (("PT00001", "PT00001"), (ONE, ONE), Identity.AS_DECLARED),
        (("PT00001", "PT00001"), (ONE, OTHER), Identity.NOT_ONE_PERSON),
        (("PT00001", "PT00002"), (ONE, OTHER), Identity.AS_DECLARED),
        (("PT00001", "PT00002"), (ONE, ONE), Identity.ONE_PERSON),
        ((None, "PT00002"), (ONE, ONE), Identity.NOT_DECLARED),
        (("PT00001", "PT00001"), (ONE[:40], ONE[:40]), Identity.UNKNOWN),
    ],
)
def test_a_swapped_sample_contradicts_its_declared_subject(subjects, genotypes, identity):
    first, second = (
        sample(f"s-{n}", subject, list(copies))
        for n, (subject, copies) in enumerate(zip(subjects, genotypes, strict=True))
    )
    (pair,) = compare_samples([first, second])
    assert pair.identity is identity


def test_one_sample_analysed_twice_is_one_subject_without_a_declaration():
    first, second = (sample(name, None, ONE, sample_id="HG002") for name in ("s-1", "s-2"))
    assert compare_samples([first, second])[0].identity is Identity.AS_DECLARED
    other = sample("s-3", None, OTHER, sample_id="HG002")
    assert compare_samples([first, other])[0].identity is Identity.NOT_ONE_PERSON


def test_contradictions_come_before_relatives_and_other_references_are_not_compared():
    father, son = sample("s-1", "PT00001", ONE), sample("s-2", "PT00002", [1, 1, 1, 1] * 50)
    swapped = sample("s-3", "PT00001", OTHER)
    elsewhere = sample("s-4", "PT00001", ONE, fingerprint=Fingerprint(reference="other/1"))
    pairs = compare_samples([father, son, swapped, elsewhere])
    assert len(pairs) == 3
    assert pairs[0].identity is Identity.NOT_ONE_PERSON
    text = Page(build_cohort_page([father, son, swapped, elsewhere], pairs, "0.1.0")).text
    assert "a sample may have been swapped" in text
    assert "uneven coverage" in text


def test_charts_place_points_by_their_values():
    """460 by 230, the frame from 58 to 448 and, upwards, from 186 to 14."""
    chart = draw_lines("t", Axis("x", 0, 10), Axis("y", 0, 1), [Line("a", [(0, 0), (5, 0.5), (10, 1)])])
    assert 'points="58.0,186.0 253.0,100.0 448.0,14.0"' in chart
    bars = draw_bars("t", Axis("x"), Axis("y", 0), [("a", 1.0), ("b", 2.0)])
    assert 'height="172.0"' in bars
    assert 'height="86.0"' in bars


def test_a_chart_of_nothing_is_nothing():
    assert draw_lines("t", Axis("x"), Axis("y"), [Line("a", [])]) == ""
    assert draw_bars("t", Axis("x"), Axis("y"), [("a", 0.0)]) == ""
    assert "polyline" in draw_lines("t", Axis("x"), Axis("y"), [Line("a", [(1, 1)])])
