"""Findings are bounded, point at a place and never quote. Requirements: ING-04, SEC-06."""

import pytest

from strandline.errors import RejectedInputError
from strandline.landing.findings import KEPT_PER_RULE, FindingLog, Level, Rule, rules_by_code

BROKEN = Rule("pos_invalid", Level.ERROR, "VCF 4.5, 1.6.1", "POS is no integer", "write the 1-based position")
ODD = Rule("id_repeated", Level.WARNING, "VCF 4.5, 1.6.1", "an ID stands twice", "give each record its own")


def test_a_message_says_what_where_and_what_to_do():
    log = FindingLog("a.vcf")
    log.add(BROKEN, line=7, record=3, field="POS", kind="letters")
    assert log.findings[0].message == "a.vcf, line 7, POS: POS is no integer (letters); write the 1-based position"


def test_a_million_findings_are_counted_and_few_are_kept():
    log = FindingLog("a.vcf")
    for line in range(1_000_000):
        log.add(BROKEN, line=line)
    assert len(log.findings) == KEPT_PER_RULE
    assert log.count_by_code["pos_invalid"] == 1_000_000


def test_warnings_alone_let_a_file_in_and_the_first_error_keeps_it_out():
    log = FindingLog("a.vcf")
    log.add(ODD, line=1)
    log.refuse_errors()
    log.add(BROKEN, line=2)
    with pytest.raises(RejectedInputError) as refused:
        log.refuse_errors()
    assert refused.value.code == "pos_invalid"


def test_two_rules_cannot_share_a_code():
    with pytest.raises(ValueError, match="pos_invalid"):
        rules_by_code([BROKEN], [ODD, BROKEN])
