"""A cohort genotyped by the tool that belongs to its caller: the job of GATK and of GLnexus."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from strandline import __version__
from strandline.aws.cohort_work import CohortWorkspace, fetch_callable, fetch_regions, make_once, write_report
from strandline.aws.cohorts import CohortRequest, CohortsTable
from strandline.aws.jobs import open_dynamodb, run_in_scratch
from strandline.aws.settings import CohortToolJobSettings
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.workspace import Buckets, Workspace
from strandline.journey import Artifact, CohortArtifact
from strandline.landing.regions import Region, merge_regions
from strandline.reads.reference_bundle import INDEX_BY_SOURCE, ReferenceBundle, ReferenceRole
from strandline.reads.tools import tool_version
from strandline.variants.callers import joint_gatk, joint_glnexus
from strandline.variants.callers.whole_cohort import Assay, CohortCall, WholeCohort
from strandline.variants.calling import index_vcf
from strandline.variants.joint_choice import JointCaller, joint_version
from strandline.variants.joint_output import CohortWriter
from strandline.variants.joint_pedigree import agreed_sexes, find_trios
from strandline.variants.joint_tool_sites import GenotypedCohort, filter_lines, read_genotyped
from strandline.variants.joint_trios import Genome
from strandline.variants.provenance import Provenance, header_lines
from strandline.variants.scattering import in_order

STEP_NAMES: Final[Mapping[JointCaller, str]] = {
    JointCaller.GATK: "JointGatk",
    JointCaller.GLNEXUS: "JointGlnexus",
}
"""The states of the workflow that run these jobs."""

_CALLS: Final[Mapping[JointCaller, CohortCall]] = {
    JointCaller.GATK: joint_gatk.genotype_cohort,
    JointCaller.GLNEXUS: joint_glnexus.genotype_cohort,
}
_REFERENCE: Final = (ReferenceRole.FASTA, ReferenceRole.FASTA_INDEX, ReferenceRole.SEQUENCE_DICTIONARY)
_NARROWEST_FIRST: Final[tuple[Assay, ...]] = ("PANEL", "WES", "WGS")


def run_cohort_tool(joint: JointCaller, settings: CohortToolJobSettings, buckets: Buckets) -> int:
    """Genotype a cohort with a tool and return the exit code, as `run_job` does."""
    place = open_dynamodb(), settings.submissions_table
    cohorts, submissions, cohort_id = CohortsTable(*place), SubmissionsTable(*place), settings.cohort_id

    def work(scratch: Path) -> None:
        do_tool_step(joint, CohortWorkspace(cohort_id, cohorts, buckets, scratch, submissions), settings)

    return run_in_scratch(STEP_NAMES[joint], cohort_id, cohorts, work)


def do_tool_step(joint: JointCaller, workspace: CohortWorkspace, settings: CohortToolJobSettings) -> None:
    """Genotype a cohort as a whole; nothing where the same was made before.

    Raises:
        RejectedInputError: `member_changed`, `cohort_unknown`, or a code of what is fetched.
        subprocess.CalledProcessError: where a tool failed.
    """
    request, members = workspace.open_members()
    version = joint_version(joint)
    made_from = {"request": request.model_dump_json(), joint.value: version, "bcftools": tool_version("bcftools")}

    def work() -> None:
        _genotype(_CALLS[joint], version, workspace, (request, members), settings)

    make_once(workspace, STEP_NAMES[joint], 0, made_from, code=settings.code_version, work=work)


def _genotype(
    call: CohortCall,
    version: str,
    workspace: CohortWorkspace,
    asked: tuple[CohortRequest, Sequence[Workspace]],
    settings: CohortToolJobSettings,
) -> None:
    request, members = asked
    bundle = members[0].reference()
    lengths, names = bundle.length_by_contig, [member.manifest.sample.sample_id for member in members]
    regions = [fetch_regions(member, lengths) for member in members]
    fasta, training = _fetch_references(members[0], bundle, joint_gatk.TRAINING_ROLES)
    whole = WholeCohort(
        reference=fasta,
        contigs=lengths,
        gvcf_by_sample=dict(zip(names, map(_fetch_gvcf, members), strict=True)),
        regions=_all_of(regions, lengths),
        assay=_narrowest([member.manifest.sample.assay for member in members]),
        training=training,
        scratch=workspace.scratch,
        threads=settings.threads,
        memory_mib=settings.memory_mib,
    )
    genotyped, marked = call(whole)
    sexes = agreed_sexes(request.relations, {one.manifest.sample.sample_id: one.manifest.sample.sex for one in members})
    cohort = GenotypedCohort(
        sample_ids=names,
        sexes=[sexes[name] for name in names],
        trios=find_trios(request.relations, names, sexes),
        genome=Genome(lengths, bundle.assembly),
        callable_regions=[fetch_callable(member, lengths) for member in members],
        regions=regions,
    )
    said = [("strandlineCohort", workspace.cohort_id), ("strandlineCaller", version), ("strandlineMarked", marked)]
    header = header_lines(Provenance(bundle.label, __version__), said) + filter_lines(genotyped)
    calls = workspace.scratch / CohortArtifact.CALLS
    sites = read_genotyped(whole.reference, genotyped, cohort, lengths)
    writer = CohortWriter(names, cohort.trios, bundle.label)
    report = writer.write(sites, calls, length_by_contig=lengths, header=header)
    index_vcf(calls)
    write_report(workspace, report)


def _fetch_references(member: Workspace, bundle: ReferenceBundle, roles: Sequence[str]) -> tuple[Path, dict[str, Path]]:
    """Return the FASTA, and what a model learns from as far as the bundle has it."""
    training = [role for role in map(ReferenceRole, roles) if bundle.files_of(role)]
    wanted = [*_REFERENCE, *training, *(INDEX_BY_SOURCE[role] for role in training)]
    fetched = member.fetch_reference(bundle, wanted)
    return fetched[ReferenceRole.FASTA], {role.value: fetched[role] for role in training}


def _fetch_gvcf(member: Workspace) -> Path:
    return member.fetch(Artifact.TOOL_GVCF, index=Artifact.TOOL_GVCF_INDEX)


def _all_of(regions: Sequence[list[Region] | None], lengths: dict[str, int]) -> tuple[Region, ...] | None:
    """Return where anybody was analysed, in the order of the reference; None where somebody was everywhere."""
    given = [one for one in regions if one is not None]
    if len(given) < len(regions):
        return None
    return tuple(in_order(merge_regions([region for one in given for region in one]), lengths))


def _narrowest(assays: Sequence[Assay]) -> Assay:
    return next(assay for assay in _NARROWEST_FIRST if assay in assays)
