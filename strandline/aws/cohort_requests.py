"""Which submissions a cohort is made of: found by sample or submission id, and refused where they do not fit."""

from collections.abc import Sequence
from typing import Final

from strandline.aws.cohorts import CohortRequest, Member
from strandline.aws.steps import StepRecords
from strandline.aws.submissions import SubmissionRecord, SubmissionsTable
from strandline.errors import RejectedInputError, TemporaryError
from strandline.journey import SubmissionState, is_submission_id
from strandline.landing.manifest import FileRole, Manifest
from strandline.variants.joint import MOST_SAMPLES
from strandline.variants.joint_choice import choose_joint
from strandline.variants.joint_pedigree import Relation, agreed_sexes, find_trios

READ_STEPS: Final = ("AlignReads", "MeasureQuality", "CallVariants")
"""Steps whose outputs joint genotyping reads of each member."""

_ANALYSED: Final = frozenset(
    {SubmissionState.LOADED, SubmissionState.IN_REVIEW, SubmissionState.RELEASED, SubmissionState.AMENDED}
)
_STOPPED: Final = frozenset({SubmissionState.QUARANTINED, SubmissionState.FAILED, SubmissionState.WITHDRAWN})


def make_request(
    table: SubmissionsTable,
    wanted: Sequence[str],
    relations: Sequence[Relation] = (),
    *,
    different_regions: bool = False,
) -> CohortRequest:
    """Describe a cohort of samples that were analysed.

    Args:
        table: of submissions.
        wanted: sample or submission ids; of a sample the newest analysis counts. None: everybody in the pedigree.
        relations: the pedigree; those of others than members are left out.
        different_regions: members may have been analysed in different regions.

    Raises:
        RejectedInputError: `too_few_members`, `too_many_members`, `member_unknown`, `member_quarantined`,
            `member_failed`, `member_withdrawn`, `same_sample_twice`, `members_of_different_references`,
            `members_of_different_regions`, `members_of_different_callers`, `pedigree_without_trio` or `sex_conflict`.
        TemporaryError: `member_not_analysed`, where a member is on its way.
    """
    names = list(wanted) or [relation.sample_id for relation in relations]
    if not 2 <= len(names) <= MOST_SAMPLES:
        few = len(names) < 2
        raise RejectedInputError(
            "too_few_members" if few else "too_many_members",
            f"{len(names)} samples are named, and a cohort has 2 to {MOST_SAMPLES}: name {'more' if few else 'fewer'}",
        )
    records = [find_member(table, name) for name in names]
    manifests = [table.manifest(record.submission_id) for record in records]
    _refuse_misfits(names, manifests, different_regions=different_regions)
    choose_joint({name: manifest.analysis.caller for name, manifest in zip(names, manifests, strict=True)})
    sample_ids = [manifest.sample.sample_id for manifest in manifests]
    kept = tuple(relation for relation in relations if relation.sample_id in sample_ids)
    sexes = agreed_sexes(relations, {manifest.sample.sample_id: manifest.sample.sex for manifest in manifests})
    if relations and not find_trios(kept, sample_ids, sexes):
        raise RejectedInputError(
            "pedigree_without_trio",
            "the pedigree has no child whose parents are both among the samples: name them, or leave the pedigree out",
        )
    steps = StepRecords(*table.place)
    members = [_member(record.submission_id, name, steps) for record, name in zip(records, names, strict=True)]
    return CohortRequest(
        reference=manifests[0].reference,
        members=tuple(sorted(members, key=lambda member: member.submission_id)),
        relations=tuple(sorted(kept, key=lambda relation: relation.sample_id)),
        different_regions=different_regions,
    )


def find_member(table: SubmissionsTable, name: str) -> SubmissionRecord:
    """Return the analysed submission that a submission id or a sample id names, of a sample the newest.

    Raises:
        RejectedInputError, TemporaryError: as `make_request`.
    """
    exact = table.get(name) if is_submission_id(name) else None
    found = [exact] if exact else table.list_by_sample(name)
    analysed = [record for record in found if record.state in _ANALYSED]
    if analysed:
        return analysed[-1]
    if not found:
        raise RejectedInputError(
            "member_unknown", f"{name} is no sample or submission here: see 'strandline status', or submit it first"
        )
    last = found[-1]
    if last.state in _STOPPED:
        why = f": {last.cause.message}" if last.cause else ""
        raise RejectedInputError(
            f"member_{last.state.lower()}",
            f"{name} is {last.state} (submission {last.submission_id}){why}; it cannot be genotyped with others",
        )
    raise TemporaryError(
        "member_not_analysed", f"{name} is {last.state} (submission {last.submission_id}): wait for its analysis"
    )


def _refuse_misfits(names: Sequence[str], manifests: Sequence[Manifest], *, different_regions: bool) -> None:
    first = manifests[0]
    seen: dict[str, str] = {}
    for name, manifest in zip(names, manifests, strict=True):
        other = seen.setdefault(manifest.sample.sample_id, name)
        if other != name or names.count(name) > 1:
            raise RejectedInputError("same_sample_twice", f"{other} and {name} are one sample: name it once")
        if manifest.reference != first.reference:
            raise RejectedInputError(
                "members_of_different_references",
                f"{names[0]} was analysed with {_label(first)} and {name} with {_label(manifest)}: submit one of them "
                "anew with the reference of the other",
            )
        regions = [one.sha256_of(FileRole.REGIONS) for one in (first, manifest)]
        if regions[0] != regions[1] and not different_regions:
            raise RejectedInputError(
                "members_of_different_regions",
                f"{names[0]} and {name} were analysed in different regions: submit them with the same, or allow "
                "different regions, so that what is outside of a sample's is marked as not tested",
            )


def _label(manifest: Manifest) -> str:
    return f"{manifest.reference.name}/{manifest.reference.version}"


def _member(submission_id: str, name: str, steps: StepRecords) -> Member:
    keys = steps.keys_of(submission_id)
    missing = [step for step in READ_STEPS if step not in keys]
    if missing:
        raise TemporaryError(
            "member_not_analysed",
            f"{name} (submission {submission_id}) has no outputs of {' and '.join(missing)}: they are being made anew",
        )
    return Member(submission_id=submission_id, keys={step: keys[step] for step in READ_STEPS})
