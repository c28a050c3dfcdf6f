"""The calling plan of a submission: made from the index of its CRAM, kept beside it."""

from collections.abc import Mapping
from typing import Final

from strandline.aws.objects import S3Objects
from strandline.aws.submissions import SubmissionsTable
from strandline.aws.workspace import Workspace, read_bundle
from strandline.errors import RejectedInputError
from strandline.journey import Artifact, artifact_key
from strandline.landing.manifest import Caller
from strandline.landing.regions import REGIONS_LIMIT_BYTES, Region, parse_regions
from strandline.variants.callers import TRAITS, check_installed
from strandline.variants.callers.resources import Resources, resources_for
from strandline.variants.scattering import CallingPlan, plan_calling, read_crai

_INDEX_LIMIT_BYTES: Final = 64 << 20


def chosen_caller(submission_id: str, table: SubmissionsTable, *, in_images: bool) -> Caller:
    """Return the caller that a submission chose; `in_images` tells whether jobs run in images, which bring their tools.

    Raises:
        RejectedInputError: `caller_not_installed`, where jobs run on this machine and it lacks the caller.
    """
    caller = table.manifest(submission_id).analysis.caller
    if not in_images:
        check_installed(caller)
    return caller


def plan_machine(
    submission_id: str, caller: Caller, *, analysis: S3Objects, most_by_caller: Mapping[str, Resources]
) -> Resources | None:
    """Return what the job of a caller that takes a sample as a whole is given; None for the others.

    Raises:
        RejectedInputError: `object_missing`, where there is no CRAM; `scratch_too_small`.
    """
    factor = TRAITS[caller].scratch_factor
    if factor is None:
        return None
    key = artifact_key(submission_id, Artifact.ALIGNED)
    cram = analysis.current(key)
    if cram is None:
        raise RejectedInputError("object_missing", f"{key} is not there: run the step that makes it again")
    return resources_for(most_by_caller[caller], cram.size_bytes, scratch_factor=factor)


def make_calling_plan(
    submission_id: str,
    *,
    table: SubmissionsTable,
    analysis: S3Objects,
    references: S3Objects,
    part_bytes: int,
    side_by_side: int,
) -> CallingPlan:
    """Divide a sample into parts of about `part_bytes` of its CRAM, and keep that; the same CRAM gives the same parts.

    More than one part are a multiple of `side_by_side`, which is how many are called at a time.

    Raises:
        RejectedInputError: `object_missing` or `cram_index_invalid`, where AlignReads left no index that can be read;
            `nothing_to_call`, where the regions hold no base of the reference.
    """
    bundle = read_bundle(references, table.manifest(submission_id))
    index = analysis.read(artifact_key(submission_id, Artifact.ALIGNED_INDEX), limit_bytes=_INDEX_LIMIT_BYTES)
    plan = plan_calling(
        read_crai(index),
        bundle.length_by_contig,
        read_regions(submission_id, analysis, bundle.length_by_contig),
        part_bytes=part_bytes,
        side_by_side=side_by_side,
    )
    if not plan.parts:
        raise RejectedInputError("nothing_to_call", "the regions hold no base of the reference: correct the BED")
    analysis.write(
        artifact_key(submission_id, Artifact.CALLING_PLAN),
        plan.model_dump_json().encode(),
        content_type="application/json",
    )
    return plan


def read_calling_plan(workspace: Workspace) -> CallingPlan:
    """Return the parts that the submission is called in.

    Raises:
        RejectedInputError: `object_missing`.
    """
    return CallingPlan.model_validate_json(workspace.fetch(Artifact.CALLING_PLAN).read_bytes())


def read_regions(submission_id: str, analysis: S3Objects, length_by_contig: dict[str, int]) -> list[Region] | None:
    """Return the regions of a submission, None where it was analysed everywhere."""
    key = artifact_key(submission_id, Artifact.REGIONS)
    if not analysis.exists(key):
        return None
    return parse_regions(analysis.read(key, limit_bytes=REGIONS_LIMIT_BYTES), Artifact.REGIONS, length_by_contig)
