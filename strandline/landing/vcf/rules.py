"""What can be wrong with a VCF file, each rule with the section of the specification that it comes from.

Source: VCF 4.1 to 4.5 (samtools/hts-specs). Where a version says "should" or nothing, and a later one "must", the rule
has a twin: a warning for files of the earlier versions, under the code with `_before_4_N` behind it.
"""

from dataclasses import dataclass
from typing import Final

from strandline.landing.findings import FindingLog, Level, Rule

_SINCE: Final[dict[str, int]] = {}
_TWINS: Final[dict[str, Rule]] = {}


def _error(code: str, section: str, says: str, advice: str, since: int = 1) -> Rule:
    """Return an error of versions from 4.`since` on, and note its warning for the earlier ones."""
    if since > 1:
        _SINCE[code] = since
        _TWINS[code] = Rule(f"{code}_before_4_{since}", Level.WARNING, f"not yet ruled; VCF {section}", says, advice)
    return Rule(code, Level.ERROR, f"VCF {section}", says, advice)


def _warning(code: str, section: str, says: str, advice: str) -> Rule:
    return Rule(code, Level.WARNING, f"VCF {section}", says, advice)


# The file
NOT_VCF: Final = _error("not_vcf", "4.5, 1.4.1", "the first line is not ##fileformat=VCFv4.x", "send a VCF")
EMPTY: Final = _error("vcf_empty", "4.5, 1.4.1", "the file is empty", "send the file again")
VERSION_UNKNOWN: Final = _error(
    "vcf_version_unknown", "4.5, 1.4.1", "the version is none of 4.1 to 4.5", "convert the file to VCF 4.2 or later"
)
BYTE_ORDER_MARK: Final = _error(
    "vcf_byte_order_mark", "4.5, 1.2", "the file begins with a byte order mark", "save it as UTF-8 without one"
)
UTF16: Final = _error("vcf_utf16", "4.5, 1.2", "the file is UTF-16", "save it as UTF-8")
NOT_UTF8: Final = _error("vcf_not_utf8", "4.3, 1.2", "a line is not UTF-8", "save the file as UTF-8", since=3)
NUL_BYTE: Final = _error("vcf_nul_byte", "4.3, 1.2", "a line has a NUL byte: the file was damaged", "send it again")
CONTROL_CHARACTER: Final = _error(
    "vcf_control_character", "4.3, 1.2", "a line has a control character", "remove it", since=3
)
STRAY_CARRIAGE_RETURN: Final = _error(
    "vcf_stray_carriage_return", "4.3, 1.2", "a carriage return stands within a line", "end lines with LF", since=3
)
CARRIAGE_RETURNS: Final = _warning(
    "vcf_carriage_returns", "4.3, 1", "lines end in CR LF, which VCF before 4.3 does not name", "end lines with LF"
)
NO_FINAL_NEWLINE: Final = _error(
    "vcf_no_final_newline", "4.3, 1.6", "the last line has no line end: it may be cut", "send the file again", since=3
)
BLANK_LINE: Final = _error("vcf_blank_line", "4.5, 1", "a blank line stands before other lines", "remove it")
BLANK_END: Final = _warning("vcf_blank_end", "4.5, 1", "blank lines end the file", "remove them")
LINE_TOO_LONG: Final = _error(
    "vcf_line_too_long", "4.5, 1", "a line is over 48 MiB, which nothing here reads", "split the file by samples"
)
NOT_BGZF: Final = _error(
    "vcf_not_bgzf", "4.5, 6 (BGZF)", "the file was compressed by gzip", "compress it with bgzip, so it can be indexed"
)
TRUNCATED: Final = _error(
    "vcf_truncated", "4.5, 6 (BGZF)", "the file has no end-of-file block: it was cut", "send it again"
)
NO_RECORDS: Final = _warning("vcf_no_records", "4.5, 1.6", "the file holds no records", "check that it is complete")

