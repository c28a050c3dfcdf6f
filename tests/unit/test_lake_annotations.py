"""Releases of annotation sources as rows. LAK-02: what HealthOmics' queries look up by key is there to be looked up."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.lake.annotations import Release, annotation_batches, with_all_keys
from strandline.lake.vcf_columns import read_vcf
from strandline.lake.vcf_source import VcfSource

CLINVAR = """##fileformat=VCFv4.1
##INFO=<ID=CLNSIG,Number=.,Type=String,Description="Significance">
##INFO=<ID=AF_EXAC,Number=1,Type=Float,Description="Frequency">
##INFO=<ID=RS,Number=.,Type=String,Description="dbSNP">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
20\t100\t15001\tA\tG\t.\t.\tCLNSIG=Likely_pathogenic;RS=80358981
20\t200\t15002\tATT\tA\t.\t.\tAF_EXAC=0.01
"""
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
