"""A newer ClinVar lists and re-opens the cases that it affects, and releases nothing. CLN-05."""

import json
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pysam
import pytest

from strandline.aws.consents import Consents
from strandline.aws.drafts import read_amendment, read_analysis
from strandline.aws.knowledge import AffectedCase, KnowledgeDesk, Todo
from strandline.aws.release_steps import ReleaseRequest
from strandline.aws.releases import ReleaseStatus
from strandline.aws.workspace import Buckets, Workspace
from strandline.cli.main import invoke
from strandline.interpretation.knowledge import parse_knowledge
from strandline.journey import Artifact, artifact_key, reference_key
from strandline.reads.reference_bundle import BUNDLE_NAME, Contig, ReferenceBundle, ReferenceFile, ReferenceRole
from tests.integration.conftest import NOW, READS, manifest_of
from tests.integration.test_release_desk import Place, S, place
from tests.unit.made_up import QUALITY

assert place  # the fixture: a submission in review, its first version frozen
CONTIGS = (Contig(name="c", length=1000, md5="0" * 32),)
HEADER = """\
##fileformat=VCFv4.1
##contig=<ID=c,length=1000>
##INFO=<ID=CLNSIG,Number=.,Type=String,Description="x">
##INFO=<ID=CLNREVSTAT,Number=.,Type=String,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""
REVIEWED = "criteria_provided,_multiple_submitters,_no_conflicts"
CALLS = """\
##fileformat=VCFv4.3
##strandlineClinVar=ClinVar 2026-09
##contig=<ID=c,length=1000>
##INFO=<ID=BCSQ,Number=.,Type=String,Description="x">
##INFO=<ID=CLINVAR_ID,Number=1,Type=String,Description="x">
##INFO=<ID=CLNSIG,Number=.,Type=String,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS
c\t101\t.\tG\tA\t60\tPASS\tBCSQ=missense|TOY1|T1|protein_coding|+|3W>3R|7G>A;CLINVAR_ID=15;CLNSIG=Uncertain_significance\tGT\t0/1
c\t201\t.\tC\tT\t60\tPASS\tBCSQ=synonymous|TOY1|T1|protein_coding|+|3W|7G>A\tGT\t0/1
"""


class Lab:
    """A submission that was analysed with ClinVar of September, and newer ones that are registered."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.aws, self.folder = place, place.aws, folder
        self.references = place.aws.bucket("references")
        self.register("0c2b", "2026-09", {101: "Uncertain_significance"})  # as `manifest_of` names it
        self.draft("s-1")

    def draft(self, submission_id: str) -> None:
        analysis = self.aws.bucket("analysis")
        analysis.write(artifact_key(submission_id, Artifact.CALLS), CALLS.encode())
        analysis.write(artifact_key(submission_id, Artifact.QC), QUALITY.model_dump_json().encode())

    def register(self, version: str, month: str, significance_by_position: dict[int, str]) -> ReferenceBundle:
        """Register bundle `slice` with a ClinVar that says so of `c`, one base each."""
        bases = {101: ("G", "A"), 201: ("C", "T")}
        plain = self.folder / f"{version}.vcf"
        lines = [
            f"c\t{position}\t{position}\t{bases[position][0]}\t{bases[position][1]}\t.\t.\tCLNSIG={said};CLNREVSTAT={REVIEWED}\n"
            for position, said in sorted(significance_by_position.items())
        ]
        plain.write_text(HEADER + "".join(lines))
        packed = pysam.tabix_index(str(plain), preset="vcf", force=True)
        files = []
        for path, role in ((packed, ReferenceRole.CLINVAR), (f"{packed}.tbi", ReferenceRole.CLINVAR_INDEX)):
            body, name = Path(path).read_bytes(), "clinvar.vcf.gz" + path.removeprefix(packed)
            self.references.write(reference_key("slice", version, name), body)
            digest = sha256(body).hexdigest()
            source = f"ClinVar {month}" if role is ReferenceRole.CLINVAR else ""
            files.append(ReferenceFile(name=name, role=role, size_bytes=len(body), sha256=digest, source=source))
        bundle = ReferenceBundle(name="slice", version=version, contigs=CONTIGS, files=tuple(files))
        self.references.write(reference_key("slice", version, BUNDLE_NAME), bundle.model_dump_json().encode())
        return bundle

    def desk(self, newer: ReferenceBundle, days: int = 0) -> KnowledgeDesk:
        scratch = self.folder / f"scratch-{newer.version}-{days}"
        scratch.mkdir(exist_ok=True)
        buckets = (self.aws.bucket("analysis"), self.references)
        return KnowledgeDesk(self.aws.table, *buckets, newer, NOW + timedelta(days=days), scratch)

    def survey(self, newer: ReferenceBundle) -> list[AffectedCase]:
        return list(self.desk(newer).survey())

    def workspace(self, folder: str) -> Workspace:
        (self.folder / folder).mkdir()
        return Workspace(
            "s-1", self.aws.table, Buckets(self.aws.bucket("analysis"), self.references), self.folder / folder
        )