# Meta lines
META_FORM: Final = _error(
    "vcf_meta_form", "4.5, 1.4", "a meta line is not ##key=value or ##key=<key=value,...>", "correct the line"
)
META_EMPTY: Final = _error(
    "vcf_meta_empty", "4.5, 1.4", "a meta line has no value", "give it one or remove the line", since=3
)
META_AFTER_HEADER: Final = _error(
    "vcf_meta_after_header", "4.5, 1.4", "a line with # stands after the #CHROM line", "move it before that line"
)
META_NOT_STRUCTURED: Final = _error(
    "vcf_meta_not_structured", "4.5, 1.4", "the value must be enclosed in < and >", "write <ID=...,...>"
)
META_QUOTES: Final = _error(
    "vcf_meta_quotes", "4.5, 1.4.2", "quotes do not pair up", "quote the value and escape quotes within it"
)
META_KEY_REPEATED: Final = _error(
    "vcf_meta_key_repeated", "4.5, 1.4", "a key stands twice in a meta line", "keep one of the two"
)
META_KEY_MISSING: Final = _error(
    "vcf_meta_key_missing", "4.5, 1.4.2", "a required key is missing from a meta line", "add it"
)
META_ID_MISSING: Final = _error(
    "vcf_meta_id_missing", "4.3, 1.4", "a structured meta line has no ID", "add one", since=3
)
META_ID_REPEATED: Final = _error(
    "vcf_meta_id_repeated", "4.3, 1.4", "two meta lines of one kind have the same ID", "remove one", since=3
)
META_ID_FORM: Final = _error(
    "vcf_meta_id_form", "4.3, 1.6.1", "an ID has characters that its column cannot hold", "rename it", since=3
)
META_NUMBER: Final = _error(
    "vcf_meta_number", "4.5, 1.4.2", "Number is none that this version knows", "correct the Number or the version"
)
META_NUMBER_LATER: Final = _warning(
    "vcf_meta_number_later", "4.2, 1.2.2", "Number is one that came with a later version", "declare that version"
)
META_TYPE: Final = _error(
    "vcf_meta_type", "4.5, 1.4.2", "Type is none of Integer, Float, Flag (INFO alone), Character, String", "correct it"
)
META_FLAG_NUMBER: Final = _warning(
    "vcf_meta_flag_number", "4.5, 1.4.2", "Number 0 and Type Flag belong together", "correct the one or the other"
)
META_UNQUOTED: Final = _error(
    "vcf_meta_unquoted", "4.3, 1.4.2", "Description, Source or Version is not in double quotes", "quote it"
)
META_UNQUOTED_BEFORE: Final = _warning(
    "vcf_meta_unquoted_optional", "4.5, 1.4", "a field that need not be there is not in double quotes", "quote it"
)
META_VALUES: Final = _error(
    "vcf_meta_values", "4.3, 1.4.8", "Values of a META line is not a list in brackets", "write Values=[a, b]"
)
RESERVED_DEFINITION: Final = _warning(
    "vcf_reserved_definition", "4.5, 1.6.1 and 1.6.2", "a reserved key has another Number or Type than the standard",
    "use another key or the standard's definition",
)  # fmt: skip
CONTIG_NAME: Final = _error(
    "vcf_contig_name", "4.3, 1.4.7", "a contig name has characters that it cannot have", "rename the contig", since=3
)
CONTIG_NAME_RESERVED: Final = _error(
    "vcf_contig_name_reserved", "4.3, 1.4.7", "a contig has the name of a symbolic allele", "rename it", since=3
)
CONTIG_LENGTH: Final = _error(
    "vcf_contig_length", "4.5, 1.4.7", "the length of a contig is no positive integer", "correct it"
)
CONTIG_MD5: Final = _warning(
    "vcf_contig_md5", "4.5, 1.4.7", "md5 of a contig is not 32 lowercase hexadecimal digits", "correct it"
)
CONTIG_COLON: Final = _warning(
    "vcf_contig_colon", "4.2, 1.4.1", "a contig has a colon in its name, ruled out before 4.3", "declare VCFv4.3"
)

