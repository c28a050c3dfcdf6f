"""Sample sheets: our own, nf-core/sarek's and Illumina's, told apart by what they begin with.

Sources: nf-core/sarek 3, usage, "Samplesheet columns"; Illumina, sample sheet v2 ("Sample sheet structure") and BCL
Convert, "Output files": `{Sample_ID}_S{number}_L{lane}_R{read}_001.fastq.gz`, samples numbered as they first appear.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from strandline.landing import sheet_rules as rules
from strandline.landing.findings import FindingLog
from strandline.landing.manifest import PSEUDONYM, Sex
from strandline.landing.sheet_samples import FIELD_BY_COLUMN, SheetReads, SheetSample, declare_lane, join_lanes
from strandline.landing.sheet_text import Row, read_rows


class Dialect(StrEnum):
    """Who defined the sheet."""

    STRANDLINE = "Strandline"
    SAREK = "nf-core/sarek"
    ILLUMINA = "Illumina v2"


@dataclass(frozen=True, slots=True)
class SampleSheet:
    """The samples of one sheet; `dialect` None where it could not be told."""

    dialect: Dialect | None
    samples: tuple[SheetSample, ...]


_REQUIRED: Final = {
    Dialect.STRANDLINE: ("sample",),
    Dialect.SAREK: ("patient", "sample"),
    Dialect.ILLUMINA: ("sample_id",),
}
_OF_PAIRS: Final = {  # must be there and filled where the reads are FASTQ
    Dialect.STRANDLINE: ("reads_1", "reads_2"),
    Dialect.SAREK: ("lane", "fastq_1", "fastq_2"),
    Dialect.ILLUMINA: (),
}
_OF_ALIGNMENTS: Final = {  # or one of these, where they are BAM or CRAM
    Dialect.STRANDLINE: ("aligned",),
    Dialect.SAREK: ("bam", "cram"),
    Dialect.ILLUMINA: (),
}
_WORDS: Final = frozenset(
    {"sex", "assay", "platform", "consent", "secondary_findings"}
)  # enumerations, written in any case
_LATER_STEPS: Final = ("spring_1", "spring_2", "table", "vcf")
_INDEXES: Final = ("bai", "crai")  # passed over: reads are taken apart from front to end
_OPTIONAL: Final = {
    Dialect.STRANDLINE: (*FIELD_BY_COLUMN, "read_group", "reference", "regions", "caller"),
    Dialect.SAREK: ("sex", "status", *_INDEXES, *_LATER_STEPS),
    Dialect.ILLUMINA: (
        *("lane", "index", "index2", "sample_name", "sample_project", "overridecycles", "adapterread1"),
        *("adapterread2", "adapterbehavior", "barcodemismatchesindex1", "barcodemismatchesindex2", "description"),
    ),
}
_SEX_BY_CHROMOSOMES: Final = {"XX": Sex.FEMALE, "XY": Sex.MALE, "NA": Sex.UNKNOWN, "": Sex.UNKNOWN}
_SECTION: Final = re.compile(r"\[([A-Za-z0-9_]+)\]")
_NAME_TOLD: Final = re.compile(r"[A-Za-z0-9_. -]{1,40}")
_LAST_LANE: Final = 999


def parse_sample_sheet(pieces: Iterable[bytes], log: FindingLog) -> SampleSheet:
    """Read a sample sheet of any dialect and write what is wrong into `log`; `pieces` are its bytes.

    Samples that nothing is wrong with are returned whatever is wrong with others.

    >>> body = b"patient,sample,lane,fastq_1,fastq_2\\nPT00042,HG002,1,a_1.fq.gz,a_2.fq.gz\\n"
    >>> sheet = parse_sample_sheet([body], FindingLog("samples.csv"))
    >>> sheet.dialect.value, sheet.samples[0].reads[0].files
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
    for dialect, mark in (
        (Dialect.SAREK, "patient"),
        (Dialect.STRANDLINE, "reads_1"),
        (Dialect.STRANDLINE, "aligned"),
    ):
        if {"sample", mark} <= names:
            return dialect
    is_split_otherwise = len(first.cells) == 1 and re.search(r"[;\t|]", first.cells[0])
    log.add(rules.SEPARATOR if is_split_otherwise else rules.UNKNOWN, line=first.line)
    return None


def _read_table(dialect: Dialect, rows: Sequence[Row], log: FindingLog) -> list[SheetSample]:
    records = _records(dialect, rows, log)
    read = _read_own
    if dialect is Dialect.SAREK:
        read, records = _read_sarek, _check_patients(records, log)
    lines = [(record["sample"], read(line, record, log) if is_right else None) for line, record, is_right in records]
    return join_lanes(lines, "sample", log)


class _Record(NamedTuple):
    """The values of a line by lower-case column; `is_right` where none that must be there is missing."""

    line: int
    values: dict[str, str]
    is_right: bool


def _records(dialect: Dialect, rows: Sequence[Row], log: FindingLog) -> list[_Record]:
    """Return the lines; none where the header lacks a column that must be there."""
    header, *lines = rows
    names = _without_empty_end([cell.lower() for cell in header.cells])
    pairs, alignments = _OF_PAIRS[dialect], _OF_ALIGNMENTS[dialect]
    known = {*_REQUIRED[dialect], *pairs, *alignments, *_OPTIONAL[dialect]}
    for name in dict.fromkeys(names):
        told = name if _NAME_TOLD.fullmatch(name) else None
        if names.count(name) > 1:
            log.add(rules.COLUMN_REPEATED, line=header.line, field=told)
        if name not in known:
            log.add(rules.COLUMN_UNKNOWN, line=header.line, field=told)
    required = [*_REQUIRED[dialect], *([] if any(name in names for name in alignments) else pairs)]
    missing = [name for name in required if name not in names]
    for name in missing:
        log.add(rules.COLUMN_MISSING, line=header.line, field=name)
    return [] if missing else [_record(dialect, names, row, log) for row in lines]