@pytest.fixture
def lab(place: Place, tmp_path: Path) -> Lab:
    return Lab(place, tmp_path)


def test_the_same_version_or_one_that_says_the_same_affects_nobody(lab):
    lab.place.release()
    same = lab.references.read(reference_key("slice", "0c2b", BUNDLE_NAME), limit_bytes=1 << 20)
    assert lab.survey(ReferenceBundle.model_validate_json(same)) == []
    assert lab.survey(lab.register("0c2c", "2026-10", {101: "Uncertain_significance"})) == []
    assert lab.survey(lab.register("0c2d", "2026-10", {101: "Uncertain_significance", 201: "Likely_benign"})) == []


def test_a_released_case_is_reopened_and_stays_in_force_until_persons_signed_the_amendment(lab):
    place, releases = lab.place, lab.place.desk.releases
    place.release()
    newer = lab.register("0c3a", "2026-11", {101: "Pathogenic", 201: "Likely_pathogenic"})
    (case,) = lab.survey(newer)
    assert (case.submission_id, case.version, case.todo) == ("s-1", 2, Todo.REOPEN)
    told = {change.variant: (change.rule, change.before is None) for change in case.knowledge.changes}
    assert told == {"c:101:G:A": ("became_pathogenic", False), "c:201:C:T": ("became_pathogenic", True)}
    assert [one.version for one in releases.versions("s-1")] == [1]  # looking changed nothing

    assert lab.desk(newer).reopen(case, "arn:a-geneticist")
    second = releases.version("s-1", 2)
    assert (second.status, second.asked_by) == (ReleaseStatus.ASKED, "arn:a-geneticist")
    assert "ClinVar 2026-11 in place of ClinVar 2026-09" in second.reason
    assert lab.aws.table.get("s-1").state is S.RELEASED
    assert place.workflow.told[-1] != ("start", "s-1.v2")  # nobody opened it
    assert lab.survey(newer) == []  # it waits already
    assert lab.aws.bucket("delivery").exists("releases/s-1/0001/released.json")

    analysis = read_analysis(lab.workspace("draft"))
    assert [finding.call.clinvar_significance for finding in analysis.findings.named] == [
        "Pathogenic",
        "Likely_pathogenic",
    ]
    assert analysis.sources["ClinVar"].startswith("ClinVar 2026-11 sha256:")
    amendment = read_amendment(lab.workspace("amended"), analysis.knowledge)
    assert (amendment.replaces, amendment.previous) == (1, releases.version("s-1", 1).frozen.digest)
    assert len(amendment.knowledge.mattering) == 2

    sign(place, 2)
    assert lab.aws.table.get("s-1").state is S.AMENDED
    assert releases.version("s-1", 2).frozen.reason == second.reason
    assert lab.survey(newer) == []
    assert "AMENDED" in [what for what, _, _ in place.entries()]


def sign(place: Place, version: int) -> None:
    asked = ReleaseRequest(submission_id="s-1", version=version)
    place.steps.prepare(asked, NOW)
    place.sign("author", place.token("ada", "author"), version=version)
    place.sign("approver", place.token("ann", "approver"), version=version)
    place.steps.deliver(asked, NOW)


