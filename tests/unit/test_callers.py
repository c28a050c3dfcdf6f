"""The callers that a lab may choose: command lines, versions, and what is said where one is not installed. ANA-02."""

import stat
from pathlib import Path

import pytest

from strandline.errors import RejectedInputError
from strandline.landing.manifest import Caller
from strandline.variants.callers import CALL_GVCF, TRAITS, caller_version, check_installed, missing_tools
from strandline.variants.callers.freebayes import freebayes_command

REFERENCE, CRAM, BED, OUT = Path("/r/ref.fa"), Path("/s/a.cram"), Path("/s/regions.bed"), Path("/s/called.vcf")


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A PATH with programs that print what they are told to and nothing else."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def add(name: str, printed: str) -> None:
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{printed}'\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    return add


def test_freebayes_is_asked_for_integer_qualities_and_single_changes():
    """`freebayes --help`, version 1.3.6: -f, --strict-vcf, -=, -E, -n, --limit-coverage, -t, -v."""
    assert freebayes_command(REFERENCE, CRAM, BED, OUT) == [
        *("freebayes", "--fasta-reference", "/r/ref.fa", "--strict-vcf", "--genotype-qualities"),
        *("--haplotype-length", "-1", "--use-best-n-alleles", "4", "--limit-coverage", "1000"),
        *("--targets", "/s/regions.bed", "--vcf", "/s/called.vcf", "/s/a.cram"),
    ]
    assert "--targets" not in freebayes_command(REFERENCE, CRAM, None, OUT)


def test_freebayes_says_its_version(tools):
    tools("freebayes", "version:  v1.3.6")
    assert caller_version(Caller.FREEBAYES) == "freebayes 1.3.6"


def test_bcftools_says_its_version():
    assert caller_version(Caller.BCFTOOLS).startswith("bcftools 1.")


def test_every_caller_is_known_and_can_be_called():
    assert set(TRAITS) == set(Caller)
    assert set(CALL_GVCF) <= set(Caller)


def test_bcftools_needs_no_program(tools):
    assert missing_tools(Caller.BCFTOOLS) == []
    check_installed(Caller.BCFTOOLS)


def test_a_caller_that_is_not_installed_is_refused_with_what_to_do(tools):
    with pytest.raises(RejectedInputError) as caught:
        check_installed(Caller.FREEBAYES)
    assert caught.value.code == "caller_not_installed"
    assert "freebayes is not on PATH" in caught.value.message
    assert "choose another caller" in caught.value.message


def test_a_caller_that_is_installed_is_taken(tools):
    tools("freebayes", "version:  v1.3.6")
    check_installed(Caller.FREEBAYES)
