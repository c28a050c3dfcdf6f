"""A newer ClinVar and what was reported before it: cases that it affects, listed, and opened for review again.

Nothing is classified and nothing released here. What is in force stays in force until persons have signed the next
version; that one names what changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

from strandline.aws.consents import Consents
from strandline.aws.objects import S3Objects
from strandline.aws.registered_panels import Panels
from strandline.aws.registered_references import find_reference
from strandline.aws.releases import Releases, ReleaseStatus, ReleaseVersion
from strandline.aws.submissions import SubmissionRecord, SubmissionsTable
from strandline.errors import RejectedInputError
from strandline.interpretation.knowledge import (
    KNOWLEDGE_LIMIT_BYTES,
    Knowledge,
    Source,
    knowledge_to_bytes,
    parse_knowledge,
)
from strandline.interpretation.reclassification import (
    Difference,
    allele_named,
    compare_files,
    find_changes,
    read_policy,
)
from strandline.interpretation.scope import scope_of
from strandline.journey import Artifact, SubmissionState, artifact_key, reference_key
from strandline.reads.reference_bundle import ReferenceBundle, ReferenceRole, verify_file
from strandline.trust.entries import Action
from strandline.variants.records import VariantCall, read_calls

_S: Final = SubmissionState
_CASES: Final = (_S.IN_REVIEW, _S.RELEASED, _S.AMENDED)
_CLINVAR: Final = (ReferenceRole.CLINVAR, ReferenceRole.CLINVAR_INDEX)


class Todo(StrEnum):
    """What becomes of an affected case."""

    REOPEN = "re-open"
    """Released: a new version is asked for, and is reviewed and signed."""
    REDRAFT = "draft anew"
    """Not opened yet: it will be rendered with what is known now."""
    SIGNING = "being signed"
    """Frozen for its signers: they sign or withdraw it, and then it is compared again."""


@dataclass(frozen=True, slots=True)
class AffectedCase:
    """A case whose report would say something else; `version` is of the release that would say it."""

    submission_id: str
    version: int
    todo: Todo
    knowledge: Knowledge
    in_force: str | None
    """SHA-256 of the record in force."""
    is_new: bool
    """Whether nobody asked for that version yet."""


@dataclass(frozen=True)
class KnowledgeDesk:
    """`newer` is the registered bundle with the newer ClinVar; `now` the time of the comparison."""

    submissions: SubmissionsTable
    analysis: S3Objects
    references: S3Objects
    newer: ReferenceBundle
    now: datetime
    scratch: Path
    _compared: dict[str, Difference] = field(default_factory=dict)

    @cached_property
    def after(self) -> Source:
        """The newer source.

        Raises:
            RejectedInputError: `clinvar_missing`.
        """
        return _source_of(self.newer)

    def survey(self) -> Iterator[AffectedCase]:
        """Yield the affected cases; nothing is changed. A case that knows this ClinVar already is not affected.

        Raises:
            RejectedInputError: `clinvar_missing`, and what reading a case refuses.
        """
        for state in _CASES:
            for record in self.submissions.list_by_state(state):
                found = self._look_at(record)
                if found is not None:
                    yield found

    def reopen(self, case: AffectedCase, who: str) -> bool:
        """Have a case reviewed with what is known now; False where it is being signed, or somebody was at it just now.

        The version that is asked for and the entry for the audit log are written first, what is known after
        them: whoever finds a version without it compares again.
        """
        if case.todo is Todo.SIGNING:
            return False
        releases, why = Releases(*self.submissions.place), case.knowledge.reason
        body = knowledge_to_bytes(case.knowledge)
        asked = []
        if case.todo is Todo.REOPEN:
            ask = releases.asking if case.is_new else releases.asking_again
            asked = [ask(case.submission_id, case.version, "release", who=who, why=why, now=self.now)]
        entry = releases.telling(
            Action.AMENDED if case.todo is Todo.REOPEN else Action.CONFIGURED,
            case.submission_id,
            case.version,
            who=who,
            role="person",
            why=why,
            now=self.now,
            before=case.in_force,
            after=sha256(body).hexdigest(),
        )
        if not releases.transact([*asked, entry]):
            return False
        key = artifact_key(case.submission_id, Artifact.KNOWLEDGE)
        self.analysis.write(key, body, content_type="application/json")
        return True

    def _look_at(self, record: SubmissionRecord) -> AffectedCase | None:
        submission_id, manifest = record.submission_id, self.submissions.manifest(record.submission_id)
        analysed = find_reference(self.references, manifest.reference.name, manifest.reference.version)
        if analysed is None or analysed.contigs != self.newer.contigs or not analysed.files_of(ReferenceRole.CLINVAR):
            return None
        versions = Releases(*self.submissions.place).versions(submission_id)
        gone = any(one.kind == "withdrawal" for one in versions)
        if gone or Consents(*self.submissions.place).is_withdrawn(submission_id):
            return None
        place, kept = _place_of(versions), self._kept(submission_id)
        if kept and kept.release == place.version and kept.after.sha256 == self.after.sha256 and not place.is_new:
            return None  # it waits for its signers with this very knowledge
        before = _in_force(kept, place) or _source_of(analysed)
        if before.sha256 == self.after.sha256:
            return None
        return self._compare(submission_id, analysed, before, place)

    def _compare(
        self, submission_id: str, analysed: ReferenceBundle, before: Source, place: "_Place"
    ) -> AffectedCase | None:
        scope, policy = (
            scope_of(self.submissions.manifest(submission_id).sample, Panels(self.references).find),
            read_policy(),
        )
        calls = self.analysis.download(
            artifact_key(submission_id, Artifact.CALLS), self.scratch / f"{submission_id}.vcf.gz"
        )

        def read() -> Iterator[VariantCall]:
            return read_calls(calls)

        try:
            changes = find_changes(read, self._difference(before), scope, policy)
            if not any(change.rule for change in changes):
                return None
            since = find_changes(read, self._difference(_source_of(analysed)), scope, policy)
        finally:
            calls.unlink()
        knowledge = Knowledge(
            before=before,
            after=self.after,
            found=self.now,
            policy=policy.version,
            release=place.version,
            known=tuple((allele_named(change.variant), change.after) for change in since),
            changes=changes,
        )
        return AffectedCase(submission_id, place.version, place.todo, knowledge, place.in_force, is_new=place.is_new)

    def _difference(self, before: Source) -> Difference:
        """Return what differs between a source and the newer one; each pair is compared once."""
        if before.sha256 not in self._compared:
            bundle = find_reference(self.references, before.name, before.version)
            if bundle is None:
                raise RejectedInputError("reference_unknown", f"{before.label} is registered no more: register it")
            self._compared[before.sha256] = compare_files(self._clinvar_of(bundle), self._clinvar_of(self.newer))
        return self._compared[before.sha256]

    def _clinvar_of(self, bundle: ReferenceBundle) -> Path:
        """Return the bundle's ClinVar, fetched and verified once, its index beside it."""
        folder = self.scratch / bundle.name / bundle.version
        (clinvar,) = bundle.files_of(ReferenceRole.CLINVAR)
        if not folder.exists():
            folder.mkdir(parents=True)
            for file in bundle.files_of(*_CLINVAR):
                key = reference_key(bundle.name, bundle.version, file.name)
                verify_file(self.references.download(key, folder / file.name), file)
        return folder / clinvar.name

    def _kept(self, submission_id: str) -> Knowledge | None:
        key = artifact_key(submission_id, Artifact.KNOWLEDGE)
        if not self.analysis.exists(key):
            return None
        return parse_knowledge(self.analysis.read(key, limit_bytes=KNOWLEDGE_LIMIT_BYTES))


