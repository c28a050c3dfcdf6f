"""What the finished submissions of a stage took, and what its jobs reserve: what a forecast is made from."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from strandline.aws.objects import S3Objects
from strandline.aws.steps import StepRecords
from strandline.aws.submissions import SubmissionRecord, SubmissionsTable
from strandline.errors import RejectedInputError
from strandline.forecast import FEWEST_RUNS, FinishedRun, JobClass, Model, fit_model, read_measured_runs
from strandline.journey import SubmissionState, submission_prefix
from strandline.landing.manifest import Manifest

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

MOST_RUNS: Final = 100
_FINISHED: Final = (SubmissionState.IN_REVIEW, SubmissionState.RELEASED)
_ORDER: Final = ("AlignReads", "MeasureQuality", "CallVariants", "Annotate", "FilterAndQc")
_PARTS: Final = "CallParts."
_WHOLE: Final = "CallVariants"


class PastRuns:
    """Reads what the submissions of a stage took."""

    def __init__(self, table: SubmissionsTable, analysis: S3Objects) -> None:
        self._table = table
        self._analysis = analysis
        self._steps = StepRecords(*table.place)

    def model(self, *, without: str | None = None) -> tuple[Model, list[FinishedRun]]:
        """Return a model of the stage's own last runs and those, or of the software's own where they are too few.

        Args:
            without: a submission that does not count, because it is what the model is held against.
        """
        runs = list(islice(self._runs(without), MOST_RUNS))
        if len(runs) < FEWEST_RUNS or len({run.read_bytes for run in runs}) == 1:
            runs = read_measured_runs()
        return fit_model(runs), runs

    def run_of(self, submission_id: str) -> FinishedRun | None:
        """Return what a finished submission took; None where steps were taken over or it is not done."""
        record = self._table.get(submission_id)
        return self._run(record) if record and record.state in _FINISHED else None

    def _runs(self, without: str | None) -> Iterator[FinishedRun]:
        records = [record for state in _FINISHED for record in self._table.list_by_state(state)]
        for record in sorted(records, key=lambda record: record.updated_at, reverse=True):
            if record.submission_id != without:
                run = self._run(record)
                if run:
                    yield run

    def _run(self, record: SubmissionRecord) -> FinishedRun | None:
        seconds = self._steps.seconds_of(record.submission_id)
        if not seconds or record.attempt != 1:
            return None
        try:
            manifest = self._table.manifest(record.submission_id)
        except RejectedInputError:
            return None
        by_step: dict[str, float] = {}
        for step, taken in seconds.items():
            name = _WHOLE if step.startswith(_PARTS) else step
            by_step[name] = by_step.get(name, 0.0) + taken
        return FinishedRun(
            read_bytes=read_bytes(manifest),
            output_bytes=self._output_bytes(record.submission_id),
            elapsed_s=self._elapsed_s(record.submission_id),
            seconds_by_step={step: by_step[step] for step in _ORDER if step in by_step},
        )

    def _elapsed_s(self, submission_id: str) -> float:
        when = {change.after: datetime.fromisoformat(change.when) for change in self._table.changes(submission_id)}
        return (when[SubmissionState.IN_REVIEW] - when[SubmissionState.VALIDATING]).total_seconds()

    def _output_bytes(self, submission_id: str) -> int:
        prefix = submission_prefix(submission_id)
        found = self._analysis.list_current(prefix)
        return sum(version.size_bytes for version in found if "/" not in version.key.removeprefix(prefix))


def read_bytes(manifest: Manifest) -> int:
    """Return the bytes of all reads of a manifest, as sent."""
    return sum(file.size_bytes for one in manifest.read_sets() for file in one.files)


def job_classes(client: "BatchClient", stage: str, steps: Sequence[str]) -> dict[str, JobClass]:
    """Return what the jobs of a stage reserve, by the step that runs them."""
    names = {f"strandline-{stage}-{_hyphened(step)}": step for step in steps}
    classes = {}
    pages = client.get_paginator("describe_job_definitions").paginate(status="ACTIVE")
    for definition in (definition for page in pages for definition in page["jobDefinitions"]):
        if definition["jobDefinitionName"] in names:
            needs = {n["type"]: n["value"] for n in definition["containerProperties"]["resourceRequirements"]}
            classes[names[definition["jobDefinitionName"]]] = JobClass(float(needs["VCPU"]), int(needs["MEMORY"]))
    return classes


def _hyphened(step: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in step).lstrip("-")
