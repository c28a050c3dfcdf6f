"""Sample sheets: our own, nf-core/sarek's and Illumina's, told apart by what they begin with.

Sources: nf-core/sarek 3, usage, "Samplesheet columns"; Illumina, sample sheet v2 ("Sample sheet structure") and BCL
Convert, "Output files": `{Sample_ID}_S{number}_L{lane}_R{read}_001.fastq.gz`, samples numbered as they first appear.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import ValidationError

from strandline.errors import RejectedInputError
from strandline.landing import sheet_rules as rules
from strandline.landing.findings import FindingLog
from strandline.landing.manifest import PSEUDONYM, READ_GROUP_NAME, SampleDeclaration, Sex
from strandline.landing.sheet_text import Row, read_rows


class Dialect(StrEnum):
    """Who defined the sheet."""

    STRANDLINE = "Strandline"
    SAREK = "nf-core/sarek"
    ILLUMINA = "Illumina v2"


@dataclass(frozen=True, slots=True)
class SheetSample:
    """One sample of a sheet. Paths are as they stand there: relative to the sheet, unless absolute."""

    line: int
    sample: SampleDeclaration
    reads: tuple[str, str]
    reference: str | None = None
    regions: str | None = None
    read_group: str | None = None


@dataclass(frozen=True, slots=True)
class SampleSheet:
    """The samples of one sheet; `dialect` None where it could not be told."""

    dialect: Dialect | None
    samples: tuple[SheetSample, ...]


_REQUIRED: Final = {
    Dialect.STRANDLINE: ("sample", "reads_1", "reads_2"),
    Dialect.SAREK: ("patient", "sample", "lane", "fastq_1", "fastq_2"),
    Dialect.ILLUMINA: ("sample_id",),
}
_FIELD_BY_COLUMN: Final = {  # of our own sheet, whose columns are the fields of the manifest
    "sample": "sample_id",
    "subject": "subject_id",
    **{name: name for name in ("sex", "assay", "platform", "library", "site", "trial", "consent")},
}
_WORDS: Final = frozenset({"sex", "assay", "platform", "consent"})  # enumerations, written in any case
_LATER_STEPS: Final = ("bam", "bai", "cram", "crai", "spring_1", "spring_2", "table", "vcf")
_OPTIONAL: Final = {
    Dialect.STRANDLINE: (*_FIELD_BY_COLUMN, "read_group", "reference", "regions"),
    Dialect.SAREK: ("sex", "status", *_LATER_STEPS),
    Dialect.ILLUMINA: (
        *("lane", "index", "index2", "sample_name", "sample_project", "overridecycles", "adapterread1"),
        *("adapterread2", "adapterbehavior", "barcodemismatchesindex1", "barcodemismatchesindex2", "description"),
    ),
}
_SEX_BY_CHROMOSOMES: Final = {"XX": Sex.FEMALE, "XY": Sex.MALE, "NA": Sex.UNKNOWN, "": Sex.UNKNOWN}
_SECTION: Final = re.compile(r"\[([A-Za-z0-9_]+)\]")
_LANE_TOLD: Final = re.compile(r"[A-Za-z0-9_.-]{1,16}")
_NAME_TOLD: Final = re.compile(r"[A-Za-z0-9_. -]{1,40}")
_MOST_LANES: Final = 999


def parse_sample_sheet(pieces: Iterable[bytes], log: FindingLog) -> SampleSheet:
    """Read a sample sheet of any dialect and write what is wrong into `log`; `pieces` are its bytes.

    Samples that nothing is wrong with are returned whatever is wrong with others.

    >>> body = b"patient,sample,lane,fastq_1,fastq_2\\nPT00042,HG002,1,a_1.fq.gz,a_2.fq.gz\\n"
    >>> sheet = parse_sample_sheet([body], FindingLog("samples.csv"))
    >>> sheet.dialect.value, sheet.samples[0].reads
    ('nf-core/sarek', ('a_1.fq.gz', 'a_2.fq.gz'))
    """
    rows = read_rows(pieces, log)
    if not rows:
        if log.first_error is None:
            log.add(rules.EMPTY)
        return SampleSheet(None, ())
    dialect = _recognise(rows[0], log)
    if dialect is None:
        return SampleSheet(None, ())
    found = _read_illumina(rows, log) if dialect is Dialect.ILLUMINA else _read_table(dialect, rows, log)
    if not found and log.first_error is None:
        log.add(rules.EMPTY)
    _check_shared_files(found, log)
    return SampleSheet(dialect, tuple(found))


def _recognise(first: Row, log: FindingLog) -> Dialect | None:
    if _SECTION.fullmatch(first.cells[0]):
        return Dialect.ILLUMINA
    names = {cell.lower() for cell in first.cells}
    for dialect, mark in ((Dialect.SAREK, "patient"), (Dialect.STRANDLINE, "reads_1")):
        if {"sample", mark} <= names:
            return dialect
    is_split_otherwise = len(first.cells) == 1 and re.search(r"[;\t|]", first.cells[0])
    log.add(rules.SEPARATOR if is_split_otherwise else rules.UNKNOWN, line=first.line)
    return None


def _read_table(dialect: Dialect, rows: Sequence[Row], log: FindingLog) -> list[SheetSample]:
    records = _records(dialect, rows, log)
    if dialect is Dialect.SAREK:
        records = _one_lane_each(records, "sample", log)
        read = _read_sarek
    else:
        records = _one_line_each(records, log)
        read = _read_own
    return [sample for line, record in records if (sample := read(line, record, log))]


_Records = list[tuple[int, dict[str, str]]]


def _records(dialect: Dialect, rows: Sequence[Row], log: FindingLog) -> _Records:
    """Return each line's values by lower-case column; lines that lack one that must be there are left out."""
    header, *lines = rows
    names = _without_empty_end([cell.lower() for cell in header.cells])
    known = {*_REQUIRED[dialect], *_OPTIONAL[dialect]}
    for name in dict.fromkeys(names):
        told = name if _NAME_TOLD.fullmatch(name) else None
        if names.count(name) > 1:
            log.add(rules.COLUMN_REPEATED, line=header.line, field=told)
        if name not in known:
            log.add(rules.COLUMN_UNKNOWN, line=header.line, field=told)
    missing = [name for name in _REQUIRED[dialect] if name not in names]
    for name in missing:
        log.add(rules.COLUMN_MISSING, line=header.line, field=name)
    records: _Records = []
    for row in [] if missing else lines:
        cells = _without_empty_end(row.cells)
        if len(cells) > len(names) or (len(row.cells) < len(names) and dialect is not Dialect.ILLUMINA):
            log.add(rules.COLUMNS_DIFFER, line=row.line, kind=f"{len(row.cells)} for {len(names)}")
            continue
        record = dict(zip(names, cells + [""] * (len(names) - len(cells)), strict=True))
        starts_later = any(record.get(name) for name in _LATER_STEPS)
        if starts_later:
            log.add(rules.STARTS_LATER, line=row.line)
        empty = [name for name in _REQUIRED[dialect] if not record[name]]
        for name in [] if starts_later else empty:
            log.add(rules.VALUE_MISSING, line=row.line, field=name)
        if not empty and not starts_later:
            records.append((row.line, record))
    return records


