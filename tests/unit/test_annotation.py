"""What annotation writes into a VCF, and how it is read again. ANA-07.

Expected values: the records of the made-up sources, and names worked out by hand on a gene laid out base by base.
"""

from pathlib import Path

import pysam
import pytest

from strandline.reads.reference_bundle.builds import Build, accession_of
from strandline.reads.reference_bundle.description import Contig
from strandline.variants import annotation
from strandline.variants.annotation import AnnotationSources, annotate_variants, frequency_columns
from strandline.variants.naming import SequenceNames
from strandline.variants.records import TranscriptName, VariantCall, parse_names, read_calls
from tests.unit import in_process

# gene ONE on the forward strand, 101-160: ATG GAA CAG CTT TGG AAA TAA behind a leader of 9; TWO on the other, 131-190
_ONE = "CCCCCCCCC" + "ATGGAACAGCTTTGGAAATAA" + "C" * 30
_BASES = "G" * 20 + "CAAAAAC" + "G" * 73 + _ONE + "G" * 240
_GFF3 = """\
##gff-version 3
c\te\tgene\t101\t160\t.\t+\t.\tID=gene:G1;Name=ONE;biotype=protein_coding
c\te\tmRNA\t101\t160\t.\t+\t.\tID=transcript:T1;Parent=gene:G1;biotype=protein_coding;tag=basic;version=1
c\te\texon\t101\t160\t.\t+\t.\tParent=transcript:T1
c\te\tCDS\t110\t130\t.\t+\t0\tID=CDS:P1;Parent=transcript:T1;protein_id=P1;version=4
c\te\tmRNA\t101\t150\t.\t+\t.\tID=transcript:T2;Parent=gene:G1;biotype=protein_coding;tag=MANE_Select;version=2
c\te\texon\t101\t150\t.\t+\t.\tParent=transcript:T2
c\te\tCDS\t110\t130\t.\t+\t0\tID=CDS:P2;Parent=transcript:T2;protein_id=P2;version=5
c\te\tgene\t121\t190\t.\t-\t.\tID=gene:G2;Name=ANTI;biotype=lncRNA
c\te\tlnc_RNA\t121\t190\t.\t-\t.\tID=transcript:T3;Parent=gene:G2;biotype=lncRNA;version=1
c\te\texon\t121\t190\t.\t-\t.\tParent=transcript:T3
"""
_CALLS = (
    "c\t21\tLAB7\tCA\tC\t50\tPASS\t.\tGT\t0/1",  # one A of five
    "c\t40\t.\tG\tC\t50\tPASS\t.\tGT\t0/1",
    "c\t123\t.\tG\tA\t50\tPASS\t.\tGT\t1/1",  # TGG to TAG in ONE
    "c\t127\t.\tA\tAA\t50\tPASS\t.\tGT\t0/1",
    "c\t300\t.\tG\tT\t50\tPASS\t.\tGT\t0/1",
)
_FREQUENCIES = (
    '##INFO=<ID=AF,Number=A,Type=Float,Description="x">',
    '##INFO=<ID=AF_afr,Number=A,Type=Float,Description="x">',
    '##INFO=<ID=EUR_AF,Number=A,Type=Float,Description="x">',
    '##INFO=<ID=AF_remaining,Number=A,Type=Float,Description="x">',
    '##INFO=<ID=AF_afr_XX,Number=A,Type=Float,Description="x">',
    '##INFO=<ID=faf95,Number=A,Type=Float,Description="x">',
)


def write_vcf(path: Path, header: tuple[str, ...], lines: tuple[str, ...], columns: str = "") -> Path:
    start = ("##fileformat=VCFv4.3", f"##contig=<ID=c,length={len(_BASES)}>")
    names = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO" + columns
    plain = path.with_suffix("")
    plain.write_text("\n".join((*start, *header, names, *lines)) + "\n")
    pysam.tabix_index(str(plain), preset="vcf", force=True)
    return path


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    path = tmp_path / "ref.fa"
    path.write_text(f">c\n{_BASES}\n")
    pysam.faidx(str(path))
    return path


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    genotype = '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">'
    return write_vcf(tmp_path / "calls.vcf.gz", (genotype,), _CALLS, "\tFORMAT\tS1")


