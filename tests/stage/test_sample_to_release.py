"""The deployed templates carry samples from landing to a query answer, a bundle and a report.

Requirements: ING-01, ING-03, ANA-01, ANA-06, ANA-09, LAK-01, LAK-04, CLN-01, CLN-03, OPS-02.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import awswrangler
import boto3
import pysam
import pytest

from strandline.cli.analysis import fetch_results
from strandline.cli.references import ReferenceSources, make_reference
from strandline.journey import Artifact, SubmissionState, manifest_key
from strandline.variants.comparison import compare_calls
from tests.stage.conftest import ANALYSED, DATA
from tests.stage.test_steps_by_content import whole_genome

AWS = Path(sys.executable).with_name("aws")
HG002 = DATA / "hg002_hg19"


@pytest.fixture(scope="module")
def child(lab, analysed, tmp_path_factory):
    """The made-up child, all the way, and what came out."""
    out = tmp_path_factory.mktemp("child") / "results"
    fetch_results(lab.deployment, analysed, out)
    return analysed, out


def test_every_planted_variant_is_found_and_nothing_else(child, made_up):
    _, out = child
    score = compare_calls(out / Artifact.CALLS, made_up.truth, made_up.bundle_folder / "reference.fa")
    for kind in (score.snv, score.indel):
        assert kind.true_positives > 10
        assert kind.f1 == 1.0
        assert kind.genotype_concordance >= 0.95  # a few reads decide at the ends of the contig


def test_the_stop_gain_is_reported_as_known_and_the_splice_variant_as_loss_of_function(child):
    _, out = child
    report = (out / Artifact.REPORT).read_text()
    known, predicted = report.index("Known pathogenic"), report.index("Predicted loss of function")
    assert report.index("stop gained") > known
    assert report.index("splice donor") > predicted > known
    assert "Not signed, not released" in report


def test_the_bundle_is_preliminary_and_every_reference_in_it_resolves(child):
    _, out = child
    bundle = json.loads((out / Artifact.BUNDLE).read_bytes())
    addresses = {entry["fullUrl"] for entry in bundle["entry"]}
    assert set(_references(bundle)) <= addresses
    report = bundle["entry"][0]["resource"]
    assert (report["resourceType"], report["status"]) == ("DiagnosticReport", "preliminary")


def test_the_history_kept_is_that_of_the_deployed_state_machine(child):
    submission_id, out = child
    history = json.loads((out / "execution.json").read_text())
    entered = [e["stateEnteredEventDetails"]["name"] for e in history if e["type"].endswith("StateEntered")]
    asl = json.loads((Path(__file__).parents[2] / "step_functions/sample_to_release.asl.json").read_text())
    assert set(entered) <= set(asl["States"])
    assert {"ValidateFiles", "AlignReads", "CallVariants", "FilterAndQc", "LoadLake", "BuildBundle"} <= set(entered)
    assert history[-1]["type"] == "ExecutionSucceeded"
    assert submission_id in history[0]["executionStartedEventDetails"]["input"]


def test_headers_name_the_tools_the_reference_and_the_commands(child, made_up):
    _, out = child
    with pysam.AlignmentFile(
        out / Artifact.ALIGNED, reference_filename=str(made_up.bundle_folder / "reference.fa")
    ) as r:
        header = r.header.to_dict()
    assert [group["SM"] for group in header["RG"]] == [ANALYSED]
    assert {"samtools"} < {program["PN"] for program in header["PG"]}
    for name in (Artifact.CALLS, Artifact.GVCF):
        with pysam.VariantFile(out / name) as calls:
            text = str(calls.header)
        assert f"##strandlineReference={made_up.bundle.label}" in text
        assert "##bcftools_callCommand=call" in text


def test_aligned_reads_are_smaller_as_cram_than_as_bam(child, made_up, tmp_path):
    """ANA-06."""
    _, out = child
    bam = tmp_path / "x.bam"
    reference = str(made_up.bundle_folder / "reference.fa")
    pysam.view("-b", "-T", reference, "-o", str(bam), str(out / Artifact.ALIGNED), catch_stdout=False)
    assert (out / Artifact.ALIGNED).stat().st_size < 0.7 * bam.stat().st_size


@pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")  # awswrangler's own call of pandas
def test_the_lake_holds_one_row_a_record_and_awswrangler_reads_the_same(child, deployed, monkeypatch):
    submission_id, out = child
    with pysam.VariantFile(out / Artifact.CALLS) as calls:
        expected = sorted((r.contig, r.pos, r.ref, r.alts[0]) for r in calls)
    sql = f"SELECT contig, position, ref, alt FROM variants WHERE submission_id = '{submission_id}'"
    ours = deployed.queries.run(sql)
    assert sorted((c, int(p), r, a) for c, p, r, a in ours.rows) == expected
    assert ours.scanned_bytes > 0
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployed.queries._client.meta.endpoint_url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "embedded")
    frame = awswrangler.athena.read_sql_query(
        sql,
        database=deployed.queries.database,
        workgroup=deployed.outputs["AthenaWorkgroup"],
        ctas_approach=False,
        boto3_session=boto3.Session(region_name="us-east-1"),
    )
    assert sorted(frame.itertuples(index=False, name=None)) == expected


def test_the_lake_names_the_files_that_a_sample_came_from_and_what_read_them(child, deployed):
    """LAK-10."""
    submission_id, _ = child
    sql = f"SELECT file_role, sha256, step, tools FROM lineage WHERE submission_id = '{submission_id}'"
    rows = deployed.queries.run(sql).rows
    declared = {(file.role.value, file.sha256) for file in deployed.submissions.manifest(submission_id).files}
    assert {(role, sha256) for role, sha256, *_ in rows} == declared
    assert {step for _, _, step, _ in rows} <= {"AlignReads", "MeasureQuality"}
    assert all("samtools" in tools for *_, tools in rows)


def test_loading_twice_equals_loading_once(child, lab):
    submission_id, _ = child
    batch = lab.deployment._endpoint.client("batch")
    definitions = batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]
    (load_lake,) = [d["jobDefinitionArn"] for d in definitions if "load-lake" in d["jobDefinitionName"]]
    count = f"SELECT count(*) FROM variants WHERE submission_id = '{submission_id}'"
    before = lab.deployment.queries.run(count).rows
    job = batch.submit_job(
        jobName="again",
        shareIdentifier="tests",
        jobQueue=lab.deployment.outputs["CpuQueueArn"],
        jobDefinition=load_lake,
        containerOverrides={"environment": [{"name": "SUBMISSION_ID", "value": submission_id}]},
    )["jobId"]
    while (state := batch.describe_jobs(jobs=[job])["jobs"][0]["status"]) not in {"SUCCEEDED", "FAILED"}:
        time.sleep(0.1)
    assert state == "SUCCEEDED"
    assert lab.deployment.queries.run(count).rows == before
    samples = f"SELECT count(*) FROM samples WHERE submission_id = '{submission_id}'"
    assert lab.deployment.queries.run(samples).rows == (("1",),)


def test_a_job_of_glue_counts_what_was_loaded_and_nothing_where_nothing_was(child, deployed):
    """LAK-03."""
    submission_id, _ = child
    glue, name = deployed._endpoint.client("glue"), "strandline-local-refresh-gold"
    states = []
    for _ in range(2):
        run_id = glue.start_job_run(JobName=name)["JobRunId"]
        while (run := glue.get_job_run(JobName=name, RunId=run_id)["JobRun"])["JobRunState"] in {"STARTING", "RUNNING"}:
            time.sleep(0.2)
        logs = deployed._endpoint.client("logs").get_log_events(
            logGroupName="/aws-glue/jobs/output", logStreamName=run_id
        )["events"]
        states.append((run["JobRunState"], len(logs)))
    assert states == [("SUCCEEDED", 1), ("SUCCEEDED", 0)]  # a line a cohort that was counted
    sql = f"""SELECT count(*) FROM variants JOIN cohort_frequencies AS counted
        ON counted.contig = variants.contig AND counted.position = variants.position
        AND counted.ref = variants.ref AND counted.alt = variants.alt
        WHERE variants.submission_id = '{submission_id}' AND counted.cohort = 'all' AND counted.allele_count > 0"""
    loaded = f"SELECT count(*) FROM variants WHERE submission_id = '{submission_id}'"
    assert deployed.queries.run(sql).rows == deployed.queries.run(loaded).rows != (("0",),)


def test_every_state_change_is_kept_with_its_reason(child, deployed):
    submission_id, _ = child
    changes = deployed.submissions.changes(submission_id)
    assert [change.after for change in changes] == ["RECEIVED", "VALIDATING", "ANALYSING", "LOADED", "IN_REVIEW"]
    assert all(change.why and change.who for change in changes)


def test_the_plain_aws_cli_starts_the_same_workflow(lab, analysed, tmp_path):
    """ING-02, the first door: any S3 client."""
    regions = whole_genome(lab, tmp_path, 10)
    manifest = lab.manifest_of(ANALYSED, regions)
    folder = f"s3://{lab.deployment.landing.bucket}/submissions/by-aws-cli"
    (tmp_path / "manifest.json").write_bytes(manifest.to_json())
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": lab.deployment.queries._client.meta.endpoint_url,
        "AWS_ACCESS_KEY_ID": "embedded",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    uploads = [*zip((*lab.made_up.reads, regions), (file.name for file in manifest.files), strict=True)]
    for path, name in [*uploads, (tmp_path / "manifest.json", "manifest.json")]:
        command = [str(AWS), "s3", "cp", "--no-progress", str(path), f"{folder}/{name}"]
        subprocess.run(command, check=True, env=environment, capture_output=True)
    assert lab.wait("by-aws-cli").state is SubmissionState.IN_REVIEW
    assert manifest_key("by-aws-cli") == "submissions/by-aws-cli/manifest.json"


@pytest.mark.skipif(not HG002.exists(), reason="the real HG002 slice is not beside this checkout")
def test_hg002_is_called_as_well_as_the_field_expects(deployed, tmp_path):
    """ANA-01: SNV F1 at least 0.99, indel F1 at least 0.96 against GIAB 4.2.1 in the sequenced confident regions."""
    command = [str(Path(sys.executable).with_name("strandline")), "run", "--sample", "HG002"]
    reads = [str(HG002 / "HG002_R1.fq.gz"), str(HG002 / "HG002_R2.fq.gz")]
    beds = [HG002 / "slice/confident.bed", HG002 / "slice/sequenced.bed"]
    given = ["--reads", *reads, "--reference", str(HG002 / "slice/reference.fa.gz"), "--regions", str(beds[1])]
    subprocess.run([*command, *given, "--out", str(tmp_path / "D")], check=True, capture_output=True)
    reference = make_reference(ReferenceSources(HG002 / "slice/reference.fa.gz")).folder / "reference.fa"
    score = compare_calls(tmp_path / "D/calls.vcf.gz", HG002 / "slice/truth.vcf.gz", reference, beds)
    assert score.snv.f1 >= 0.99
    assert score.indel.f1 >= 0.96
    assert (tmp_path / "D/execution.json").stat().st_size > 0


def _references(value):
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