def _without_empty_end(cells: Sequence[str]) -> list[str]:
    """Drop empty cells at the end: spreadsheets write a comma for each column of the widest line."""
    width = max((number for number, cell in enumerate(cells, start=1) if cell), default=0)
    return list(cells[:width])


def _one_line_each(records: _Records, log: FindingLog) -> _Records:
    kept: dict[str, tuple[int, dict[str, str]]] = {}
    for line, record in records:
        if record["sample"] in kept:
            log.add(rules.SAMPLE_REPEATED, line=line, field="sample")
        else:
            kept[record["sample"]] = line, record
    return list(kept.values())


def _one_lane_each(records: _Records, column: str, log: FindingLog) -> _Records:
    """Keep the samples that come from one lane; tell the lanes of the others."""
    by_sample: dict[str, _Records] = {}
    for line, record in records:
        by_sample.setdefault(record[column], []).append((line, record))
    kept: _Records = []
    for lines in by_sample.values():
        lanes = list(dict.fromkeys(record["lane"] for _, record in lines))
        if len(lanes) > 1:
            told = ", ".join(lane if _LANE_TOLD.fullmatch(lane) else "?" for lane in lanes)
            log.add(rules.SEVERAL_LANES, line=lines[1][0], field=column, kind=f"lanes {told}")
        elif len(lines) > 1:
            log.add(rules.SAMPLE_REPEATED, line=lines[1][0], field=column)
        else:
            kept += lines
    return kept


def _read_own(line: int, record: Mapping[str, str], log: FindingLog) -> SheetSample | None:
    values = {
        _FIELD_BY_COLUMN[column]: value.upper() if column in _WORDS else value
        for column, value in record.items()
        if column in _FIELD_BY_COLUMN and value
    }
    return _sample(
        line,
        values,
        (record["reads_1"], record["reads_2"]),
        log,
        reference=record.get("reference") or None,
        regions=record.get("regions") or None,
        read_group=record.get("read_group") or None,
    )


def _read_sarek(line: int, record: Mapping[str, str], log: FindingLog) -> SheetSample | None:
    values: dict[str, str] = {"sample_id": record["sample"]}
    if re.fullmatch(PSEUDONYM, record["patient"]):
        values["subject_id"] = record["patient"]
    else:
        log.add(rules.PATIENT_KEPT_BACK, line=line, field="patient")
    chromosomes = record.get("sex", "").upper()
    if chromosomes not in _SEX_BY_CHROMOSOMES:
        log.add(rules.SEX_OTHER, line=line, field="sex")
    values["sex"] = _SEX_BY_CHROMOSOMES.get(chromosomes, Sex.UNKNOWN)
    status = record.get("status") or "0"
    if status != "0":
        log.add(rules.TUMOUR if status == "1" else rules.VALUE_INVALID, line=line, field="status")
        return None
    return _sample(line, values, (record["fastq_1"], record["fastq_2"]), log)