def test_a_third_version_is_compared_with_what_is_in_force_and_not_with_what_waits(lab):
    place, releases = lab.place, lab.place.desk.releases
    place.release()
    october = lab.register("0c3a", "2026-10", {101: "Pathogenic"})
    november = lab.register("0c3b", "2026-11", {101: "Uncertain_significance", 201: "Pathogenic"})
    lab.desk(october).reopen(lab.survey(october)[0], "arn:a-geneticist")
    (case,) = lab.survey(november)
    assert case.knowledge.before.says == "ClinVar 2026-09"
    assert [change.variant for change in case.knowledge.mattering] == ["c:201:C:T"]
    assert (case.version, case.is_new) == (2, False)
    assert lab.desk(november).reopen(case, "arn:a-geneticist")
    assert "2026-11" in releases.version("s-1", 2).reason
    sign(place, 2)
    december = lab.register("0c3c", "2026-12", {101: "Uncertain_significance"})
    (case,) = lab.survey(december)
    assert (case.version, case.knowledge.before.says) == (3, "ClinVar 2026-11")
    assert [(change.variant, change.rule) for change in case.knowledge.mattering] == [
        ("c:201:C:T", "no_longer_pathogenic")
    ]


def test_what_is_being_signed_is_listed_and_left_alone(lab):
    (case,) = lab.survey(newer := lab.register("0c3a", "2026-11", {101: "Pathogenic"}))
    assert (case.todo, case.version) == (Todo.SIGNING, 1)
    assert not lab.desk(newer).reopen(case, "arn:a-geneticist")
    assert not lab.aws.bucket("analysis").exists(artifact_key("s-1", Artifact.KNOWLEDGE))


def test_what_nobody_opened_is_drafted_anew_and_needs_no_version_of_its_own(lab):
    lab.aws.submit("s-2", READS, manifest_of(READS))
    for state in (S.VALIDATING, S.ANALYSING, S.LOADED, S.IN_REVIEW):
        lab.aws.table.move("s-2", state, who="sample_to_release", why="It was due", now=NOW)
    lab.draft("s-2")
    lab.place.steps.ask("s-2", NOW)
    newer = lab.register("0c3a", "2026-11", {101: "Pathogenic"})
    case = next(one for one in lab.survey(newer) if one.submission_id == "s-2")
    assert (case.todo, case.version) == (Todo.REDRAFT, 1)
    assert lab.desk(newer).reopen(case, "arn:a-geneticist")
    assert [one.version for one in lab.place.desk.releases.versions("s-2")] == [1]
    kept = lab.aws.bucket("analysis").read(artifact_key("s-2", Artifact.KNOWLEDGE), limit_bytes=1 << 20)
    assert parse_knowledge(kept).release == 1
    assert [one.submission_id for one in lab.survey(newer)] == ["s-1"]


def test_another_genome_is_not_compared_and_without_consent_nothing_is_opened_again(lab):
    newer = lab.register("0c3a", "2026-11", {101: "Pathogenic"})
    other = newer.model_copy(update={"contigs": (Contig(name="c", length=1000, md5="1" * 32),)})
    assert lab.survey(other) == []
    assert len(lab.survey(newer)) == 1
    Consents(*lab.place.desk.releases.place).withdraw("s-1", who="a.person", why="The subject wrote to us", now=NOW)
    assert lab.survey(newer) == []


@pytest.fixture
def deployed(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    found = SimpleNamespace(
        submissions=lab.aws.table,
        analysis=lab.aws.bucket("analysis"),
        references=lab.references,
        caller=lambda: "arn:a-geneticist",
    )
    monkeypatch.setattr("strandline.cli.knowledge.connect", lambda _: found)
    monkeypatch.setenv("STRANDLINE_HOME", str(tmp_path / "home"))
    return lab


def test_the_command_lists_with_dry_run_and_opens_without(deployed, capsys):
    deployed.place.release()
    deployed.register("0c3a", "2026-11", {101: "Pathogenic"})
    releases = deployed.place.desk.releases
    assert invoke(["knowledge", "update", "slice/0c3a", "--dry-run", "--format", "json"]) == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert row == {
        "submission": "s-1",
        "version": 2,
        "todo": "re-open",
        "gene": "TOY1",
        "variant": "c:101:G:A",
        "was": "Uncertain significance (101)",
        "is": "Pathogenic (101)",
        "because": "became (likely) pathogenic",
    }
    assert len(releases.versions("s-1")) == 1
    assert invoke(["knowledge", "update", "slice/0c3a"]) == 0
    assert "1 wait for review with it" in capsys.readouterr().err
    assert releases.version("s-1", 2).status is ReleaseStatus.ASKED
    assert invoke(["knowledge", "update", "slice/none"]) == 65
