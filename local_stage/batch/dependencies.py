"""What a job waits for.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_dependencies.html
"""

from collections.abc import Iterator, Mapping

from local_stage.batch.job import Job, JobStatus


def ready(job: Job, jobs: Mapping[str, Job]) -> bool:
    """Return whether everything that the job depends on has succeeded."""
    return all(other.status is JobStatus.SUCCEEDED for other in _awaited(job, jobs))


def failed_dependency(job: Job, jobs: Mapping[str, Job]) -> bool:
    """Return whether something that the job depends on has failed."""
    return any(other.status is JobStatus.FAILED for other in _awaited(job, jobs))


def _awaited(job: Job, jobs: Mapping[str, Job]) -> Iterator[Job]:
    for dependency in job.depends_on:
        kind = dependency.get("type")
        other = jobs.get(dependency.get("jobId", ""))
        if kind == "SEQUENTIAL" and job.parent is not None:
            if job.array_index:
                yield job.parent.children[job.array_index - 1]
        elif other is None:
            continue  # submitting refuses a job that does not exist
        elif kind == "N_TO_N" and job.array_index is not None and other.children:
            yield other.children[job.array_index]
        else:
            yield other
