"""Every rule that an alignment file is held to, with the section of the specification that it comes from.

Sources: Sequence Alignment/Map Format Specification 1.6 ("SAM 1"), Optional Fields Specification ("SAMtags"), CRAM
format specification 3.1 ("CRAM 3.1"), Coordinate Sorted Index ("CSI 1"). What these documents forbid is an error; what
they recommend, or leave undefined, is a warning. Two kinds only warn although the text is strict, because published
data break them and no result depends on them: the description of a run (platform, date, insert size), and the inner
form of optional tags (MC is empty in files of the Genome in a Bottle Consortium).
"""

from typing import Final

from strandline.landing.findings import Level, Rule

_TABLE: list[Rule] = []


def _error(code: str, section: str, says: str, advice: str) -> Rule:
    _TABLE.append(Rule(code, Level.ERROR, section, says, advice))
    return _TABLE[-1]


def _warning(code: str, section: str, says: str, advice: str) -> Rule:
    _TABLE.append(Rule(code, Level.WARNING, section, says, advice))
    return _TABLE[-1]


_SEND_AGAIN: Final = "send it again from the original"
_WRITE_AGAIN: Final = "write the file again with an up-to-date tool"
_REHEAD: Final = "correct the header with samtools reheader"

# Whole files
UNREADABLE: Final = _error(
    "alignment_unreadable", "SAM 1, 1", "is not SAM, BAM or CRAM", "send the aligner's or converter's own output"
)
EMPTY: Final = _error("alignment_empty", "SAM 1, 1", "holds no header and no record", _SEND_AGAIN)
NAME_DIFFERS: Final = _warning(
    "alignment_name_differs", "SAM 1, 4", "the name's ending says another format than the content", "rename the file"
)
CRLF: Final = _error(
    "sam_crlf", "SAM 1, 1.3", "lines end in carriage return and line feed", "convert line ends with dos2unix"
)
LINE_TOO_LONG: Final = _error(
    "sam_line_too_long", "SAM 1, 1.4", "a line of over 64 MiB does not begin like a record", _SEND_AGAIN
)
SAM_TRUNCATED: Final = _error("sam_truncated", "SAM 1, 1.4", "ends within a line", _SEND_AGAIN)
LINE_OPEN: Final = _warning(
    "sam_line_open", "SAM 1, 1.4", "the last line has no line feed, so it may have been cut", _SEND_AGAIN
)
RECORD_UNCHECKED: Final = _warning(
    "sam_record_unchecked",
    "SAM 1, 4.2",
    "a record of over 64 MiB was checked in its first fields only",
    "check it with another tool if it is meant to be there",
)

# BGZF
NOT_BGZF: Final = _error(
    "bam_not_bgzf", "SAM 1, 4.1", "was compressed by gzip, not by blocks", "compress it with bgzip or samtools view -b"
)
BAM_TRUNCATED: Final = _error("bam_truncated", "SAM 1, 4.1.2", "was cut before its end-of-file block", _SEND_AGAIN)
BGZF_HEADER: Final = _error("bgzf_block_header", "SAM 1, 4.1", "a block's header is not one of BGZF", _SEND_AGAIN)
BGZF_BODY: Final = _error(
    "bgzf_block_corrupt", "SAM 1, 4.1", "a block's content is not what its trailer says", _SEND_AGAIN
)
BGZF_TRAILING: Final = _error(
    "bgzf_bytes_after_end", "SAM 1, 4.1.2", "bytes that are no block follow the end-of-file block", _SEND_AGAIN
)

