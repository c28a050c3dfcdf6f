"""VCF to Arrow beside pysam, which reads the same bytes. LAK-01: variants in open tables, nothing lost on the way."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.lake.compiled import Compiling, Kernel
from strandline.lake.vcf_columns import VcfBatch, read_vcf
from strandline.lake.vcf_source import VcfSource

HEADER = """##fileformat=VCFv4.3
##FILTER=<ID=LowQual,Description="x">
##contig=<ID=chr1,length=100000>
##contig=<ID=chr2,length=100000>
##ALT=<ID=DEL,Description="x">
##INFO=<ID=AC,Number=A,Type=Integer,Description="x">
##INFO=<ID=AD,Number=R,Type=Integer,Description="x">
##INFO=<ID=DB,Number=0,Type=Flag,Description="x">
##INFO=<ID=END,Number=1,Type=Integer,Description="x">
##INFO=<ID=MQ,Number=1,Type=Float,Description="x">
##INFO=<ID=TXT,Number=.,Type=String,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=MIN_DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">
##FORMAT=<ID=PS,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=SB,Number=4,Type=Integer,Description="x">
"""
UNSEEN = {"<NON_REF>", "<*>", "."}
KEYS = ("GT", "AD", "DP", "GQ", "PL", "PS", "SB")


@pytest.fixture(autouse=True, params=["compiled", "as it is"])
def _reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short texts are read by functions as they are, long ones by what they compile to: both read alike."""
    monkeypatch.setattr(Compiling, "from_bytes", 0)
    if request.param == "as it is":
        monkeypatch.setattr(Kernel, "__call__", Kernel.run)


def read(text: str, **options: Any) -> list[VcfBatch]:
    batches = list(read_vcf(VcfSource([text.encode()], "calls.vcf"), **options))
    for batch in batches:
        for part in (batch.sites, batch.genotypes, batch.blocks):
            part.validate(full=True)
    return batches


def rows(batches: list[VcfBatch], part: str) -> list[dict[str, Any]]:
    found = [row for batch in batches for row in getattr(batch, part).to_pylist()]
    return [{key: value for key, value in row.items() if key != "site"} for row in found]


def vcf(*records: str, samples: tuple[str, ...] = ("S1",)) -> str:
    columns = [
        "#CHROM",
        "POS",
        "ID",
        "REF",
        "ALT",
        "QUAL",
        "FILTER",
        "INFO",
        *(["FORMAT", *samples] if samples else []),
    ]
    return HEADER + "\t".join(columns) + "\n" + "".join("\t".join(record.split()) + "\n" for record in records)


# --- by hand ---


def test_a_record_of_two_alleles_becomes_a_row_each_with_what_is_of_the_allele():
    text = vcf("chr1 100 rs1;rs2 CAA CA,CAAA 50 PASS AC=1,2;AD=7,8,9;DB;MQ=6.5 GT:AD:GQ:PL 2|1:7,8,9:40:0,1,2,3,4,5")
    batches = read(text)
    first, second = rows(batches, "sites")
    assert (first["position"], first["ref"], first["alt"], first["variant_type"]) == (100, "CA", "C", "DELETION")
    assert (second["position"], second["ref"], second["alt"], second["variant_type"]) == (100, "C", "CA", "INSERTION")
    assert first["info"] == [("AC", "1"), ("AD", "7,8"), ("DB", ""), ("MQ", "6.5")]
    assert second["info"] == [("AC", "2"), ("AD", "7,9"), ("DB", ""), ("MQ", "6.5")]
    assert first["identifier"] == "rs1;rs2"
    one, two = rows(batches, "genotypes")
    # diploid order of VCF 4.5, 1.6.2: 0/0 0/1 1/1 0/2 1/2 2/2
    assert (one["genotype"], one["alt_depth"], one["phred_likelihoods"]) == ("0|1", 8, [0, 1, 2])
    assert (two["genotype"], two["alt_depth"], two["phred_likelihoods"]) == ("1|0", 9, [0, 3, 5])
    assert {one["called_genotype"], two["called_genotype"]} == {"2|1"}
    assert (one["ref_depth"], one["genotype_quality"], one["phased"], one["zygosity"]) == (7, 40, True, "HET")


def test_shared_bases_are_trimmed_from_the_end_and_then_from_the_start():
    (row,) = rows(read(vcf("chr1 100 . TTCGG TTAGG . . . GT 1/1")), "sites")
    assert (row["position"], row["end_position"], row["ref"], row["alt"]) == (102, 102, "C", "A")
    assert (row["source_position"], row["filters"], row["quality"]) == (100, ".", None)