# The #CHROM line
HEADER_MISSING: Final = _error(
    "vcf_header_missing", "4.5, 1.5", "there is no #CHROM line before the records", "add the header line"
)
HEADER_COLUMNS: Final = _error(
    "vcf_header_columns", "4.5, 1.5", "the #CHROM line does not name the fixed columns, divided by tabs",
    "write #CHROM POS ID REF ALT QUAL FILTER INFO, and FORMAT before samples",
)  # fmt: skip
HEADER_TRAILING_TAB: Final = _error("vcf_header_trailing_tab", "4.3, 1.5", "the #CHROM line ends in a tab", "remove it")
SAMPLE_NAME_EMPTY: Final = _error("vcf_sample_name_empty", "4.5, 1.5", "a sample has no name", "name it")
SAMPLE_NAME_REPEATED: Final = _error(
    "vcf_sample_name_repeated", "4.5, 1.5", "two samples have the same name", "rename one"
)
NO_SAMPLES: Final = _warning("vcf_no_samples", "4.5, 1.5", "there is a FORMAT column and no sample", "drop the column")

# Records: the fixed columns
COLUMN_COUNT: Final = _error(
    "vcf_column_count", "4.5, 1.6", "a record has more or fewer columns than the header", "write one value a column"
)
FIELD_EMPTY: Final = _error("vcf_field_empty", "4.5, 1", "a column is empty", "write '.' where a value is missing")
FIELD_SPACE: Final = _error("vcf_field_space", "4.5, 1.6.1", "a column has white space", "remove it or encode it")
CHROM_FORM: Final = _error(
    "vcf_chrom_form", "4.3, 1.6.1 (1)", "CHROM is neither a contig name nor <ID>", "correct the name", since=3
)
CONTIG_UNDECLARED: Final = _warning(
    "vcf_contig_undeclared", "4.5, 1.4.7", "records stand on a contig without a ##contig line", "add the line"
)
CONTIG_NOT_IN_REFERENCE: Final = _error(
    "vcf_contig_not_in_reference", "4.5, 1.6.1 (1)", "a contig is not in the reference",
    "use the reference that the calls were made on",
)  # fmt: skip
CONTIG_LENGTH_DIFFERS: Final = _error(
    "vcf_contig_length_differs", "4.5, 1.4.7", "a contig has another length than in the reference",
    "use the reference that the calls were made on",
)  # fmt: skip
CONTIG_SPLIT: Final = _error(
    "vcf_contig_split", "4.3, 1.6.1 (1)", "the records of a contig do not stand together", "sort the file", since=3
)
POS_FORM: Final = _error("vcf_pos_form", "4.5, 1.6.1 (2)", "POS is no integer from 0 on", "write the 1-based position")
POS_RANGE: Final = _error(
    "vcf_pos_range", "4.3, 1.3", "POS is over 2^31-1", "split the contig; no index reaches further", since=3
)
POS_OUTSIDE_CONTIG: Final = _error(
    "vcf_pos_outside_contig", "4.5, 1.6.1 (2)", "the record lies beyond the end of its contig",
    "use the reference that the calls were made on",
)  # fmt: skip
POS_UNSORTED: Final = _error(
    "vcf_pos_unsorted", "4.5, 1.6.1 (2)", "POS is smaller than in the record before", "sort the file"
)
ID_FORM: Final = _error("vcf_id_form", "4.5, 1.6.1 (3)", "ID has an empty part", "divide ids by one semicolon")
ID_LIST_REPEATED: Final = _error(
    "vcf_id_list_repeated", "4.3, 1.6.1 (3)", "ID names the same id twice", "name it once", since=3
)
ID_REPEATED: Final = _warning(
    "vcf_id_repeated", "4.5, 1.6.1 (3)", "two records of one position have the same ID", "give each its own"
)
REF_FORM: Final = _error(
    "vcf_ref_form", "4.5, 1.6.1 (4)", "REF has characters other than A, C, G, T, N", "write the reference's bases"
)
REF_DIFFERS: Final = _error(
    "vcf_ref_differs", "4.5, 1.6.1 (4)", "REF is not what the reference has there",
    "use the reference that the calls were made on",
)  # fmt: skip
ALT_FORM: Final = _error(
    "vcf_alt_form", "4.5, 1.6.1 (5)", "an ALT allele is neither bases, '*', <ID> nor a breakend", "correct the allele"
)
ALT_STAR_VERSION: Final = _warning(
    "vcf_alt_star_version", "4.2, 1.4.1 (5)", "the allele '*' came with VCF 4.2", "declare VCFv4.2"
)
ALT_STAR_MIXED: Final = _error(
    "vcf_alt_star_mixed", "4.4, 1.6.1 (5)", "'*' stands among bases of one allele", "write '*' by itself", since=4
)
ALT_MISSING_AMONG: Final = _warning(
    "vcf_alt_missing_among", "4.3, 1.6.1 (5)", "'.' stands beside other ALT alleles", "remove it"
)
ALT_MISSING_VERSION: Final = _error(
    "vcf_alt_missing_version", "4.2, 1.4.1 (5)", "'.' stands beside other ALT alleles", "remove it"
)
ALT_IS_REF: Final = _error("vcf_alt_is_ref", "4.5, 1.6.1 (5)", "an ALT allele is the REF allele", "remove it from ALT")
ALT_REPEATED: Final = _warning("vcf_alt_repeated", "4.5, 1.6.1 (5)", "an ALT allele stands twice", "name it once")
ALT_UNDECLARED: Final = _warning(
    "vcf_alt_undeclared", "4.5, 1.4.5", "a symbolic allele has no ##ALT line", "add the line"
)
QUAL_FORM: Final = _error("vcf_qual_form", "4.5, 1.6.1 (6)", "QUAL is no number", "write a number or '.'")
QUAL_NEGATIVE: Final = _error(
    "vcf_qual_negative", "4.5, 1.6.1 (6)", "QUAL is negative, which no Phred score is", "write a number or '.'"
)
FILTER_FORM: Final = _error(
    "vcf_filter_form", "4.5, 1.6.1 (7)", "FILTER has an empty part or a '.' among filters", "write PASS, '.' or filters"
)
FILTER_PASS_AMONG: Final = _error(
    "vcf_filter_pass_among", "4.5, 1.6.1 (7)", "PASS stands beside filters that failed", "write the one or the others"
)
FILTER_ZERO: Final = _error(
    "vcf_filter_zero", "4.3, 1.6.1 (7)", "a filter is named 0, which is reserved", "rename it", since=3
)
FILTER_REPEATED: Final = _error(
    "vcf_filter_repeated", "4.3, 1.6.1 (7)", "FILTER names a filter twice", "name it once", since=3
)
FILTER_UNDECLARED: Final = _warning(
    "vcf_filter_undeclared", "4.5, 1.4.3", "a filter has no ##FILTER line", "add the line"
)
DUPLICATE_RECORD: Final = _warning(
    "vcf_duplicate_record", "4.5, 1.6.1", "a record has the place and the alleles of another", "keep one of the two"
)

