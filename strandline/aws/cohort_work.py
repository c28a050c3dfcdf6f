"""JointGenotype on a worker: the members' files fetched, one part or all of the cohort genotyped, parts gathered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strandline import __version__
from strandline.aws.cohorts import CohortRequest, CohortsTable
from strandline.aws.jobs import open_dynamodb, run_in_scratch
from strandline.aws.settings import CohortJobSettings
from strandline.aws.steps import Step, StepRecords, step_key
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.workspace import Buckets, Workspace
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, CohortArtifact, cohort_key
from strandline.landing.regions import Region, parse_regions
from strandline.reads.alignment import index_reads
from strandline.reads.reference_bundle import ReferenceBundle, ReferenceRole
from strandline.reads.tools import run_pipeline, tool_version
from strandline.variants.calling import gather_commands, index_vcf
from strandline.variants.joint import Cohort, genotype_jointly
from strandline.variants.joint_output import CohortReport, CohortWriter, gather_reports
from strandline.variants.joint_pedigree import agreed_sexes, find_trios
from strandline.variants.joint_sites import SampleFiles
from strandline.variants.joint_trios import Genome
from strandline.variants.provenance import Provenance, header_lines
from strandline.variants.scattering import CallingPlan, needed_bytes, read_crai, widen

_OUTPUTS: Final = (CohortArtifact.CALLS_INDEX, CohortArtifact.CALLS, CohortArtifact.REPORT)
_PASSING: Final = "tier=passing"


@dataclass(frozen=True, slots=True)
class CohortWorkspace:
    """Where one step of one cohort works. `scratch` is an empty folder that the caller removes."""

    cohort_id: str
    cohorts: CohortsTable
    buckets: Buckets
    scratch: Path
    submissions: SubmissionsTable

    def open_members(self) -> tuple[CohortRequest, list[Workspace]]:
        """Return the request, and the members in the order of their sample ids, each with a folder of its own.

        Raises:
            RejectedInputError: `member_changed`, where a member's files are not those that the cohort was asked for.
        """
        request = self.cohorts.request(self.cohort_id)
        steps = StepRecords(*self.submissions.place)
        opened = []
        for number, member in enumerate(request.members, start=1):
            keys = steps.keys_of(member.submission_id)
            if any(keys.get(step) != key for step, key in member.keys.items()):
                raise RejectedInputError(
                    "member_changed",
                    f"submission {member.submission_id} was analysed anew since the cohort was asked for: ask again",
                )
            folder = self.scratch / f"member{number}"
            folder.mkdir()
            opened.append(Workspace(member.submission_id, self.submissions, self.buckets, folder))
        return request, sorted(opened, key=lambda member: member.manifest.sample.sample_id)

    def fetch(self, artifact: CohortArtifact, part: int = 0) -> Path:
        """Return an output of an earlier step, or of a part."""
        path = self.scratch / f"{part:04d}.{artifact}"
        return self.buckets.analysis.download(cohort_key(self.cohort_id, artifact, part), path)

    def plan(self) -> CallingPlan:
        """Return the parts that the cohort is genotyped in."""
        return CallingPlan.model_validate_json(self.fetch(CohortArtifact.PLAN).read_bytes())

    def publish(self, part: int) -> None:
        """Store the outputs; running twice overwrites the same keys."""
        for artifact in _OUTPUTS:
            kind = "application/json" if artifact is CohortArtifact.REPORT else "application/octet-stream"
            self.buckets.analysis.upload(
                self.scratch / artifact,
                cohort_key(self.cohort_id, artifact, part),
                content_type=kind,
                tags=_PASSING if part else "",
            )


def run_cohort_job(settings: CohortJobSettings, buckets: Buckets) -> int:
    """Do a step's work and return the exit code, as `run_job` does; the cause of a failure is kept with the cohort."""
    place = open_dynamodb(), settings.submissions_table
    cohorts, submissions, cohort_id = CohortsTable(*place), SubmissionsTable(*place), settings.cohort_id

    def work(scratch: Path) -> None:
        do_cohort_step(CohortWorkspace(cohort_id, cohorts, buckets, scratch, submissions), settings)

    return run_in_scratch(step_name(settings), cohort_id, cohorts, work)


def do_cohort_step(workspace: CohortWorkspace, settings: CohortJobSettings) -> None:
    """Genotype all of a cohort or a part of it, or gather its parts; nothing where the same was made before.

    Raises:
        RejectedInputError: `member_changed`, `cohort_unknown`, or a code of what is fetched.
        subprocess.CalledProcessError: where a tool failed.
    """
    part = settings.part
    request, members = workspace.open_members()
    plan = workspace.plan()
    made_from = {
        "request": request.model_dump_json(),
        "bcftools": tool_version("bcftools"),
        "plan": plan.model_dump_json() if part or settings.gather else "",
    }

    def work() -> None:
        if settings.gather:
            gather_parts(workspace, len(plan.parts))
        else:
            genotype_members(workspace, request, members, plan.regions_of(part) if part else None)

    make_once(workspace, step_name(settings), part, made_from, code=settings.code_version, work=work)