class Bases:
    """A reference of one contig."""

    def __init__(self, bases: str) -> None:
        self._bases = bases

    def fetch(self, contig: str, start0: int, end0: int, /) -> str:
        return self._bases[start0:end0] if contig == "chr1" else ""


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        # Tan et al. 2015, figure 1: one CA of GGGCACACACAGGG taken away, written in several ways
        ("chr1 6 . CAC C", (3, "GCA", "G")),
        ("chr1 8 . CACAG CAG", (3, "GCA", "G")),
        ("chr1 3 . GCACA GCA", (3, "GCA", "G")),
        # a base put in front of the first one has nowhere to go
        ("chr1 1 . G GG", (1, "G", "GG")),
        ("chr2 6 . CAC C", (6, "CAC", "C")),
    ],
)
def test_with_a_reference_an_indel_moves_to_the_left(record, expected):
    (row,) = rows(read(vcf(f"{record} . . . GT 0/1"), reference=Bases("GGGCACACACAGGG")), "sites")
    assert (row["position"], row["ref"], row["alt"]) == expected


def test_what_names_no_bases_stays_as_it_is():
    text = vcf(
        "chr1 100 . N <DEL> . . END=900 GT 0/1",
        "chr1 200 . G G]chr2:7] . . . GT 0/1",
        "chr1 300 . A *,C . . . GT 1/2",
    )
    found = [(row["alt"], row["variant_type"], row["end_position"]) for row in rows(read(text), "sites")]
    assert found == [
        ("<DEL>", "SYMBOLIC", 900),
        ("G]chr2:7]", "BREAKEND", 200),
        ("*", "SPANNING_DELETION", 300),
        ("C", "SNV", 300),
    ]


@pytest.mark.parametrize(
    ("genotype", "zygosity", "kept", "phased"),
    [
        ("0/1", "HET", "0/1", False),
        ("1|0", "HET", "1|0", True),
        ("1/1", "HOM_ALT", "1/1", False),
        ("1", "HEMI", "1", False),
        ("./1", "HET", "./1", False),
        ("|1", "HEMI", "1", False),
        ("0/1/1", "HET", "0/1/1", False),
        ("0/0", "REF", "0/0", False),
        ("0", "REF", "0", False),
        (".", "NO_CALL", ".", False),
        ("./.", "NO_CALL", "./.", False),
        ("0|.", "NO_CALL", "0|.", True),
    ],
)
def test_a_genotype_says_whether_it_carries_the_allele(genotype, zygosity, kept, phased):
    text = vcf(f"chr1 100 . A C . . . GT {genotype}")
    (row,) = rows(read(text, keeps_all=True), "genotypes")
    assert (row["zygosity"], row["genotype"], row["phased"]) == (zygosity, kept, phased)
    carried = rows(read(text), "genotypes")
    assert carried == ([row] if zygosity in {"HET", "HOM_ALT", "HEMI"} else [])


def test_another_allele_than_the_row_s_is_no_reference_call():
    found = rows(read(vcf("chr1 100 . A C,G . . . GT 2/2"), keeps_all=True), "genotypes")
    assert [row["zygosity"] for row in found] == ["OTHER_ALT", "HOM_ALT"]


def test_reference_blocks_become_intervals_that_begin_at_0_and_leave_out_their_end():
    text = vcf(
        "chr1 101 . A <NON_REF> . . END=110 GT:DP:GQ:MIN_DP 0/0:30:99:12",
        "chr1 111 . A <*> . . . GT:DP 0/0:9",
        "chr1 112 . AC . . . . GT:DP ./.:0",
        "chr1 114 . A C,<NON_REF> . . . GT:DP 0/1:8",
    )
    batches = read(text)
    blocks = [
        (row["contig"], row["start0"], row["end0"], row["min_depth"], row["genotype_quality"], row["is_called"])
        for row in rows(batches, "blocks")
    ]
    assert blocks == [
        ("chr1", 100, 110, 12, 99, True),
        ("chr1", 110, 111, 9, None, True),
        ("chr1", 111, 113, 0, None, False),
    ]
    assert [row["alt"] for row in rows(batches, "genotypes")] == ["C"]