# INFO
INFO_EMPTY_PART: Final = _error(
    "vcf_info_empty_part", "4.3, 1", "INFO has an empty part between semicolons", "remove the semicolon", since=3
)
INFO_KEY_FORM: Final = _error(
    "vcf_info_key_form", "4.3, 1.6.1 (8)", "an INFO key is no letter or '_' with letters, digits, '_' and '.'",
    "rename the key", since=3,
)  # fmt: skip
INFO_KEY_REPEATED: Final = _error(
    "vcf_info_key_repeated", "4.3, 1.6.1 (8)", "an INFO key stands twice", "give its values as one list", since=3
)
INFO_UNDECLARED: Final = _warning(
    "vcf_info_undeclared", "4.5, 1.6.1 (8)", "an INFO key has no ##INFO line", "add the line"
)
INFO_VALUE_MISSING: Final = _error(
    "vcf_info_value_missing", "4.5, 1.6.1 (8)", "an INFO key has no value and is no Flag", "give it a value or '.'"
)
INFO_EQUALS: Final = _warning(
    "vcf_info_equals", "4.5, 1.6.1 (8)", "an INFO value has an equals sign", "encode it as %3D (VCF 4.3 on)"
)
INFO_FLAG_VALUE: Final = _error("vcf_info_flag_value", "4.5, 1.4.2", "an INFO Flag has a value", "write the key alone")
INFO_FLAG_DIGIT: Final = _warning(
    "vcf_info_flag_digit", "4.5, 1.4.2", "an INFO Flag has the value 0 or 1", "write the key alone or leave it out"
)
INFO_TYPE: Final = _error("vcf_info_type", "4.5, 1.3", "an INFO value is not of its Type", "correct the value")
INFO_COUNT: Final = _error(
    "vcf_info_count", "4.5, 1.4.2", "an INFO key has more or fewer values than its Number", "correct the values"
)
INFO_TEXT_COUNT: Final = _warning(
    "vcf_info_text_count", "4.5, 1.4.2", "an INFO text has more or fewer parts between commas than its Number",
    "encode commas as %2C (VCF 4.3 on) or declare Number=.",
)  # fmt: skip
INTEGER_RANGE: Final = _error(
    "vcf_integer_range", "4.3, 1.3", "an Integer is not from -2^31+8 to 2^31-1", "use Type Float or String", since=3
)
FLOAT_FORM: Final = _error(
    "vcf_float_form", "4.3, 1.3", "a Float is not digits, at most one dot with digits behind it, and an exponent",
    "write it as 1.0 or 1e-3", since=3,
)  # fmt: skip
NEGATIVE_COUNT: Final = _error(
    "vcf_negative_count", "4.5, 1.6.1 and 1.6.2", "a count or a depth is negative", "correct the value"
)
FREQUENCY_RANGE: Final = _warning(
    "vcf_frequency_range", "4.5, 1.6.1 and 1.6.2", "a frequency or probability is not from 0 to 1", "correct the value"
)
PERCENT_FORM: Final = _error(
    "vcf_percent_form", "4.3, 1.2", "a percent sign does not begin an encoded character", "write it as %25"
)
PERCENT_CASE: Final = _warning(
    "vcf_percent_case", "4.3, 1.2", "an encoded character has lowercase digits", "write capital digits"
)
END_BEFORE_POS: Final = _error("vcf_end_before_pos", "4.5, 1.6.1", "END is smaller than POS", "correct END")
BLOCK_OVERLAP: Final = _warning(
    "vcf_block_overlap", "4.5, 5.5", "a reference block begins before the one before it ends", "merge the blocks"
)
SVLEN_MISSING: Final = _error(
    "vcf_svlen_missing", "4.4, 3", "a symbolic structural variant has neither SVLEN nor END", "add SVLEN", since=4
)
SVCLAIM_MISSING: Final = _error(
    "vcf_svclaim_missing", "4.4, 3", "a <DEL> or <DUP> has no SVCLAIM", "say D, J or DJ", since=4
)
SVCLAIM_VALUE: Final = _error(
    "vcf_svclaim_value", "4.4, 3", "SVCLAIM is none that the allele can have", "say D, J, DJ or '.'", since=4
)
INTERVAL_FORM: Final = _error(
    "vcf_interval_form", "4.4, 3", "a confidence interval is not a pair around 0 for each ALT", "correct it", since=4
)