@dataclass(frozen=True, slots=True)
class _Place:
    """Which version of a release is next, and what becomes of it; `delivered` is the last one that was, 0 for none."""

    version: int
    todo: Todo
    is_new: bool
    delivered: int
    in_force: str | None


def _place_of(versions: Sequence[ReleaseVersion]) -> _Place:
    delivered = [one for one in versions if one.status is ReleaseStatus.DELIVERED]
    number, record = (delivered[-1].version, delivered[-1].frozen.digest) if delivered else (0, None)
    last = versions[-1] if versions else None
    if last is None:
        return _Place(1, Todo.REDRAFT, False, 0, None)
    if last.status is ReleaseStatus.DELIVERED:
        return _Place(last.version + 1, Todo.REOPEN, True, number, record)
    if last.status is ReleaseStatus.PREPARED:
        return _Place(last.version, Todo.SIGNING, False, number, record)
    return _Place(last.version, Todo.REOPEN if delivered else Todo.REDRAFT, False, number, record)


def _in_force(kept: Knowledge | None, place: _Place) -> Source | None:
    """Return the source of the version in force, None where that is the analysis' own."""
    if kept is None:
        return None
    return kept.after if kept.release <= place.delivered else kept.before


def _source_of(bundle: ReferenceBundle) -> Source:
    found = bundle.files_of(ReferenceRole.CLINVAR)
    if not found:
        raise RejectedInputError("clinvar_missing", f"{bundle.label} has no ClinVar: make it with --clinvar")
    (file,) = found
    return Source(name=bundle.name, version=bundle.version, says=file.source or file.name, sha256=file.sha256)
