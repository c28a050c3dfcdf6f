"""Consequences by Ensembl VEP, as far as they go without it: its command line, and what becomes of its CSQ. ANA-07.

Expected values: the options page and the "VCF output" of Ensembl VEP's documentation (release 115), and the terms of
the Sequence Ontology beside those of bcftools csq's manual page.
"""

import gzip
import subprocess
from pathlib import Path

import pysam
import pytest

from strandline.errors import RejectedInputError
from strandline.variants import vep
from strandline.variants.records import SEVERITY, parse_consequences

GFF3 = """##gff-version 3
2\te\tgene\t5\t90\t.\t+\t.\tID=gene:B
###
10\te\texon\t7\t20\t.\t+\t.\tParent=transcript:A
10\te\tmRNA\t7\t90\t.\t+\t.\tID=transcript:A;Parent=gene:A
10\te\tgene\t5\t90\t.\t+\t.\tID=gene:A
"""
VCF = b"""##fileformat=VCFv4.2
##INFO=<ID=CSQ,Number=.,Type=String,Description="Consequence annotations from Ensembl VEP.">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS
c\t5\t.\tA\tC\t9\tPASS\tDP=3;CSQ=stop_gained|ONE|T1|protein_coding|1|12|W/*,downstream_gene_variant|TWO|T2|lncRNA|-1||\tGT\t0/1
c\t9\t.\tA\tC\t9\tPASS\tCSQ=intergenic_variant||||||\tGT\t0/1
c\t9\t.\tA\tG\t9\tPASS\t.\tGT\t0/1
"""


def test_the_command_reads_the_bundles_gene_models_and_asks_nothing_of_the_network():
    command = vep.vep_command(Path("/r/ref.fa"), Path("/s/in.vcf"), Path("/s/m.gff3.gz"), Path("/s/out.vcf"), threads=4)
    assert command == [
        *("vep", "--offline", "--no_stats", "--force_overwrite", "--fork", "4"),
        *("--format", "vcf", "--input_file", "/s/in.vcf", "--vcf", "--output_file", "/s/out.vcf"),
        *("--gff", "/s/m.gff3.gz", "--fasta", "/r/ref.fa"),
        *("--symbol", "--biotype", "--terms", "SO", "--vcf_info_field", "CSQ"),
        *("--fields", "Consequence,SYMBOL,Feature,BIOTYPE,STRAND,Protein_position,Amino_acids"),
    ]


@pytest.mark.parametrize("name", ["models.gff3", "models.gff3.gz"])
def test_gene_models_are_sorted_and_indexed_as_vep_wants_them(tmp_path, name):
    source = tmp_path / name
    source.write_bytes(gzip.compress(GFF3.encode()) if name.endswith("gz") else GFF3.encode())
    (tmp_path / "out").mkdir()
    output = vep.sort_gene_models(source, tmp_path / "out" / "m.gff3.gz")
    lines = gzip.decompress(output.read_bytes()).decode().splitlines()
    assert [(line.split("\t")[0], line.split("\t")[2]) for line in lines] == [
        ("10", "gene"),
        ("10", "mRNA"),
        ("10", "exon"),
        ("2", "gene"),
    ]
    with pysam.TabixFile(str(output)) as indexed:
        assert len(list(indexed.fetch("10", 0, 6))) == 1


@pytest.mark.parametrize(
    ("consequence", "term"),
    [
        ("splice_acceptor_variant", "splice_acceptor"),
        ("splice_donor_variant", "splice_donor"),
        ("stop_gained", "stop_gained"),
        ("frameshift_variant", "frameshift"),
        ("stop_lost", "stop_lost"),
        ("start_lost", "start_lost"),
        ("inframe_insertion", "inframe_insertion"),
        ("inframe_deletion", "inframe_deletion"),
        ("protein_altering_variant", "inframe_altering"),
        ("missense_variant", "missense"),
        ("splice_donor_5th_base_variant", "splice_region"),
        ("splice_region_variant", "splice_region"),
        ("splice_donor_region_variant", "splice_region"),
        ("splice_polypyrimidine_tract_variant", "splice_region"),
        ("incomplete_terminal_codon_variant", "coding_sequence"),
        ("start_retained_variant", "start_retained"),
        ("stop_retained_variant", "stop_retained"),
        ("synonymous_variant", "synonymous"),
        ("coding_sequence_variant", "coding_sequence"),
        ("mature_miRNA_variant", "non_coding"),
        ("5_prime_UTR_variant", "5_prime_utr"),
        ("3_prime_UTR_variant", "3_prime_utr"),
        ("non_coding_transcript_exon_variant", "non_coding"),
        ("intron_variant", "intron"),
        ("non_coding_transcript_variant", "non_coding"),
    ],
)
def test_every_term_of_a_transcript_has_the_name_that_is_ranked(consequence, term):
    """The terms of Ensembl's table of calculated consequences that concern a transcript, but for its whole loss."""
    (effect,) = parse_consequences((vep.to_bcsq(f"{consequence}|ONE|T1|protein_coding|-1||"),))
    assert (effect.term, effect.gene, effect.transcript) == (term, "ONE", "T1")
    assert term in SEVERITY


def test_records_carry_what_concerns_a_transcript_and_lose_nothing_else():
    lines = list(vep.translate(VCF.splitlines(keepends=True)))
    assert not any(b"CSQ," in line and b"BCSQ" not in line for line in lines if line.startswith(b"##"))
    assert sum(line.startswith(b"##INFO=<ID=BCSQ,") for line in lines) == 1
    infos = [line.split(b"\t")[7] for line in lines if not line.startswith(b"#")]
    assert infos == [b"DP=3;BCSQ=stop_gained|ONE|T1|protein_coding|+|12W>12*", b".", b"."]


def test_vep_is_run_and_its_words_translated(tmp_path, monkeypatch):
    def run(pipeline):
        (command,) = pipeline
        Path(command[command.index("--output_file") + 1]).write_bytes(VCF)

    monkeypatch.setattr(vep, "run_pipeline", run)
    (tmp_path / "m.gff3").write_text(GFF3)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    vep.predict_with_vep(scratch, 2)(Path("r.fa"), Path("in.vcf"), tmp_path / "m.gff3", tmp_path / "out.vcf.gz")
    assert gzip.decompress((tmp_path / "out.vcf.gz").read_bytes()) == b"".join(
        vep.translate(VCF.splitlines(keepends=True))
    )


def test_the_version_is_read_from_its_help_and_a_machine_without_it_is_told_so():
    """The banner of `vep --help`: a table of the versions of ensembl's modules."""
    assert (
        vep.vep_version(lambda _: "Versions:\n  ensembl              : 115\n  ensembl-vep          : 115.2\n")
        == "vep 115.2"
    )

    def absent(command):
        raise FileNotFoundError(command[0])

    for say in (absent, lambda _: "no such thing"):
        with pytest.raises(RejectedInputError, match=r"^annotator_not_installed: "):
            vep.vep_version(say)


def test_a_tool_that_fails_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(vep, "vep_command", lambda *_, **__: ["/bin/sh", "-c", "exit 2"])
    (tmp_path / "m.gff3").write_text(GFF3)
    with pytest.raises(subprocess.CalledProcessError):
        vep.predict_with_vep(tmp_path, 1)(Path("r.fa"), Path("in.vcf"), tmp_path / "m.gff3", tmp_path / "out.vcf.gz")