def test_likelihoods_of_a_haploid_call_are_two_or_those_of_a_diploid_one():
    text = vcf(
        "chr1 100 . A C . . . GT:PL 1:30,0", "chr1 101 . A C . . . GT:PL 1:30,9,0", "chr1 102 . A C . . . GT:PL 1:."
    )
    assert [row["phred_likelihoods"] for row in rows(read(text), "genotypes")] == [[30, 0], [30, 9, 0], None]


def test_log_likelihoods_become_distances_from_the_best_and_stay_as_text():
    header = vcf().replace("##FORMAT=<ID=PL,", '##FORMAT=<ID=GL,Number=G,Type=Float,Description="x">\n##FORMAT=<ID=PL,')
    (row,) = rows(read(header + "chr1\t100\t.\tA\tC\t.\t.\t.\tGT:GL\t0/1:-3.05,-0.01,-6\n"), "genotypes")
    assert row["phred_likelihoods"] == [30, 0, 60]  # 10 * 3.04, 0 and 10 * 5.99
    assert row["sample_fields"] == [("GL", "-3.05,-0.01,-6")]


def test_a_number_too_long_for_one_rounding_is_the_nearest_all_the_same():
    text = vcf("chr1 1 . A C 0.1000000000000000055511151231257827 . . GT 1", "chr1 2 . A C 1e-300 . . GT 1")
    assert [row["quality"] for row in rows(read(text), "sites")] == [0.1, 1e-300]


@pytest.mark.parametrize(
    ("record", "code", "place"),
    [
        ("chr1 100 . A C . . AC=many GT 0/1", "vcf_info_type", "INFO/AC"),
        ("chr1 100 . A C . . MQ=1,x GT 0/1", "vcf_info_type", "INFO/MQ"),
        ("chr1 100 . A C . . DB=1 GT 0/1", "vcf_info_type", "INFO/DB"),
        ("chr1 100 . A C . . MQ GT 0/1", "vcf_info_type", "INFO/MQ"),
        ("chr1 100 . A C,G . . AC=1 GT 0/1", "vcf_info_count", "INFO/AC"),
        ("chr1 100 . A C . . . GT:DP 0/1:deep", "vcf_genotype_type", "FORMAT/DP"),
        ("chr1 100 . A C . . . GT:AD 0/1:1", "vcf_genotype_count", "FORMAT/AD"),
        ("chr1 100 . A C . . . GT:PL 0/1:1,2", "vcf_genotype_count", "FORMAT/PL"),
        ("chr1 100 . A C . . . GT 0/2", "vcf_gt_allele", "FORMAT/GT"),
        ("chr1 100 . A C . . . GT 0/x", "vcf_gt_form", "FORMAT/GT"),
        ("chr1 100 . A C . . . GT 0/0/0/0/0/0/0/0/0/0/1", "vcf_ploidy", ""),
        ("chr1 100 . A C . . . GT 0/1:7", "vcf_sample_parts", ""),
        ("chr1 100 . A C . . . GT 0/1 0/1", "vcf_columns", ""),
        ("chr1 100 . A C . . . GT", "vcf_columns", ""),
        ("chr1 100 . A C .", "vcf_columns", ""),
        ("chr1 1e2 . A C . . . GT 0/1", "vcf_position", ""),
        ("chr1 100 . A C good . . GT 0/1", "vcf_quality", ""),
        ("chr1 100 . A " + ",".join(["C"] * 10_000) + " . . . GT 0/1", "vcf_alleles_over", "ALT"),
    ],
    ids=lambda value: value if len(value) < 40 else "long",
)
def test_a_record_that_is_not_what_the_header_says_is_refused_with_its_line(record, code, place):
    text = vcf("chr1 99 . A C . . . GT 0/1", record)
    with pytest.raises(RejectedInputError, match=code) as refused:
        read(text)
    assert refused.value.code == code
    assert f"calls.vcf, line {HEADER.count(chr(10)) + 3}" in refused.value.message
    assert place in refused.value.message


def test_many_info_keys_and_texts_that_are_not_utf8_are_refused():
    with pytest.raises(RejectedInputError, match="vcf_info_keys"):
        read(vcf(*(f"chr1 {n} . A C . . {';'.join(f'K{n}_{m}' for m in range(99))} GT 1" for n in range(1, 60))))
    with pytest.raises(RejectedInputError, match="vcf_not_utf8"):
        list(read_vcf(VcfSource([vcf("chr1 1 . A C . . TXT=x GT 1").encode().replace(b"=x", b"=\xff")], "calls.vcf")))


# --- beside pysam ---

