"""Small VCF files by hand: broken ones with the rule that each breaks, and unusual ones that the standard allows.

The rules are those of VCF 4.1 to 4.5 (samtools/hts-specs); the files are our own.
"""

from dataclasses import dataclass

META = (
    '##FILTER=<ID=q10,Description="Quality below 10">',
    '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">',
    '##INFO=<ID=AC,Number=A,Type=Integer,Description="Allele count">',
    '##INFO=<ID=AF,Number=A,Type=Float,Description="Allele frequency">',
    '##INFO=<ID=RD,Number=R,Type=Integer,Description="Depth of each allele">',
    '##INFO=<ID=DB,Number=0,Type=Flag,Description="In dbSNP">',
    '##INFO=<ID=CH,Number=1,Type=Character,Description="A letter">',
    '##INFO=<ID=NOTE,Number=.,Type=String,Description="Text">',
    '##INFO=<ID=END,Number=1,Type=Integer,Description="End">',
    '##INFO=<ID=SVLEN,Number=A,Type=Integer,Description="Length of the variant">',
    '##INFO=<ID=SVCLAIM,Number=A,Type=String,Description="Claim">',
    '##INFO=<ID=CIPOS,Number=.,Type=Integer,Description="Interval around POS">',
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
    '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Depths">',
    '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">',
    '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="Likelihoods">',
    '##FORMAT=<ID=GP,Number=G,Type=Float,Description="Probabilities">',
    '##FORMAT=<ID=PS,Number=1,Type=Integer,Description="Phase set">',
    '##ALT=<ID=DEL,Description="Deletion">',
    '##ALT=<ID=NON_REF,Description="Any other allele">',
    "##contig=<ID=c,length=1000>",
    "##contig=<ID=d,length=500>",
)
LOCAL_META = (
    '##FORMAT=<ID=LAA,Number=.,Type=Integer,Description="Local alleles">',
    '##FORMAT=<ID=LAD,Number=LR,Type=Integer,Description="Local depths">',
    '##FORMAT=<ID=LPL,Number=LG,Type=Integer,Description="Local likelihoods">',
    '##FORMAT=<ID=PSL,Number=P,Type=String,Description="Phase sets">',
)
COLUMNS = "#CHROM POS ID REF ALT QUAL FILTER INFO"
PAIR = "c 10 . A C 50 PASS DP=9 GT 0/1 0/1"
UNDECLARED = "x 5 i A <FOO> 1 f X=1;Y GT:Z 0/1:7"
TWELVE = tuple("C" * n for n in range(1, 13))
SITE = "c 10 . A C 50 PASS DP=9"


@dataclass(frozen=True)
class Case:
    """A file; `code` is the rule that it breaks, None where it breaks none that keeps it out."""

    name: str
    body: bytes
    code: str | None = None


def tabs(text: str) -> str:
    """Write blanks as tabs and `~` as blanks, so that records read well here."""
    return text.replace(" ", "\t").replace("~", " ")


def vcf(*records: str, version: str = "4.3", meta: tuple[str, ...] = (), columns: str = "", end: str = "\n") -> bytes:
    """Return a file with the usual header, more meta lines, and records written with blanks for tabs."""
    samples = max((len(record.split(" ")) - 9 for record in records), default=-1)
    columns = columns or COLUMNS + ("" if samples < 0 else " FORMAT" + "".join(f" S{i}" for i in range(samples)))
    lines = [f"##fileformat=VCFv{version}", *META, *meta, tabs(columns), *(tabs(record) for record in records)]
    return (end.join(lines) + end).encode("utf-8", errors="surrogateescape")


def with_info(info: str, alt: str = "C", version: str = "4.3") -> bytes:
    return vcf(f"c 10 . A {alt} 50 PASS {info}", version=version)


def with_alt(alt: str, version: str = "4.3", ref: str = "A", info: str = "DP=9") -> bytes:
    return vcf(f"c 10 . {ref} {alt} 50 PASS {info}", version=version)


def with_sample(form: str, sample: str, alt: str = "C", version: str = "4.3") -> bytes:
    meta = LOCAL_META if version == "4.5" else ()
    return vcf(f"c 10 . A {alt} 50 PASS DP=9 {form} {sample}", version=version, meta=meta)


def with_meta(*meta: str, version: str = "4.3") -> bytes:
    return vcf(SITE, version=version, meta=meta)


