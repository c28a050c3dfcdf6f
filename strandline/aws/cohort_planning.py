"""How a cohort is genotyped: by which tool, on how much of a machine, or in which parts.

Parts are made from the index of one member's CRAM and kept in the cohort's folder.
"""

from collections.abc import Mapping
from typing import Final

from strandline.aws.cohorts import CohortsTable
from strandline.aws.objects import S3Objects
from strandline.aws.planning import read_regions
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.workspace import read_bundle
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, CohortArtifact, artifact_key, cohort_key
from strandline.variants.callers.resources import Resources, resources_for_cohort
from strandline.variants.joint_choice import JOINT_TRAITS, JointCaller, check_joint_installed, choose_joint
from strandline.variants.scattering import CallingPlan, plan_calling, read_crai

_LIGHTER: Final = 6
"""A part of a cohort takes as many times the bytes of reads as one of a sample, for most are not looked at: a simulated
family of 3 Mb took 65 s to call and 10 s to genotype."""

_INDEX_LIMIT_BYTES: Final = 64 << 20


def chosen_joint(
    cohort_id: str, *, cohorts: CohortsTable, submissions: SubmissionsTable, in_images: bool
) -> JointCaller:
    """Return what genotypes a cohort; `in_images` tells whether jobs run in images, which bring their tools.

    Raises:
        RejectedInputError: `cohort_unknown`, `members_of_different_callers`, or `joint_caller_not_installed`, where
            jobs run on this machine and it lacks the tool.
    """
    members = [member.submission_id for member in cohorts.request(cohort_id).members]
    joint = choose_joint({member: submissions.manifest(member).analysis.caller for member in members})
    if not in_images:
        check_joint_installed(joint)
    return joint


def plan_joint_machine(
    cohort_id: str,
    joint: JointCaller,
    *,
    cohorts: CohortsTable,
    analysis: S3Objects,
    most_by_joint: Mapping[str, Resources],
) -> Resources | None:
    """Return what the job of a tool that takes a cohort as a whole is given; None where there is no such job.

    Raises:
        RejectedInputError: `object_missing`, where a member's own gVCF is not kept; `scratch_too_small`.
    """
    traits = JOINT_TRAITS.get(joint)
    if traits is None:
        return None
    members = [member.submission_id for member in cohorts.request(cohort_id).members]
    size = sum(_size(analysis, member, Artifact.TOOL_GVCF) for member in members)
    return resources_for_cohort(most_by_joint[joint], size, scratch_factor=traits.scratch_factor)


def make_genotyping_plan(
    cohort_id: str,
    *,
    cohorts: CohortsTable,
    submissions: SubmissionsTable,
    analysis: S3Objects,
    references: S3Objects,
    part_bytes: int,
) -> CallingPlan:
    """Divide a cohort into parts and keep that; the reads of its first member say where there is how much to do.

    Args:
        cohort_id: whose.
        cohorts: the request.
        submissions: the members.
        analysis: holds their CRAMs and takes the plan.
        references: holds their bundle.
        part_bytes: of CRAM that a sample is called in at once.

    Raises:
        RejectedInputError: `cohort_unknown`, `object_missing` or `cram_index_invalid`.
    """
    request = cohorts.request(cohort_id)
    first = request.members[0].submission_id
    bundle = read_bundle(references, submissions.manifest(first))
    sizes = [_size(analysis, member.submission_id, Artifact.ALIGNED) for member in request.members]
    index = analysis.read(artifact_key(first, Artifact.ALIGNED_INDEX), limit_bytes=_INDEX_LIMIT_BYTES)
    regions = None if request.different_regions else read_regions(first, analysis, bundle.length_by_contig)
    plan = plan_calling(
        read_crai(index),
        bundle.length_by_contig,
        regions,
        part_bytes=max(1, part_bytes * _LIGHTER * sizes[0] // sum(sizes)),
    )
    key = cohort_key(cohort_id, CohortArtifact.PLAN)
    analysis.write(key, plan.model_dump_json().encode(), content_type="application/json")
    return plan


def _size(analysis: S3Objects, submission_id: str, artifact: Artifact) -> int:
    key = artifact_key(submission_id, artifact)
    found = analysis.current(key)
    if found is None:
        raise RejectedInputError("object_missing", f"{key} is not there: run the step that makes it again")
    return max(1, found.size_bytes)
