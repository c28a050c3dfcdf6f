"""A sample's caller, from the command line or its manifest to the plan; one that cannot run here is refused. ANA-02."""

import pytest

from strandline.aws.planning import chosen_caller
from strandline.aws.submitting import LocalReads, prepare_submission
from strandline.cli.analysis import refuse_caller
from strandline.cli.submission import read_sheet
from strandline.errors import RejectedInputError
from strandline.landing.manifest import AnalysisChoice, Caller, ReferenceName, SampleDeclaration
from tests.integration.conftest import READS, Aws, manifest_of

FREEBAYES = AnalysisChoice(caller=Caller.FREEBAYES)


@pytest.fixture
def without_tools(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_sheet_names_the_caller_of_a_sample_and_the_option_that_of_the_others(tmp_path):
    sheet = tmp_path / "s.csv"
    sheet.write_text("sample,reads_1,reads_2,reference,caller\ns,a,b,r.fa,bcftools\nt,c,d,r.fa,\n")
    given = read_sheet(sheet, caller=Caller.FREEBAYES)
    assert [one.caller for one in given] == [Caller.BCFTOOLS, Caller.FREEBAYES]


def test_the_manifest_of_a_submission_says_what_was_chosen(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    lanes = [LocalReads((tmp_path / "a", tmp_path / "b"))]
    name = ReferenceName(name="slice", version="0c2b")
    sample = SampleDeclaration(sample_id="S")
    assert prepare_submission(sample, lanes, name, None, caller=Caller.FREEBAYES).manifest.analysis == FREEBAYES
    assert prepare_submission(sample, lanes, name, None).manifest.analysis == AnalysisChoice()


def test_a_caller_that_this_machine_lacks_is_refused_before_anything_is_sent(without_tools):
    refuse_caller("local", Caller.BCFTOOLS)
    refuse_caller("prod", Caller.FREEBAYES)
    with pytest.raises(RejectedInputError, match=r"^caller_not_installed: "):
        refuse_caller("local", Caller.FREEBAYES)


@pytest.mark.parametrize(("in_images", "refused"), [(False, True), (True, False)])
def test_a_plan_is_refused_where_jobs_run_on_a_machine_without_the_caller(aws: Aws, without_tools, in_images, refused):
    aws.submit("s-1", READS, manifest_of(READS, analysis=FREEBAYES))
    if refused:
        with pytest.raises(RejectedInputError, match=r"^caller_not_installed: "):
            chosen_caller("s-1", aws.table, in_images=in_images)
    else:
        assert chosen_caller("s-1", aws.table, in_images=in_images) is Caller.FREEBAYES
