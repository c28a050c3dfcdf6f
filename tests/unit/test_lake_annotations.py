"""Releases of annotation sources as rows. LAK-02: what HealthOmics' queries look up by key is there to be looked up."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.lake.annotation_files import NamedReference, open_annotations
from strandline.lake.annotations import Release, annotation_batches, with_all_keys
from strandline.lake.release_build import check_header, check_rows
from strandline.lake.vcf_columns import read_vcf
from strandline.lake.vcf_source import VcfSource
from strandline.reads.reference_bundle.builds import Build
from tests.unit import real_data

CLINVAR = """##fileformat=VCFv4.1
##INFO=<ID=CLNSIG,Number=.,Type=String,Description="Significance">
##INFO=<ID=AF_EXAC,Number=1,Type=Float,Description="Frequency">
##INFO=<ID=RS,Number=.,Type=String,Description="dbSNP">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
20\t100\t15001\tA\tG\t.\t.\tCLNSIG=Likely_pathogenic;RS=80358981
20\t200\t15002\tATT\tA\t.\t.\tAF_EXAC=0.01
"""
GENES = real_data.DATA / "annot" / "ensembl.grch38.chr21.gff3.gz"
RELEASED = real_data.DATA / "annot" / "clinvar_20191007.slice.vcf.gz"
RELEASE = Release("ClinVar", "2026-11-01")
TEXT_MAP = pa.map_(pa.string(), pa.string())


def rows(**options):
    source = VcfSource([CLINVAR.encode()], "clinvar.vcf")
    keys = [key.decode() for key in source.header.infos]
    sites = (batch.sites for batch in read_vcf(source))
    return pa.concat_tables(annotation_batches(sites, RELEASE, keys, **options)).to_pylist()


def test_a_record_becomes_a_row_an_allele_with_every_key_of_the_header():
    first, second = rows(contig_prefix="chr")
    assert (first["release_id"], first["source"], first["release"]) == ("clinvar-2026-11-01", "ClinVar", "2026-11-01")
    assert (first["contig"], first["source_contig"], first["position"]) == ("chr20", "20", 100)
    assert (first["ref"], first["alt"], first["identifier"], first["quality"]) == ("A", "G", "15001", None)
    assert dict(first["attributes"]) == {"CLNSIG": "Likely_pathogenic", "AF_EXAC": None, "RS": "80358981"}
    assert (second["position"], second["end_position"]) == (200, 202)
    assert dict(second["attributes"]) == {"CLNSIG": None, "AF_EXAC": "0.01", "RS": None}


def test_contigs_are_named_as_in_the_file_unless_told():
    assert [row["contig"] for row in rows()] == ["20", "20"]
    source = VcfSource([CLINVAR.replace("\n20\t", "\nchr20\t").encode()], "clinvar.vcf")
    (table,) = annotation_batches((batch.sites for batch in read_vcf(source)), RELEASE, [], contig_prefix="chr")
    assert table["contig"].to_pylist() == table["source_contig"].to_pylist() == ["chr20", "chr20"]


@given(
    st.lists(st.dictionaries(st.sampled_from("ABCDE"), st.text(max_size=3), max_size=4)),
    st.sets(st.sampled_from("ABX")),
)
def test_maps_keep_what_they_have_and_have_every_key(dictionaries, keys):
    made = with_all_keys(pa.array([list(one.items()) for one in dictionaries], TEXT_MAP), sorted(keys)).to_pylist()
    every = keys | {key for one in dictionaries for key in one}
    assert [dict(one) for one in made] == [dict.fromkeys(every) | one for one in dictionaries]


@pytest.mark.parametrize(
    ("source", "release"), [("", "1"), ("ClinVar", ""), ("Clin Var", "1"), ("a/b", "1"), ("a", "'")]
)
def test_a_name_that_could_not_be_asked_for_is_refused(source, release):
    with pytest.raises(RejectedInputError, match="made of letters"):
        Release(source, release)


class Sequences:
    """A contig of a reference."""

    def __init__(self, **contigs: str) -> None:
        self._contigs = contigs

    def fetch(self, contig: str, start0: int, end0: int, /) -> str:
        return self._contigs[contig][start0:end0]


def load(path: Path, text: str, build: Build = Build.GRCH38, reference=None, prefix="", **options):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    named = NamedReference(reference, prefix) if reference else None
    with open_annotations(path, reference=named, **options) as opened:
        check_header(opened, path.name, build)
        tables = annotation_batches(opened.sites, RELEASE, opened.keys, contig_prefix=prefix)
        return pa.concat_tables(check_rows(tables, path.name, build, named)).to_pylist()


TSV = """## made by hand
#CHROM\tPOS\trsID\tREF\tALT\tAF\tAF_afr
20\t300\trs2\tATT\tAT\t0.5\t.
20\t100\t.\ta\tG\t0.1\t0.2
"""


def test_a_table_of_frequencies_becomes_sorted_alleles_with_every_other_column_as_an_attribute(tmp_path):
    first, second = load(tmp_path / "gnomad.tsv.gz", TSV, prefix="chr")
    assert (first["contig"], first["source_contig"], first["position"], first["end_position"]) == (
        "chr20",
        "20",
        100,
        100,
    )
    assert (first["ref"], first["alt"], first["identifier"]) == ("A", "G", None)
    assert dict(first["attributes"]) == {"AF": "0.1", "AF_afr": "0.2"}
    assert (second["position"], second["end_position"], second["ref"], second["alt"]) == (300, 301, "AT", "A")
    assert (second["identifier"], dict(second["attributes"])) == ("rs2", {"AF": "0.5", "AF_afr": None})


def test_columns_of_a_table_are_named_where_their_names_do_not_tell(tmp_path):
    text = "where\tStart\tref\talt\n20\t7\tA\tC\n"
    with pytest.raises(
        RejectedInputError, match=r"^annotation_column_missing: a.tsv: no column 'chrom' for the contig: "
    ):
        load(tmp_path / "a.tsv", text)
    (row,) = load(tmp_path / "a.tsv", text, columns={"contig": "where", "position": "Start"})
    assert (row["contig"], row["position"]) == ("20", 7)


GFF3 = """##gff-version 3
#!genome-build GRCh38.p14
##sequence-region 21 1 46709983
21\thavana\texon\t5011799\t5011874\t.\t+\t.\tParent=transcript:T1;Note=a%3Bb
21\thavana\tgene\t5011700\t5017145\t0.5\t-\t.\tID=gene:G1;Name=CH507-9B2.2
###
##FASTA
>21
ACGT
"""


def test_a_gene_model_becomes_features_each_with_every_attribute(tmp_path):
    gene, exon = load(tmp_path / "genes.gff3", GFF3)
    assert (gene["position"], gene["end_position"], gene["identifier"], gene["quality"]) == (
        5011700,
        5017145,
        "gene:G1",
        0.5,
    )
    assert (gene["ref"], gene["alt"]) == ("", "")
    told = {"type": "exon", "source": "havana", "strand": "+", "phase": None, "ID": None, "Name": None}
    assert dict(exon["attributes"]) == told | {"Parent": "transcript:T1", "Note": "a;b"}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.vcf", CLINVAR.replace("##INFO", "##reference=GRCh37\n##INFO", 1), "a.vcf says that it is of GRCh37"),
        (
            "a.vcf",
            CLINVAR.replace("##INFO", "##contig=<ID=20,length=63025520>\n##INFO", 1),
            "20 has 63,025,520 bases, as in",
        ),
        ("a.tsv", TSV.replace("300", "64444168"), "a place 20:64,444,169 behind the end"),
        ("g.gff3", GFF3.replace("46709983", "48129895"), "21 has 48,129,895 bases, as in GRCh37"),
        ("g.gff3", GFF3.replace("GRCh38.p14", "GRCh37.p13"), "g.gff3 says that it is of GRCh37"),
    ],
)
def test_a_release_of_another_build_is_refused(tmp_path, name, text, says):
    """Lengths of chromosomes 20 and 21: GRCh37 63,025,520 and 48,129,895; GRCh38 64,444,167 and 46,709,983."""
    with pytest.raises(RejectedInputError, match=f"^annotation_build: .*{says}"):
        load(tmp_path / name, text)


def test_bases_that_the_reference_has_not_are_of_another_build(tmp_path):
    sequence = "C" * 99 + "A" + "C" * 199 + "ATT" + "C" * 9
    assert len(load(tmp_path / "a.tsv", TSV, reference=Sequences(chr20=sequence), prefix="chr")) == 2
    with pytest.raises(
        RejectedInputError, match=r"^annotation_build: a.tsv: its reference bases at chr20:100 are others"
    ):
        load(tmp_path / "a.tsv", TSV, reference=Sequences(chr20="C" + sequence), prefix="chr")


def test_alleles_are_aligned_to_the_left_along_the_reference(tmp_path):
    """One T of three goes: it is written behind the base before them. By hand."""
    text = "chrom\tpos\tref\talt\n20\t6\tTT\tT\n"
    (row,) = load(tmp_path / "a.tsv", text, reference=Sequences(**{"20": "CCCATTTC"}))
    assert (row["position"], row["ref"], row["alt"]) == (4, "AT", "A")


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a.tsv", "chrom\tpos\tref\talt\n1\t0\tA\tC\n", "annotation_position"),
        ("a.tsv", "chrom\tpos\tref\talt\n1\t5\tA\tC,G\n", "annotation_allele"),
        ("a.tsv", "chrom\tpos\tref\talt\n1\t5\tA\n", "annotation_columns"),
        ("a.tsv", "chrom\tpos\tref\talt\talt\n", "annotation_columns"),
        ("a.tsv", "", "annotation_column_missing"),
        ("a.gff3", "21\ta\tgene\t9\t8\t.\t+\t.\tID=1\n", "annotation_position"),
        ("a.gff3", "21\ta\tgene\t7\t8\thigh\t+\t.\tID=1\n", "annotation_number"),
        ("a.gff3", "21\ta\tgene\t7\t8\n", "annotation_columns"),
        ("a.gff3", "".join(f"21\ta\tgene\t7\t8\t.\t+\t.\tk{n}=1\n" for n in range(1001)), "annotation_keys"),
    ],
)
def test_what_is_not_as_its_form_asks_is_refused_by_its_line(tmp_path, name, text, code):
    with pytest.raises(RejectedInputError, match=f"^{code}: {name}"):
        load(tmp_path / name, text)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"chrom\tpos\tref\talt\n\xff\n")
    with (
        open_annotations(tmp_path / "a.tsv") as opened,
        pytest.raises(RejectedInputError, match=r"^annotation_not_text"),
    ):
        list(opened.sites)


@real_data.needs(GENES, RELEASED)
def test_a_real_gene_model_and_a_real_release_are_loaded_whole():
    def count(path: Path, build: Build) -> int:
        with open_annotations(path) as opened:
            check_header(opened, path.name, build)
            rows = check_rows(annotation_batches(opened.sites, RELEASE, opened.keys), path.name, build)
            return sum(table.num_rows for table in rows)

    lines = gzip.decompress(GENES.read_bytes()).splitlines()
    assert count(GENES, Build.GRCH38) == sum(bool(line) and not line.startswith(b"#") for line in lines)
    assert count(RELEASED, Build.GRCH37) > 0
    with pytest.raises(RejectedInputError, match=r"^annotation_build: .*GRCh37"):
        count(RELEASED, Build.GRCH38)