def annotate(
    reference: Path, calls: Path, sources: AnnotationSources, monkeypatch: pytest.MonkeyPatch, **names: str
) -> list[VariantCall]:
    monkeypatch.setattr(annotation, "run_pipeline", in_process.run_pipeline)
    output = reference.parent / "out.vcf.gz"
    sequence_names = SequenceNames(names, frozenset())
    annotate_variants(reference, calls, sources, names=sequence_names, header=b"##strandlineX=1\n", output=output)
    return list(read_calls(output))


def test_dbsnp_and_frequencies_are_joined_by_allele_and_the_labs_id_stays(tmp_path, reference, calls, monkeypatch):
    """dbSNP has several alleles in a record, so one is not written as in the call (VCF 4.3, section 1.6.1)."""
    dbsnp = write_vcf(
        tmp_path / "dbsnp.vcf.gz",
        (),
        ("c\t21\trs1\tCAAA\tC,CAA,CA\t.\t.\t.", "c\t40\trs2\tG\tA,T\t.\t.\t.", "c\t300\trs3\tG\tA,T\t.\t.\t."),
    )
    frequencies = write_vcf(
        tmp_path / "frequencies.vcf.gz",
        _FREQUENCIES,
        (
            "c\t22\t.\tAA\tA\t.\t.\tAF=0.25;AF_afr=0.5;EUR_AF=0.125;AF_remaining=0.75;AF_afr_XX=1;faf95=1",
            "c\t40\t.\tG\tA,C\t.\t.\tAF=0.5",  # one value for two alleles: not known whose
            "c\t41\t.\tG\t<DEL>,*\t.\t.\tAF=0.5,0.5",
            "c\t42\t.\tT\tC\t.\t.\tAF=0.5",  # no base of the reference
            "c\t300\t.\tG\tA,T\t.\t.\tAF=0.5,0.0625;AF_afr=0.5,0",
        ),
    )
    found = annotate(reference, calls, AnnotationSources(dbsnp=dbsnp, frequencies=frequencies), monkeypatch)
    assert [call.dbsnp_id for call in found] == ["rs1", None, None, None, "rs3"]
    assert [call.identifier for call in found] == ["LAB7", None, None, None, None]
    assert [call.population_frequency for call in found] == [0.25, None, None, None, 0.0625]
    assert found[0].frequency_by_population == (("AFR", 0.5), ("EUR", 0.125), ("REMAINING", 0.75))
    assert found[0].highest_frequency == ("AFR", 0.5)
    assert found[4].frequency_by_population == (("AFR", 0.0),)
    assert found[1].highest_frequency is None


def test_only_populations_are_taken_from_a_source_of_frequencies(tmp_path):
    """gnomAD's `AF_afr`, the 1000 Genomes Project's `EUR_AF`; no subset by sex, no filtering frequency."""
    source = write_vcf(tmp_path / "f.vcf.gz", _FREQUENCIES, ("c\t22\t.\tA\tC\t.\t.\tAF=0.5",))
    assert frequency_columns(source) == [
        "INFO/POP_AF:=INFO/AF",
        "INFO/POP_AF_AFR:=INFO/AF_afr",
        "INFO/POP_AF_EUR:=INFO/EUR_AF",
        "INFO/POP_AF_REMAINING:=INFO/AF_remaining",
    ]


def test_calls_are_named_on_the_genome_and_on_the_chosen_transcript_first(tmp_path, reference, calls, monkeypatch):
    genes = tmp_path / "genes.gff3"
    genes.write_text(_GFF3)
    found = annotate(reference, calls, AnnotationSources(gene_models=genes), monkeypatch, c="NC_000001.11")
    assert [call.genomic_name for call in found] == [
        "NC_000001.11:g.26del",  # the last of AAAAA
        "NC_000001.11:g.40G>C",
        "NC_000001.11:g.123G>A",
        "NC_000001.11:g.127dup",
        "NC_000001.11:g.300G>T",
    ]
    assert found[0].names == found[1].names == found[4].names == ()
    stop = found[2]
    assert stop.chosen == TranscriptName("T2.2", "ONE", "MANE_Select", "stop_gained", "c.14G>A", "P2.5", "p.(Trp5Ter)")
    assert [(name.transcript, name.gene, name.ground, name.coding) for name in stop.names[1:]] == [
        ("T3.1", "ANTI", "longest_transcript", "n.68C>T"),
        ("T1.1", "ONE", None, "c.14G>A"),
    ]
    assert (stop.chosen.full_coding, stop.chosen.full_protein) == ("T2.2:c.14G>A", "P2.5:p.(Trp5Ter)")
    assert stop.chosen_consequence is not None
    assert (stop.chosen_consequence.term, stop.chosen_consequence.transcript) == ("stop_gained", "T2")
    assert found[3].chosen is not None
    assert (found[3].chosen.coding, found[3].chosen.protein) == ("c.18dup", "p.(Ter7IleextTer?)")


