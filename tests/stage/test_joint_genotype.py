"""A made-up trio on the deployed stage: the planted de novo is found, and nothing else is. ANA-03, ANA-04, ANA-10."""

import numpy as np
import pysam
import pytest

from strandline.aws.cohort_requests import make_request
from strandline.aws.cohorts import CohortState
from strandline.cli.cohort import RESULTS, genotype_cohort
from strandline.errors import RejectedInputError
from strandline.journey import CohortArtifact, SubmissionState, artifact_key
from strandline.synthetic.reads import write_reads
from strandline.variants.joint_pedigree import read_pedigree
from strandline.variants.joint_trios import Confidence
from tests.stage.test_command_line import run

PLANNER = "strandline-local-plan-genotyping"
PEDIGREE = b"F SYN-CHILD SYN-FATHER SYN-MOTHER 2 0\nF SYN-FATHER 0 0 1 0\nF SYN-MOTHER 0 0 2 0\n"
RELATIONS = read_pedigree(PEDIGREE, "trio.ped")


@pytest.fixture(scope="module")
def folder(lab, tmp_path_factory):
    """The reads of child, father and mother, a sheet and a pedigree."""
    folder, family, rng = tmp_path_factory.mktemp("family"), lab.made_up.family, np.random.default_rng(7)
    lines = ["sample,reads_1,reads_2"]
    for person in (family.child, family.father, family.mother):
        name = person.sample_id
        write_reads(person, lab.made_up.genome, rng, *mates_of(folder, name))
        lines.append(f"{name},{name}_R1.fq.gz,{name}_R2.fq.gz")
    (folder / "samples.csv").write_text("\n".join(lines) + "\n")
    (folder / "trio.ped").write_bytes(PEDIGREE)
    return folder


def mates_of(folder, sample_id):
    return folder / f"{sample_id}_R1.fq.gz", folder / f"{sample_id}_R2.fq.gz"


@pytest.fixture(scope="module")
def trio(lab, folder):
    """The submission ids of child, father and mother, all analysed."""
    names = [relation.sample_id for relation in RELATIONS]
    ids = {name: lab.send(name, reads=mates_of(folder, name)) for name in names}
    for submission_id in ids.values():
        assert lab.wait(submission_id).state is SubmissionState.IN_REVIEW
    return ids


def records(path) -> list[str]:
    with pysam.VariantFile(str(path)) as calls:
        return [str(record) for record in calls]


def test_the_de_novo_of_a_trio_is_found_and_no_other(lab, trio, tmp_path):
    request = make_request(lab.deployment.submissions, [], RELATIONS)
    report = genotype_cohort(lab.deployment, request, tmp_path)
    (of_child,) = report.trios
    sure = [found for found in of_child.de_novos if found.confidence is Confidence.HIGH]
    planted = lab.made_up.family.de_novo
    assert [(found.position, found.ref, found.alt) for found in sure] == [(planted.position, planted.ref, planted.alt)]
    assert of_child.violations == 1  # the de novo itself
    assert of_child.alleles > 100
    assert report.samples == ("SYN-CHILD", "SYN-FATHER", "SYN-MOTHER")
    assert lab.deployment.cohorts.get(request.cohort_id).state is CohortState.GENOTYPED


def test_every_planted_base_has_its_genotype_in_each_of_the_three(lab, trio, tmp_path):
    """Insertions and deletions are planted where chance has it, and called in their normal form: they are left out."""
    genotype_cohort(lab.deployment, make_request(lab.deployment.submissions, [], RELATIONS), tmp_path)
    truth = {
        person.sample_id: {
            (variant.position, variant.ref, variant.alt): genotype.count("1")
            for variant, genotype in person.genotype_by_variant().items()
            if len(variant.ref) == len(variant.alt)
        }
        for person in lab.made_up.family.members
    }
    right = wrong = 0
    with pysam.VariantFile(str(tmp_path / CohortArtifact.CALLS)) as calls:
        for record in (one for one in calls if len(one.ref) == len(one.alts[0]) == 1):
            for name, sample in record.samples.items():
                if sample["FT"] == "PASS":
                    copies = truth[name].get((record.pos, record.ref, record.alts[0]), 0)
                    right += copies == sum(sample["GT"])
                    wrong += copies != sum(sample["GT"])
    assert right > 200
    assert wrong <= 0.01 * right


