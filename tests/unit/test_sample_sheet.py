"""Sample sheets of three dialects. Requirements: ING-01, ING-05, SEC-06."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.landing.findings import FindingLog
from strandline.landing.manifest import Caller, Sex
from strandline.landing.sample_sheet import Dialect, SampleSheet, parse_sample_sheet
from strandline.landing.sheet_samples import SheetReads

PAGE = Path(__file__).resolve().parents[2] / "docs/sample_sheets.md"
OURS = "sample,reads_1,reads_2,reference\n"
SAREK = "patient,sample,lane,fastq_1,fastq_2\n"
# the examples of nf-core/sarek's usage page, "Start with mapping"
SAREK_MINIMAL = SAREK + "patient1,test_sample,lane_1,test_1.fastq.gz,test_2.fastq.gz\n"
SAREK_LANES = (
    SAREK
    + "patient1,test_sample,lane_1,test_L001_1.fastq.gz,test_L001_2.fastq.gz\n"
    + "patient1,test_sample,lane_2,test_L002_1.fastq.gz,test_L002_2.fastq.gz\n"
    + "patient1,test_sample,lane_3,test_L003_1.fastq.gz,test_L003_2.fastq.gz\n"
)
SAREK_BAM = "patient,sample,lane,bam\npatient1,test_sample,lane_1,test.bam\n"
SAREK_FULL = (
    "patient,sex,status,sample,lane,fastq_1,fastq_2\n"
    "patient1,XX,0,normal_sample,lane_1,test_L001_1.fastq.gz,test_L001_2.fastq.gz\n"
    "patient1,XX,1,tumor_sample,lane_1,test2_L001_1.fastq.gz,test2_L001_2.fastq.gz\n"
)
# after Illumina's example of a BCL Convert sheet, which ends each line in commas
ILLUMINA = """[Header],,,
FileFormatVersion,2,,
RunName,DummyRun,,
InstrumentPlatform,NovaSeqXSeries,,
,,,
[Reads],,,
Read1Cycles,151,,
Read2Cycles,151,,
Index1Cycles,10,,
Index2Cycles,10,,
,,,
[BCLConvert_Settings],,,
SoftwareVersion,4.1.5,,
,,,
[BCLConvert_Data],,,
Lane,Sample_ID,Index,Index2
1,Second,ATCCACTGAG,AGGTCAGATA
2,First,GCTTGTTTCC,CGTTAGAGTT
"""


def parse(text: str | bytes) -> tuple[SampleSheet, dict[str, int]]:
    log = FindingLog("samples.csv")
    sheet = parse_sample_sheet([text if isinstance(text, bytes) else text.encode()], log)
    return sheet, dict(log.count_by_code)


def test_our_own_sheet_says_all_that_a_manifest_takes():
    sheet, said = parse(
        "sample,reads_1,reads_2,reference,regions,sex,subject,site,trial,consent,library,read_group,assay,platform\n"
        "HG002,a_R1.fq.gz,a_R2.fq.gz,ref.fa,t.bed,male,PT00042,north,NCT01234567,research,lib2,FC.1,wes,mgi\n"
    )
    assert said == {}
    (one,) = sheet.samples
    assert one.reads == (SheetReads(("a_R1.fq.gz", "a_R2.fq.gz"), "FC.1"),)
    assert (one.reference, one.regions) == ("ref.fa", "t.bed")
    assert one.sample.model_dump(mode="json") == {
        "sample_id": "HG002",
        "subject_id": "PT00042",
        "sex": "MALE",
        "assay": "WES",
        "platform": "MGI",
        "library": "lib2",
        "site": "north",
        "trial": "NCT01234567",
        "consent": "RESEARCH",
    }


def test_a_sheet_says_what_was_ordered_and_whether_its_subject_wants_to_be_told_more():
    sheet, said = parse("sample,reads_1,reads_2,panel,secondary_findings\ns,a,b,lynch,yes\nt,c,d,,\n")
    assert said == {}
    told = [(one.sample.panel, one.sample.secondary_findings) for one in sheet.samples]
    assert told == [("lynch", "YES"), (None, None)]


def test_the_sheets_of_the_sarek_documentation_are_read_or_refused_as_the_workflow_can_take_them():
    sheet, said = parse(SAREK_MINIMAL)
    assert (sheet.dialect, said) == (Dialect.SAREK, {"sheet_patient_kept_back": 1})
    assert sheet.samples[0].reads == (SheetReads(("test_1.fastq.gz", "test_2.fastq.gz"), "lane_1"),)
    assert sheet.samples[0].sample.subject_id is None
    unaligned, said = parse(SAREK_BAM)
    assert (unaligned.samples[0].reads, said) == ((SheetReads(("test.bam",)),), {"sheet_patient_kept_back": 1})
    full, said = parse(SAREK_FULL)
    assert [(one.sample.sample_id, one.sample.sex) for one in full.samples] == [("normal_sample", Sex.FEMALE)]
    assert said == {"sheet_patient_kept_back": 2, "sheet_tumour": 1}


def test_a_pseudonym_of_a_sarek_sheet_is_sent_and_its_sex_is_translated():
    header = "patient,sex,status,sample,lane,fastq_1,fastq_2\n"
    sheet, said = parse(header + "PT00042,XY,0,S1,1,a,b\nPT00043,NA,,S2,1,c,d\nPT00044,XXY,0,S3,1,e,f\n")
    assert [(one.sample.subject_id, one.sample.sex) for one in sheet.samples] == [
        ("PT00042", Sex.MALE),
        ("PT00043", Sex.UNKNOWN),
        ("PT00044", Sex.UNKNOWN),
    ]
    assert said == {"sheet_sex_other": 1}


def test_the_lanes_of_a_sample_of_the_sarek_documentation_are_one_sample():
    """ING-05: the pairs stand in the order of the sheet, each under its lane."""
    sheet, said = parse(SAREK_LANES)
    (one,) = sheet.samples
    assert one.reads == tuple(
        SheetReads((f"test_L00{lane}_1.fastq.gz", f"test_L00{lane}_2.fastq.gz"), f"lane_{lane}") for lane in (1, 2, 3)
    )
    assert (one.line, said) == (2, {"sheet_patient_kept_back": 3})


def test_the_same_sample_on_several_lines_of_our_own_sheet_is_one_sample_of_several_lanes():
    header = "sample,reads_1,reads_2,read_group,library\n"
    sheet, said = parse(header + "s,a,b,FC.1,x\nt,c,d,,x\ns,e,f,FC.2,x\n")
    assert said == {}
    assert [(one.sample.sample_id, one.reads) for one in sheet.samples] == [
        ("s", (SheetReads(("a", "b"), "FC.1"), SheetReads(("e", "f"), "FC.2"))),
        ("t", (SheetReads(("c", "d")),)),
    ]


def test_a_bam_or_cram_stands_in_place_of_a_pair():
    header = "sample,reads_1,reads_2,aligned\n"
    sheet, said = parse(header + "s,,,a.bam\nt,b,c,\nu,,,d.cram\n")
    assert said == {}
    assert [one.reads[0].files for one in sheet.samples] == [("a.bam",), ("b", "c"), ("d.cram",)]
    assert [one.reads[0].files for one in parse("sample,aligned\ns,a.bam\n")[0].samples] == [("a.bam",)]
    later = "patient,sex,status,sample,lane,bam,bai\nPT00042,XY,0,s,,a.bam,a.bam.bai\n"
    assert [one.reads[0].files for one in parse(later)[0].samples] == [("a.bam",)]


LANES = "sample,reads_1,reads_2,read_group,aligned,sex\n"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (LANES + "s,a,b,1,,\ns,c,d,1,,\n", "sheet_sample_repeated"),
        (LANES + "s,a,b,1,,\ns,c,d,,,\n", "sheet_sample_repeated"),
        (LANES + "s,a,b,1,,male\ns,c,d,2,,female\n", "sheet_lanes_differ"),
        ("sample,reads_1,reads_2,read_group,caller\ns,a,b,1,freebayes\ns,c,d,2,\n", "sheet_lanes_differ"),
        ("sample,reads_1,reads_2,caller\ns,a,b,samtools\n", "sheet_value_invalid"),
        (LANES + "s,a,b,1,,\ns,a,d,2,,\n", "sheet_file_repeated"),
        (LANES + "s,a,b,1,,\ns,,,,c.bam,\n", "sheet_two_kinds_of_reads"),
        (LANES + "s,a,b,1,c.bam,\n", "sheet_two_kinds_of_reads"),
        (LANES + "s,,,,a.bam,\ns,,,,b.bam,\n", "sheet_several_alignments"),
        (LANES + "s,,,1,a.bam,\n", "sheet_alignment_read_group"),
        (LANES + "s,,,,a.sam,\n", "sheet_alignment_name"),
        (LANES + "s,,,,,\n", "sheet_value_missing"),
        (LANES + "s,a,b,FC 1,,\n", "sheet_value_invalid"),
        (LANES + "".join(f"s,a{n},b{n},{n},,\n" for n in range(32)), "sheet_too_many_lanes"),
        ("patient,sample,lane,fastq_1,fastq_2\np,s,1,a,b\nq,s,2,c,d\n", "sheet_lanes_differ"),
        ("patient,sample,lane,fastq_1,fastq_2\np,s,1,a,b\np,s,1,c,d\n", "sheet_sample_repeated"),
        ("patient,sample,lane,fastq_1,fastq_2\np,s,lane 1,a,b\n", "sheet_value_invalid"),
        ("patient,sample,lane,bam,cram\np,s,1,a.bam,a.cram\n", "sheet_several_alignments"),
        (ILLUMINA + "1,Second,GGGGGGGGGG,AGGTCAGATA\n", "sheet_sample_repeated"),
    ],
)
def test_lanes_that_are_not_told_apart_or_do_not_agree_are_refused(body, code):
    sheet, said = parse(body)
    assert code in said
    assert [one.sample.sample_id for one in sheet.samples] == (["First"] if body.startswith("[Header]") else [])


def test_a_sample_is_left_out_where_one_of_its_lanes_is_wrong():
    sheet, said = parse(LANES + "s,a,b,1,,\ns,c,,2,,\nt,e,f,,,\n")
    assert [one.sample.sample_id for one in sheet.samples] == ["t"]
    assert said == {"sheet_value_missing": 1}


def test_file_names_of_an_illumina_sheet_follow_bcl_convert():
    sheet, said = parse(ILLUMINA)
    assert (sheet.dialect, said) == (Dialect.ILLUMINA, {})
    assert [one.reads for one in sheet.samples] == [
        (SheetReads(("Second_S1_L001_R1_001.fastq.gz", "Second_S1_L001_R2_001.fastq.gz"), "L001"),),
        (SheetReads(("First_S2_L002_R1_001.fastq.gz", "First_S2_L002_R2_001.fastq.gz"), "L002"),),
    ]


def test_one_sample_on_two_lanes_has_a_pair_of_each_unless_the_converter_merged_them():
    two_lanes = ILLUMINA + "3,Second,ATCCACTGAG,AGGTCAGATA\n"
    sheet, said = parse(two_lanes)
    assert said == {}
    assert [reads.files[0] for reads in sheet.samples[0].reads] == [
        "Second_S1_L001_R1_001.fastq.gz",
        "Second_S1_L003_R1_001.fastq.gz",
    ]
    merged, said = parse(two_lanes.replace("SoftwareVersion,4.1.5", "NoLaneSplitting,true"))
    assert said == {}
    assert [one.reads[0].files[0] for one in merged.samples] == [
        "Second_S1_R1_001.fastq.gz",
        "First_S2_R1_001.fastq.gz",
    ]


def test_without_a_lane_column_file_names_are_known_only_where_lanes_are_merged():
    without = ILLUMINA.replace("Lane,", "").replace("\n1,", "\n").replace("\n2,", "\n")
    assert parse(without)[1] == {"sheet_lane_missing": 1}
    assert parse(without.replace("SoftwareVersion,4.1.5", "NoLaneSplitting,TRUE"))[1] == {}


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("FileFormatVersion,2", "IEMFileVersion,4", "sheet_illumina_version"),
        ("Read2Cycles,151,,\n", "", "sheet_single_end"),
        ("Read2Cycles,151", "Read2Cycles,0", "sheet_single_end"),
        ("[BCLConvert_Data]", "[Data]", "sheet_section_missing"),
        ("[Reads]", "[Header]", "sheet_section_repeated"),
        ("1,Second", "x,Second", "sheet_value_invalid"),
        ("1,Second", ",Second", "sheet_value_missing"),
        ("1,Second", "1000,Second", "sheet_value_invalid"),
        ("1,Second", "²,Second", "sheet_value_invalid"),
        ("Index2\n", "Surname\n", "sheet_column_unknown"),
        ("Sample_ID", "SampleID", "sheet_column_missing"),
        ("1,Second", "1,../Second", "sheet_sample_id"),
    ],
)
def test_what_is_wrong_with_an_illumina_sheet_has_a_code(before, after, code):
    assert before in ILLUMINA
    assert code in parse(ILLUMINA.replace(before, after, 1))[1]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "sheet_empty"),
        (b"\n,,\n\n", "sheet_empty"),
        (OURS.encode(), "sheet_empty"),
        (b"[Header]\n", "sheet_illumina_version"),
        (b" " * ((8 << 20) + 1), "sheet_too_large"),
        (OURS.encode() + b"".join(b"s%d,a%d,b%d,r\n" % (n, n, n) for n in range(10_001)), "sheet_too_many_rows"),
        (OURS.encode() + b"s,a\0,b,r\n", "sheet_nul"),
        (OURS.encode("utf-16"), "sheet_utf16"),
        (OURS.encode("utf-16-be"), "sheet_nul"),
        (OURS.encode() + b"s,\xe9,b,r\n", "sheet_not_text"),
        (OURS.encode() + b"s,\x1b[2J,b,r\n", "sheet_control_character"),
        (OURS.encode() + b's,"a\nb",b,r\n', "sheet_control_character"),
        ((OURS + "s,a\u2028,b,r\n").encode(), "sheet_control_character"),
        (OURS.encode() + b's,"a,b,r\n', "sheet_malformed"),
        (OURS.encode() + b's,"a"b,b,r\n', "sheet_malformed"),
        (OURS.encode() + b"s," + b"a" * 200_000 + b",b,r\n", "sheet_malformed"),
        (OURS.encode() + b"s," + b"a" * 5000 + b",b,r\n", "sheet_cell_too_long"),
        (OURS.replace(",", ";").encode() + b"s;a;b;r\n", "sheet_separator"),
        (b"Meier,1970-01-01\n", "sheet_unknown"),
        (OURS.encode() + b"s,=HYPERLINK(1),b,r\n", "sheet_formula"),
        (OURS.encode() + b"s,a,b,@r\n", "sheet_formula"),
        (OURS.encode() + b"s,-a,b,r\n", "sheet_formula"),
        (OURS.encode() + b"s,+a,b,r\n", "sheet_formula"),
        (b"sample,reads_1,reads_1,reads_2\ns,a,b,c\n", "sheet_column_repeated"),
        (b"sample,reads_1,reads_2,colour\ns,a,b,c\n", "sheet_column_unknown"),
        (b"sample,reads_1\ns,a\n", "sheet_column_missing"),
        (OURS.encode() + b"s,a,b,r,more\n", "sheet_columns_differ"),
        (OURS.encode() + b"s,a,b\n", "sheet_columns_differ"),
        (OURS.encode() + b"s,a,,r\n", "sheet_value_missing"),
        (OURS.encode() + b"../../s,a,b,r\n", "sheet_sample_id"),
        (OURS.encode() + b"s,a,b,r\ns,c,d,r\n", "sheet_sample_repeated"),
        (OURS.encode() + b"s,a,a,r\n", "sheet_file_repeated"),
        (OURS.encode() + b"s,a,b,r\nt,a,c,r\n", "sheet_file_shared"),
        (OURS.encode() + b"s,s3://bucket/a,b,r\n", "sheet_path_remote"),
        (b"sample,reads_1,reads_2,sex\ns,a,b,maybe\n", "sheet_value_invalid"),
        (b"sample,reads_1,reads_2,subject\ns,a,b,Meier\n", "sheet_value_invalid"),
        (b"sample,reads_1,reads_2,consent\ns,a,b,withdrawn\n", "sheet_consent_withdrawn"),
        (b"sample,reads_1,reads_2,panel\ns,a,b,no-such-panel\n", "sheet_value_invalid"),
        (b"sample,reads_1,reads_2,secondary_findings\ns,a,b,perhaps\n", "sheet_value_invalid"),
        (b"patient,sample,lane,fastq_1,fastq_2,spring_1\np,s,1,,,c.spring\n", "sheet_starts_later"),
        (SAREK.encode() + b"PT00042,s,1,a,b\nPT00042,s,1,a,b\n", "sheet_sample_repeated"),
    ],
)
def test_what_is_wrong_with_a_sheet_has_a_code(body, code):
    assert code in parse(body)[1]


def test_a_finding_names_the_column_that_is_unknown_and_never_a_value():
    log = FindingLog("samples.csv")
    parse_sample_sheet([b"sample,reads_1,reads_2,colour\nMeier\xc3\xa9,a,b,PT00042\n"], log)
    messages = " ".join(finding.message for finding in log.findings)
    assert "colour" in messages
    assert "Meier" not in messages
    assert "PT00042" not in messages


def test_what_spreadsheets_add_is_no_mistake():
    body = b"\xef\xbb\xbf" + (OURS + '"s","a b.fq","ü.fq",r,,\n\n,,,,\n').replace("\n", "\r\n").encode()
    sheet, said = parse(body)
    assert said == {}
    assert sheet.samples[0].reads[0].files == ("a b.fq", "ü.fq")
    assert sheet.samples[0].line == 2


def test_every_sheet_in_the_documentation_is_right():
    sheets = [parse(text) for text in re.findall(r"```csv\n(.*?)```", PAGE.read_text(), re.DOTALL)]
    assert [sheet.dialect for sheet, _ in sheets] == [*Dialect, Dialect.STRANDLINE, Dialect.STRANDLINE]
    assert [(len(sheet.samples), said) for sheet, said in sheets] == [(1, {})] * 5


_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)
_paths = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30).filter(
    lambda path: path[0] not in "=+-@" and "://" not in path
)


_pairs = st.tuples(_paths, _paths)
_lanes = st.lists(_pairs, min_size=1, max_size=4).filter(lambda lanes: len({*sum(lanes, ())}) == 2 * len(lanes))


@given(st.dictionaries(_ids, _lanes, min_size=1, max_size=5))
def test_what_is_written_as_a_sheet_is_read_back(lanes_by_sample):
    written = io.StringIO()
    csv.writer(written).writerows(
        [
            ("sample", "reads_1", "reads_2", "read_group"),
            *(
                (sample, *pair, f"L{number}")
                for sample, lanes in lanes_by_sample.items()
                for number, pair in enumerate(lanes)
            ),
        ]
    )
    sheet, said = parse(written.getvalue())
    assert set(said) <= {"sheet_file_shared"}
    assert {one.sample.sample_id: one.reads for one in sheet.samples} == {
        sample: tuple(SheetReads(pair, f"L{number}") for number, pair in enumerate(lanes))
        for sample, lanes in lanes_by_sample.items()
    }


@given(st.binary(max_size=300), st.sampled_from([OURS, SAREK, ILLUMINA, ""]))
def test_no_bytes_make_the_reader_fall(tail, head):
    log = FindingLog("x.csv")
    sheet = parse_sample_sheet([head.encode(), tail], log)
    assert sheet.samples or log.count_by_code


def test_a_line_names_the_caller_of_its_sample_in_any_case():
    """ANA-02."""
    sheet, found = parse("sample,reads_1,reads_2,caller\ns,a,b,FreeBayes\nt,c,d,\n")
    assert found == {}
    assert [one.caller for one in sheet.samples] == [Caller.FREEBAYES, None]
