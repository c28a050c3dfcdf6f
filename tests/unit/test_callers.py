"""The callers that a lab may choose: command lines, versions, and what is said where one is not installed. ANA-02."""

import stat
from pathlib import Path

import pytest

from strandline.errors import RejectedInputError
from strandline.landing.manifest import Caller
from strandline.variants.callers import (
    CALL_GVCF,
    CALL_WHOLE,
    TRAITS,
    caller_version,
    check_installed,
    deepvariant,
    gatk,
    missing_tools,
    parabricks,
)
from strandline.variants.callers.freebayes import freebayes_command
from strandline.variants.callers.resources import Resources, resources_for
from strandline.variants.callers.whole_sample import WholeSample, carried_command

REFERENCE, CRAM, BED, OUT = Path("/r/ref.fa"), Path("/s/a.cram"), Path("/s/regions.bed"), Path("/s/called.vcf")


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A PATH with programs that print what they are told to and nothing else."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def add(name: str, printed: str) -> None:
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{printed}'\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    return add


def test_freebayes_is_asked_for_integer_qualities_and_single_changes():
    """`freebayes --help`, version 1.3.6: -f, --strict-vcf, -=, -E, -n, --limit-coverage, -t, -v."""
    assert freebayes_command(REFERENCE, CRAM, BED, OUT) == [
        *("freebayes", "--fasta-reference", "/r/ref.fa", "--strict-vcf", "--genotype-qualities"),
        *("--haplotype-length", "-1", "--use-best-n-alleles", "4", "--limit-coverage", "1000"),
        *("--targets", "/s/regions.bed", "--vcf", "/s/called.vcf", "/s/a.cram"),
    ]
    assert "--targets" not in freebayes_command(REFERENCE, CRAM, None, OUT)


@pytest.mark.parametrize(
    ("caller", "tool", "printed", "version"),
    [
        (Caller.FREEBAYES, "freebayes", "version:  v1.3.6", "freebayes 1.3.6"),
        (Caller.GATK, "gatk", "The Genome Analysis Toolkit (GATK) v4.6.2.0", "gatk 4.6.2.0"),
        (Caller.DEEPVARIANT, "run_deepvariant", "DeepVariant version 1.10.0", "deepvariant 1.10.0"),
        (Caller.PARABRICKS, "pbrun", "pbrun: 4.8.0-1", "parabricks 4.8.0-1"),
    ],
)
def test_a_caller_says_its_version(tools, caller, tool, printed, version):
    tools(tool, printed)
    assert caller_version(caller) == version


def test_bcftools_says_its_version():
    assert caller_version(Caller.BCFTOOLS).startswith("bcftools 1.")


def test_every_caller_is_known_and_can_be_called():
    assert set(TRAITS) == set(Caller)
    assert {caller for caller in Caller if TRAITS[caller].is_scattered} == set(CALL_GVCF)
    assert set(CALL_WHOLE) == set(Caller) - set(CALL_GVCF)


def test_bcftools_needs_no_program(tools):
    assert missing_tools(Caller.BCFTOOLS) == []
    check_installed(Caller.BCFTOOLS)


def test_a_caller_that_is_not_installed_is_refused_with_what_to_do(tools):
    with pytest.raises(RejectedInputError) as caught:
        check_installed(Caller.FREEBAYES)
    assert caught.value.code == "caller_not_installed"
    assert "freebayes is not on PATH" in caught.value.message
    assert "choose another caller" in caught.value.message


def test_a_caller_that_is_installed_is_taken(tools):
    tools("freebayes", "version:  v1.3.6")
    check_installed(Caller.FREEBAYES)


def whole(**changes) -> WholeSample:
    given = {
        "reference": REFERENCE,
        "cram": CRAM,
        "regions": BED,
        "known_sites": (Path("/r/dbsnp.vcf.gz"), Path("/r/known.vcf.gz")),
        "scratch": Path("/s"),
        "is_targeted": False,
        "threads": 8,
        "memory_mib": 32_768,
        "gpus": 4,
    }
    return WholeSample(**{**given, **changes})


