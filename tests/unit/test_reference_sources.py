"""Contig names reconciled, builds recognised, and sources of another build refused. ANA-09."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.reads.reference_bundle import Build, Contig, ReferenceRole, SourceOrigin
from strandline.reads.reference_bundle.builds import CHROMOSOMES, check_build, length_of, recognise_build
from strandline.reads.reference_bundle.callable_regions import write_regions
from strandline.reads.reference_bundle.contig_names import ContigNames
from strandline.reads.reference_bundle.fasta import survey_fasta
from strandline.reads.reference_bundle.gene_models import write_gene_models
from strandline.reads.reference_bundle.variant_source import write_variants

# lengths as in the ##contig lines of GIAB's and of the 1000 Genomes Project's VCFs
GRCH38 = {"chr1": 248956422, "chr20": 64444167, "chr21": 46709983, "chrM": 16569}
GRCH37 = {"1": 249250621, "20": 63025520, "21": 48129895, "MT": 16569}
HG19 = {"chr1": 249250621, "chr20": 63025520, "chrM": 16571}
T2T = {"chr1": 248387328, "chr20": 66210255, "chr21": 45090682, "chrM": 16569}


def contigs_of(length_by_name: dict[str, int]) -> list[Contig]:
    return [Contig(name=name, length=length, md5=f"md5 of {name}") for name, length in length_by_name.items()]


def ucsc(chromosome: str) -> str:
    return "chrM" if chromosome == "MT" else f"chr{chromosome}"


@given(st.lists(st.sampled_from(CHROMOSOMES), min_size=1, unique=True), st.booleans(), st.booleans())
def test_renaming_there_and_back_gives_the_same_names(chromosomes, from_ucsc, to_ucsc):
    first = [ucsc(name) if from_ucsc else name for name in chromosomes]
    second = [ucsc(name) if to_ucsc else name for name in chromosomes]
    there = ContigNames(contigs_of({name: 100 + n for n, name in enumerate(second)}))
    back = ContigNames(contigs_of({name: 100 + n for n, name in enumerate(first)}))
    renamed = [there.match(name) for name in first]
    assert [contig.name for contig in renamed if contig] == second
    returned = [back.match(contig.name, length=contig.length) for contig in renamed if contig]
    assert [contig.name for contig in returned if contig] == first


@pytest.mark.parametrize(
    ("named", "length", "fits"),
    [
        ("20", None, True),
        ("20", 64444167, True),
        ("20", 63025520, False),  # GRCh37
        ("NC_000020.11", None, True),
        ("NC_000020.10", None, False),  # GRCh37
        ("NC_060944.1", None, False),  # T2T
        ("MT", None, True),
        ("NC_012920.1", None, True),
        ("GL000192.1", None, False),
        ("GL000192.1", 46709983, True),  # by its length
        ("chrUn", None, False),
    ],
)
def test_a_contig_is_found_by_name_accession_and_length(named, length, fits):
    names = ContigNames(contigs_of(GRCH38), Build.GRCH38)
    assert (names.match(named, length=length) is not None) == fits


def test_a_contig_is_found_by_its_bases_whatever_its_name():
    found = ContigNames(contigs_of(GRCH38)).match("ptg000001l", md5="md5 of chr20")
    assert found is not None
    assert found.name == "chr20"


def test_the_mitochondrion_of_hg19_is_no_other_mitochondrion():
    """UCSC: chrM of hg19 is NC_001807, not the revised Cambridge sequence that all else counts by."""
    names = ContigNames(contigs_of(HG19), Build.GRCH37)
    assert names.match("MT") is None
    assert names.match("chrM", length=16569) is None
    assert names.match("chrM", length=16571) is not None


@pytest.mark.parametrize(
    ("lengths", "build"),
    [
        (GRCH37, Build.GRCH37),
        (HG19, Build.GRCH37),
        (GRCH38, Build.GRCH38),
        (T2T, Build.T2T),
        ({"chr20": 10_000_000, "chrM": 16569}, None),
    ],
)
def test_a_build_is_recognised_by_its_chromosomes(lengths, build):
    contigs = contigs_of(lengths)
    assert recognise_build(contigs) is build
    for declared in Build:
        if build and declared is not build:
            with pytest.raises(RejectedInputError, match=r"^build_mismatch: "):
                check_build(contigs, declared)
    assert check_build(contigs, build or Build.GRCH38) is (build or Build.GRCH38)


def test_a_build_is_recognised_by_its_bases_whatever_the_names():
    assert recognise_build([Contig(name="x", length=9, md5="b18e6c531b0bd70e949a7fc20859cb01")]) is Build.GRCH38


def test_chromosomes_of_two_builds_and_longer_ones_than_declared_are_refused():
    with pytest.raises(RejectedInputError, match=r"^reference_mixed_builds: "):
        recognise_build(contigs_of({"chr1": 248956422, "chr20": 63025520}))
    with pytest.raises(RejectedInputError, match=r"^build_mismatch: chr21 has 46,709,984 bases"):
        check_build(contigs_of({"chr21": 46_709_984}), Build.GRCH38)


def test_no_two_builds_share_the_length_of_a_chromosome():
    for chromosome in CHROMOSOMES[:-1]:
        lengths = {length_of(build, chromosome) for build in (Build.GRCH37, Build.GRCH38, Build.T2T)}
        assert len(lengths) == 3, chromosome


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_survey_tells_contigs_without_writing(tmp_path, pack):
    (tmp_path / "x").write_bytes(pack(b">a b\r\nACGT\r\nAC\r\n>c\r\nNN\r\n"))
    assert [(contig.name, contig.length) for contig in survey_fasta(tmp_path / "x")] == [("a", 6), ("c", 2)]


BASES = "".join("ACGT"[i] for i in np.random.default_rng(3).integers(0, 4, 4000))


@pytest.fixture
def ground(tmp_path: Path) -> Path:
    """A FASTA of chr20, random bases and 50 that are unknown, and chrM."""
    fasta = tmp_path / "reference.fa"
    fasta.write_text(f">chr20\n{BASES[:3950].lower()}{'N' * 50}\n>chrM\n{BASES[:500]}\n")
    pysam.faidx(str(fasta))
    return fasta


CONTIGS = contigs_of({"chr20": 4000, "chrM": 500})
Row = tuple[str, int, str]
HEAD = (
    "##fileformat=VCFv4.2\n##fileDate=2026-01-04\n##source=ClinVar\n"
    '##INFO=<ID=CLNSIG,Number=.,Type=String,Description="">\n'
)


def vcf(rows: list[Row], head: str = HEAD, *, more: str = "") -> bytes:
    records = "".join(f"{name}\t{position}\t7\t{ref}\t<X>\t.\t.\tCLNSIG=x{more}\n" for name, position, ref in rows)
    return f"{head}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO{more}\n{records}".encode()


def true_rows(name: str = "20", count: int = 200) -> list[Row]:
    return [(name, place + 1, BASES[place : place + 2]) for place in range(0, count * 10, 10)]


def variants(
    ground: Path, body: bytes, role: ReferenceRole = ReferenceRole.CLINVAR
) -> tuple[list[bytes], SourceOrigin]:
    (ground.parent / "given.vcf").write_bytes(body)
    sink = ground.parent / "made.vcf.gz"
    origin, _ = write_variants(
        ground.parent / "given.vcf", sink, role=role, contigs=CONTIGS, names=ContigNames(CONTIGS), fasta=ground
    )
    return gzip.decompress(sink.read_bytes()).splitlines(), origin


def test_records_take_the_names_of_the_fasta_and_what_does_not_fit_is_counted(ground):
    rows = [*true_rows(), ("20", 4001, "A"), ("21", 1, "A"), ("MT", 5, BASES[4])]
    lines, origin = variants(ground, vcf(rows))
    records = [line.split(b"\t") for line in lines if not line.startswith(b"#")]
    assert [(record[0], int(record[1])) for record in records] == [
        *((b"chr20", position) for _, position, _ in true_rows()),
        (b"chrM", 5),
    ]
    assert b"##contig=<ID=chr20,length=4000,md5=md5 of chr20>" in lines
    assert origin.renamed == {"20": "chr20", "MT": "chrM"}
    assert sorted(origin.left_out.values()) == [1, 1]
    assert origin.foreign_contigs == ("21",)


def test_genotypes_do_not_enter_a_bundle(ground):
    lines, _ = variants(ground, vcf(true_rows(), more="\tFORMAT\tNA12878"))
    assert not [line for line in lines if b"NA12878" in line]
    assert lines[-1].count(b"\t") == 7


def test_unknown_and_ambiguous_bases_of_the_fasta_speak_for_nobody(ground):
    lines, origin = variants(ground, vcf([*true_rows(), ("20", 3960, "ACGT")]))
    assert lines[-1].startswith(b"chr20\t3960\t")
    assert origin.left_out == {}


def shifted(rows: list[Row]) -> list[Row]:
    return [(name, position + 7, ref) for name, position, ref in rows]


@pytest.mark.parametrize(
    ("body", "role", "code"),
    [
        (vcf(shifted(true_rows())), "CLINVAR", "source_disagrees"),
        (vcf([*true_rows(), *(("MT", place, "ACGTACGT") for place in range(1, 9))]), "CLINVAR", "source_disagrees"),
        (vcf(true_rows("21")), "CLINVAR", "source_of_another_reference"),
        (vcf([("20", 9000, "A")]), "CLINVAR", "source_of_another_reference"),
        (vcf([*true_rows("20"), *true_rows("chr20")]), "CLINVAR", "source_ambiguous"),
        (vcf(true_rows()[::-1]), "CLINVAR", "source_unsorted"),
        (vcf([*true_rows(), ("MT", 1, BASES[0]), *true_rows()]), "CLINVAR", "source_unsorted"),
        (vcf([]), "CLINVAR", "source_empty"),
        (vcf(true_rows()), "FREQUENCIES", "source_invalid"),
        (vcf(true_rows()), "DBSNP", "source_invalid"),
        (vcf(true_rows()).replace(b"CLNSIG", b"DETAILS"), "CLINVAR", "source_invalid"),
        (vcf([("20", 1, BASES[0])]).replace(b"\t7\t", b" "), "KNOWN_SITES", "source_invalid"),
        (vcf(true_rows()).replace(b"\t1\t", b"\t-1\t"), "KNOWN_SITES", "source_invalid"),
        (b"", "KNOWN_SITES", "source_invalid"),
        (HEAD.encode(), "KNOWN_SITES", "source_invalid"),
        (b"BCF\2\2", "KNOWN_SITES", "source_invalid"),
        (gzip.compress(vcf(true_rows()))[:-20], "CLINVAR", "gzip_truncated"),
    ],
)
def test_a_variant_source_that_does_not_belong_is_refused(ground, body, role, code):
    with pytest.raises(RejectedInputError) as caught:
        variants(ground, body, ReferenceRole[role])
    assert caught.value.code == code


def gene(name: str, start: int, end: int, number: int = 1, kind: str = "gene", ids: str = "") -> str:
    return f"{name}\tx\t{kind}\t{start}\t{end}\t.\t+\t.\t{ids or f'ID=gene:G{number}'}\n"


def models(ground: Path, text: str, build: Build | None = None) -> tuple[list[str], SourceOrigin, bool]:
    (ground.parent / "given.gff3").write_text(text)
    sink = ground.parent / "made.gff3.gz"
    origin, _, is_sorted = write_gene_models(
        ground.parent / "given.gff3", sink, names=ContigNames(CONTIGS, build), build=build, fasta=ground
    )
    return gzip.decompress(sink.read_bytes()).decode().splitlines(), origin, is_sorted


def test_gene_models_are_cut_gene_by_gene(ground):
    """A transcript of a gene that is longer than the slice is a wrong one, even where it would fit itself."""
    text = (
        "##gff-version 3\n##sequence-region 20 1 64444167\n"
        + gene("20", 1, 900)
        + gene("20", 3000, 5000, 2)
        + gene("20", 3000, 3500, kind="mRNA", ids="ID=transcript:T2;Parent=gene:G2")
        + gene("20", 3000, 3100, kind="exon", ids="Parent=transcript:T2")
        + "##FASTA\n>x\nACGT\n"
    )
    lines, origin, is_sorted = models(ground, text)
    assert lines == ["##gff-version 3", "##sequence-region chr20 1 4000", gene("chr20", 1, 900).strip()]
    assert origin.record_count == 1
    assert sum(origin.left_out.values()) == 3
    assert is_sorted
    assert not models(ground, gene("20", 50, 90) + gene("20", 1, 9, 2))[2]


def introns(start_and_end: Callable[[int], tuple[int, int]]) -> str:
    """Twelve transcripts of two exons each."""
    lines = ["##gff-version 3\n", gene("chr20", 1, 3900)]
    for number in range(12):
        end, start = start_and_end(number)
        for first, last in ((end - 20, end), (start, start + 20)):
            lines.append(gene("chr20", first, last, kind="exon", ids=f"Parent=transcript:T{number}"))
    return "".join(lines)


def test_gene_models_of_another_build_are_told_by_their_introns(ground):
    """Introns from GT to AG, searched in the bases, fit; the same moved by one base do not."""

    def real(number: int) -> tuple[int, int]:
        donor = BASES.index("GT", 100 + number * 200)
        return donor, BASES.index("AG", donor + 60) + 3

    models(ground, introns(real))
    with pytest.raises(RejectedInputError, match=r"^source_disagrees: given\.gff3: \d of 12 introns"):
        models(ground, introns(lambda number: (real(number)[0] + 1, real(number)[1] + 1)))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("#!genome-build GRCh37.p13\n" + gene("20", 1, 9), "source_invalid"),
        ("##gff-version 3\n#!genome-build GRCh37.p13\n" + gene("20", 1, 9), "source_of_another_reference"),
        ("##gff-version 3\n##sequence-region 20 1 63025520\n" + gene("20", 1, 9), "source_of_another_reference"),
        ("##gff-version 3\n" + gene("20", 1, 63025520, kind="chromosome"), "source_of_another_reference"),
        ("##gff-version 3\n" + gene("20", 9, 1), "source_invalid"),
        ("##gff-version 3\n20 gene\n", "source_invalid"),
        ("##gff-version 3\n" + gene("20", 1, 9, ids="ID=ENSG1"), "source_invalid"),
        ("##gff-version 3\n", "source_empty"),
    ],
)
def test_gene_models_that_do_not_belong_are_refused(ground, text, code):
    with pytest.raises(RejectedInputError) as caught:
        models(ground, text, Build.GRCH38)
    assert caught.value.code == code


def test_regions_take_the_names_of_the_fasta(ground):
    (ground.parent / "given.bed").write_text("track x\n20\t0\t100\tname\n20\t90\t4001\nMT\t0\t500\n")
    origin = write_regions(ground.parent / "given.bed", ground.parent / "made.gz", names=ContigNames(CONTIGS))
    made = gzip.decompress((ground.parent / "made.gz").read_bytes())
    assert made == b"chr20\t0\t100\tname\nchrM\t0\t500\n"
    assert list(origin.left_out.values()) == [1]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("20\t9\t9\n", "source_invalid"),
        ("20\t9\n", "source_invalid"),
        ("20\t5\t9\n20\t1\t2\n", "source_unsorted"),
        ("21\t5\t9\n", "source_of_another_reference"),
        ("", "source_empty"),
    ],
)
def test_regions_that_do_not_belong_are_refused(ground, text, code):
    (ground.parent / "given.bed").write_text(text)
    with pytest.raises(RejectedInputError) as caught:
        write_regions(ground.parent / "given.bed", ground.parent / "made.gz", names=ContigNames(CONTIGS))
    assert caught.value.code == code