def _read_illumina(rows: Sequence[Row], log: FindingLog) -> list[SheetSample]:
    sections = _split_sections(rows, log)
    header, reads = (_settings(sections.get(name, [])) for name in ("header", "reads"))
    settings = _settings(sections.get("bclconvert_settings", []))
    if header.get("fileformatversion") != "2":
        log.add(rules.ILLUMINA_VERSION, line=rows[0].line)
        return []
    if any(not reads.get(name, "").isdecimal() or int(reads[name]) == 0 for name in ("read1cycles", "read2cycles")):
        log.add(rules.SINGLE_END)
    data = sections.get("bclconvert_data")
    if not data:
        log.add(rules.SECTION_MISSING, field="BCLConvert_Data")
        return []
    records = _records(Dialect.ILLUMINA, data, log)
    number_by_sample = {name: n for n, name in enumerate(dict.fromkeys(r["sample_id"] for _, r in records), start=1)}
    if settings.get("nolanesplitting", "").lower() in {"true", "1"}:
        first_by_sample: dict[str, tuple[int, dict[str, str]]] = {}
        for line, record in records:
            first_by_sample.setdefault(record["sample_id"], (line, record))
        records = list(first_by_sample.values())
        lane_by_line = {line: "" for line, _ in records}
    elif any("lane" not in record for _, record in records):
        log.add(rules.LANE_MISSING, line=data[0].line, field="Lane")
        return []
    else:
        lane_by_line = _lanes(records, log)
        records = _one_lane_each([pair for pair in records if pair[0] in lane_by_line], "sample_id", log)
    samples = []
    for line, record in records:
        name = record["sample_id"]
        stem = f"{name}_S{number_by_sample[name]}{lane_by_line[line]}"
        pair = f"{stem}_R1_001.fastq.gz", f"{stem}_R2_001.fastq.gz"
        samples.append(_sample(line, {"sample_id": name, "platform": "ILLUMINA"}, pair, log))
    return [sample for sample in samples if sample]


def _split_sections(rows: Sequence[Row], log: FindingLog) -> dict[str, list[Row]]:
    sections: dict[str, list[Row]] = {}
    name = ""
    for row in rows:
        found = _SECTION.fullmatch(row.cells[0])
        if found:
            name = found[1].lower()
            if name in sections:
                log.add(rules.SECTION_REPEATED, line=row.line, field=found[1])
            sections[name] = []
        else:
            sections[name].append(row)
    return sections


def _settings(rows: Sequence[Row]) -> dict[str, str]:
    return {row.cells[0].lower(): row.cells[1] for row in rows if len(row.cells) > 1}


def _lanes(records: _Records, log: FindingLog) -> dict[int, str]:
    """Return how each line's lane stands in file names; lines without a lane's number are left out."""
    told: dict[int, str] = {}
    for line, record in records:
        lane = record["lane"]
        if lane.isascii() and lane.isdecimal() and 1 <= int(lane[:9]) <= _MOST_LANES:
            told[line] = f"_L{int(lane):03}"
        else:
            log.add(rules.VALUE_INVALID if lane else rules.VALUE_MISSING, line=line, field="Lane")
    return told


def _sample(
    line: int,
    values: Mapping[str, str],
    reads: tuple[str, str],
    log: FindingLog,
    *,
    reference: str | None = None,
    regions: str | None = None,
    read_group: str | None = None,
) -> SheetSample | None:
    """Declare a sample; None where a value is none that a manifest takes."""
    is_right = True
    for path in (*reads, reference, regions):
        if path and "://" in path:
            log.add(rules.PATH_REMOTE, line=line)
            is_right = False
    if reads[0] == reads[1]:
        log.add(rules.FILE_REPEATED, line=line)
        is_right = False
    if read_group is not None and not re.fullmatch(READ_GROUP_NAME, read_group):
        log.add(rules.VALUE_INVALID, line=line, field="read_group")
        is_right = False
    try:
        declared = SampleDeclaration.model_validate(dict(values))
    except ValidationError as error:
        for wrong in error.errors(include_input=False, include_url=False):
            log.add(rules.VALUE_INVALID, line=line, field=_column(str(wrong["loc"][0])))
        return None
    except RejectedInputError as error:
        log.add(rules.WITHDRAWN if error.code == "consent_withdrawn" else rules.SAMPLE_ID, line=line)
        return None
    return SheetSample(line, declared, reads, reference, regions, read_group) if is_right else None


def _column(field: str) -> str:
    return next((column for column, name in _FIELD_BY_COLUMN.items() if name == field), field)


def _check_shared_files(samples: Sequence[SheetSample], log: FindingLog) -> None:
    owner_by_path: dict[str, str] = {}
    for sample in samples:
        for path in sample.reads:
            if owner_by_path.setdefault(path, sample.sample.sample_id) != sample.sample.sample_id:
                log.add(rules.FILE_SHARED, line=sample.line)