# FORMAT and genotypes
FORMAT_KEY_FORM: Final = _error(
    "vcf_format_key_form", "4.3, 1.6.2", "a FORMAT key is no letter or '_' with letters, digits, '_' and '.'",
    "rename the key", since=3,
)  # fmt: skip
FORMAT_KEY_EMPTY: Final = _error(
    "vcf_format_key_empty", "4.5, 1.6.2", "FORMAT has an empty key or a '.' among keys", "divide keys by one colon"
)
FORMAT_KEY_REPEATED: Final = _error(
    "vcf_format_key_repeated", "4.3, 1.6.2", "a FORMAT key stands twice", "name it once", since=3
)
FORMAT_UNDECLARED: Final = _warning(
    "vcf_format_undeclared", "4.5, 1.6.2", "a FORMAT key has no ##FORMAT line", "add the line"
)
GT_NOT_FIRST: Final = _error("vcf_gt_not_first", "4.5, 1.6.2", "GT is not the first FORMAT key", "move it to the front")
LOCAL_ORDER: Final = _error(
    "vcf_local_order", "4.5, 1.6.2", "LAA does not stand before all local-allele keys and behind GT alone", "move it"
)
SAMPLE_PARTS: Final = _error(
    "vcf_sample_parts", "4.5, 1.6.2", "a sample has more values than FORMAT has keys", "correct the values"
)
SAMPLE_VALUE_EMPTY: Final = _error(
    "vcf_sample_value_empty", "4.5, 1", "a sample has an empty value", "write '.' where a value is missing"
)
GT_FORM: Final = _error(
    "vcf_gt_form", "4.5, 1.6.2", "GT is not allele numbers or '.' divided by / or |", "correct the genotype"
)
GT_LEADING_PHASE: Final = _error(
    "vcf_gt_leading_phase", "4.4, 1.6.2", "GT begins with / or |, which came with VCF 4.4", "declare VCFv4.4"
)
GT_ALLELE: Final = _error(
    "vcf_gt_allele", "4.5, 1.6.2", "GT names an allele that the record does not have", "correct GT or ALT"
)
GENOTYPE_TYPE: Final = _error(
    "vcf_genotype_type", "4.5, 1.3", "a sample's value is not of its Type", "correct the value"
)
GENOTYPE_COUNT: Final = _error(
    "vcf_genotype_count", "4.5, 1.4.4", "a sample has more or fewer values than Number, alleles and ploidy ask for",
    "correct the values",
)  # fmt: skip
LOCAL_ALLELES: Final = _error(
    "vcf_local_alleles", "4.5, 1.6.2", "LAA is not distinct numbers of ALT alleles", "correct LAA"
)
PHASE_SETS: Final = _error("vcf_phase_sets", "4.4, 1.6.2", "a sample has both PS and PSL", "keep one of the two")
SAMPLES_WITHOUT_FORMAT: Final = _error(
    "vcf_samples_without_format", "4.5, 1.6.2", "FORMAT is '.' and a sample has values", "name the keys in FORMAT"
)

_OWN: Final = tuple(rule for rule in list(globals().values()) if isinstance(rule, Rule))
VCF_RULES: Final = tuple(one for rule in _OWN for one in (rule, _TWINS.get(rule.code)) if one is not None)


@dataclass(frozen=True, slots=True)
class VcfFindings:
    """The log of one file, which turns an error into its warning where the file's version does not rule it yet."""

    log: FindingLog
    minor: int

    def add(self, rule: Rule, *, line: int | None = None, field: str | None = None, kind: str | None = None) -> None:
        """Note that a rule is broken."""
        if self.minor < _SINCE.get(rule.code, 0):
            rule = _TWINS[rule.code]
        self.log.add(rule, line=line, field=field, kind=kind)