# Header
HEADER_LINE: Final = _error(
    "sam_header_line", "SAM 1, 1.3", "a header line is not @HD, @SQ, @RG, @PG or @CO with TAG:VALUE fields", _REHEAD
)
HEADER_ENCODING: Final = _error(
    "sam_header_encoding", "SAM 1, 1.3", "a header line is not UTF-8 text or holds control characters", _REHEAD
)
HEADER_NOT_ASCII: Final = _warning(
    "sam_header_not_ascii", "SAM 1, 1", "a header field other than DS, CL and @CO is not ASCII", _REHEAD
)
HEADER_TAG_REPEATED: Final = _error("sam_header_tag_repeated", "SAM 1, 1.3", "a header line has a tag twice", _REHEAD)
HEADER_TAG_MISSING: Final = _error(
    "sam_header_tag_missing", "SAM 1, 1.3", "a header line lacks a required tag", _REHEAD
)
HEADER_VALUE: Final = _error("sam_header_value", "SAM 1, 1.3", "a header field's value is not of its form", _REHEAD)
HEADER_DESCRIPTION: Final = _warning(
    "sam_header_description", "SAM 1, 1.3", "a field of a read group is not of its form", _REHEAD
)
HEADER_LATE: Final = _error(
    "sam_header_late", "SAM 1, 1", "a header line stands after a record", "put the header first"
)
HEADER_TOO_LARGE: Final = _error(
    "sam_header_too_large", "SAM 1, 4.2", "the header is over 256 MiB, which is a limit of this check", _SEND_AGAIN
)
HD_MISSING: Final = _warning("sam_hd_missing", "SAM 1, 2", "has no @HD line", _REHEAD)
HD_PLACE: Final = _error("sam_hd_place", "SAM 1, 1.3", "@HD is not the first line, or stands twice", _REHEAD)
HD_BOTH_ORDERS: Final = _warning("sam_hd_both_orders", "SAM 1, 2", "@HD has both SO and GO", _REHEAD)
CONTIG_REPEATED: Final = _error(
    "sam_contig_repeated", "SAM 1, 1.3", "two @SQ lines share a name (SN or AN)", "align again to one reference"
)
READ_GROUP_REPEATED: Final = _error("sam_read_group_repeated", "SAM 1, 1.3", "two @RG lines share an ID", _REHEAD)
PROGRAM_REPEATED: Final = _error("sam_program_repeated", "SAM 1, 1.3", "two @PG lines share an ID", _REHEAD)
PROGRAM_CHAIN: Final = _error(
    "sam_program_chain", "SAM 1, 1.3", "a @PG line's PP names no other @PG line, or runs in a circle", _REHEAD
)
BAM_HEADER: Final = _error("bam_header", "SAM 1, 4.2", "the binary header contradicts itself", _SEND_AGAIN)
BAM_REFERENCES: Final = _error(
    "bam_references_disagree", "SAM 1, 4.2", "the header's @SQ lines and the binary list of references differ", _REHEAD
)
REFERENCE_DIFFERS: Final = _warning(
    "sam_reference_differs",
    "SAM 1, 1.3.2",
    "a contig differs from the given reference",
    "give the reference it was aligned to",
)

