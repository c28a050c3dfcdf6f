"""Following a submission on its way: each step as it ends, and the end in words."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import Queue
from typing import Any, Final

from strandline.aws.deployment import Deployment
from strandline.aws.submissions import SubmissionRecord
from strandline.errors import RejectedInputError, TemporaryError
from strandline.journey import SubmissionState

_POLL_S: Final = 0.12
_SLOWEST_POLL_S: Final = 2.0
_POLL_SHARE: Final = 0.05  # of how long a step has run: each question takes a processor from that step
_TOLD_EVERY_S: Final = (
    0.6  # the history grows with each step: reading it whole again and again costs more than it tells
)
_START_PATIENCE_S: Final = 180.0  # a registrar that was killed is followed by another after two minutes


class SubmissionFailedError(Exception):
    """A submission ended for a reason that is not its input: an operator has to look."""


@dataclass(frozen=True, slots=True)
class FinishedStep:
    """One state of the workflow that was left."""

    name: str
    seconds: float


def follow(deployment: Deployment, submission_id: str) -> Iterator[FinishedStep]:
    """Yield each step as it ends, until the execution does.

    Raises:
        TemporaryError: `submission_not_started`, where nothing began within three minutes of the upload.
    """
    began = told_at = changed_at = time.monotonic()
    told = 0
    attempt = 1
    while True:
        status = deployment.workflow.status(submission_id, attempt)
        if status is None or (status.status != "RUNNING" and not told):
            record = deployment.submissions.get(submission_id)
            if record is not None and record.attempt > attempt:
                attempt = record.attempt  # a person let it go on: follow what runs now
                continue
        if status is None:
            if record is not None and record.is_settled:
                return
            if time.monotonic() - began > _START_PATIENCE_S:
                raise TemporaryError(
                    "submission_not_started",
                    f"{submission_id} landed and did not start: look at 'strandline stage status'",
                )
        elif status.status != "RUNNING" or time.monotonic() - told_at > _TOLD_EVERY_S:
            steps = finished_steps(deployment.workflow.history(submission_id, attempt))
            yield from steps[told:]
            told_at = time.monotonic()
            changed_at = told_at if len(steps) > told else changed_at
            told = len(steps)
            if status.status != "RUNNING":
                return
        time.sleep(polling_s(time.monotonic() - changed_at))


def polling_s(unchanged_s: float) -> float:
    """Return how many seconds to wait before the next question where nothing has changed for so many.

    >>> [polling_s(seconds) for seconds in (0.0, 20.0, 3600.0)]
    [0.12, 1.0, 2.0]
    """
    return min(max(_POLL_S, _POLL_SHARE * unchanged_s), _SLOWEST_POLL_S)


def follow_all(deployment: Deployment, submission_ids: Sequence[str]) -> Iterator[tuple[str, FinishedStep]]:
    """Yield each step of several submissions as it ends, with the submission it belongs to, until all have ended.

    Raises:
        TemporaryError: `submission_not_started`, as `follow`.
    """
    ended: Queue[tuple[str, FinishedStep | None]] = Queue()

    def tell(submission_id: str) -> None:
        try:
            for step in follow(deployment, submission_id):
                ended.put((submission_id, step))
        finally:
            ended.put((submission_id, None))

    with ThreadPoolExecutor(max(1, len(submission_ids))) as pool:
        followers = [pool.submit(tell, submission_id) for submission_id in submission_ids]
        running = len(followers)
        while running:
            submission_id, step = ended.get()
            if step is None:
                running -= 1
            else:
                yield submission_id, step
        for follower in followers:
            follower.result()


def settle(deployment: Deployment, submission_id: str) -> SubmissionRecord:
    """Return the record of a submission that reached review.

    Raises:
        RejectedInputError: with the code of its quarantine.
        SubmissionFailedError: where it failed otherwise, with the cause in words.
    """
    record = deployment.submissions.get(submission_id)
    if record is None:
        raise SubmissionFailedError(f"submission {submission_id} is gone: look at 'strandline stage status'")
    if record.state is SubmissionState.QUARANTINED and record.cause:
        raise RejectedInputError(
            record.cause.code,
            f"{record.cause.message} (submission {submission_id} is quarantined, its files untouched)",
        )
    if record.state is SubmissionState.FAILED and record.cause:
        raise SubmissionFailedError(
            f"{record.cause.code}: {record.cause.message} (submission {submission_id} failed in {record.cause.step})"
        )
    if not record.is_settled:
        status = deployment.workflow.status(submission_id, record.attempt)
        said = f"{status.status}: {status.error}: {status.cause}" if status else "it never started"
        raise SubmissionFailedError(f"submission {submission_id} stopped while {record.state}; {said}")
    return record


def finished_steps(history: list[dict[str, Any]]) -> list[FinishedStep]:
    """Return the states that an execution has left, in order, from its history."""
    entered: dict[str, datetime] = {}
    finished = []
    for event in history:
        if event["type"].endswith("StateEntered"):
            entered[event["stateEnteredEventDetails"]["name"]] = event["timestamp"]
        elif event["type"].endswith("StateExited"):
            name = event["stateExitedEventDetails"]["name"]
            seconds = (event["timestamp"] - entered[name]).total_seconds()
            finished.append(FinishedStep(name, seconds))
    return finished


def save_history(history: list[dict[str, Any]], path: Path) -> None:
    """Write an execution's events as JSON, times in ISO 8601."""
    path.write_text(json.dumps(history, indent=1, default=_iso))


def _iso(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