BASES = st.text("ACGT", min_size=1, max_size=5)
SMALL = st.integers(0, 99).map(str)


@st.composite
def records(draw: st.DrawFn, samples: int) -> str:
    ref = draw(BASES)
    alts = draw(st.lists(BASES.filter(lambda alt: alt != ref), min_size=1, max_size=3, unique=True))
    info = [f"AC={','.join(draw(SMALL) for _ in alts)}"] if draw(st.booleans()) else []
    info += [f"AD={','.join(draw(SMALL) for _ in ['', *alts])}"] if draw(st.booleans()) else []
    info += ["DB"] if draw(st.booleans()) else []
    info += [f"MQ={draw(st.sampled_from(['1', '1.5', '-2000', '.']))}"] if draw(st.booleans()) else []
    info += [f"TXT={draw(st.sampled_from(['a', 'a,b', '%3B', 'x=y']))}"] if draw(st.booleans()) else []
    keys = ["GT", *(key for key in KEYS[1:] if draw(st.booleans()))]
    cells = [draw(cell(keys, len(alts))) for _ in range(samples)]
    position, quality = draw(st.integers(1, 9999)), draw(st.sampled_from([".", "30", "0.125"]))
    filters = draw(st.sampled_from([".", "PASS", "LowQual"]))
    fixed = ["chr1", str(position), draw(st.sampled_from([".", "rs1"])), ref, ",".join(alts), quality, filters]
    return "\t".join([*fixed, ";".join(info) or ".", ":".join(keys), *cells]) + "\n"


@st.composite
def cell(draw: st.DrawFn, keys: list[str], alt_count: int) -> str:
    ploidy = draw(st.integers(1, 3))
    divider = draw(st.sampled_from("/|"))
    allele = st.one_of(st.just("."), st.integers(0, alt_count).map(str))
    genotypes = math.comb(alt_count + ploidy, ploidy)
    counts = {"AD": alt_count + 1, "DP": 1, "GQ": 1, "PL": genotypes, "PS": 1, "SB": 4}
    values = [divider.join(draw(allele) for _ in range(ploidy))]
    for key in keys[1:]:
        missing = draw(st.booleans())
        values.append("." if missing else ",".join(draw(SMALL) for _ in range(counts[key])))
    return ":".join(values[: draw(st.integers(1, len(values)))])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), samples=st.integers(1, 3))
def test_rows_agree_with_pysam_on_every_value(tmp_path, data, samples):
    body = "".join(sorted(data.draw(st.lists(records(samples), max_size=4)), key=lambda line: int(line.split("\t")[1])))
    path = tmp_path / "calls.vcf"
    path.write_text(vcf(samples=tuple(f"S{n}" for n in range(samples))) + body)
    batches = read(path.read_text(), keeps_all=True)
    assert rows(batches, "sites") == list(expected_sites(path))
    assert rows(batches, "genotypes") == list(expected_genotypes(path))


def trimmed(record: pysam.VariantRecord, alt: str) -> dict[str, Any]:
    ref, position = record.ref, record.pos
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while len(ref) > 1 and len(alt) > 1 and ref[0] == alt[0]:
        ref, alt, position = ref[1:], alt[1:], position + 1
    if len(ref) == len(alt):
        kind = "SNV" if len(ref) == 1 else "MNV"
    elif len(ref) == 1 and alt[0] == ref:
        kind = "INSERTION"
    else:
        kind = "DELETION" if len(alt) == 1 and ref[0] == alt else "COMPLEX"
    return {
        "contig": record.contig,
        "position": position,
        "end_position": position + len(ref) - 1,
        "ref": ref,
        "alt": alt,
        "variant_type": kind,
        "quality": record.qual,
        "filters": ";".join(record.filter) or ".",
    }


def expected_sites(path: Path) -> Iterator[dict[str, Any]]:
    with pysam.VariantFile(str(path)) as source:
        for record, line in zip(source, lines_of(path), strict=True):
            text = line[7]
            entries = [entry.partition("=")[::2] for entry in text.split(";")] if text != "." else []
            for number, alt in enumerate(record.alts, start=1):
                cut = {
                    "AC": lambda parts, at=number: parts[at - 1 : at],
                    "AD": lambda parts, at=number: [parts[0], parts[at]],
                }
                yield {
                    **trimmed(record, alt),
                    "identifier": record.id,
                    "info": [
                        (key, ",".join(cut.get(key, list)(value.split(",") if value != "." else ["."])))
                        if key in cut
                        else (key, value)
                        for key, value in entries
                    ],
                    "alt_number": number,
                    "source_position": record.pos,
                }