_GOOD = vcf(SITE)
_BIG = str(2**31)

BROKEN = [
    # the file
    Case("empty", b"", "vcf_empty"),
    Case("no fileformat line", _GOOD.split(b"\n", 1)[1], "not_vcf"),
    Case("fileformat not first", b"##source=x\n" + _GOOD, "not_vcf"),
    Case("two fileformat lines", with_meta("##fileformat=VCFv4.3"), "not_vcf"),
    Case("an unknown version", vcf(SITE, version="4.9"), "vcf_version_unknown"),
    Case("a byte order mark", b"\xef\xbb\xbf" + _GOOD, "vcf_byte_order_mark"),
    Case("UTF-16", _GOOD.decode().encode("utf-16"), "vcf_utf16"),
    Case("Latin-1 in 4.3", with_info("NOTE=caf\udce9"), "vcf_not_utf8"),
    Case("a NUL byte", _GOOD.replace(b"PASS", b"PA\0S"), "vcf_nul_byte"),
    Case("a control character", _GOOD.replace(b"DP=9", b"DP=9\x07"), "vcf_control_character"),
    Case("a carriage return within a line", _GOOD.replace(b"\tPASS", b"\r\tPASS"), "vcf_stray_carriage_return"),
    Case("no final line end in 4.3", _GOOD[:-1], "vcf_no_final_newline"),
    Case("a blank line among records", _GOOD + b"\n" + tabs("c 11 . A C 50 PASS .").encode() + b"\n", "vcf_blank_line"),
    # meta lines
    Case("a meta line without =", with_meta("##source"), "vcf_meta_form"),
    Case("an empty meta line in 4.3", with_meta("##source="), "vcf_meta_empty"),
    Case("INFO not in brackets", with_meta("##INFO=DP2"), "vcf_meta_not_structured"),
    Case("no closing bracket", with_meta('##FILTER=<ID=x,Description="y"'), "vcf_meta_form"),
    Case("an open quote", with_meta('##FILTER=<ID=x,Description="y>'), "vcf_meta_quotes"),
    Case("a quote within quotes", with_meta('##FILTER=<ID=x,Description="a "b" c">'), "vcf_meta_quotes"),
    Case("a key twice", with_meta('##FILTER=<ID=x,ID=y,Description="d">'), "vcf_meta_key_repeated"),
    Case("INFO without Number", with_meta('##INFO=<ID=X,Type=Integer,Description="d">'), "vcf_meta_key_missing"),
    Case("INFO without Type", with_meta('##INFO=<ID=X,Number=1,Description="d">'), "vcf_meta_key_missing"),
    Case("INFO without Description", with_meta("##INFO=<ID=X,Number=1,Type=Integer>"), "vcf_meta_key_missing"),
    Case("FORMAT without ID", with_meta('##FORMAT=<Number=1,Type=Integer,Description="d">'), "vcf_meta_key_missing"),
    Case("contig without ID", with_meta("##contig=<length=5>"), "vcf_meta_key_missing"),
    Case("a structured line without ID in 4.3", with_meta('##tool=<Version="1">'), "vcf_meta_id_missing"),
    Case("an INFO defined twice in 4.3", with_meta(META[1]), "vcf_meta_id_repeated"),
    Case("a bad INFO key", with_meta('##INFO=<ID=2X,Number=1,Type=Integer,Description="d">'), "vcf_meta_id_form"),
    Case("a bad Number", with_meta('##INFO=<ID=X,Number=one,Type=Integer,Description="d">'), "vcf_meta_number"),
    Case("a negative Number", with_meta('##INFO=<ID=X,Number=-1,Type=Integer,Description="d">'), "vcf_meta_number"),
    Case("a bad Type", with_meta('##INFO=<ID=X,Number=1,Type=Int,Description="d">'), "vcf_meta_type"),
    Case("a FORMAT Flag", with_meta('##FORMAT=<ID=X,Number=0,Type=Flag,Description="d">'), "vcf_meta_type"),
    Case("Description unquoted", with_meta("##FILTER=<ID=x,Description=low>"), "vcf_meta_unquoted"),
    Case("META values without brackets", with_meta("##META=<ID=A,Values=x>"), "vcf_meta_values"),
    Case("a contig name with a comma", with_meta("##contig=<ID=(x)>"), "vcf_contig_name"),
    Case("a contig named DEL", with_meta("##contig=<ID=DEL>"), "vcf_contig_name_reserved"),
    Case("a contig length in words", with_meta("##contig=<ID=e,length=long>"), "vcf_contig_length"),
    Case("a meta line after the header", _GOOD + b"##late=1\n", "vcf_meta_after_header"),
    # the header line
    Case("no header line", _GOOD.replace(tabs(COLUMNS).encode() + b"\n", b""), "vcf_header_missing"),
    Case("meta lines alone", b"##fileformat=VCFv4.3\n##source=x\n", "vcf_header_missing"),
    Case("a column missing", vcf("c 1 . A C 5 PASS", columns=COLUMNS[:-5]), "vcf_header_columns"),
    Case("columns swapped", vcf(SITE, columns="#CHROM POS ID ALT REF QUAL FILTER INFO"), "vcf_header_columns"),
    Case("blanks for tabs in the header", vcf(SITE, columns=COLUMNS.replace(" ", "~")), "vcf_header_columns"),
    Case("no FORMAT before samples", vcf(SITE + " GT 0/1", columns=COLUMNS + " S1 S2"), "vcf_header_columns"),
    Case("two samples of one name", vcf(PAIR, columns=COLUMNS + " FORMAT S S"), "vcf_sample_name_repeated"),
    Case("a sample without a name", vcf(SITE + " GT 0/1 0/1", columns=COLUMNS + " FORMAT  S"), "vcf_sample_name_empty"),
    Case("a tab ends the header line", vcf(SITE, columns=COLUMNS + " "), "vcf_header_trailing_tab"),
    # fixed columns
    Case("seven columns", vcf("c 10 . A C 50 PASS"), "vcf_column_count"),
    Case("a sample too many", vcf(SITE + " GT 0/1 0/1", columns=COLUMNS + " FORMAT S"), "vcf_column_count"),
    Case("a tab ends a record", vcf(SITE + " ", columns=COLUMNS), "vcf_column_count"),
    Case("blanks for tabs in a record", vcf(SITE.replace(" ", "~"), columns=COLUMNS), "vcf_column_count"),
    Case("an empty ID", vcf("c 10  A C 50 PASS DP=9", columns=COLUMNS), "vcf_field_empty"),
    Case("a blank in ID", vcf("c 10 rs~1 A C 50 PASS DP=9"), "vcf_field_space"),
    Case("a blank in CHROM", vcf("c~1 10 . A C 50 PASS DP=9"), "vcf_field_space"),
    Case("a bad CHROM", vcf("(c) 10 . A C 50 PASS DP=9"), "vcf_chrom_form"),
    Case("POS in words", vcf("c ten . A C 50 PASS DP=9"), "vcf_pos_form"),
    Case("a negative POS", vcf("c -1 . A C 50 PASS DP=9"), "vcf_pos_form"),
    Case("POS over 2^31-1", vcf(f"e {_BIG} . A C 50 PASS DP=9"), "vcf_pos_range"),
    Case("POS beyond the contig", vcf("c 1002 . A C 50 PASS DP=9"), "vcf_pos_outside_contig"),
    Case("REF beyond the contig", vcf("c 1000 . AA C 50 PASS DP=9"), "vcf_pos_outside_contig"),
    Case("POS not in order", vcf(SITE, "c 9 . A C 50 PASS DP=9"), "vcf_pos_unsorted"),
    Case("a contig in two parts in 4.3", vcf(SITE, "d 1 . A C 5 PASS .", "c 20 . A C 5 PASS ."), "vcf_contig_split"),
    Case("an empty id in a list", vcf("c 10 a;;b A C 50 PASS DP=9"), "vcf_id_form"),
    Case("an id twice in a list", vcf("c 10 a;a A C 50 PASS DP=9"), "vcf_id_list_repeated"),
    Case("an ambiguous REF base", with_alt("C", ref="R"), "vcf_ref_form"),
    Case("REF missing", with_alt("C", ref="."), "vcf_ref_form"),
    Case("a dash for a deletion", with_alt("-"), "vcf_alt_form"),
    Case("an ALT of another alphabet", with_alt("U"), "vcf_alt_form"),
    Case("an ALT with an empty allele", with_alt("C,"), "vcf_alt_form"),
    Case("a symbolic allele left open", with_alt("<DEL"), "vcf_alt_form"),
    Case("a blank in a symbolic allele", with_alt("<D~L>"), "vcf_field_space"),
    Case("a breakend without a position", with_alt("A[d["), "vcf_alt_form"),
    Case("a breakend with unlike brackets", with_alt("A[d:5]"), "vcf_alt_form"),
    Case("a breakend with bases on both sides", with_alt("A[d:5[A"), "vcf_alt_form"),
    Case("'*' among bases in 4.4", with_alt("A*", version="4.4"), "vcf_alt_star_mixed"),
    Case("'.' beside another ALT in 4.2", with_alt("C,.", version="4.2"), "vcf_alt_missing_version"),
    Case("ALT is REF", with_alt("a"), "vcf_alt_is_ref"),
    Case("QUAL in words", vcf("c 10 . A C high PASS DP=9"), "vcf_qual_form"),
    Case("a negative QUAL", vcf("c 10 . A C -5 PASS DP=9"), "vcf_qual_negative"),
    Case("PASS beside a filter", vcf("c 10 . A C 50 PASS;q10 DP=9"), "vcf_filter_pass_among"),
    Case("the filter 0 in 4.3", vcf("c 10 . A C 50 0 DP=9"), "vcf_filter_zero"),
    Case("a filter twice", vcf("c 10 . A C 50 q10;q10 DP=9"), "vcf_filter_repeated"),
    Case("an empty filter", vcf("c 10 . A C 50 q10; DP=9"), "vcf_filter_form"),
    # INFO
    Case("a semicolon ends INFO in 4.3", with_info("DP=9;"), "vcf_info_empty_part"),
    Case("a bad INFO key in a record", with_info("9P=9"), "vcf_info_key_form"),
    Case("an INFO key twice", with_info("DP=9;DP=9"), "vcf_info_key_repeated"),
    Case("an INFO key without a value", with_info("DP"), "vcf_info_value_missing"),
    Case("an INFO key with an empty value", with_info("DP="), "vcf_info_value_missing"),
    Case("a Flag with a value", with_info("DB=yes"), "vcf_info_flag_value"),
    Case("an Integer with a fraction", with_info("DP=9.5"), "vcf_info_type"),
    Case("a Float in words", with_info("AF=half"), "vcf_info_type"),
    Case("two letters for a Character", with_info("CH=ab"), "vcf_info_type"),
    Case("two AC for one ALT", with_info("AC=1,2"), "vcf_info_count"),
    Case("one AC for two ALT", with_info("AC=1", alt="C,G"), "vcf_info_count"),
    Case("one value for each allele short", with_info("RD=1"), "vcf_info_count"),
    Case("two values where Number is 1", with_info("DP=1,2"), "vcf_info_count"),
    Case("an Integer over 2^31-1", with_info(f"DP={_BIG}"), "vcf_integer_range"),
    Case("an Integer that BCF reserves", with_info(f"SVLEN=-{_BIG}"), "vcf_integer_range"),
    Case("a Float that ends in a dot in 4.3", with_info("AF=1."), "vcf_float_form"),
    Case("a negative depth", with_info("DP=-1"), "vcf_negative_count"),
    Case("a negative allele count, undeclared", with_info("AN=-1"), "vcf_negative_count"),
    Case("a stray percent sign in 4.3", with_info("NOTE=50%"), "vcf_percent_form"),
    Case("a blank in INFO in 4.2", with_info("NOTE=a~b", version="4.2"), "vcf_field_space"),
    Case("END before POS", with_info("END=9"), "vcf_end_before_pos"),
    Case("END beyond the contig", with_info("END=2000"), "vcf_pos_outside_contig"),
    Case("no SVLEN in 4.4", with_alt("<DEL>", version="4.4", info="SVCLAIM=D"), "vcf_svlen_missing"),
    Case("no SVCLAIM in 4.4", with_alt("<DEL>", version="4.4", info="SVLEN=5"), "vcf_svclaim_missing"),
    Case("a wrong SVCLAIM", with_alt("<DEL>", version="4.4", info="SVLEN=5;SVCLAIM=X"), "vcf_svclaim_value"),
    Case("CIPOS beside 0", with_alt("<INS>", version="4.4", info="SVLEN=5;CIPOS=1,5"), "vcf_interval_form"),
    # genotypes
    Case("a bad FORMAT key", with_sample("GT:2X", "0/1:1"), "vcf_format_key_form"),
    Case("an empty FORMAT key", with_sample("GT::DP", "0/1:1:1"), "vcf_format_key_empty"),
    Case("a FORMAT key twice", with_sample("GT:DP:DP", "0/1:1:1"), "vcf_format_key_repeated"),
    Case("GT not first", with_sample("DP:GT", "9:0/1"), "vcf_gt_not_first"),
    Case("more values than keys", with_sample("GT:DP", "0/1:9:9"), "vcf_sample_parts"),
    Case("an empty value", with_sample("GT:DP", "0/1:"), "vcf_sample_value_empty"),
    Case("no genotype", with_sample("GT:DP", ":9"), "vcf_gt_form"),
    Case("letters in GT", with_sample("GT", "A/C"), "vcf_gt_form"),
    Case("a backslash in GT", with_sample("GT", "0\\1"), "vcf_gt_form"),
    Case("GT with a divider at its end", with_sample("GT", "0/"), "vcf_gt_form"),
    Case("an allele that is not there", with_sample("GT", "0/2"), "vcf_gt_allele"),
    Case("an allele of a site without ALT", with_sample("GT", "0/1", alt="."), "vcf_gt_allele"),
    Case("a leading phase in 4.3", with_sample("GT", "|0|1"), "vcf_gt_leading_phase"),
    Case("three depths for two alleles", with_sample("GT:AD", "0/1:1,2,3"), "vcf_genotype_count"),
    Case("PL of a diploid for a haploid", with_sample("GT:PL", "0:1,2,3"), "vcf_genotype_count"),
    Case("PL of one ALT for two", with_sample("GT:PL", "0/1:1,2,3", alt="C,G"), "vcf_genotype_count"),
    Case("PL of a diploid for a triploid", with_sample("GT:PL", "0/0/1:1,2,3"), "vcf_genotype_count"),
    Case("PL with a fraction", with_sample("GT:PL", "0/1:1.5,2,3"), "vcf_genotype_type"),
    Case("a depth in words", with_sample("GT:DP", "0/1:x"), "vcf_genotype_type"),
    Case("a negative depth of a sample", with_sample("GT:DP", "0/1:-4"), "vcf_negative_count"),
    Case("values without FORMAT", with_sample(".", "0/1"), "vcf_samples_without_format"),
    Case("a local key before LAA", with_sample("GT:LAD:LAA", "0/1:1,2:1", version="4.5"), "vcf_local_order"),
    Case("LAA out of range", with_sample("GT:LAA:LAD", "0/1:2:1,2", version="4.5"), "vcf_local_alleles"),
    Case("LAA twice the same", with_sample("GT:LAA", "0/1:1,1", alt="C,G", version="4.5"), "vcf_local_alleles"),
    Case("LAD of more alleles than LAA", with_sample("GT:LAA:LAD", "0/1:1:1,2,3", version="4.5"), "vcf_genotype_count"),
    Case("LPL of more alleles than LAA", with_sample("GT:LAA:LPL", "0/1:1:1,2", version="4.5"), "vcf_genotype_count"),
    Case("PS and PSL", with_sample("GT:PS:PSL", "0|1:5:x,x", version="4.5"), "vcf_phase_sets"),
]  # fmt: skip

