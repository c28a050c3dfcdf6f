"""Values of FHIR search parameters: lists, escapes, tokens, dates, cursors. CLN-02.

Expected answers are those of the FHIR R4 specification: tables of prefixes and of tokens in its chapter on search.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.fhir.served.cursors import Cursor, read_cursor, write_cursor
from strandline.fhir.served.outcomes import RefusedRequestError
from strandline.fhir.served.query import encode, parse_pairs, parse_search
from strandline.fhir.served.values import (
    Moments,
    Token,
    escape,
    parse_date,
    parse_moments,
    parse_reference,
    parse_token,
    split_values,
    unescape,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BASE = "https://fhir.example/fhir"
PRINTED = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)


def test_commas_and_bars_that_are_escaped_belong_to_the_value():
    # the specification's own example: `$`, `,`, `|` and `\` are written with a backslash before them
    assert split_values(r"a\,b,c\\,d") == [r"a\,b", r"c\\", "d"]
    assert unescape(r"a\,b\$c\|d\\e") == "a,b$c|d\\e"


@given(st.lists(PRINTED, min_size=1, max_size=5))
def test_what_is_escaped_comes_back_as_it_was(values):
    joined = ",".join(escape(value) for value in values)
    assert [unescape(part) for part in split_values(joined)] == values


@given(PRINTED, PRINTED)
def test_a_token_that_was_escaped_is_read_as_it_was_meant(system, code):
    assert parse_token(f"{escape(system)}|{escape(code)}") == Token(system, code)


@pytest.mark.parametrize(
    ("text", "token"),
    [  # 3.1.1.4.10: [code], [system]|[code], |[code], [system]|
        ("male", Token(None, "male")),
        ("http://loinc.org|69548-6", Token("http://loinc.org", "69548-6")),
        ("|male", Token("", "male")),
        ("http://loinc.org|", Token("http://loinc.org", None)),
    ],
)
def test_the_four_forms_of_a_token_mean_what_the_specification_says(text, token):
    assert parse_token(text) == token


@pytest.mark.parametrize("text", ["|", "a|b|c"])
def test_a_token_of_another_form_is_refused(text):
    with pytest.raises(RefusedRequestError):
        parse_token(text)


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2013", "2013-01-01T00:00:00+00:00", "2014-01-01T00:00:00+00:00"),
        ("2012-02", "2012-02-01T00:00:00+00:00", "2012-03-01T00:00:00+00:00"),  # a leap year
        ("2013-01-14", "2013-01-14T00:00:00+00:00", "2013-01-15T00:00:00+00:00"),
        ("9999-12-31", "9999-12-31T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"),  # as far as time goes here
        ("2013-01-14T10:00", "2013-01-14T10:00:00+00:00", "2013-01-14T10:01:00+00:00"),
        ("2013-01-14T10:00:00+02:00", "2013-01-14T08:00:00+00:00", "2013-01-14T08:00:01+00:00"),
        ("2013-01-14T10:00:00.5Z", "2013-01-14T10:00:00.5+00:00", "2013-01-14T10:00:00.6+00:00"),
    ],
)
def test_a_date_covers_the_range_of_its_precision(text, first, after):
    assert parse_moments(text) == Moments(datetime.fromisoformat(first), datetime.fromisoformat(after))


@pytest.mark.parametrize(
    ("asked", "target", "fits"),
    [  # the specification's table of prefixes, and its rules of ranges
        ("eq2013-01-14", "2013-01-14T10:00:00Z", True),
        ("2013-01-14", "2013-01-15T00:00:00Z", False),
        ("eq2013-01-14", "2013-01", False),  # a month is not within a day
        ("ne2013-01-14", "2013-01-15T00:00:00Z", True),
        ("ne2013-01-14", "2013-01-14T00:00:00Z", False),
        ("lt2013-01-14T10:00", "2013-01-14", True),  # the day has time before ten
        ("gt2013-01-14T10:00", "2013-01-14", True),  # and time after
        ("lt2013-01-14T10:00", "2013-01-14T10:00:30Z", False),
        ("ge2013-03-14", "2013-03-14T00:00:00Z", True),
        ("ge2013-03-14", "2013-03-13", False),
        ("ge2013-03-14", "2013-03", True),  # the month reaches beyond the day
        ("le2013-03-14", "2013-03-14T23:59:59Z", True),
        ("le2013-03-14", "2013-03-15", False),
        ("sa2013-03-14", "2013-03-15", True),
        ("sa2013-03-14", "2013-03", False),  # it begins before
        ("eb2013-03-14", "2013-03-13", True),
        ("eb2013-03-14", "2013-03-14", False),
        ("ap2026-11-12", "2026-11-11", True),  # ten days ago: within a day of it
        ("ap2026-11-12", "2026-11-01", False),
    ],
)
def test_prefixes_compare_ranges_as_the_specification_says(asked, target, fits):
    assert parse_date(asked).fits(parse_moments(target), NOW) is fits


@given(st.datetimes(datetime(1990, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC)))
def test_every_moment_is_before_at_or_after_another(moment):
    target, text = parse_moments(moment.isoformat()), "2020-06-15"
    before, at, after = (parse_date(prefix + text).fits(target, NOW) for prefix in ("eb", "eq", "sa"))
    assert [before, at, after].count(True) == 1
    assert parse_date(f"ne{text}").fits(target, NOW) is not at
    assert parse_date(f"le{text}").fits(target, NOW) is (before or at)
    assert parse_date(f"ge{text}").fits(target, NOW) is (after or at)


@pytest.mark.parametrize(
    "text", ["", "13", "2013-13", "2013-02-30", "xx2013", "2013-01-14T25:00", "2013-01-14 ' OR 1=1", "٢٠١٣", "0000"]
)
def test_what_is_no_date_is_refused_and_not_repeated(text):
    with pytest.raises(RefusedRequestError) as refused:
        parse_date(text)
    assert not text or text not in refused.value.says


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("s-1.ab", [("Patient", "s-1.ab")]),
        ("Patient/s-1.ab", [("Patient", "s-1.ab")]),
        (f"{BASE}/Patient/s-1.ab", [("Patient", "s-1.ab")]),
        ("https://another.example/fhir/Patient/s-1.ab", []),  # the same id elsewhere is another patient
        ("Group/s-1.ab", []),
    ],
)
def test_a_reference_is_an_id_or_a_url_of_this_server(text, means):
    assert list(parse_reference(text, BASE, ("Patient",))) == means


CURSORS = st.builds(
    Cursor,
    st.builds(
        "{}#{}".format,
        st.datetimes().map(lambda t: t.isoformat()[:30]),
        st.from_regex("[a-z0-9-]{1,31}", fullmatch=True),
    ),
    *[st.integers(0, 9_999)] * 4,
)


@given(CURSORS, st.text(max_size=40))
def test_a_cursor_comes_back_for_its_own_search_alone(cursor, search):
    text = write_cursor(cursor, search)
    assert read_cursor(text, search) == cursor
    with pytest.raises(RefusedRequestError):
        read_cursor(text, search + " ")


@given(st.text(max_size=120))
def test_no_made_up_text_is_a_cursor(text):
    with pytest.raises(RefusedRequestError):
        read_cursor(text, "Observation?")


@given(CURSORS, st.data())
def test_a_cursor_with_one_sign_changed_is_refused_or_another_place_of_the_same_search(cursor, data):
    text = write_cursor(cursor, "Observation?code=1")
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from("AaZz09-_")) + text[at + 1 :]
    if changed != text:
        with suppress(RefusedRequestError):
            assert read_cursor(changed, "Observation?code=1") != cursor


@given(st.lists(st.tuples(PRINTED, PRINTED), max_size=8))
def test_pairs_come_back_from_the_query_that_they_were_written_to(pairs):
    assert parse_pairs(encode(pairs)) == pairs


@given(st.text(max_size=300))
def test_no_query_does_more_than_be_understood_or_refused(query):
    with suppress(RefusedRequestError):
        assert 1 <= parse_search("Observation", parse_pairs(query), BASE, "lenient").count <= 200


def test_a_year_has_the_days_that_it_has():
    assert parse_moments("2024").after - parse_moments("2024").first == timedelta(days=366)
