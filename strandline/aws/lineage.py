"""Where a submission's rows come from: source files, steps with their tools and images, reference, and who decided."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from strandline.aws.objects import S3Objects
from strandline.aws.steps import Making, StepRecords
from strandline.aws.submissions import StateChange, SubmissionsTable
from strandline.errors import RejectedInputError
from strandline.journey import reference_key
from strandline.reads.reference_bundle import BUNDLE_NAME

_ORDER: Final = ("AlignReads", "MeasureQuality", "CallParts", "CallVariants", "Annotate", "FilterAndQc")
_BUNDLE_LIMIT_BYTES: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One landed file: object version under lock, bytes, and SHA-256 as declared and checked."""

    name: str
    role: str
    version_id: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class MadeStep:
    """One step and the digest of what its outputs depend on; `making` is None where an earlier version kept none."""

    name: str
    key: str
    making: Making | None


@dataclass(frozen=True, slots=True)
class Lineage:
    """What one submission's outputs were made from, and every change of its state, in order."""

    submission_id: str
    sample_id: str
    reference: str
    bundle_sha256: str
    files: tuple[SourceFile, ...]
    steps: tuple[MadeStep, ...]
    changes: tuple[StateChange, ...]


def trace(submission_id: str, *, table: SubmissionsTable, references: S3Objects) -> Lineage:
    """Return the lineage of a submission.

    Raises:
        RejectedInputError: `submission_unknown`.
    """
    if table.get(submission_id) is None:
        raise RejectedInputError("submission_unknown", f"no submission {submission_id}: see 'strandline status'")
    manifest = table.manifest(submission_id)
    landed = {file.name: file for file in table.landed_files(submission_id)}
    bundle = reference_key(manifest.reference.name, manifest.reference.version, BUNDLE_NAME)
    records = StepRecords(*table.place)
    keys, makings = records.keys_of(submission_id), records.makings_of(submission_id)
    return Lineage(
        submission_id=submission_id,
        sample_id=manifest.sample.sample_id,
        reference=f"{manifest.reference.name} {manifest.reference.version}",
        bundle_sha256=hashlib.sha256(references.read(bundle, limit_bytes=_BUNDLE_LIMIT_BYTES)).hexdigest(),
        files=tuple(
            SourceFile(file.name, file.role.value, landed[file.name].version_id, file.size_bytes, file.sha256)
            for file in manifest.files
            if file.name in landed
        ),
        steps=tuple(MadeStep(name, keys[name], makings.get(name)) for name in in_order(list(keys))),
        changes=tuple(table.changes(submission_id)),
    )


def in_order(steps: Sequence[str]) -> list[str]:
    """Return steps as the workflow takes them, parts of a step by number, before what they are gathered into.

    >>> in_order(["FilterAndQc", "CallVariants", "CallParts.10", "CallParts.9", "AlignReads"])
    ['AlignReads', 'CallParts.9', 'CallParts.10', 'CallVariants', 'FilterAndQc']
    """

    def place(name: str) -> tuple[int, int, str]:
        known = next((at for at, step in enumerate(_ORDER) if name.startswith(step)), len(_ORDER))
        return known, len(name), name

    return sorted(steps, key=place)
