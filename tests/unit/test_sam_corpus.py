"""Broken alignment files of many kinds: each is kept out by the rule that it breaks, and by no other."""

from pathlib import Path

import pysam
import pytest

from strandline.landing.findings import rules_by_code
from strandline.landing.sam import SAM_RULES
from tests.unit.sam_corpus import CORPUS
from tests.unit.sam_files import check, errors


@pytest.mark.parametrize("kind", CORPUS)
def test_a_broken_file_breaks_one_rule(kind):
    name, body, code = CORPUS[kind]
    _, log = check(body, name)
    assert errors(log) == {code}


def test_broken_files_break_the_same_rules_when_they_come_in_small_pieces():
    found = {kind: errors(check(body, name, step=7)[1]) for kind, (name, body, _) in CORPUS.items()}
    assert found == {kind: {code} for kind, (_, _, code) in CORPUS.items()}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # htslib closing what it could not open
def test_htslib_lets_in_many_of_them(tmp_path: Path):
    """The reason for reading these formats ourselves. Of 156 kinds pysam 0.24.1 reads 75 without an error."""
    accepted = [kind for kind, (name, body, _) in CORPUS.items() if is_read_by_pysam(tmp_path / name, body)]
    assert len(CORPUS) >= 40
    assert len(accepted) >= len(CORPUS) // 3


def is_read_by_pysam(path: Path, body: bytes) -> bool:
    path.write_bytes(body)
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.AlignmentFile(str(path), check_sq=False) as records:
            for record in records.fetch(until_eof=True):
                record.to_string()
    except (OSError, ValueError, NotImplementedError):
        return False
    finally:
        pysam.set_verbosity(verbosity)
    return True


def test_every_rule_has_a_code_of_its_own_a_section_and_an_advice():
    assert len(rules_by_code(SAM_RULES)) == len(SAM_RULES)
    assert all(rule.section.startswith(("SAM 1", "SAMtags", "CRAM 3.1")) and rule.advice for rule in SAM_RULES)


def test_no_message_quotes_a_value():
    for name, body, _ in CORPUS.values():
        _, log = check(body, name)
        assert not any(value in finding.message for finding in log.findings for value in ("c9", "r1", "ACGT", "ller"))