def test_the_same_cohort_is_made_once_and_in_parts_it_says_the_same(lab, trio, tmp_path, deployed):
    table = lab.deployment.submissions
    whole, parts = (make_request(table, list(trio), RELATIONS, different_regions=apart) for apart in (False, True))
    first, again, scattered = (tmp_path / name for name in ("first", "again", "scattered"))
    genotype_cohort(lab.deployment, whole, first)
    genotype_cohort(lab.deployment, whole, again)
    assert lab.deployment.cohorts.get(whole.cohort_id).attempt == 1

    client = deployed._endpoint.client("lambda")
    before = client.get_function_configuration(FunctionName=PLANNER)["Environment"]
    small = {"Variables": {**before["Variables"], "CALLING_PART_BYTES": "10000"}}
    client.update_function_configuration(FunctionName=PLANNER, Environment=small)
    try:
        genotype_cohort(lab.deployment, parts, scattered)
    finally:
        client.update_function_configuration(FunctionName=PLANNER, Environment=before)
    history = lab.deployment.cohort_workflow.history(parts.cohort_id)
    entered = [e["stateEnteredEventDetails"]["name"] for e in history if e["type"].endswith("StateEntered")]
    assert {"GenotypeParts", "GatherGenotypes"} <= set(entered)
    assert records(first / CohortArtifact.CALLS) == records(scattered / CohortArtifact.CALLS) != []
    assert (first / CohortArtifact.REPORT).read_text() == (scattered / CohortArtifact.REPORT).read_text()


def test_a_member_that_lost_its_files_is_said_in_words_and_can_be_asked_for_again(lab, trio, tmp_path):
    pair = [trio["SYN-FATHER"], trio["SYN-MOTHER"]]
    request = make_request(lab.deployment.submissions, pair)
    key, analysis = artifact_key(pair[0], "callable.bed"), lab.deployment.analysis
    kept = analysis.read(key, limit_bytes=1 << 20)
    analysis._client.delete_object(Bucket=analysis.bucket, Key=key)
    with pytest.raises(RejectedInputError, match=r"^object_missing: .*is refused"):
        genotype_cohort(lab.deployment, request, tmp_path)
    refused = lab.deployment.cohorts.get(request.cohort_id)
    assert (refused.state, refused.cause.step) == (CohortState.REFUSED, "JointGenotype")

    analysis.write(key, kept)
    genotype_cohort(lab.deployment, request, tmp_path)
    assert lab.deployment.cohorts.get(request.cohort_id).attempt == 2


def test_a_family_is_sent_and_genotyped_by_one_command(lab, trio, folder):
    reference = str(lab.made_up.bundle_folder)
    family = ["run", "--sheet", "samples.csv", "--pedigree", "trio.ped", "--reference", reference, "--out", "family"]
    done = run(*family, folder=folder)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (folder / "family").iterdir()} == {*map(str, RESULTS), *trio}
    assert (folder / "family" / "SYN-CHILD" / "calls.vcf.gz").exists()
    assert "submitted before" in done.stderr  # as the tests before sent it

    (folder / "loop.ped").write_bytes(b"F A B C 1 0\nF B A D 1 0\nF C 0 0 2 0\nF D 0 0 2 0\n")
    refused = run(*("loop.ped" if word == "trio.ped" else word for word in family), folder=folder)
    assert (refused.returncode, refused.stderr.split(": ")[1]) == (65, "ped_loop")
    asked = run("cohort", "genotype", "SYN-CHILD", "NOBODY", "--out", "none", folder=folder)
    assert (asked.returncode, asked.stderr.split(": ")[1]) == (65, "member_unknown")
