"""What can be wrong with FASTQ, rule by rule, and which alphabets hold.

Source: Cock et al. 2010, doi:10.1093/nar/gkp1137. It leaves the letters of a read open and advises the IUPAC codes of
DNA or RNA in either case. Those are taken, and '.', an old way to write N. The gap characters '-' and '*' are not: a
read has a quality for each base and none for a gap, and the SEQ of SAM, which reads become, cannot hold them.
"""

from typing import Final

from strandline.landing.findings import Level, Rule, rules_by_code

BASES: Final = b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv."  # IUPAC-IUB 1984, doi:10.1093/nar/13.9.3021
LOWEST_QUALITY: Final = 33
HIGHEST_QUALITY: Final = 126
LINE_LIMIT_BYTES: Final = 8 << 20  # the longest read known when written had 2.3 Mb, doi:10.1093/bioinformatics/bty841
EXPANSION_LIMIT: Final = 250  # reads with names of their own stay under 60

_COCK: Final = "Cock et al. 2010"

FASTQ_EMPTY: Final = Rule("fastq_empty", Level.ERROR, _COCK, "the file holds no reads", "send the right file")
NOT_FASTQ: Final = Rule(
    "not_fastq",
    Level.ERROR,
    f"{_COCK}, title and '+' lines",
    "a record must begin with '@', and its third line with '+'",
    "send FASTQ, whole and unchanged",
)
FASTQ_TRUNCATED: Final = Rule(
    "fastq_truncated",
    Level.ERROR,
    f"{_COCK}, four line types",
    "the file ends within a record",
    "it was cut: send it again",
)
LINE_TOO_LONG: Final = Rule(
    "line_too_long", Level.ERROR, _COCK, "a line is over 8 MiB, longer than any read", "send FASTQ"
)
CARRIAGE_RETURN: Final = Rule(
    "carriage_return",
    Level.ERROR,
    f"{_COCK}, sequence and quality lines",
    "lines end in CR LF, and neither bases nor qualities may hold a CR",
    "convert the file to Unix line ends",
)
CONTROL_CHARACTER: Final = Rule(
    "control_character",
    Level.ERROR,
    f"{_COCK}, title line",
    "a title is no text: it holds a control character",
    "the file was damaged: send it again",
)
EMPTY_READ: Final = Rule(
    "empty_read",
    Level.WARNING,
    f"{_COCK}, sequence line",
    "a read has no bases, and not every tool takes that",
    "trim with a minimum length",
)
BAD_BASE: Final = Rule(
    "bad_base",
    Level.ERROR,
    f"{_COCK}, sequence line",
    "a character is no IUPAC base",
    "write IUPAC codes, and N where no base was called",
)
RNA_BASES: Final = Rule(
    "rna_bases",
    Level.WARNING,
    f"{_COCK}, sequence line",
    "a read is written with U, which aligners take for N",
    "write T for U",
)
SEPARATOR_DISAGREES: Final = Rule(
    "separator_disagrees",
    Level.ERROR,
    f"{_COCK}, '+' line",
    "what follows '+' is not the record's title",
    "the file was damaged or its records mixed: write '+' alone, or the title again",
)
QUALITY_LENGTH: Final = Rule(
    "quality_length",
    Level.ERROR,
    f"{_COCK}, quality line",
    "bases and qualities differ in number",
    "the file was damaged or cut: send it again",
)
BAD_QUALITY: Final = Rule(
    "bad_quality",
    Level.ERROR,
    f"{_COCK}, quality line",
    "a quality character is outside 33 to 126",
    "write Phred qualities from '!' on",
)
QUALITY_OFFSET: Final = Rule(
    "quality_offset",
    Level.WARNING,
    f"{_COCK}, Table 1",
    "the qualities look as if they were written from '@' on (64) and not from '!' on (33)",
    "convert them to Sanger's offset of 33, or every quality counts 31 too much",
)
LINES_WRAPPED: Final = Rule(
    "lines_wrapped",
    Level.WARNING,
    f"{_COCK}, four line types",
    "bases stand on more than one line, which many tools cannot read",
    "write four lines a record",
)
BLANK_LINES: Final = Rule(
    "blank_lines",
    Level.WARNING,
    f"{_COCK}, four line types",
    "blank lines follow the last record",
    "end the file after its last quality line",
)
EMPTY_NAME: Final = Rule(
    "empty_name", Level.WARNING, f"{_COCK}, title line", "a read has no name", "give each pair of reads its own name"
)
LONG_NAME: Final = Rule(
    "long_name",
    Level.WARNING,
    "SAM 1.6, 1.4, QNAME",
    "a name is over 254 characters, which BAM and CRAM cannot hold",
    "shorten the names",
)
MATES_DISAGREE: Final = Rule(
    "mates_disagree",
    Level.ERROR,
    f"{_COCK}, title line",
    "the read and its mate have different names: the files are not of one run or not in one order",
    "send both as the demultiplexer wrote them",
)
MATES_SWAPPED: Final = Rule(
    "mates_swapped",
    Level.ERROR,
    f"{_COCK}, title line",
    "the title says that this is the other mate",
    "give the first mate as READS_1 and the second as READS_2",
)
MATE_COUNTS_DIFFER: Final = Rule(
    "mate_counts_differ",
    Level.ERROR,
    f"{_COCK}, paired reads in two files",
    "the file and its mate hold different numbers of reads: one was cut or filtered",
    "send the files of one demultiplexing run",
)
GZIP_TRUNCATED: Final = Rule(
    "gzip_truncated",
    Level.ERROR,
    "RFC 1952, 2.3",
    "the file ends within its gzip data",
    "the upload or the copy was cut: send it again",
)
GZIP_CORRUPT: Final = Rule(
    "gzip_corrupt",
    Level.ERROR,
    "RFC 1952, 2.3.1",
    "the gzip data are not valid",
    "a byte was changed after compression: send it again",
)
GZIP_TRAILING_BYTES: Final = Rule(
    "gzip_trailing_bytes",
    Level.ERROR,
    "RFC 1952, 2.2",
    "bytes follow the last gzip member",
    "compress the file again",
)
GZIP_EXPANSION: Final = Rule(
    "gzip_expansion",
    Level.ERROR,
    "RFC 1951, 3.2.5",
    f"over 1 GiB came out, more than {EXPANSION_LIMIT} bytes for each byte in, as no sequencer's reads do",
    "send the reads uncompressed if they are real",
)

FASTQ_RULES: Final = (
    FASTQ_EMPTY,
    NOT_FASTQ,
    FASTQ_TRUNCATED,
    LINE_TOO_LONG,
    CARRIAGE_RETURN,
    CONTROL_CHARACTER,
    EMPTY_READ,
    BAD_BASE,
    RNA_BASES,
    SEPARATOR_DISAGREES,
    QUALITY_LENGTH,
    BAD_QUALITY,
    QUALITY_OFFSET,
    LINES_WRAPPED,
    BLANK_LINES,
    EMPTY_NAME,
    LONG_NAME,
    MATES_DISAGREE,
    MATES_SWAPPED,
    MATE_COUNTS_DIFFER,
    GZIP_TRUNCATED,
    GZIP_CORRUPT,
    GZIP_TRAILING_BYTES,
    GZIP_EXPANSION,
)
GZIP_RULE_BY_CODE: Final = rules_by_code([GZIP_TRUNCATED, GZIP_CORRUPT, GZIP_TRAILING_BYTES, GZIP_EXPANSION])