def make_once(
    workspace: CohortWorkspace,
    name: str,
    part: int,
    made_from: Mapping[str, str],
    *,
    code: str,
    work: Callable[[], None],
) -> None:
    """Do a step's work and publish what it wrote; nothing where the same was made before from the same."""
    cohorts, cohort_id = workspace.cohorts, workspace.cohort_id
    key = step_key(Step(name, name, ()), code=code, read=made_from, before={})
    there = all(workspace.buckets.analysis.exists(cohort_key(cohort_id, one, part)) for one in _OUTPUTS)
    if there and cohorts.made(cohort_id, name) == key:
        return
    cohorts.forget_made(cohort_id, name)
    work()
    workspace.publish(part)
    cohorts.keep_made(cohort_id, name, key)


def step_name(settings: CohortJobSettings) -> str:
    """Return the name of the state that a job runs for, of a part with its number."""
    if settings.gather:
        return "GatherGenotypes"
    return f"GenotypeParts.{settings.part}" if settings.part else "JointGenotype"


def genotype_members(
    workspace: CohortWorkspace, request: CohortRequest, members: Sequence[Workspace], keep: Sequence[Region] | None
) -> None:
    """Genotype the members, all or only what lies in `keep`, and write VCF and report into scratch."""
    bundle = members[0].reference()
    fasta = members[0].fetch_reference(bundle, [ReferenceRole.FASTA, ReferenceRole.FASTA_INDEX])[ReferenceRole.FASTA]
    lengths = bundle.length_by_contig
    wide = None if keep is None else widen(keep, lengths, None)
    samples = [fetch_sample(member, bundle, wide) for member in members]
    sample_ids = [sample.sample_id for sample in samples]
    declared = {member.manifest.sample.sample_id: member.manifest.sample.sex for member in members}
    sexes = agreed_sexes(request.relations, declared)
    cohort = Cohort(
        samples,
        [sexes[sample_id] for sample_id in sample_ids],
        find_trios(request.relations, sample_ids, sexes),
        Genome(lengths, bundle.assembly),
    )
    header = header_lines(Provenance(bundle.label, __version__), [("strandlineCohort", workspace.cohort_id)])
    calls = workspace.scratch / CohortArtifact.CALLS
    sites = genotype_jointly(fasta, cohort, list(lengths), keep=keep, read=wide)
    report = CohortWriter(sample_ids, cohort.trios, bundle.label).write(
        sites, calls, length_by_contig=lengths, header=header
    )
    index_vcf(calls)
    write_report(workspace, report)


def gather_parts(workspace: CohortWorkspace, part_count: int) -> None:
    """Put the parts together, in their order."""
    parts = range(1, part_count + 1)
    calls = workspace.scratch / CohortArtifact.CALLS
    run_pipeline(gather_commands([workspace.fetch(CohortArtifact.CALLS, part) for part in parts], calls))
    index_vcf(calls)
    reports = [workspace.fetch(CohortArtifact.REPORT, part).read_bytes() for part in parts]
    write_report(workspace, gather_reports([CohortReport.model_validate_json(body) for body in reports]))


def fetch_sample(member: Workspace, bundle: ReferenceBundle, wide: Sequence[Region] | None) -> SampleFiles:
    """Fetch what joint genotyping reads of a member; of its CRAM only what reaches into `wide`, where that is given."""
    lengths = bundle.length_by_contig
    if wide is None:
        reads = member.fetch(Artifact.ALIGNED, index=Artifact.ALIGNED_INDEX)
    else:
        slices = read_crai(member.fetch(Artifact.ALIGNED_INDEX).read_bytes())
        reads = member.fetch_ranges(Artifact.ALIGNED, lambda size: needed_bytes(slices, lengths, wide, size))
        index_reads(reads)
    return SampleFiles(
        sample_id=member.manifest.sample.sample_id,
        variants=member.fetch(Artifact.CALLED, index=Artifact.CALLED_INDEX),
        gvcf=member.fetch(Artifact.GVCF, index=Artifact.GVCF_INDEX),
        reads=reads,
        callable_regions=fetch_callable(member, lengths),
        regions=fetch_regions(member, lengths),
    )


def fetch_callable(member: Workspace, lengths: dict[str, int]) -> list[Region]:
    """Fetch where the absence of a variant in a member means something."""
    body = member.fetch(Artifact.CALLABLE_REGIONS).read_bytes()
    return parse_regions(body, Artifact.CALLABLE_REGIONS, lengths) if body else []


def fetch_regions(member: Workspace, lengths: dict[str, int]) -> list[Region] | None:
    """Fetch where a member was analysed, None for everywhere."""
    bed = member.fetch_if_there(Artifact.REGIONS)
    return parse_regions(bed.read_bytes(), bed.name, lengths) if bed else None


def write_report(workspace: CohortWorkspace, report: CohortReport) -> None:
    """Write what was found into scratch."""
    (workspace.scratch / CohortArtifact.REPORT).write_text(report.model_dump_json(indent=1))