HEAP = ("--java-options", "-Xmx24576m")  # three quarters of 32,768


def test_gatk_recalibrates_by_the_known_sites_of_the_bundle():
    """GATK 4.6 tool documentation: BaseRecalibrator and ApplyBQSR, required arguments and -L, --interval-padding."""
    assert gatk.recalibrate_commands(whole(), Path("/s/recalibrated.bam")) == [
        [
            *("gatk", *HEAP, "BaseRecalibrator", "-R", "/r/ref.fa", "-I", "/s/a.cram"),
            *("--known-sites", "/r/dbsnp.vcf.gz", "--known-sites", "/r/known.vcf.gz"),
            *("-L", "/s/regions.bed", "--interval-padding", "100", "-O", "/s/recalibration.table"),
        ],
        [
            *("gatk", *HEAP, "ApplyBQSR", "-R", "/r/ref.fa", "-I", "/s/a.cram"),
            *("--bqsr-recal-file", "/s/recalibration.table"),
            *("-L", "/s/regions.bed", "--interval-padding", "100", "-O", "/s/recalibrated.bam"),
        ],
    ]


def test_gatk_calls_haplotypes_into_a_gvcf_and_genotypes_it():
    """GATK 4.6 tool documentation: HaplotypeCaller "Single-sample GVCF calling", GenotypeGVCFs on one GVCF."""
    reads, tool_gvcf = Path("/s/recalibrated.bam"), Path("/s/g.vcf.gz")
    assert gatk.call_command(whole(regions=None), reads, tool_gvcf) == [
        *("gatk", *HEAP, "HaplotypeCaller", "-R", "/r/ref.fa", "-I", "/s/recalibrated.bam", "-ERC", "GVCF"),
        *("--native-pair-hmm-threads", "8", "-O", "/s/g.vcf.gz"),
    ]
    assert gatk.genotype_command(whole(), tool_gvcf, OUT) == [
        *("gatk", *HEAP, "GenotypeGVCFs", "-R", "/r/ref.fa", "-V", "/s/g.vcf.gz", "-L", "/s/regions.bed"),
        *("-O", "/s/called.vcf"),
    ]


def test_gatk_marks_by_the_thresholds_that_it_documents_and_drops_nothing():
    """GATK, "Hard-filtering germline short variants", section 2: the two tables of expressions and names."""
    snps, marked, others, marked_others, merged = gatk.filter_commands(whole(), OUT, Path("/s/all.vcf.gz"))
    assert snps == [
        *("gatk", *HEAP, "SelectVariants", "-V", "/s/called.vcf", "--select-type-to-include", "SNP"),
        *("-O", "/s/snps.vcf.gz"),
    ]
    assert others[len(snps) - 4 : -1] == ["--select-type-to-exclude", "SNP", "-O"]
    assert marked == [
        *("gatk", *HEAP, "VariantFiltration", "-V", "/s/snps.vcf.gz"),
        *("--filter-expression", "QD < 2.0", "--filter-name", "QD2"),
        *("--filter-expression", "QUAL < 30.0", "--filter-name", "QUAL30"),
        *("--filter-expression", "SOR > 3.0", "--filter-name", "SOR3"),
        *("--filter-expression", "FS > 60.0", "--filter-name", "FS60"),
        *("--filter-expression", "MQ < 40.0", "--filter-name", "MQ40"),
        *("--filter-expression", "MQRankSum < -12.5", "--filter-name", "MQRankSum-12.5"),
        *("--filter-expression", "ReadPosRankSum < -8.0", "--filter-name", "ReadPosRankSum-8"),
        *("-O", "/s/snps.filtered.vcf.gz"),
    ]
    assert marked_others == [
        *("gatk", *HEAP, "VariantFiltration", "-V", "/s/others.vcf.gz"),
        *("--filter-expression", "QD < 2.0", "--filter-name", "QD2"),
        *("--filter-expression", "QUAL < 30.0", "--filter-name", "QUAL30"),
        *("--filter-expression", "FS > 200.0", "--filter-name", "FS200"),
        *("--filter-expression", "ReadPosRankSum < -20.0", "--filter-name", "ReadPosRankSum-20"),
        *("-O", "/s/others.filtered.vcf.gz"),
    ]
    assert merged == [
        *("gatk", *HEAP, "MergeVcfs", "-I", "/s/snps.filtered.vcf.gz", "-I", "/s/others.filtered.vcf.gz"),
        *("-O", "/s/all.vcf.gz"),
    ]