def test_every_transcript_stays_in_bcsq_and_the_header_says_what_the_fields_are(
    tmp_path, reference, calls, monkeypatch
):
    genes = tmp_path / "genes.gff3"
    genes.write_text(_GFF3)
    found = annotate(reference, calls, AnnotationSources(gene_models=genes), monkeypatch)
    assert {effect.transcript for effect in found[2].consequences} >= {"T1", "T2"}
    with pysam.VariantFile(str(tmp_path / "out.vcf.gz")) as records:
        header = str(records.header)
        assert list(records.header.info["HGVS"].description.split("Format: ")[1].split("|"))[:3] == [
            "transcript",
            "gene",
            "ground",
        ]
    assert "##strandlineX=1\n" in header
    assert found[0].genomic_name == "c:g.26del"  # a contig that is no known sequence goes by its own name


def test_calls_on_the_mitochondrion_have_their_m_name_and_no_transcripts(tmp_path, reference, calls, monkeypatch):
    """The nomenclature asks for m.; the genes have a genetic code of their own."""
    monkeypatch.setattr(annotation, "run_pipeline", in_process.run_pipeline)
    genes, output = tmp_path / "genes.gff3", tmp_path / "out.vcf.gz"
    genes.write_text(_GFF3)
    names = SequenceNames({"c": "NC_012920.1"}, frozenset({"c"}))
    annotate_variants(reference, calls, AnnotationSources(genes), names=names, header=b"", output=output)
    stop = list(read_calls(output))[2]
    assert (stop.genomic_name, stop.names) == ("NC_012920.1:m.123G>A", ())


def test_without_any_source_calls_still_have_their_name_on_the_genome(reference, calls, monkeypatch):
    found = annotate(reference, calls, AnnotationSources(), monkeypatch)
    assert [call.genomic_name for call in found][1] == "c:g.40G>C"
    assert all(
        (call.consequences, call.names, call.dbsnp_id, call.clinvar_id) == ((), (), None, None) for call in found
    )


def test_signs_with_a_meaning_in_vcf_are_read_back():
    """VCF 4.3, section 1.2: `=`, `,`, `;` and `%` in a value are percent-encoded."""
    (name,) = parse_names(("T1.1|H%2CX|MANE_Select|synonymous|c.9G>A||p.(Lys3%3D)",))
    assert (name.gene, name.protein, name.full_protein) == ("H,X", "p.(Lys3=)", "p.(Lys3=)")


@pytest.mark.parametrize(
    ("name", "length", "md5", "build", "accession"),
    [
        ("chr21", 46_709_983, "0" * 32, Build.GRCH38, "NC_000021.9"),
        ("21", 48_129_895, "0" * 32, Build.GRCH37, "NC_000021.8"),
        ("chr21", 45_090_682, "0" * 32, Build.T2T, "NC_060945.1"),
        ("chr21", 1_000_000, "0" * 32, Build.GRCH38, None),  # a slice: its positions are not the chromosome's
        ("chr21", 46_709_983, "0" * 32, None, None),
        ("chrM", 16_569, "c68f52674c9fb33aef52dcf399755519", Build.GRCH38, "NC_012920.1"),
        ("chrM", 16_569, "0" * 32, Build.T2T, None),
        ("scaffold_1", 500, "0" * 32, Build.GRCH38, None),
    ],
)
def test_an_accession_is_given_only_to_the_sequence_that_it_is_of(name, length, md5, build, accession):
    """Assembly reports of the NCBI for GRCh37, GRCh38 and T2T-CHM13v2.0; the revised Cambridge sequence by its MD5."""
    assert accession_of(Contig(name=name, length=length, md5=md5), build) == accession