def _record(dialect: Dialect, names: Sequence[str], row: Row, log: FindingLog) -> _Record:
    cells = _without_empty_end(row.cells)
    values = dict.fromkeys(names, "") | dict(zip(names, cells, strict=False))
    if len(cells) > len(names) or (len(row.cells) < len(names) and dialect is not Dialect.ILLUMINA):
        log.add(rules.COLUMNS_DIFFER, line=row.line, kind=f"{len(row.cells)} for {len(names)}")
        return _Record(row.line, values, False)
    pairs = [name for name in _OF_PAIRS[dialect] if name != "lane"]
    is_aligned = any(values.get(name) for name in _OF_ALIGNMENTS[dialect])
    if any(values.get(name) for name in _LATER_STEPS):
        log.add(rules.STARTS_LATER, line=row.line)
        return _Record(row.line, values, False)
    if is_aligned and any(values.get(name) for name in pairs):
        log.add(rules.TWO_KINDS, line=row.line)
        return _Record(row.line, values, False)
    filled = [*_REQUIRED[dialect], *([] if is_aligned else _OF_PAIRS[dialect])]
    empty = [name for name in filled if not values.get(name)]
    for name in empty:
        log.add(rules.VALUE_MISSING, line=row.line, field=name)
    return _Record(row.line, values, not empty)


def _without_empty_end(cells: Sequence[str]) -> list[str]:
    """Drop empty cells at the end: spreadsheets write a comma for each column of the widest line."""
    width = max((number for number, cell in enumerate(cells, start=1) if cell), default=0)
    return list(cells[:width])


def _check_patients(records: Sequence[_Record], log: FindingLog) -> list[_Record]:
    """Mark lines wrong that give a sample to another patient than its first line does."""
    patient_by_sample: dict[str, str] = {}
    checked = []
    for record in records:
        patient = record.values["patient"]
        is_same = patient_by_sample.setdefault(record.values["sample"], patient) == patient
        if record.is_right and not is_same:
            log.add(rules.LANES_DIFFER, line=record.line, field="patient")
        checked.append(record._replace(is_right=record.is_right and is_same))
    return checked


def _read_own(line: int, record: Mapping[str, str], log: FindingLog) -> SheetSample | None:
    values = {
        FIELD_BY_COLUMN[column]: value.upper() if column in _WORDS else value
        for column, value in record.items()
        if column in FIELD_BY_COLUMN and value
    }
    files = (record["aligned"],) if record.get("aligned") else (record["reads_1"], record["reads_2"])
    return declare_lane(
        line,
        values,
        SheetReads(files, record.get("read_group") or None),
        log,
        reference=record.get("reference") or None,
        regions=record.get("regions") or None,
        caller=record.get("caller", "").lower() or None,
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
    aligned = [record[name] for name in _OF_ALIGNMENTS[Dialect.SAREK] if record.get(name)]
    if len(aligned) > 1:
        log.add(rules.SEVERAL_ALIGNED, line=line)
        return None
    if aligned:
        return declare_lane(line, values, SheetReads((aligned[0],)), log)
    return declare_lane(
        line, values, SheetReads((record["fastq_1"], record["fastq_2"]), record["lane"]), log, lane="lane"
    )


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
    is_split = settings.get("nolanesplitting", "").lower() not in {"true", "1"}
    if is_split and any("lane" not in record.values for record in records):
        log.add(rules.LANE_MISSING, line=data[0].line, field="Lane")
        return []
    names = dict.fromkeys(record.values["sample_id"] for record in records if record.is_right)
    number_by_sample = {name: number for number, name in enumerate(names, start=1)}
    lines: list[tuple[str, SheetSample | None]] = []
    for line, record, is_right in records if is_split else _first_lines(records):
        name = record["sample_id"]
        lane = _lane(line, record["lane"], log) if is_right and is_split else None
        if not is_right or (is_split and lane is None):
            lines.append((name, None))
            continue
        stem = "_".join([name, f"S{number_by_sample[name]}", *([lane] if lane else [])])
        pair = SheetReads((f"{stem}_R1_001.fastq.gz", f"{stem}_R2_001.fastq.gz"), lane)
        lines.append((name, declare_lane(line, {"sample_id": name, "platform": "ILLUMINA"}, pair, log)))
    return join_lanes(lines, "sample_id", log)


def _first_lines(records: Sequence[_Record]) -> list[_Record]:
    """Return the first line of each sample: its lanes are in the same files."""
    first_by_sample: dict[str, _Record] = {}
    for record in records:
        first_by_sample.setdefault(record.values["sample_id"], record)
    return list(first_by_sample.values())


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


def _lane(line: int, lane: str, log: FindingLog) -> str | None:
    """Return how a lane stands in file names; None where it is no lane's number."""
    if lane.isascii() and lane.isdecimal() and 1 <= int(lane[:9]) <= _LAST_LANE:
        return f"L{int(lane):03}"
    log.add(rules.VALUE_INVALID if lane else rules.VALUE_MISSING, line=line, field="Lane")
    return None


def _check_shared_files(samples: Sequence[SheetSample], log: FindingLog) -> None:
    owner_by_path: dict[str, str] = {}
    for sample in samples:
        for path in (path for reads in sample.reads for path in reads.files):
            if owner_by_path.setdefault(path, sample.sample.sample_id) != sample.sample.sample_id:
                log.add(rules.FILE_SHARED, line=sample.line)