def expected_genotypes(path: Path) -> Iterator[dict[str, Any]]:
    with pysam.VariantFile(str(path)) as source:
        for record, line in zip(source, lines_of(path), strict=True):
            for (name, sample), text in zip(record.samples.items(), line[9:], strict=True):
                for number, alt in enumerate(record.alts, start=1):
                    seen = seen_from(
                        record, sample, number, dict(zip(line[8].split(":"), text.split(":"), strict=False))
                    )
                    yield {"sample_id": name, **trimmed(record, alt), **seen}


def lines_of(path: Path) -> list[list[str]]:
    """The columns of each record; pysam writes what it read in its own way."""
    return [line.split("\t") for line in path.read_text().splitlines() if not line.startswith("#")]


def seen_from(
    record: pysam.VariantRecord, sample: pysam.VariantRecordSample, number: int, texts: dict[str, str]
) -> dict[str, Any]:
    alleles = sample["GT"]
    divider = "|" if sample.phased else "/"
    depths = sample.get("AD")
    depths = (None, None) if depths in (None, (None,)) else depths
    return {
        "genotype": divider.join("." if one is None else ("1" if one == number else "0") for one in alleles),
        "zygosity": zygosity(alleles, number),
        "phased": len(alleles) > 1 and sample.phased,
        "depth": sample.get("DP"),
        "ref_depth": depths[0],
        "alt_depth": depths[number] if len(depths) > number else None,
        "genotype_quality": sample.get("GQ"),
        "phase_set": sample.get("PS"),
        "phred_likelihoods": likelihoods(sample, number),
        "called_genotype": divider.join("." if one is None else str(one) for one in alleles)
        if len(record.alts) > 1
        else None,
        "alt_number": number,
        "source_position": record.pos,
        "sample_fields": [("SB", texts["SB"])] if "SB" in texts else None,
    }


def zygosity(alleles: tuple[int | None, ...], number: int) -> str:
    if number in alleles:
        return "HEMI" if len(alleles) == 1 else ("HOM_ALT" if set(alleles) == {number} else "HET")
    if None in alleles:
        return "NO_CALL"
    return "REF" if set(alleles) == {0} else "OTHER_ALT"


def likelihoods(sample: pysam.VariantRecordSample, number: int) -> list[int] | None:
    """Those of the genotypes of ref and one allele, found by writing all genotypes down in VCF's order."""
    values = sample.get("PL")
    if values is None or None in values:
        return None
    ploidy = len(sample["GT"])
    order = genotype_order(ploidy, max_allele(values, ploidy))
    return [value for genotype, value in zip(order, values, strict=True) if set(genotype) <= {0, number}]


def max_allele(values: tuple[int, ...], ploidy: int) -> int:
    highest = 0
    while math.comb(highest + ploidy, ploidy) < len(values):
        highest += 1
    return highest


def genotype_order(ploidy: int, highest: int) -> list[tuple[int, ...]]:
    """All genotypes as the specification's recursion writes them (VCF 4.5, 1.6.2)."""
    if ploidy == 0:
        return [()]
    return [(*rest, last) for last in range(highest + 1) for rest in genotype_order(ploidy - 1, last)]


def test_batches_are_cut_where_a_file_is_large_and_nothing_is_lost(monkeypatch):
    body = [f"chr1 {position} . A C,G . . AC=1,2 GT 1/2 0/1" for position in range(1, 200)]
    text = vcf(*body, samples=("S1", "S2"))
    whole = read(text)
    monkeypatch.setattr("strandline.lake.vcf_records.ROWS_PER_BATCH", 50)
    monkeypatch.setattr("strandline.lake.vcf_source.BLOCK_BYTES", 300)
    cut = read(text)
    assert len(whole) == 1
    assert len(cut) > 10
    assert max(batch.genotypes.num_rows for batch in cut) <= 50
    for part in ("sites", "genotypes"):
        assert rows(cut, part) == rows(whole, part)


def test_a_file_without_samples_has_sites_alone():
    (batch,) = read(vcf("chr1 100 rs7 A C . . DB", samples=()))
    assert (batch.sites.num_rows, batch.genotypes.num_rows, batch.blocks.num_rows) == (1, 0, 0)
    assert isinstance(batch.sites.column("contig"), pa.DictionaryArray)