UNUSUAL = [
    *(Case(f"the plainest file of {v}", vcf(SITE, version=v)) for v in ("4.1", "4.2", "4.3", "4.4", "4.5")),
    Case("no records", vcf()),
    Case("CR LF line ends", vcf(SITE, end="\r\n")),
    Case("CR LF line ends in 4.2", vcf(SITE, version="4.2", end="\r\n")),
    Case("no final line end in 4.2", vcf(SITE, version="4.2")[:-1]),
    Case("nothing declared", b"##fileformat=VCFv4.3\n" + tabs(f"{COLUMNS} FORMAT S\n{UNDECLARED}\n").encode()),
    Case("a FORMAT column without samples", vcf(SITE + " GT")),
    Case("UTF-8 in a value", with_info("NOTE=Zürich,東京")),
    Case("a blank in a value in 4.3", with_info("NOTE=a~b")),
    Case("encoded characters", with_info("NOTE=a%3Bb%25;CH=%2C")),
    Case("every value missing", with_info("DP=.;AC=.;AF=.")),
    Case("an equals sign in a value", with_info("NOTE=a=b")),
    Case("'*' in 4.1", with_alt("*", version="4.1")),
    Case("an empty meta line in 4.2", with_meta("##source=", version="4.2")),
    Case("the legacy key 1000G", with_info("1000G;DP=9")),
    Case("a Flag denied with 0", with_info("DB=0", version="4.2")),
    Case("numbers of every form", vcf("c 10 . A C 1e3 . AF=1E-5", "c 11 . A C inf . AF=.5", "c 12 . A C 0 . AF=nan")),
    Case("telomeres", vcf("c 0 . N .[d:5[ . . .", "c 1 . A C . . .", "c 1001 . N ]d:5]. . . .")),
    Case("a breakend in each of its forms", with_alt("A[d:5[,A]d:5],]d:5]A,[d:5[A,ACG[<new>:5[,A.,.A")),
    Case("a breakend to a contig with a colon", with_alt("A[HLA*1:02:5[")),
    Case("symbolic alleles", with_alt("<DEL>,<DUP:TANDEM>,<*>,<NON_REF>")),
    Case("an overlapping deletion", vcf("c 10 . AC * . . .", version="4.2")),
    Case("bases in lower case", with_alt("acgtn")),
    Case("no ALT, and a genotype", with_sample("GT:AD:PL", "0/0:9:0", alt=".")),
    Case("several records of a position", vcf(SITE, SITE.replace(" C ", " G "), SITE.replace(" C ", " <DEL> "))),
    Case("the same record twice", vcf(SITE, SITE)),
    Case("a contig in two parts in 4.2", vcf(SITE, "d 1 . A C 5 . .", "c 20 . A C 5 . .", version="4.2")),
    Case("a contig of the assembly file", vcf("<new> 5 . A C 5 PASS .")),
    Case("haploid, triploid and missing genotypes", vcf(SITE + " GT:PL 0:1,2 0/0/1:1,2,3,4 ./.:. . 0|1:1,2,3")),
    Case("dividers of both kinds", with_sample("GT", "0|0/1")),
    Case("trailing values dropped", with_sample("GT:AD:DP:PL", "0/1:3,4")),
    Case("no GT, likelihoods alone", with_sample("PL", "1,2,3")),
    Case("lists with missing parts", with_sample("GT:AD:PL", "0/1:.,3:.,.,.")),
    Case("nothing in FORMAT", with_sample(".", ".")),
    Case("twelve ALT alleles", with_sample("GT:AD", "11/12" + ":7" + ",7" * 12, alt=",".join(TWELVE))),
    Case("a leading phase in 4.4", with_sample("GT", "|0/1", version="4.4")),
    Case("local alleles", with_sample("GT:LAA:LAD:LPL", "0/2:2:5,6:1,2,3", alt="C,G", version="4.5")),
    Case("no local allele", with_sample("GT:LAA:LAD:LPL", "0/0::30:0", version="4.5")),
    Case("phase sets of each allele", with_sample("GT:PSL", "|0/1:c*10*1,.", version="4.5")),
    Case("a gVCF", vcf(
        "c 1 . A <NON_REF> . . END=9 GT:DP 0/0:8", "c 10 . A C,<NON_REF> 5 . DP=9 GT:AD 0/1:4,4,0",
        "c 11 . A <*> . . END=20 GT:DP 0/0:8", version="4.2")),
    Case("a structural variant of 4.4", with_alt("<DEL>", version="4.4", info="SVLEN=5;SVCLAIM=DJ;CIPOS=-5,5")),
    Case("a structural variant of 4.2", with_alt("<DEL>", version="4.2", info="END=90;SVLEN=-80")),
    Case("meta lines of many kinds", with_meta(
        "##fileDate=20260101", '##SAMPLE=<ID=S,Assay=Exome,Description="a \\"b\\" \\\\">', "##PEDIGREE=<ID=S,Father=F>",
        "##META=<ID=Assay,Type=String,Number=.,Values=[Exome, Genome]>", "##pedigreeDB=http://x", "##a=b=<c>",
        '##tool=<ID=T,Command="x, y=z">', '##INFO=<ID=X,Number=2,Type=Float,Description="d",Source="f",Version="1">')),
    Case("a pedigree of 4.2", with_meta("##PEDIGREE=<Name_0=G0,Name_1=G1>", "##pedigreeDB=<http://x>", version="4.2")),
    Case("a definition twice in 4.2", with_meta(META[1], version="4.2")),
    Case("blank lines at the end", _GOOD + b"\n\n"),
]  # fmt: skip
