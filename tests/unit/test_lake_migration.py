"""Rows of an exported HealthOmics store, turned by hand. LAK-03.

Genotypes of split records are as Glow's transform writes them, which HealthOmics uses: the numbers of alleles of the
record, -1 for another allele than the row's.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.lake.migrated_alleles import kinds_of, trim
from strandline.lake.migration import (
    MigratedFile,
    check_columns,
    migrate_annotations,
    migrate_variants,
    store_schema,
)
from strandline.lake.migration_reference import BuildSequences
from strandline.lake.tables import lake_tables
from strandline.variants.kinds import variant_type

MADE = MigratedFile("omics-1", "S1", "GRCh38", "1", "north")
SNV = {
    "importjobid": "job-1",
    "contigname": "chr20",
    "start": 99,
    "end": 100,
    "names": ["rs7", "COSV1"],
    "referenceallele": "A",
    "alternatealleles": ["C"],
    "qual": 50.5,
    "filters": ["PASS"],
    "splitfrommultiallelic": False,
    "attributes": [("AC", "1"), ("DB", "")],
    "phased": True,
    "calls": [0, 1],
    "phredlikelihoods": [50, 0, 60],
    "alleledepths": [12, 9],
    "conditionalquality": 99,
    "depth": 21,
    "ps": 77,
    "sampleid": "S1",
    "information": [("FT", "PASS")],
}


def store(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([SNV | row for row in rows], schema=store_schema())


def migrated(*rows: dict[str, Any], sequences: BuildSequences | None = None) -> tuple[list[dict[str, Any]], Any]:
    made = migrate_variants(store(*rows), "chr20", MADE, sequences)
    return made.variants.to_pylist(), made


def test_a_row_has_the_columns_of_the_table_and_1_based_positions():
    (row,), made = migrated({})
    assert made.variants.schema == lake_tables()["variants"].arrow_schema()
    told = {name: value for name, value in row.items() if value is not None}
    assert told == {
        "sample_id": "S1",
        "submission_id": "omics-1",
        "contig": "chr20",
        "position": 100,
        "end_position": 100,
        "ref": "A",
        "alt": "C",
        "variant_type": "SNV",
        "quality": 50.5,
        "filters": "PASS",
        "genotype": "0|1",
        "zygosity": "HET",
        "phased": True,
        "depth": 21,
        "ref_depth": 12,
        "alt_depth": 9,
        "genotype_quality": 99,
        "rsid": "rs7;COSV1",
        "reference_name": "GRCh38",
        "reference_version": "1",
        "phase_set": 77,
        "phred_likelihoods": [50, 0, 60],
        "alt_number": 1,
        "source_position": 100,
        "sample_fields": [("FT", "PASS")],
        "site": "north",
    }
    (site,) = made.sites.to_pylist()
    assert (site["identifier"], site["info"], site["site"]) == ("rs7;COSV1", [("AC", "1"), ("DB", "")], "north")


@pytest.mark.parametrize(
    ("calls", "phased", "genotype", "zygosity"),
    [
        ([0, 1], False, "0/1", "HET"),
        ([1, 1], True, "1|1", "HOM_ALT"),
        ([1], False, "1", "HEMI"),
        ([1, -1], True, "1|.", "HET"),
        ([-1, 1], None, "./1", "HET"),
    ],
)
def test_a_genotype_is_written_as_in_vcf(calls, phased, genotype, zygosity):
    (row,), _ = migrated({"calls": calls, "phased": phased})
    assert (row["genotype"], row["zygosity"], row["phased"]) == (genotype, zygosity, bool(phased))


def test_a_row_that_was_split_says_so_and_another_does_not():
    split, whole = migrated({"splitfrommultiallelic": True, "calls": [1, -1]}, {"start": 199, "end": 200})[0]
    assert (split["called_genotype"], whole["called_genotype"]) == ("1|.", None)


def test_what_nobody_carries_or_nobody_can_read_is_counted_by_why():
    rows, made = migrated(
        {"start": 299, "end": 300},
        {"calls": [0, 0]},
        {"calls": [-1, -1]},
        {"calls": None},
        {"alternatealleles": ["<NON_REF>"], "end": 500},
        {"alternatealleles": []},
        {"alternatealleles": ["C", "G"], "calls": [1, 2]},
        {"end": 150},
        {"start": None},
        {"referenceallele": "?"},
        {"referenceallele": None},
    )
    assert [row["position"] for row in rows] == [300]
    assert made.refused == {"no_allele_carried": 5, "several_alleles": 1, "row_invalid": 4}


def test_an_allele_beside_those_that_were_not_seen_is_taken():
    (row,), _ = migrated({"alternatealleles": ["C", "<NON_REF>"], "calls": [1, 1]})
    assert (row["alt"], row["zygosity"]) == ("C", "HOM_ALT")
    (second,), _ = migrated({"alternatealleles": ["<*>", "g"], "calls": [0, 2], "alleledepths": [5, 0, 4]})
    assert (second["alt"], second["alt_number"], second["genotype"], second["alt_depth"]) == ("G", 2, "0|1", 4)


def test_shared_bases_are_trimmed_and_rows_sorted_by_where_they_then_are():
    long = {"start": 99, "end": 102, "referenceallele": "ATG", "alternatealleles": ["ATC"]}
    short = {"start": 100, "end": 101, "referenceallele": "T", "alternatealleles": ["TA"]}
    found = [(row["position"], row["end_position"], row["ref"], row["alt"]) for row in migrated(long, short)[0]]
    assert found == [(101, 101, "T", "TA"), (102, 102, "G", "C")]
    assert [row["source_position"] for row in migrated(long, short)[0]] == [101, 100]


def test_attributes_of_a_lake_of_ours_become_its_columns_again_and_no_info():
    keys = ("GENE", "TRANSCRIPT", "CONSEQUENCE", "HGVSG", "HGVSC", "HGVSP", "ALLELEID", "CLNSIG", "AF")
    values = ("BRCA2", "T1", "stop_gained", None, "c.1A>C", None, "900001", "Pathogenic", "0.25")
    (row,), made = migrated({"attributes": list(zip(keys, values, strict=True))})
    assert (row["gene"], row["hgvs_genomic"], row["clinvar_id"], row["population_frequency"]) == (
        "BRCA2", None, "900001", 0.25,
    )  # fmt: skip
    assert made.sites.num_rows == 0


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "slice.fa"
    path.write_text(">chr20\n" + "C" * 99 + "ACGTACGTAC\n")
    (tmp_path / "slice.fa.fai").write_text("chr20\t109\t7\t109\t110\n")
    return path


@pytest.mark.parametrize(
    ("row", "is_refused"),
    [
        ({}, False),
        ({"end": 103, "referenceallele": "ACGT", "alternatealleles": ["A"]}, False),
        ({"end": 103, "referenceallele": "ACGG", "alternatealleles": ["A"]}, True),
        ({"referenceallele": "T"}, True),
        ({"start": 109, "end": 110}, True),
    ],
)
def test_rows_of_another_build_are_refused_all_of_them(fasta, row, is_refused):
    rows, made = migrated({}, row, sequences=BuildSequences("slice", fasta))
    assert (len(rows), made.refused) == ((0, {"wrong_build": 2}) if is_refused else (2, {}))


def test_a_deletion_within_a_repeat_stands_at_its_left_end_where_the_reference_is_given(fasta):
    """Of the 99 C that begin the contig one is gone: whichever it is said to be, VCF writes the first two bases."""
    deletion = {"start": 60, "end": 62, "referenceallele": "CC", "alternatealleles": ["C"]}
    (row,), _ = migrated(deletion, sequences=BuildSequences("slice", fasta))
    place = (row["position"], row["end_position"], row["ref"], row["alt"], row["source_position"])
    assert place == (1, 2, "CC", "C", 61)
    assert migrated(deletion)[0][0]["position"] == 61


def test_a_position_beyond_the_chromosome_of_a_known_build_is_another_builds():
    """Chromosome 20 has 64,444,167 bases in GRCh38 and 63,025,520 in GRCh37 (NCBI's assembly reports)."""
    inside = {"start": 64_444_166, "end": 64_444_167}
    assert migrated(inside, sequences=BuildSequences("GRCh38"))[1].refused == {}
    assert migrated(inside, sequences=BuildSequences("GRCh37"))[1].refused == {"wrong_build": 1}


def test_a_missing_column_and_another_type_are_named():
    whole = store({}).schema
    check_columns(whole.remove(0), "part-1")
    with pytest.raises(RejectedInputError, match=r"^migrate_column_missing: part-1 has no column 'calls'"):
        check_columns(whole.remove(whole.get_field_index("calls")), "part-1")
    place = whole.get_field_index("start")
    with pytest.raises(RejectedInputError, match=r"^migrate_column_type: part-1: column 'start' is string, not int64"):
        check_columns(whole.set(place, pa.field("start", pa.string())), "part-1")
    check_columns(whole.set(place, pa.field("start", pa.int32())), "part-1")


def test_annotations_keep_the_contig_of_their_source_and_have_the_lakes():
    rows = [
        {"contigname": "20", "start": 199, "end": 200, "referenceallele": "A", "alternatealleles": ["C"],
         "names": ["900001"], "attributes": [("CLNSIG", "Benign")]},
        {"contigname": "20", "start": 99, "end": 101, "referenceallele": "AT", "alternatealleles": ["A"]},
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=store_schema("omicsannotations"))
    first, second = migrate_annotations(table, "ClinVar", "2026-11-01", "clinvar-2026-11-01", "chr").to_pylist()
    assert (first["contig"], first["source_contig"], first["position"], first["end_position"]) == (
        "chr20",
        "20",
        100,
        101,
    )
    assert (second["identifier"], second["attributes"]) == ("900001", [("CLNSIG", "Benign")])


@given(st.lists(st.tuples(*[st.text("ACGT", min_size=1, max_size=6)] * 2).filter(lambda pair: pair[0] != pair[1])))
def test_trimming_keeps_the_change_and_one_base_of_each_and_twice_is_once(pairs):
    """The sequence CCC REF CCC with the allele put in is the same before and after."""
    refs, alts = (pa.array([pair[side] for pair in pairs], pa.string()) for side in (0, 1))
    starts = np.full(len(pairs), 3)
    ends = starts + np.array([len(ref) for ref, _ in pairs], dtype=np.int64)
    once = trim(starts, ends, refs, alts, np.ones(len(pairs), dtype=np.int64))
    for (ref, alt), start, end, new_ref, new_alt in zip(
        pairs, once.starts0, once.ends0, once.refs.to_pylist(), once.alts.to_pylist(), strict=True
    ):
        before = f"CCC{ref}CCC"
        assert before[start:end] == new_ref
        assert before[:start] + new_alt + before[end:] == f"CCC{alt}CCC"
        assert min(len(new_ref), len(new_alt)) == 1 or new_ref[-1] != new_alt[-1]
    twice = trim(once.starts0, once.ends0, once.refs, once.alts, once.numbers)
    assert (twice.refs, twice.alts, twice.starts0.tolist()) == (once.refs, once.alts, once.starts0.tolist())


@given(
    st.lists(
        st.tuples(
            st.text("ACGT", min_size=1, max_size=4),
            st.one_of(st.text("ACGT", min_size=1, max_size=4), st.sampled_from(["<DEL>", "*", "A[chr2:7[", "A."])),
        )
    )
)
def test_kinds_are_those_of_single_alleles(pairs):
    refs, alts = (pa.array([pair[side] for pair in pairs], pa.string()) for side in (0, 1))
    assert kinds_of(refs, alts).to_pylist() == [variant_type(ref, alt) for ref, alt in pairs]
