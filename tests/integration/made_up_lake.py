"""Small samples, loaded as a job loads them: one row an asked position, on each of two contigs."""

from datetime import UTC, datetime

import pyarrow as pa

from strandline.lake.tables import lake_tables

CONTIGS = ("chr1", "chr2")
ALLELE = {"ref": "A", "alt": "C", "genotype": "0/1", "zygosity": "HET"}
LOADED_AT = datetime(2026, 1, 2, tzinfo=UTC)
REQUIRED = {"string": "PASS", "long": 1, "boolean": False, "timestamptz": LOADED_AT}
OTHERS = {"sample_fields": {"FT": "PASS", "SB": None}, "phred_likelihoods": [50, 0, 60]}


def row(table, **values):
    return {column.name: REQUIRED[column.type] for column in lake_tables()[table].columns if column.required} | values


def rows_of(sample, positions):
    rows = [
        row(
            "variants",
            sample_id=sample,
            submission_id=f"s-{sample}",
            contig=contig,
            position=at,
            end_position=at,
            **ALLELE,
            **OTHERS,
        )
        for contig in CONTIGS
        for at in positions
    ]
    return pa.Table.from_pylist(rows, schema=lake_tables()["variants"].arrow_schema())


def load(lake, sample, positions, subject="PT1"):
    count = lake.replace_rows("variants", f"s-{sample}", lambda: [rows_of(sample, positions)])
    described = {"sample_id": sample, "submission_id": f"s-{sample}", "subject_id": subject}
    described |= {"reference_name": "slice", "reference_version": "1", "variant_count": count}
    described["loaded_at"] = LOADED_AT
    samples = pa.Table.from_pylist([described], schema=lake_tables()["samples"].arrow_schema())
    lake.replace_rows("samples", f"s-{sample}", lambda: [samples])
    return count


def found(lake, table="variants"):
    rows = lake.load(table).scan(selected_fields=("sample_id", "contig", "position")).to_arrow().to_pylist()
    return sorted((row["sample_id"], row["contig"], row["position"]) for row in rows)


def expected(**positions):
    return sorted((sample, contig, at) for sample, places in positions.items() for contig in CONTIGS for at in places)
