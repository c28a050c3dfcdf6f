"""The landing door: files in any order, the manifest first or last, events twice, out of order, late or never."""

from collections.abc import Iterator, Mapping, Set
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

from strandline.aws.executions import ValidationAhead, Workflow
from strandline.aws.landed_units import landed_units
from strandline.aws.objects import ObjectVersion, S3Objects
from strandline.aws.submissions import LandedFile, SubmissionsTable
from strandline.errors import RejectedInputError
from strandline.journey import (
    LANDING_PREFIX,
    MANIFEST_NAME,
    SubmissionState,
    landing_key,
    manifest_key,
    split_landing_key,
)
from strandline.landing.manifest import MANIFEST_LIMIT_BYTES, parse_manifest


class Registered(StrEnum):
    """What an event about one file came to."""

    STARTED = "STARTED"
    AHEAD = "AHEAD"  # waiting for other files, while a unit that is complete is validated
    WAITING = "WAITING"
    LATE = "LATE"
    GONE = "GONE"


class Intake:
    """Registers landed files, and starts the workflow of a submission that is complete.

    Of one that is not, it starts the validation of those units that are.
    """

    def __init__(self, table: SubmissionsTable, landing: S3Objects, workflow: Workflow, ahead: ValidationAhead) -> None:
        self._table = table
        self._landing = landing
        self._workflow = workflow
        self._ahead = ahead

    def register(self, submission_id: str, name: str, *, sequencer: str, now: datetime) -> Registered:
        """Register the current version of one file, of which an event told.

        An event only says that something changed: what is there now is read from the bucket, so that an event of an
        older version, early or late, never brings that version back. Whoever registers last sees everything, because
        the files are read back consistently after the write; two who both see everything start the same execution
        name, and Step Functions runs it once.
        """
        found = self._landing.current(landing_key(submission_id, name))
        if found is None:
            return Registered.GONE
        file = LandedFile(name, found.version_id, found.size_bytes)
        if not self._table.register_file(submission_id, file, sequencer=sequencer, now=now):
            late = self._table.note_late_file(submission_id, file, now)
            return Registered.LATE if late else Registered.WAITING
        landed = {file.name: file for file in self._table.landed_files(submission_id)}
        return self._start_what_is_complete(submission_id, landed, {name}, current={name}, now=now)

    def sweep(self, now: datetime, *, settled: timedelta, window: timedelta) -> int:
        """Register what landed without an event reaching us; return how many submissions that started.

        Args:
            now: when the sweep began.
            settled: how long ago the last file of a submission must have landed: its events may be on their way.
            window: how far back the sweep looks.
        """
        started = 0
        listed = self._landing.list_current(LANDING_PREFIX)
        for submission_id, files in _by_submission(listed):
            last = max(file.modified for file in files.values())
            if not settled <= now - last <= window:
                continue
            record = self._table.get(submission_id)
            if record is None or record.state is SubmissionState.RECEIVED:
                started += self._catch_up(submission_id, files, now)
        return started

    def _catch_up(self, submission_id: str, files: Mapping[str, ObjectVersion], now: datetime) -> bool:
        """Register what is not, and start what a registrar that was killed, or never called, did not."""
        landed = {file.name: file for file in self._table.landed_files(submission_id)}
        adopted = set()
        for name, found in files.items():
            known = landed[name].version_id if name in landed else None
            if known == found.version_id:
                continue
            file = LandedFile(name, found.version_id, found.size_bytes)
            if not self._table.adopt_file(submission_id, file, instead_of=known, now=now):
                return False
            adopted.add(name)
        if adopted:  # with what landed meanwhile
            landed = {file.name: file for file in self._table.landed_files(submission_id)}
        news = adopted | files.keys() - {MANIFEST_NAME}  # a manifest that is known was registered by its own event
        return self._start_what_is_complete(submission_id, landed, news, current=files.keys(), now=now) is (
            Registered.STARTED
        )

    def _start_what_is_complete(
        self,
        submission_id: str,
        landed: Mapping[str, LandedFile],
        news: Set[str],
        *,
        current: Set[str],
        now: datetime,
    ) -> Registered:
        """Start the workflow where everything that the manifest names has landed; STARTED where this call started it.

        A manifest that cannot be read starts the workflow too: its first step says what is wrong and quarantines.
        Where a file is still missing, units are validated ahead that `news`, the names of files, made complete. A file
        that was replaced without an event reaching us is taken as it is now; those in `current` were just looked at.
        """
        if MANIFEST_NAME not in landed:
            return Registered.WAITING
        version_id = landed[MANIFEST_NAME].version_id
        key = manifest_key(submission_id)
        body = self._landing.read(key, limit_bytes=MANIFEST_LIMIT_BYTES, version_id=version_id)
        try:
            manifest = parse_manifest(body)
        except RejectedInputError:
            return self._start(submission_id)
        is_complete = all(declared.name in landed for declared in manifest.files)
        has_new_manifest = MANIFEST_NAME in news
        new = [unit for unit in landed_units(manifest, landed) if has_new_manifest or unit.names & news]
        if not (is_complete or has_new_manifest or new):
            return Registered.WAITING
        if not self._table.register_manifest(submission_id, manifest, version_id=version_id):
            return Registered.WAITING
        if is_complete:
            needed = {MANIFEST_NAME, *(file.name for file in manifest.files)}
            replaced = self._replaced(submission_id, landed, needed - current)
            if not replaced:
                return self._start(submission_id)
            for file in replaced:
                seen = landed[file.name].version_id
                if not self._table.adopt_file(submission_id, file, instead_of=seen, now=now):
                    return Registered.WAITING  # who registered it meanwhile goes on
            fresh = {file.name: file for file in self._table.landed_files(submission_id)}
            return self._start_what_is_complete(submission_id, fresh, news, current=needed | current, now=now)
        started = [self._ahead.start(submission_id, unit.digest) for unit in new]
        return Registered.AHEAD if any(started) else Registered.WAITING

    def _replaced(self, submission_id: str, landed: Mapping[str, LandedFile], names: Set[str]) -> list[LandedFile]:
        """Return the files, among these, of which the bucket holds another version than was registered."""
        found = {name: self._landing.current(landing_key(submission_id, name)) for name in sorted(names)}
        return [
            LandedFile(name, version.version_id, version.size_bytes)
            for name, version in found.items()
            if version is not None and version.version_id != landed[name].version_id
        ]

    def _start(self, submission_id: str) -> Registered:
        return Registered.STARTED if self._workflow.start(submission_id) else Registered.WAITING


def _by_submission(listed: Iterator[ObjectVersion]) -> Iterator[tuple[str, dict[str, ObjectVersion]]]:
    """Group objects, which come in the order of their keys, by submission and name; others are left out."""
    parts = ((split_landing_key(found.key), found) for found in listed)
    known = ((part, found) for part, found in parts if part)
    for submission_id, group in groupby(known, key=lambda pair: pair[0][0]):
        yield submission_id, {name: found for (_, name), found in group}
