"""What the lines of a sample sheet declare: samples, with the reads of each line, put together from their lanes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import ValidationError

from strandline.errors import RejectedInputError
from strandline.landing import sheet_rules as rules
from strandline.landing.findings import FindingLog
from strandline.landing.manifest import ALIGNED_SUFFIXES, MOST_FILES, READ_GROUP_NAME, Caller, SampleDeclaration

FIELD_BY_COLUMN: Final = {  # of our own sheet, whose columns are the fields of the manifest
    "sample": "sample_id",
    "subject": "subject_id",
    **{name: name for name in ("sex", "assay", "platform", "library", "site", "trial", "consent", "panel")},
    "secondary_findings": "secondary_findings",
}
_MOST_LANES_OF_A_SAMPLE: Final = (MOST_FILES - 1) // 2  # beside the regions


@dataclass(frozen=True, slots=True)
class SheetReads:
    """The reads that one line names: first and second mates in FASTQ, or one BAM or CRAM."""

    files: tuple[str, ...]
    read_group: str | None = None


@dataclass(frozen=True, slots=True)
class SheetSample:
    """One sample of a sheet, its lanes together; `line` is its first.

    Paths are as they stand there: relative to the sheet, unless absolute.
    """

    line: int
    sample: SampleDeclaration
    reads: tuple[SheetReads, ...]
    reference: str | None = None
    regions: str | None = None
    caller: Caller | None = None


def declare_lane(
    line: int,
    values: Mapping[str, str],
    reads: SheetReads,
    log: FindingLog,
    *,
    reference: str | None = None,
    regions: str | None = None,
    caller: str | None = None,
    lane: str = "read_group",
) -> SheetSample | None:
    """Declare a sample with the reads of one line; None where a value is none that a manifest takes.

    `lane` is the column that names the read group.
    """
    is_right = True
    for path in (*reads.files, reference, regions):
        if path and "://" in path:
            log.add(rules.PATH_REMOTE, line=line)
            is_right = False
    if len(set(reads.files)) < len(reads.files):
        log.add(rules.FILE_REPEATED, line=line)
        is_right = False
    if len(reads.files) == 1 and (reads.read_group or not reads.files[0].endswith(ALIGNED_SUFFIXES)):
        log.add(rules.ALIGNED_GROUP if reads.read_group else rules.ALIGNED_NAME, line=line)
        is_right = False
    if reads.read_group is not None and not re.fullmatch(READ_GROUP_NAME, reads.read_group):
        log.add(rules.VALUE_INVALID, line=line, field=lane)
        is_right = False
    if caller is not None and caller not in list(Caller):
        log.add(rules.VALUE_INVALID, line=line, field="caller")
        is_right = False
    try:
        declared = SampleDeclaration.model_validate(dict(values))
    except ValidationError as error:
        for wrong in error.errors(include_input=False, include_url=False):
            log.add(rules.VALUE_INVALID, line=line, field=_column(str(wrong["loc"][0])))
        return None
    except RejectedInputError as error:
        if error.code == "panel_unknown":
            log.add(rules.VALUE_INVALID, line=line, field="panel")
        else:
            log.add(rules.WITHDRAWN if error.code == "consent_withdrawn" else rules.SAMPLE_ID, line=line)
        return None
    if not is_right:
        return None
    return SheetSample(line, declared, (reads,), reference, regions, Caller(caller) if caller else None)


def join_lanes(lines: Sequence[tuple[str, SheetSample | None]], column: str, log: FindingLog) -> list[SheetSample]:
    """Put the lanes of each sample together; a sample is left out where one of its lines is wrong (None)."""
    by_sample: dict[str, list[SheetSample | None]] = {}
    for name, one in lines:
        by_sample.setdefault(name, []).append(one)
    samples = []
    for found in by_sample.values():
        lanes = [one for one in found if one is not None]
        if len(lanes) == len(found) and _are_lanes_of_one(lanes, column, log):
            samples.append(replace(lanes[0], reads=tuple(reads for one in lanes for reads in one.reads)))
    return samples


def _are_lanes_of_one(lanes: Sequence[SheetSample], column: str, log: FindingLog) -> bool:
    first, *others = lanes
    if not others:
        return True
    sets = [reads for one in lanes for reads in one.reads]
    paths = [path for reads in sets for path in reads.files]
    names = [reads.read_group for reads in sets]
    aligned = [len(reads.files) == 1 for reads in sets]
    wrong = None
    if any(aligned):
        wrong = rules.SEVERAL_ALIGNED if all(aligned) else rules.TWO_KINDS
    elif None in names or len(set(names)) < len(names):
        wrong = rules.SAMPLE_REPEATED
    elif any(replace(one, line=first.line, reads=first.reads) != first for one in others):
        wrong = rules.LANES_DIFFER
    elif len(lanes) > _MOST_LANES_OF_A_SAMPLE:
        wrong = rules.TOO_MANY_LANES
    elif len(set(paths)) < len(paths):
        wrong = rules.FILE_REPEATED
    if wrong is not None:
        log.add(wrong, line=others[0].line, field=column)
    return wrong is None


def _column(field: str) -> str:
    return next((column for column, name in FIELD_BY_COLUMN.items() if name == field), field)
