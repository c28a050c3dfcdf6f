"""A cohort's VCFs into the lake: read wherever there is room, committed once, and counted on both sides."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyiceberg.expressions import In, Reference

from strandline.aws.lake import Lake
from strandline.aws.lake_imports import at_hand
from strandline.aws.lake_loading import (
    OTHER_CONTENT,
    CohortFile,
    LakePlace,
    Written,
    check_site,
    commit_files,
    count_by_sample,
    count_file,
    describe_file,
    find_other_content,
    write_file,
)
from strandline.aws.lake_spreading import Spread
from strandline.errors import RejectedInputError
from strandline.lake.load import LoadedFile

_REPEATED: Final = (
    "lake_sample_repeated",
    "another of the files has a sample of this name: leave one of them away or rename it",
)


@dataclass(frozen=True, slots=True)
class Target:
    """What the rows of a cohort have in common, and what their positions are held against.

    Raises:
        RejectedInputError: `site_code`, where the site, whose rows they are, is not named as manifests name one.
    """

    reference_name: str
    reference_version: str
    fasta: Path | None
    now: datetime
    site: str | None = None

    def __post_init__(self) -> None:
        check_site(self.site)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Rows of one sample on one contig: read of the source, in the lake now, and refused, by why."""

    sample_id: str
    contig: str
    read: int
    written: int
    refused: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether each row that was read is in the lake or was refused."""
        return self.read == self.written + sum(self.refused.values())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one sample; `refusal` is the code and message where nothing of it was loaded.

    `file_number` counts the files of a cohort from 1, in the order in which they were given.
    """

    sample_id: str
    counts: tuple[Reconciled, ...]
    refusal: tuple[str, str] | None = None
    file_number: int | None = None


def load_cohort(
    place: LakePlace, sources: Sequence[str], target: Target, spread: Spread, *, dry: bool = False
) -> list[Outcome]:
    """Load VCFs by one commit a table, each sample once; the same file again replaces itself.

    Rows are alleles that a sample carries. Of a file that is refused nothing is loaded, and the others go on: of two
    files that have a sample of one name, neither is taken. Files of the tables are written where the work is done, and
    this process, which commits them, has in memory what names them.

    Args:
        place: the lake.
        sources: paths, or `s3://BUCKET/KEY` each.
        target: what is said of the rows; where the work is done on other machines, without a FASTA.
        spread: where the work is done.
        dry: whether to count and judge only.

    Returns:
        What came of each sample, in the order of the files; of a file that is refused, one outcome under its name.

    Raises:
        TemporaryError: `lake_contended`.
        RuntimeError: the lake does not have what was written into it.
    """
    lake = place.open()
    described = spread(partial(_describe, place, target), sources)
    refused = {one.source: one.refusal for one in described if one.refusal}
    cohort = [one.file for one in described if one.file]
    refused |= dict.fromkeys(_repeated(cohort), _REPEATED)
    refused |= dict.fromkeys(find_other_content(lake, cohort), OTHER_CONTENT)
    cohort = [one for one in cohort if one.source not in refused]
    made = spread(partial(count_file if dry else write_file, place), cohort)
    refused |= {one.source: written.refused for one, written in zip(cohort, made, strict=True) if written.refused}
    taken = [(one, written) for one, written in zip(cohort, made, strict=True) if not written.refused]
    if taken and not dry:
        commit_files(lake, [one for one, _ in taken], [written for _, written in taken], target.now)
        _reconcile(lake, taken)
    taken_by_source = {one.source: (one, written) for one, written in taken}
    return [
        outcome
        for number, source in enumerate(sources, 1)
        for outcome in (
            [Outcome(source.rpartition("/")[2], (), refused[source], number)]
            if source in refused
            else _outcomes(*taken_by_source[source], number)
        )
    ]


def raise_refusals(outcomes: Sequence[Outcome]) -> None:
    """Say that samples were refused.

    Raises:
        RejectedInputError: `migrate_refused`.
    """
    refused = Counter(one.refusal[0] for one in outcomes if one.refusal)
    if refused:
        told = ", ".join(f"{count} as {code}" for code, count in sorted(refused.items()))
        raise RejectedInputError(
            "migrate_refused",
            f"{refused.total()} of {len(outcomes)} samples were refused and nothing of them is loaded: {told}",
        )


@dataclass(frozen=True, slots=True)
class _Described:
    source: str
    file: CohortFile | None = None
    refusal: tuple[str, str] | None = None


def _describe(place: LakePlace, target: Target, source: str) -> _Described:
    loaded = LoadedFile("", target.reference_name, target.reference_version, site=target.site)
    try:
        with at_hand(source, place.endpoint_url) as path:
            return _Described(source, describe_file(source, path, loaded, target.fasta))
    except RejectedInputError as refused:
        return _Described(source, refusal=(refused.code, refused.message))


def _repeated(cohort: Sequence[CohortFile]) -> frozenset[str]:
    files = Counter(name for one in cohort for name in _names_of(one))
    return frozenset(one.source for one in cohort if any(files[name] > 1 for name in _names_of(one)))


def _names_of(one: CohortFile) -> tuple[tuple[str, str], ...]:
    """What no other file of a cohort may have too: its samples, and its content where it has none."""
    return ("submission", one.loaded.submission_id), *(("sample", sample) for sample in one.samples)


def _reconcile(lake: Lake, taken: Iterable[tuple[CohortFile, Written]]) -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for _, written in taken:
        expected.update(written.carried)
    scan = lake.load("variants").scan(
        row_filter=In(
            term=Reference("submission_id"), literals=frozenset(one.loaded.submission_id for one, _ in taken)
        ),
        selected_fields=("sample_id", "contig"),
    )
    there: Counter[tuple[str, str]] = Counter()
    for batch in scan.to_arrow_batch_reader():
        there.update(count_by_sample(pa.table(batch)))
    if there != expected:
        raise RuntimeError("the lake has other rows of these files than were read: load them again")


def _outcomes(one: CohortFile, written: Written, number: int) -> Iterator[Outcome]:
    for sample in one.samples:
        rows = sorted((contig, count) for (name, contig), count in written.carried.items() if name == sample)
        counts = tuple(Reconciled(sample, contig, count, count) for contig, count in rows)
        yield Outcome(sample, counts, file_number=number)
