"""Tables made of others are made anew where what they were made of has changed, and not otherwise. LAK-03."""

import json

import pytest

from benchmarks.lake_on_disk import open_lake
from strandline.aws.gold_jobs import refresh_changed
from strandline.aws.lake import Lake
from strandline.aws.lake_cohort import Outcome, Reconciled
from strandline.aws.lake_gold import freeze
from strandline.aws.lake_maintenance import erase_subject
from tests.integration.conftest import ROOT
from tests.integration.conftest import load as load_script
from tests.integration.made_up_lake import load
from tests.integration.test_lake_gold import NOW, both, counts


@pytest.fixture
def lake(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with open_lake(tmp_path) as catalog:
        yield Lake("lake", catalog)


def refreshed(lake, **asked):
    return [one.cohort for one in refresh_changed(lake, **asked)]


def test_many_samples_that_were_loaded_are_one_refresh_and_nothing_new_is_none(lake):
    assert refreshed(lake) == []  # nothing was ever loaded
    for sample in "ABC":
        load(lake, sample, [10])
    assert refreshed(lake) == ["all"]
    assert counts(lake, "all") == both((10, 3, 6))
    assert refreshed(lake) == []
    load(lake, "D", [10])
    assert refreshed(lake) == ["all"]
    assert counts(lake, "all") == both((10, 4, 8))


def test_a_frozen_cohort_is_counted_once_and_all_follows_the_lake(lake):
    load(lake, "A", [10])
    load(lake, "B", [10])
    freeze(lake, "pair", "SELECT ...", ["A", "B"], now=NOW)
    assert refreshed(lake) == ["all", "pair"]
    load(lake, "C", [10])
    assert refreshed(lake) == ["all"]
    assert counts(lake, "pair") == both((10, 2, 4))


def test_another_assembly_counts_anew_and_an_erased_subject_too(lake):
    load(lake, "A", [10], subject="PT1")
    load(lake, "B", [20], subject="PT2")
    freeze(lake, "second", "SELECT ...", ["A"], now=NOW)
    assert refreshed(lake) == ["all", "second"]
    assert refreshed(lake, assembly="GRCh38") == ["all", "second"]
    assert refreshed(lake, assembly="GRCh38") == []
    erase_subject(lake, "PT1")
    assert refreshed(lake, assembly="GRCh38") == ["all"]  # of the other, rows are no longer kept
    assert counts(lake, "all") == both((20, 1, 2))


def test_the_job_prints_a_line_a_cohort_and_takes_what_glue_adds_to_its_arguments(lake, monkeypatch, capsys):
    load(lake, "A", [10])
    job = load_script(ROOT / "glue_jobs" / "refresh_gold.py")
    monkeypatch.setattr(job, "Lake", lambda database: {"lake": lake}[database])
    assert job.main(["--JOB_NAME", "refresh-gold", "--database", "lake", "--enable-metrics", "true"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "cohort": "all", "samples": 1, "alleles": 2, "genes_and_samples": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("imports/", "import_source: the source is an S3 prefix"),
        ("s3://landing/imports/", "import_source: there is no file of VCF"),
    ],
)
def test_the_job_that_loads_a_cohort_says_what_is_no_source(aws, capsys, source, says):
    job = load_script(ROOT / "glue_jobs" / "load_cohort.py")
    assert job.main(["--database", "lake", "--reference-build", "GRCh38", "--source", source]) == 65
    assert capsys.readouterr().err.startswith(says)


def test_the_job_that_loads_a_cohort_names_neither_samples_nor_files():
    job = load_script(ROOT / "glue_jobs" / "load_cohort.py")
    counted = (Reconciled("ANNA", "chr1", 2, 2), Reconciled("ANNA", "chr2", 1, 1))
    told = [
        Outcome("ANNA", counted, file_number=1),
        Outcome("BERT", (Reconciled("BERT", "chr1", 4, 4),), file_number=2),
        Outcome("CLEO.vcf.gz", (), ("vcf_position", "CLEO.vcf.gz, line 4: POS is not a number"), 3),
    ]
    assert list(job.summary(told)) == [
        {"contig": "chr1", "read": 6, "written": 6},
        {"contig": "chr2", "read": 1, "written": 1},
        {"file": 3, "refused": "vcf_position", "message": "the file, line 4: POS is not a number"},
    ]
