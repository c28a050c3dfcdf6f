"""Command lines of bcftools against its manual page, and what stands in the headers of what they write."""

from pathlib import Path

import numpy as np
import pysam
import pysam.bcftools
import pytest

from strandline.reads.measurement import aligned_by
from strandline.reads.tools import tool_command
from strandline.synthetic.family import make_family
from strandline.synthetic.genome import CONTIG, make_genome, to_fasta, to_gff3
from strandline.variants import annotation, filtering
from strandline.variants.annotation import (
    AnnotationSources,
    annotate_variants,
    effect_command,
    join_command,
    normalise_command,
)
from strandline.variants.calling import call_commands, gather_commands, variants_only_commands
from strandline.variants.filtering import SOFT_FILTERS, filter_commands, filter_variants
from strandline.variants.naming import SequenceNames
from strandline.variants.provenance import Provenance, header_lines, read_programs, read_sources
from strandline.variants.records import read_calls
from tests.unit import in_process

BCFTOOLS = list(tool_command("bcftools"))
REFERENCE, VCF, OUT = Path("/r/ref.fa"), Path("/s/in.vcf.gz"), Path("/s/out.vcf.gz")


def test_calling_piles_up_with_depths_and_calls_every_site():
    """`mpileup -g` and `call -g` write reference blocks, split where the depth crosses 1, 10 or 20 reads."""
    regions, proposed = Path("/s/regions.bed"), Path("/s/proposed.bcf")
    assert call_commands(REFERENCE, Path("/s/a.cram"), regions, proposed) == [
        [
            *(*BCFTOOLS, "mpileup", "-Ou", "-f", "/r/ref.fa", "-d", "1000", "-g", "1,10,20"),
            *("-a", "FORMAT/AD,FORMAT/DP", "-R", "/s/regions.bed", "/s/a.cram"),
        ],
        [*BCFTOOLS, "call", "-m", "-a", "GQ", "-g", "1,10,20", "-Ob1", "-o", "/s/proposed.bcf"],
    ]


def test_without_regions_the_whole_reference_is_called():
    pile_up, *_ = call_commands(REFERENCE, Path("/s/a.cram"), None, OUT)
    assert "-R" not in pile_up
    assert pile_up[-1] == "/s/a.cram"


def test_parts_are_put_behind_one_another():
    parts = [Path("/s/part_1.g.vcf.gz"), Path("/s/part_2.g.vcf.gz")]
    assert gather_commands(parts, OUT) == [
        [*BCFTOOLS, "concat", "-Oz", "-o", "/s/out.vcf.gz", "/s/part_1.g.vcf.gz", "/s/part_2.g.vcf.gz"]
    ]


def test_variants_are_split_left_aligned_and_only_those_that_the_sample_carries():
    assert variants_only_commands(REFERENCE, VCF, OUT) == [
        [*BCFTOOLS, "norm", "-m", "-any", "-f", "/r/ref.fa", "-Ou", "/s/in.vcf.gz"],
        [*BCFTOOLS, "view", "-i", 'ALT!="." && GT="alt"', "-Oz", "-o", "/s/out.vcf.gz", "-"],
    ]


def test_a_source_is_read_near_the_calls_with_its_alleles_split_and_left_aligned():
    """bcftools annotate pairs records by their alleles as written; `-c x` drops other REFs, `--force` odd fields."""
    windows, near, source = Path("/s/windows.bed"), Path("/s/dbsnp.bcf"), Path("/r/dbsnp.vcf.gz")
    assert normalise_command(REFERENCE, source, windows, near) == [
        *(*BCFTOOLS, "norm", "--force", "-m", "-any", "-f", "/r/ref.fa", "-c", "x", "-R", "/s/windows.bed"),
        *("-Ob1", "-o", "/s/dbsnp.bcf", "/r/dbsnp.vcf.gz"),
    ]
    assert join_command(VCF, near, annotation.DBSNP_COLUMNS, Path("/s/out.bcf")) == [
        *(*BCFTOOLS, "annotate", "-a", "/s/dbsnp.bcf", "-c", "INFO/DBSNP_ID:=ID"),
        *("-Ob1", "-o", "/s/out.bcf", "/s/in.vcf.gz"),
    ]


def test_effects_are_of_each_record_alone_and_only_where_there_are_gene_models():
    genes = Path("/r/genes.gff3.gz")
    assert effect_command(REFERENCE, VCF, genes, OUT) == [
        *(*BCFTOOLS, "csq", "--local-csq", "-f", "/r/ref.fa", "-g", "/r/genes.gff3.gz"),
        *("-Oz1", "-o", "/s/out.vcf.gz", "/s/in.vcf.gz"),
    ]
    assert effect_command(REFERENCE, VCF, None, OUT) == [*BCFTOOLS, "view", "-Oz1", "-o", str(OUT), str(VCF)]


def test_filters_are_soft_and_added_to_one_another():
    """ANA-08: `-s` marks and keeps, `-m +` appends a reason to the ones before."""
    assert filter_commands(VCF, OUT) == [
        [*BCFTOOLS, "filter", "-m", "+", "-s", "LowQual", "-e", "QUAL<20", "-Ou", "/s/in.vcf.gz"],
        [*BCFTOOLS, "filter", "-m", "+", "-s", "LowDepth", "-e", "FORMAT/DP<5", "-Ou", "-"],
        [*BCFTOOLS, "view", "-Oz", "-o", "/s/out.vcf.gz", "-"],
    ]
    assert all(soft.meaning for soft in SOFT_FILTERS)