@pytest.mark.parametrize(("is_targeted", "model"), [(False, "WGS"), (True, "WES")])
def test_deepvariant_is_given_the_model_of_the_assay(is_targeted, model):
    """`run_deepvariant --helpfull`, version 1.10: the flags of the quick start."""
    command = deepvariant.deepvariant_command(whole(is_targeted=is_targeted), Path("/s/v.vcf.gz"), Path("/s/g.vcf.gz"))
    assert command == [
        *("run_deepvariant", f"--model_type={model}", "--ref=/r/ref.fa", "--reads=/s/a.cram"),
        *("--output_vcf=/s/v.vcf.gz", "--output_gvcf=/s/g.vcf.gz", "--regions=/s/regions.bed"),
        *("--num_shards=8", "--intermediate_results_dir=/s/deepvariant", "--vcf_stats_report=false"),
    ]


def test_parabricks_runs_deepvariant_on_its_gpus():
    """Parabricks 4.8, tool reference, deepvariant: --ref, --in-bam, --gvcf, --out-variants, --num-gpus, --tmp-dir."""
    assert parabricks.parabricks_command(whole(regions=None), Path("/s/g.vcf.gz")) == [
        *("pbrun", "deepvariant", "--ref", "/r/ref.fa", "--in-bam", "/s/a.cram"),
        *("--gvcf", "--out-variants", "/s/g.vcf.gz", "--num-gpus", "4", "--tmp-dir", "/s"),
    ]
    targeted = parabricks.parabricks_command(whole(is_targeted=True), Path("/s/g.vcf.gz"))
    assert targeted[9:12] == ["--use-wes-model", "--interval-file", "/s/regions.bed"]


def test_variants_are_taken_out_of_a_gvcf_without_what_the_sample_lacks():
    assert carried_command(Path("/s/g.vcf.gz"), Path("/s/c.bcf"))[-8:] == [
        *("view", "--include", 'GT="alt"', "--trim-alt-alleles", "-Ob1", "-o", "/s/c.bcf", "/s/g.vcf.gz"),
    ]


GENOME = Resources(vcpus=32, memory_mib=122_880, gpus=0, scratch_gib=500)
GIB = 1 << 30


@pytest.mark.parametrize(
    ("most", "cram_bytes", "expected"),
    [
        (GENOME, 16 * GIB, Resources(32, 122_880, 0, 84)),  # 20 and four times the CRAM
        (GENOME, 2 * GIB, Resources(32, 122_880, 0, 28)),
        (GENOME, GIB, Resources(8, 30_720, 0, 24)),
        (Resources(2, 4_096, 0, 30), 1_000_000, Resources(1, 1_024, 0, 21)),
        (Resources(44, 172_032, 4, 500), GIB, Resources(44, 172_032, 4, 24)),  # a GPU machine is given whole
    ],
)
def test_a_small_sample_is_given_a_quarter_of_what_a_genome_is(most, cram_bytes, expected):
    assert resources_for(most, cram_bytes, scratch_factor=4) == expected


def test_a_sample_whose_scratch_the_machines_lack_is_refused_before_it_fills_them():
    with pytest.raises(RejectedInputError, match=r"^scratch_too_small: the caller needs 620 GiB"):
        resources_for(GENOME, 100 * GIB, scratch_factor=6)