# Records
FIELDS: Final = _error("sam_fields", "SAM 1, 1.4", "a line has fewer than eleven fields, or an empty one", _WRITE_AGAIN)
NAME: Final = _error(
    "sam_name", "SAM 1, 1.4.1", "a read's name is not 1 to 254 printable characters without @", _WRITE_AGAIN
)
FLAG: Final = _error("sam_flag", "SAM 1, 1.4.2", "FLAG is not an integer from 0 to 65535", _WRITE_AGAIN)
FLAG_RESERVED: Final = _warning("sam_flag_reserved", "SAM 1, 1.4.2", "FLAG has bits that are reserved", _WRITE_AGAIN)
FLAG_UNDEFINED: Final = _warning(
    "sam_flag_undefined",
    "SAM 1, 1.4.2",
    "FLAG has bits that mean nothing beside the others",
    "correct the mates with samtools fixmate",
)
CONTIG_FORM: Final = _error(
    "sam_contig_form", "SAM 1, 1.2.1", "a contig's name has characters that names lack", _WRITE_AGAIN
)
CONTIG_UNKNOWN: Final = _error(
    "sam_contig_unknown",
    "SAM 1, 1.4.3",
    "a record names a contig that no @SQ line has",
    "send the file with its own header",
)
POSITION: Final = _error("sam_position", "SAM 1, 1.4.4", "a position is not an integer from 0 to 2^31-1", _WRITE_AGAIN)
MAPPED_UNPLACED: Final = _warning(
    "sam_mapped_unplaced", "SAM 1, 1.4.4", "a read without the unmapped bit has no contig or no position", _WRITE_AGAIN
)
OUTSIDE_CONTIG: Final = _warning(
    "sam_outside_contig", "SAM 1, 2", "an alignment reaches over its contig's end", "clean it with picard CleanSam"
)
MATE_OUTSIDE_CONTIG: Final = _warning(
    "sam_mate_outside_contig",
    "SAM 1, 1.4.8",
    "a mate's position is past its contig's end",
    "correct it with samtools fixmate",
)
MAPQ: Final = _error("sam_mapq", "SAM 1, 1.4.5", "MAPQ is not an integer from 0 to 255", _WRITE_AGAIN)
MAPQ_UNAVAILABLE: Final = _warning(
    "sam_mapq_unavailable",
    "SAM 1, 2",
    "a mapped read has quality 255, which stands for none",
    "let the aligner write MAPQ",
)
CIGAR: Final = _error(
    "sam_cigar", "SAM 1, 1.4.6", "CIGAR is not * or pairs of a length and one of MIDNSHP=X", _WRITE_AGAIN
)
CIGAR_CLIP: Final = _error(
    "sam_cigar_clip", "SAM 1, 1.4.6", "H stands within CIGAR, or S has more than H between it and the end", _WRITE_AGAIN
)
CIGAR_LENGTH: Final = _error("sam_cigar_length", "SAM 1, 1.4.6", "CIGAR and SEQ differ in length", _WRITE_AGAIN)
CIGAR_ADJACENT: Final = _warning(
    "sam_cigar_adjacent", "SAM 1, 2", "neighbouring CIGAR operations are alike", _WRITE_AGAIN
)
TEMPLATE_LENGTH: Final = _error(
    "sam_template_length", "SAM 1, 1.4.9", "TLEN is not an integer from -2^31+1 to 2^31-1", _WRITE_AGAIN
)
SEQ: Final = _error("sam_seq", "SAM 1, 1.4.10", "SEQ is neither * nor letters, = and .", _WRITE_AGAIN)
SEQ_NOT_IN_BAM: Final = _warning(
    "sam_seq_not_in_bam", "SAM 1, 4.2.3", "SEQ has letters that BAM turns into N", "write bases as IUPAC codes"
)
QUAL: Final = _error("sam_qual", "SAM 1, 1.4.11", "a base quality is outside 0 to 93", _WRITE_AGAIN)
QUAL_LENGTH: Final = _error("sam_qual_length", "SAM 1, 1.4.11", "QUAL and SEQ differ in length", _WRITE_AGAIN)
NOT_SORTED: Final = _error(
    "sam_not_sorted", "SAM 1, 1.3", "records are not in the order that @HD declares", "sort with samtools sort"
)
NAMES_NOT_SORTED: Final = _warning(
    "sam_names_not_sorted",
    "SAM 1, 1.3.1",
    "names are in neither natural nor lexicographical order",
    "sort with samtools sort -n",
)

# Optional fields
TAG_FORM: Final = _error("sam_tag_form", "SAM 1, 1.5", "an optional field is not TAG:TYPE:VALUE", _WRITE_AGAIN)
TAG_REPEATED: Final = _error("sam_tag_repeated", "SAM 1, 1.5", "a record has a tag twice", _WRITE_AGAIN)
TAG_TYPE: Final = _error("sam_tag_type", "SAM 1, 1.5", "an optional field has a type that does not exist", _WRITE_AGAIN)
TAG_VALUE: Final = _error("sam_tag_value", "SAM 1, 1.5", "an optional field's value is not of its type", _WRITE_AGAIN)
TAG_STANDARD_TYPE: Final = _error(
    "sam_tag_standard_type", "SAMtags, 1", "a predefined tag has another type than its own", _WRITE_AGAIN
)
TAG_STANDARD_VALUE: Final = _warning(
    "sam_tag_standard_value", "SAMtags, 1", "a predefined tag's value is not of its form", _WRITE_AGAIN
)
READ_GROUP_UNKNOWN: Final = _error(
    "sam_read_group_unknown",
    "SAMtags, 1.2",
    "a record's RG is no @RG line's ID",
    "set groups with samtools addreplacerg",
)
READ_GROUP_UNDECLARED: Final = _warning(
    "sam_read_group_undeclared",
    "SAM 1, 2",
    "records have RG but the header no @RG line",
    "add it with samtools addreplacerg",
)
PROGRAM_UNKNOWN: Final = _warning("sam_program_unknown", "SAMtags, 1.2", "a record's PG is no @PG line's ID", _REHEAD)

