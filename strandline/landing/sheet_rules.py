"""The rules that sample sheets are held to. Sources stand with each: RFC 4180, nf-core, Illumina, OWASP."""

from typing import Final

from strandline.landing.findings import Level, Rule

_OURS: Final = "Strandline, sample sheets"
_CSV: Final = "RFC 4180"
_SAREK: Final = "nf-core/sarek 3, usage"
_ILLUMINA: Final = "Illumina, sample sheet v2"
_FILE_NAMES: Final = "Illumina, BCL Convert, output files"


def _error(code: str, says: str, advice: str, section: str = _OURS) -> Rule:
    return Rule(f"sheet_{code}", Level.ERROR, section, says, advice)


def _warning(code: str, says: str, advice: str, section: str = _OURS) -> Rule:
    return Rule(f"sheet_{code}", Level.WARNING, section, says, advice)


EMPTY: Final = _error("empty", "the sheet names no sample", "give a header line and a line a sample")
TOO_LARGE: Final = _error("too_large", "the sheet is over 8 MiB", "split it")
TOO_MANY_ROWS: Final = _error("too_many_rows", "the sheet has over 10,000 rows", "split it")
NUL: Final = _error("nul", "the sheet holds a NUL character", "save it as UTF-8 text")
UTF16: Final = _error("utf16", "the sheet is UTF-16", "save it as CSV UTF-8", _CSV)
NOT_TEXT: Final = _error("not_text", "the sheet is not UTF-8", "save it as CSV UTF-8", _CSV)
CONTROL: Final = _error("control_character", "a cell holds a control character or a line break", "remove it")
MALFORMED: Final = _error(
    "malformed", "a quote is not closed, stands within a cell, or a cell is over 128 KiB", "correct the line", _CSV
)
SEPARATOR: Final = _error("separator", "cells are not separated by commas", "save it as comma-separated CSV", _CSV)
CELL_TOO_LONG: Final = _error("cell_too_long", "a cell is over 4,096 characters", "shorten it")
FORMULA: Final = _error(
    "formula", "a cell begins as a formula of a spreadsheet does", "write it without", "OWASP, CSV injection"
)
UNKNOWN: Final = _error(
    "unknown",
    "the header is of no known kind of sample sheet",
    "begin with sample,reads_1,reads_2,reference or sample,aligned,reference, or send a sheet of nf-core/sarek or of "
    "Illumina, version 2",
)
COLUMN_REPEATED: Final = _error("column_repeated", "a column stands twice in the header", "keep one")
COLUMN_UNKNOWN: Final = _error("column_unknown", "a column is not known", "remove it or correct its name")
COLUMN_MISSING: Final = _error("column_missing", "a column that every sheet has is missing", "add it")
COLUMNS_DIFFER: Final = _error(
    "columns_differ", "a line has more or fewer cells than the header", "correct the line", _CSV
)
VALUE_MISSING: Final = _error("value_missing", "a cell that must be filled is empty", "fill it")
VALUE_INVALID: Final = _error("value_invalid", "a value is not one that the column takes", "correct it")
SAMPLE_ID: Final = _error(
    "sample_id",
    "a sample id holds more than letters, digits, '_', '-' and single dots, or over 63 of them",
    "rename the sample",
)
WITHDRAWN: Final = _error(
    "consent_withdrawn", "a subject withdrew consent", "take the sample out; destroy or return its data"
)
SAMPLE_REPEATED: Final = _error(
    "sample_repeated",
    "a sample stands on two lines that do not name different lanes",
    "keep one, or name the lane (read_group) of each",
)
LANES_DIFFER: Final = _error(
    "lanes_differ",
    "two lanes of a sample differ in more than lane and files",
    "say the same of the sample on each line",
)
TOO_MANY_LANES: Final = _error(
    "too_many_lanes",
    "a sample has more lanes than a submission takes pairs, which is 31",
    "concatenate lanes, in the same order for both mates (cat L001_R1 L002_R1 > R1)",
)
SEVERAL_ALIGNED: Final = _error(
    "several_alignments", "a sample has several BAM or CRAM files", "merge them first (samtools merge)"
)
TWO_KINDS: Final = _error("two_kinds_of_reads", "a sample has FASTQ beside BAM or CRAM", "give the one or the other")
ALIGNED_NAME: Final = _error(
    "alignment_name", "the name of a BAM or CRAM does not end in .bam or .cram", "correct the path or rename the file"
)
ALIGNED_GROUP: Final = _error(
    "alignment_read_group",
    "a read group is named for a BAM or CRAM, which names its groups itself",
    "leave read_group empty; the file's @RG lines are taken",
)
PATH_REMOTE: Final = _error("path_remote", "a path is a URL", "fetch the file and give its path on this machine")
FILE_REPEATED: Final = _error("file_repeated", "a sample has the same file twice", "give both mates of each lane")
FILE_SHARED: Final = _warning("file_shared", "two samples have the same file", "check which one it belongs to")
STARTS_LATER: Final = _error(
    "starts_later",
    "a sample comes as SPRING or VCF, or with a table of a later step",
    "give FASTQ, BAM or CRAM",
    _SAREK,
)
TUMOUR: Final = _error(
    "tumour", "a sample is a tumour, and variants are called as of the germline", "send normal samples", _SAREK
)
PATIENT_KEPT_BACK: Final = _warning(
    "patient_kept_back",
    "a patient is named otherwise than by a pseudonym such as PT00042, and is not sent",
    "use a pseudonym where the subject is to be known",
    _SAREK,
)
SEX_OTHER: Final = _warning("sex_other", "sex chromosomes are neither XX nor XY: sent as UNKNOWN", "none", _SAREK)
ILLUMINA_VERSION: Final = _error(
    "illumina_version", "FileFormatVersion is not 2", "convert the sheet to version 2", _ILLUMINA
)
SECTION_REPEATED: Final = _error("section_repeated", "a section stands twice", "keep one", _ILLUMINA)
SECTION_MISSING: Final = _error("section_missing", "a section is missing", "add it", _ILLUMINA)
SINGLE_END: Final = _error(
    "single_end", "[Reads] does not say that there are two reads", "send paired-end runs", _ILLUMINA
)
LANE_MISSING: Final = _error(
    "lane_missing",
    "without the column Lane nobody can tell how the files of all lanes are called",
    "add Lane, or convert with NoLaneSplitting,true",
    _FILE_NAMES,
)

SHEET_RULES: Final = tuple(rule for rule in list(globals().values()) if isinstance(rule, Rule))
