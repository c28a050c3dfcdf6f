"""A pattern that DuckDB matches itself matches as it would in Java, of which Python's engine is the reference here."""

import re

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local_stage.athena.failures import AthenaFailure
from local_stage.athena.regexps import is_plain
from tests.unit.trino_sessions import answer

PARTS = ["a", "b", "1", ".", r"\d", r"\w", "[ab]", "[^a]", "(a|b1)", "(?:ab)", r"\.", " "]
ANCHORS = ["^", "$", "|", r"\b"]
TIMES = ["", "*", "+", "?", "{1,2}", "*?"]
pieces = st.one_of(
    st.sampled_from(ANCHORS),
    st.builds(lambda part, times: part + times, st.sampled_from(PARTS), st.sampled_from(TIMES)),
)
patterns = st.lists(pieces, max_size=5).map("".join)
texts = st.text("ab1 .\x0b", max_size=6)  # one line of ASCII: other text is left to the exact engine


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect(":memory:") as connection:
        yield connection


@settings(deadline=None, max_examples=300)
@given(pattern=patterns, text=texts)
@example(pattern="a$", text="ba")
@example(pattern=r"\w\b", text="a\x0b")
def test_a_plain_pattern_matches_alike_in_both_engines(connection, pattern, text):
    try:
        plain = is_plain(pattern)
    except AthenaFailure:
        return  # no pattern, or one that is refused
    if plain:
        (found,) = connection.execute("SELECT regexp_matches(?, ?)", [text, pattern]).fetchone()

        assert found == (re.search(pattern, text, re.ASCII) is not None)


@pytest.mark.parametrize("pattern", [r"a\s", "(a)\\1", "a(?=b)", "(?<n>a)", "(?i)a", r"\Aa", "a{100}"])
def test_a_pattern_on_which_engines_may_differ_is_not_plain(pattern):
    assert not is_plain(pattern)


@pytest.mark.parametrize(
    ("text", "pattern", "matches"),
    [("ba\n", "a$", "true"), ("a\nb", "a.b", "false"), ("é", "^.$", "true"), ("a\nb", "^b", "false")],
)
def test_other_text_is_matched_exactly(text, pattern, matches):
    assert answer(f"SELECT regexp_like(v, '{pattern}') FROM (VALUES '{text}') AS t(v)") == [[matches]]
