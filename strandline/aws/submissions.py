"""The submissions table: what landed, where each submission stands, and every change of that.

One item collection a submission, partition key `pk` = `SUBMISSION#{id}`:

| `sk` | holds |
| --- | --- |
| `STATE` | state, version of the state, attempt, sample id, site, cause of a failure; on every index |
| `FILE#{name}` | object version, size and landing time of one file |
| `LATE#{name}#{object version}` | a file that came after the start: kept under lock, not analysed |
| `MANIFEST` | the manifest as it was when the submission started |
| `CHANGE#{version}` | who moved the state when, from what to what, and why; written in the transaction of the move |
| `FAILURE#{step}` | the cause that a step gave before it ended |
| `PARTFAILURE#{step}` | why a part of a step that is done in parts failed |
| `VERDICT#{name}` | what validation said of one file, findings in it |
| `CONSENT` | that the subject withdrew consent, who recorded it and when |

`STATE` is found through sparse indexes, newest or oldest first: `by_state` (`STATE#{state}`, time of the last change),
`by_sample` (`SAMPLE#{sample id}`, time made), `by_site` (`SITE#{site}`, time made), `by_day` (`DAY#{date}`, time made).
What holds the same bytes is found under partition key `CONTENT#{fingerprint}`, sort key
`SAMPLE#{site}/{sample id}#{submission id}`. Samples whose reads were compared with those of their subject's others are
found under partition key `SUBJECT#{subject id}`, sort key the submission id.
"""

from strandline.aws.landed_files import LandedFile, LandedFiles
from strandline.aws.submission_states import Cause, StateChange, SubmissionRecord
from strandline.aws.verdicts import Verdicts

__all__ = ["Cause", "LandedFile", "StateChange", "SubmissionRecord", "SubmissionsTable"]


class SubmissionsTable(LandedFiles, Verdicts):
    """Reads and writes everything that is kept of submissions."""
