"""The landing door: files in any order, the manifest first or last, events twice or out of order."""

from datetime import datetime

from strandline.aws.executions import Workflow
from strandline.aws.objects import S3Objects
from strandline.aws.submissions import LandedFile, SubmissionsTable
from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, manifest_key
from strandline.landing.manifest import MANIFEST_LIMIT_BYTES, parse_manifest


class Intake:
    """Registers landed files and starts the workflow of a submission that is complete."""

    def __init__(self, table: SubmissionsTable, landing: S3Objects, workflow: Workflow) -> None:
        self._table = table
        self._landing = landing
        self._workflow = workflow

    def register(self, submission_id: str, file: LandedFile, *, sequencer: str, now: datetime) -> bool:
        """Register one file; True where that made the submission start.

        Whoever registers last sees everything, because the files are read back consistently after the write; two who
        both see everything start the same execution name, and Step Functions runs it once. A manifest that cannot be
        read starts the workflow too: its first step says what is wrong and quarantines.
        """
        if not self._table.register_file(submission_id, file, sequencer=sequencer, now=now):
            return False
        landed = {item.name: item for item in self._table.landed_files(submission_id)}
        if MANIFEST_NAME not in landed:
            return False
        body = self._landing.read(
            manifest_key(submission_id),
            limit_bytes=MANIFEST_LIMIT_BYTES,
            version_id=landed[MANIFEST_NAME].version_id,
        )
        try:
            manifest = parse_manifest(body)
        except RejectedInputError:
            return self._workflow.start(submission_id)
        if not self._table.register_manifest(submission_id, manifest, version_id=landed[MANIFEST_NAME].version_id):
            return False
        if any(declared.name not in landed for declared in manifest.files):
            return False
        return self._workflow.start(submission_id)