# BAM records
RECORD_SIZE: Final = _error(
    "bam_record_size", "SAM 1, 4.2", "a record's fields do not fit into its declared size", _SEND_AGAIN
)
NAME_END: Final = _error(
    "bam_name_end", "SAM 1, 4.2", "a read's name does not end in NUL, or has one within", _WRITE_AGAIN
)
TAG_OVERRUN: Final = _error(
    "bam_tag_overrun", "SAM 1, 4.2.4", "an optional field runs over the record's end", _SEND_AGAIN
)
BIN: Final = _warning("bam_bin", "SAM 1, 4.2.1", "a record's bin is not the one of its place", _WRITE_AGAIN)

# CRAM
CRAM_VERSION: Final = _error(
    "cram_version", "CRAM 3.1, 6", "is of a CRAM version that nothing reads", "write CRAM 3.0 or 3.1"
)
CRAM_OLD: Final = _warning(
    "cram_version_old", "CRAM 3.1, 6", "is CRAM 2, which has no checksums", "convert it to CRAM 3 with samtools view"
)
CRAM_TRUNCATED: Final = _error("cram_truncated", "CRAM 3.1, 9", "was cut before its end-of-file container", _SEND_AGAIN)
CRAM_TRAILING: Final = _error(
    "cram_bytes_after_end", "CRAM 3.1, 9", "bytes follow the end-of-file container", _SEND_AGAIN
)
CRAM_CONTAINER: Final = _error("cram_container", "CRAM 3.1, 7", "a container contradicts itself", _SEND_AGAIN)
CRAM_BLOCK: Final = _error("cram_block", "CRAM 3.1, 8", "a block contradicts itself", _SEND_AGAIN)
CRAM_CHECKSUM: Final = _error("cram_checksum", "CRAM 3.1, 4.1", "a CRC32 does not match", _SEND_AGAIN)
CRAM_HEADER: Final = _error(
    "cram_header", "CRAM 3.1, 7.1", "the first container has no readable SAM header", _SEND_AGAIN
)
CRAM_RECORD_COUNT: Final = _error(
    "cram_record_count", "CRAM 3.1, 7", "containers, slices and records differ in number", _SEND_AGAIN
)
CRAM_NO_M5: Final = _warning("cram_no_m5", "CRAM 3.1, 8.3", "an @SQ line lacks M5", "write it with samtools view -T")
CRAM_NOT_DECODED: Final = _warning(
    "cram_not_decoded", "CRAM 3.1, 10", "its records were not decoded", "give the reference to have them checked"
)
CRAM_REFERENCE: Final = _error(
    "cram_reference_differs",
    "CRAM 3.1, 8.3",
    "the given reference lacks a contig that the file needs, or has another sequence under its name",
    "give the reference that the file was written with",
)

# Indexes
INDEX: Final = _error(
    "alignment_index", "SAM 1, 5.2; CSI 1; CRAM 3.1, 12", "the index is not one, or was cut", "index again"
)
INDEX_OFFSET: Final = _error(
    "alignment_index_offset",
    "SAM 1, 5.2",
    "the index points to where no block begins",
    "index again with samtools index",
)
INDEX_REFERENCES: Final = _error(
    "alignment_index_references",
    "SAM 1, 5.2",
    "the index and the header differ in contigs",
    "index again with samtools index",
)
INDEX_COUNTS: Final = _warning(
    "alignment_index_counts",
    "SAM 1, 5.2",
    "the index counts other records than the file has",
    "index again with samtools index",
)

SAM_RULES: Final = tuple(_TABLE)
