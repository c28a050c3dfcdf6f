"""Steps by what they are made from: what was made before from the same is taken over and not made again.

The key of a step is a digest of its code, of what it reads of the manifest, and of the keys of the steps before it.
Every tool writes the same for the same input, so one key means one content, and no byte of an output has to be read to
know it. Outputs lie in the folder of their submission; another submission with the same key gets copies, so that
deleting the one takes nothing from the other.

In the submissions table a submission's `STEP#{name}` holds the key of the outputs that lie in its folder now and what
they were made from, by whom and in which image, and `MADE#{key}` the submissions that made it. The first is forgotten
before an output is overwritten: whoever reads the same key there before and after copying has copied what is its own.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from strandline.aws.container import running_image
from strandline.aws.jobs import run_job
from strandline.aws.settings import JobSettings
from strandline.aws.submission_items import SubmissionItems, item_key
from strandline.aws.workspace import Buckets, Workspace
from strandline.journey import Output

_MOST_HOLDERS: Final = 20

logger = logging.getLogger("strandline.jobs")


@dataclass(frozen=True, slots=True)
class Step:
    """One job of the workflow: what it publishes, in this order, and what it is made from.

    `name` is the state's, `makes` what later steps call the outputs, `after` what it reads of earlier steps, so called.
    Where `names_submission`, the outputs hold the submission's id and are of no use to another.
    """

    name: str
    makes: str
    outputs: tuple[Output, ...]
    after: tuple[str, ...] = ()
    names_submission: bool = False


@dataclass(frozen=True, slots=True)
class Making:
    """How the outputs of a step came to be.

    Attributes:
        code_version: digest of the software and its tools' image.
        read: what of the manifest and of the machine the step depended on, versions of tools among it.
        image: the container image with its digest; None where the job ran in none.
        taken_over_from: the submission that made them, None where it was this one.
    """

    code_version: str
    read: Mapping[str, str]
    image: str | None = None
    taken_over_from: str | None = None


def run_step(
    step: Step,
    work: Callable[[Workspace], None],
    read: Callable[[Workspace], Mapping[str, str]],
    settings: JobSettings,
    buckets: Buckets,
    *,
    always: Callable[[Workspace], None] = lambda _: None,
) -> int:
    """Do a step's work and publish its outputs, or take over what was made before; return the exit code of `run_job`.

    Args:
        step: what is done.
        work: writes the outputs into the workspace.
        read: names everything of the manifest and of this machine that the work depends on.
        settings: of the job.
        buckets: that the step may touch.
        always: is done first, whatever is taken over.
    """

    def do(workspace: Workspace) -> None:
        always(workspace)
        records = StepRecords(*workspace.table.place)
        before = records.keys_of(workspace.submission_id)
        making = Making(settings.code_version, dict(read(workspace)), running_image())
        key = step_key(step, code=making.code_version, read=making.read, before=before)
        if before.get(step.makes, key) != key:
            records.forget(workspace.submission_id, step)
        maker = records.take_over(workspace, step, key)
        if maker:
            logger.info("%s was made before from the same, by submission %s: it is taken over", step.name, maker)
            if maker != workspace.submission_id:
                theirs = records.making_of(maker, step.makes)
                taken = replace(theirs or making, taken_over_from=maker)
                records.keep(workspace.submission_id, step, key, making=taken)
            return
        if before.get(step.makes) == key:
            records.forget(workspace.submission_id, step)
        began = time.monotonic()
        workspace.step_keys = {**before, step.makes: key}
        work(workspace)
        workspace.publish(*step.outputs)
        records.keep(workspace.submission_id, step, key, making=making, seconds=time.monotonic() - began)

    return run_job(step.name, do, settings, buckets)


def step_key(step: Step, *, code: str, read: Mapping[str, str], before: Mapping[str, str]) -> str:
    """Return the key of a step's outputs, 64 hexadecimal digits.

    Args:
        step: what is done.
        code: digest of the software that does it.
        read: what of the manifest and of the machine it depends on.
        before: keys of the submission's steps so far, by name.

    Raises:
        RuntimeError: where a step that it needs has left no key: the workflow runs steps in another order.
    """
    missing = [name for name in step.after if name not in before]
    if missing:
        raise RuntimeError(f"{step.name} runs after {' and '.join(missing)}, which left no key")
    made_from = {
        "makes": step.makes,
        "code": code,
        "read": dict(read),
        "after": {name: before[name] for name in step.after},
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


class StepRecords(SubmissionItems):
    """Which submission holds the outputs of which key."""

    def keys_of(self, submission_id: str) -> dict[str, str]:
        """Return the key of each step of a submission whose outputs lie in its folder, by step."""
        found = self.items(submission_id, "STEP#")
        return {item["sk"]["S"].removeprefix("STEP#"): item["key"]["S"] for item in found}

    def seconds_of(self, submission_id: str) -> dict[str, float] | None:
        """Return how long each step of a submission worked; None where one of them was taken over."""
        found = self.items(submission_id, "STEP#")
        if any("seconds" not in item for item in found):
            return None
        return {item["sk"]["S"].removeprefix("STEP#"): float(item["seconds"]["N"]) for item in found}

    def making_of(self, submission_id: str, step: str) -> Making | None:
        """Return how what a step made came to be, by what later steps call it; None where that was not kept."""
        return self.makings_of(submission_id).get(step)

    def makings_of(self, submission_id: str) -> dict[str, Making]:
        """Return how what lies in the folder of a submission came to be, by step."""
        return {
            item["sk"]["S"].removeprefix("STEP#"): Making(**json.loads(item["making"]["S"]))
            for item in self.items(submission_id, "STEP#")
            if "making" in item
        }

    def keep(
        self, submission_id: str, step: Step, key: str, *, making: Making | None = None, seconds: float | None = None
    ) -> None:
        """Note that the outputs of `key` lie in the folder of a submission; `seconds` is how long they were made."""
        made = {"pk": {"S": f"MADE#{key}"}, "sk": {"S": f"SUBMISSION#{submission_id}"}}
        done = {**item_key(submission_id, f"STEP#{step.makes}"), "key": {"S": key}}
        if making is not None:
            done["making"] = {"S": json.dumps(asdict(making), sort_keys=True)}
        if seconds is not None:
            done["seconds"] = {"N": f"{seconds:.3f}"}
        self.transact([{"Put": {"TableName": self._table, "Item": item}} for item in (made, done)])

    def forget(self, submission_id: str, step: Step) -> None:
        """Note that a step's outputs are about to be overwritten."""
        self._client.delete_item(TableName=self._table, Key=item_key(submission_id, f"STEP#{step.makes}"))

    def take_over(self, workspace: Workspace, step: Step, key: str) -> str | None:
        """Put what was made from the same into the submission's folder; return who made it, None where nobody did."""
        own = workspace.submission_id
        for maker in self._makers(key, own):
            if maker != own and step.names_submission:
                continue
            is_whole = self._has(maker, step, key) and workspace.take_over(maker, step.outputs)
            if is_whole and self._has(maker, step, key):
                return maker
        return None

    def _makers(self, key: str, own: str) -> Iterator[str]:
        found = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": f"MADE#{key}"}},
            ConsistentRead=True,
            Limit=_MOST_HOLDERS,
        )
        makers = [item["sk"]["S"].removeprefix("SUBMISSION#") for item in found["Items"]]
        yield from sorted(makers, key=lambda maker: maker != own)

    def _has(self, submission_id: str, step: Step, key: str) -> bool:
        found = self._client.get_item(
            TableName=self._table, Key=item_key(submission_id, f"STEP#{step.makes}"), ConsistentRead=True
        )
        return found.get("Item", {}).get("key", {}).get("S") == key
