"""Check a landed submission: everything that the manifest says is there, whole, and readable.

The function and the job share this code; they differ in how long they may take. A unit that is complete while others
still arrive is checked ahead; what was said of it then is taken over, as long as it speaks of the same.
Why and when: docs/decisions/0021-validation-ahead.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Final

from strandline.aws.lab_keys import check_signature
from strandline.aws.landed_units import LandedUnit, landed_units
from strandline.aws.objects import S3Objects
from strandline.aws.registered_panels import Panels
from strandline.aws.submissions import LandedFile, SubmissionRecord, SubmissionsTable
from strandline.aws.unit_validation import NEEDS_REFERENCE, UnitVerdict, check_size, validate_unit
from strandline.aws.workspace import read_bundle
from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, SubmissionState, landing_key, manifest_key
from strandline.landing.manifest import MANIFEST_LIMIT_BYTES, Manifest, parse_manifest
from strandline.reads.reference_bundle import ReferenceBundle

_NOT_ANALYSED: Final = frozenset(
    {SubmissionState.RECEIVED, SubmissionState.QUARANTINED, SubmissionState.FAILED, SubmissionState.WITHDRAWN}
)


class Ahead(StrEnum):
    """What a validation ahead came to. REPLACED: the unit is no longer what it was; UNDECIDED: its reference is."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    REPLACED = "REPLACED"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, slots=True)
class Validated:
    """What one validation read itself: pairs of reads, records of alignments; and how many units it took over."""

    pair_count: int = 0
    record_count: int = 0
    taken_over: int = 0


def read_landed_manifest(landing: S3Objects, submission_id: str, landed: Mapping[str, LandedFile]) -> Manifest:
    """Read the manifest in the version that was registered.

    Raises:
        RejectedInputError: `manifest_missing`, or a code of `parse_manifest`.
    """
    if MANIFEST_NAME not in landed:
        raise RejectedInputError("manifest_missing", f"{manifest_key(submission_id)} never landed: upload it last")
    version = landed[MANIFEST_NAME].version_id
    return parse_manifest(
        landing.read(manifest_key(submission_id), limit_bytes=MANIFEST_LIMIT_BYTES, version_id=version)
    )


class Validation:
    """The checks of one submission, in the versions of its files that are registered."""

    def __init__(
        self,
        submission_id: str,
        manifest: Manifest,
        landed: Mapping[str, LandedFile],
        *,
        table: SubmissionsTable,
        landing: S3Objects,
        references: S3Objects,
    ) -> None:
        self._id = submission_id
        self._manifest = manifest
        self._landed = landed
        self._table = table
        self._landing = landing
        self._references = references

    def unread_bytes(self) -> int:
        """Return the declared bytes of all files but those whose verdict is taken over."""
        taken = sum(unit.size_bytes for unit in self._units if unit.digest in self._kept)
        return sum(file.size_bytes for file in self._manifest.files) - taken

    def unit_bytes(self, digest: str) -> int:
        """Return the declared bytes of one unit, 0 where there is no such unit any more."""
        return sum(unit.size_bytes for unit in self._units if unit.digest == digest)

    def validate(self) -> Validated:
        """Check presence, sizes, checksums, formats, and that reference and panel are registered, and the one fits.

        Every unit is checked before the first refusal is raised, so that a lab learns of all at once.

        Raises:
            RejectedInputError: with the code of the first check that failed.
        """
        for declared in self._manifest.files:
            key = landing_key(self._id, declared.name)
            if declared.name not in self._landed:
                raise RejectedInputError("file_missing", f"{key} is in the manifest and never landed: upload it")
            check_size(self._id, declared, self._landed[declared.name])
        check_signature(
            self._id, self._manifest, self._landed, table=self._table, landing=self._landing, now=datetime.now(UTC)
        )
        self._check_repetition()
        bundle = read_bundle(self._references, self._manifest)
        if self._manifest.sample.panel:
            Panels(self._references).find(self._manifest.sample.panel)
        read = {unit.digest: self._check(unit, bundle) for unit in self._units if unit.digest not in self._kept}
        verdicts = self._kept | read
        for unit in self._units:
            if refusal := verdicts[unit.digest].refusal:
                raise refusal
        return Validated(
            sum(verdict.pair_count for verdict in read.values()),
            sum(verdict.record_count for verdict in read.values()),
            len(self._kept),
        )

    def validate_ahead(self, digest: str) -> Ahead:
        """Check one unit of a submission that waits for others, and keep what is said of it; no state changes.

        Raises:
            RejectedInputError: `object_missing`.
        """
        unit = next((unit for unit in self._units if unit.digest == digest), None)
        if unit is None:
            return Ahead.REPLACED
        bundle = None
        if unit.role in NEEDS_REFERENCE:
            try:
                bundle = read_bundle(self._references, self._manifest)
            except RejectedInputError:
                return Ahead.UNDECIDED  # it may still be registered before the submission starts
        return Ahead.REJECTED if self._check(unit, bundle).refusal else Ahead.ACCEPTED

    def _check(self, unit: LandedUnit, bundle: ReferenceBundle | None) -> UnitVerdict:
        verdict = validate_unit(self._id, unit, landing=self._landing, bundle=bundle, now=datetime.now(UTC))
        manifest_version = self._landed[MANIFEST_NAME].version_id
        self._table.record_verdicts(self._id, verdict.files, manifest_version=manifest_version)
        return verdict

    @cached_property
    def _units(self) -> list[LandedUnit]:
        return landed_units(self._manifest, self._landed)

    @cached_property
    def _record(self) -> SubmissionRecord | None:
        return self._table.get(self._id)

    @cached_property
    def _kept(self) -> dict[str, UnitVerdict]:
        """What was said ahead of units as they are now, by digest; nothing where a person asked for another look."""
        if self._record is not None and self._record.attempt > 1:
            return {}
        verdicts = {(verdict.unit, verdict.file): verdict for verdict in self._table.verdicts(self._id)}
        kept = {}
        for unit in self._units:
            of_unit = [verdicts.get((unit.digest, file.name)) for file in unit.files]
            if all(of_unit):
                kept[unit.digest] = UnitVerdict(tuple(filter(None, of_unit)))
        return kept

    def _check_repetition(self) -> None:
        """Refuse a second submission of the same bytes for the same sample, unless a person let it pass."""
        this, sample = self._record, self._manifest.sample
        if this is None or "duplicate_content" in this.accepted_codes:
            return
        for other in self._table.with_same_content(self._manifest):
            same_sample = (other.sample_id, other.site) == (sample.sample_id, sample.site)
            if other.submission_id == self._id or not same_sample or other.state in _NOT_ANALYSED:
                continue
            came_first = (other.created_at, other.submission_id) < (this.created_at, self._id)
            if came_first or other.state is not SubmissionState.VALIDATING:
                raise RejectedInputError(
                    "duplicate_content",
                    f"submission {other.submission_id} holds the same files of the same sample and is {other.state}: "
                    "follow that one; to analyse them again, release this one with --accept duplicate_content",
                )