def write_vcf(path: Path, lines: list[str], length: int = 1000) -> Path:
    header = [
        "##fileformat=VCFv4.3",
        f"##contig=<ID={CONTIG},length={length}>",
        '##INFO=<ID=CLNSIG,Number=.,Type=String,Description="x">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">',
        '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">',
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1",
    ]
    plain = path.with_suffix("")
    plain.write_text("\n".join([*header, *lines]) + "\n")
    pysam.tabix_compress(str(plain), str(path), force=True)
    pysam.bcftools.index("-t", "-f", str(path), catch_stdout=False)
    return path


@pytest.mark.parametrize(
    ("quality", "depth", "reasons"),
    [
        ("20", "5", ("PASS",)),
        ("19.9", "5", ("LowQual",)),
        ("20", "4", ("LowDepth",)),
        ("3", "0", ("LowQual", "LowDepth")),
    ],
)
def test_every_record_is_kept_with_its_reasons(tmp_path, monkeypatch, quality, depth, reasons):
    monkeypatch.setattr(filtering, "run_pipeline", in_process.run_pipeline)
    line = f"{CONTIG}\t5\t.\tA\tC\t{quality}\t.\t.\tGT:DP\t0/1:{depth}"
    filter_variants(write_vcf(tmp_path / "in.vcf.gz", [line]), tmp_path / "out.vcf.gz")
    (call,) = read_calls(tmp_path / "out.vcf.gz")
    assert call.filters == reasons


def test_planted_variants_get_their_consequence_significance_and_sources(tmp_path, monkeypatch):
    """ANA-07: a stop gain and a splice donor were planted, so what bcftools csq must say is known."""
    monkeypatch.setattr(annotation, "run_pipeline", in_process.run_pipeline)
    rng = np.random.default_rng(3)
    genome = make_genome(rng)
    family = make_family(genome, rng)
    planted = [v for v in (*family.mother.haplotypes[0], *family.father.haplotypes[0]) if v.note]
    planted.sort(key=lambda variant: variant.position)
    (tmp_path / "ref.fa").write_text(to_fasta(genome))
    (tmp_path / "genes.gff3").write_text(to_gff3(genome))
    lines = [f"{CONTIG}\t{v.position}\t.\t{v.ref}\t{v.alt}\t50\t.\t.\tGT:DP\t0/1:30" for v in planted]
    stop = next(v for v in planted if v.note == "stop gain")
    known = [f"{CONTIG}\t{stop.position}\t900001\t{stop.ref}\t{stop.alt}\t.\t.\tCLNSIG=Pathogenic\tGT\t."]
    length = len(genome.bases)
    annotate_variants(
        tmp_path / "ref.fa",
        write_vcf(tmp_path / "in.vcf.gz", lines, length),
        AnnotationSources(tmp_path / "genes.gff3", write_vcf(tmp_path / "known.vcf.gz", known, length)),
        names=SequenceNames({}, frozenset()),
        header=b"##strandlineGenes=made up, version 1\n",
        output=tmp_path / "out.vcf.gz",
    )
    calls = {call.position: call for call in read_calls(tmp_path / "out.vcf.gz")}
    worst = {variant.note: calls[variant.position].worst_consequence for variant in planted}
    assert {note: (effect.term, effect.gene) for note, effect in worst.items() if effect} == {
        "stop gain": ("stop_gained", "SYN1"),
        "splice donor": ("splice_donor", "SYN2"),
    }
    assert str(worst["stop gain"].protein_change).endswith("*")
    assert (calls[stop.position].clinvar_id, calls[stop.position].clinvar_significance) == ("900001", "Pathogenic")
    assert [call.clinvar_id for call in calls.values() if call.position != stop.position] == [None]
    assert read_sources(tmp_path / "out.vcf.gz") == {"Genes": "made up, version 1"}


def test_a_header_names_reference_submission_and_software():
    """ANA-09."""
    lines = header_lines(Provenance("slice/0c2b", "0.1.0"), [("strandlineCaller", "bcftools 1.23")])
    assert lines.decode().splitlines() == [
        "##strandlineVersion=0.1.0",
        "##strandlineReference=slice/0c2b",
        "##strandlineCaller=bcftools 1.23",
    ]


def test_programs_are_read_from_both_headers_each_once(tmp_path):
    bam = tmp_path / "a.bam"
    programs = [
        {"ID": "bwa", "PN": "bwa", "VN": "0.7.18"},
        {"ID": "samtools", "PN": "samtools", "VN": "1.21"},
        {"ID": "samtools.1", "PN": "samtools", "VN": "1.21"},
        {"ID": "unnamed"},
    ]
    with pysam.AlignmentFile(str(bam), "wb", header={"SQ": [{"SN": "c", "LN": 9}], "PG": programs}):
        pass
    vcf = tmp_path / "a.vcf"
    vcf.write_text(
        "##fileformat=VCFv4.3\n##bcftools_callVersion=1.21+htslib-1.21\n##bcftools_normVersion=1.21+htslib-1.21\n"
        "##strandlineReference=a/b=c\n##contig=<ID=c>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    )
    assert read_programs(aligned_by(bam), vcf) == ("bwa 0.7.18", "samtools 1.21", "bcftools 1.21")
    assert read_sources(vcf) == {"Reference": "a/b=c"}
