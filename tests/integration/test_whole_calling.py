"""What becomes of the output of callers that take a sample as a whole: real gVCFs of GATK, and tools that stand in.

The stand-ins write what the tools are documented to write; they say nothing of how right a caller is.
Requirements: ANA-02, ANA-10.
"""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pysam
import pytest

from strandline.landing.manifest import AnalysisChoice, Caller
from strandline.variants.callers import CALL_WHOLE
from strandline.variants.callers.resources import Resources
from strandline.variants.callers.whole_sample import WholeSample, write_from_own_gvcf
from strandline.variants.calling import finish_calls
from tests.integration.conftest import READS, Aws, Handler, manifest_of

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "gvcf_trio_hg38"
GIVEN = {"vcpus": 32, "memory_mib": 122_880, "gpus": 0, "scratch_gib": 500}
GVCF = """##fileformat=VCFv4.2
##contig=<ID=c,length=60>
##FILTER=<ID=PASS,Description="x">
##INFO=<ID=END,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=MIN_DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1
c\t1\t.\tA\t<*>\t0\t.\tEND=10\tGT:GQ:MIN_DP:PL\t0/0:50:30:0,90,899
c\t11\t.\tG\tT,<*>\t40.1\tPASS\t.\tGT:GQ:DP:AD:PL\t0/1:40:31:15,16,0:40,0,50,990,990,990
c\t12\t.\tT\tC,<*>\t0.1\tPASS\t.\tGT:GQ:DP:AD:PL\t0/0:30:28:26,2,0:0,30,60,990,990,990
c\t13\t.\tA\t<*>\t0\t.\tEND=60\tGT:GQ:MIN_DP:PL\t0/0:50:12:0,36,360
"""


@pytest.fixture
def sample(tmp_path) -> WholeSample:
    fasta = tmp_path / "r.fa"
    fasta.write_text(">c\n" + "ACGTACGTACGTACGTACGT" * 3 + "\n")
    pysam.faidx(str(fasta))
    return WholeSample(
        reference=fasta,
        cram=tmp_path / "a.cram",
        regions=None,
        known_sites=(),
        scratch=tmp_path,
        is_targeted=False,
        threads=2,
        memory_mib=2_048,
        gpus=1,
    )


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Programs on PATH that copy a gVCF to where they are told to write theirs, and note how they were called."""
    folder, called, written = tmp_path / "bin", tmp_path / "calls.txt", tmp_path / "tool.g.vcf"
    folder.mkdir()
    written.write_text(GVCF)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def add(name: str, script: str) -> Path:
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "$*" >> {called}\nSOURCE={written}\n{script}')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return called

    return add


def lines(vcf: Path) -> list[str]:
    with pysam.VariantFile(str(vcf)) as records:
        return [" ".join(str(record).split()[:5] + str(record).split()[-2:]) for record in records]


EXPECTED = [
    "c 1 . A . GT:DP 0/0:30",
    "c 11 . G T GT:GQ:DP:AD:PL 0/1:40:31:15,16:40,0,50",
    "c 12 . T . GT:DP 0/0:28",
    "c 13 . A . GT:DP 0/0:12",
]


@pytest.mark.parametrize(
    ("caller", "tool", "script"),
    [
        (
            Caller.DEEPVARIANT,
            "run_deepvariant",
            'for one in "$@"; do case $one in --output_gvcf=*) cp $SOURCE ${one#*=};; esac; done\n',
        ),
        (
            Caller.PARABRICKS,
            "pbrun",
            'while [ $# -gt 0 ]; do [ "$1" = --out-variants ] && cp $SOURCE $2; shift; done; true\n',
        ),
    ],
)
def test_a_gvcf_of_deepvariants_kind_gets_the_shape_of_all_calls(sample, tools, tmp_path, caller, tool, script):
    """The allele that stands for all unseen goes, with its depths; a site that is not carried is a block."""
    called = tools(tool, script)
    gvcf, vcf, tool_gvcf = (tmp_path / name for name in ("calls.g.vcf.gz", "calls.vcf.gz", "own.g.vcf.gz"))
    CALL_WHOLE[caller](sample, header=b"##strandlineCaller=made up\n", gvcf=gvcf, tool_gvcf=tool_gvcf)
    finish_calls(sample.reference, gvcf, vcf)
    assert lines(gvcf) == EXPECTED
    assert lines(vcf) == EXPECTED[1:2]
    assert tool_gvcf.read_text() == GVCF
    assert len(called.read_text().splitlines()) == 1


GATK = """
tool=$3
while [ $# -gt 0 ]; do [ "$1" = -O ] && out=$2; shift; done
case $tool in
  HaplotypeCaller) sed 's/<\\*>/<NON_REF>/g' $SOURCE > $out ;;
  GenotypeGVCFs) grep -v '<\\*>$' $SOURCE | awk 'BEGIN{OFS="\\t"} /^#/ {print} !/^#/ && $10 ~ /^0\\/1/ \
    {$5="T"; $9="GT:GQ:DP:AD:PL"; $10="0/1:40:31:15,16:40,0,50"; print}' > $out ;;
  MergeVcfs) sed 's/PASS/QD2/; s/##FILTER=<ID=QD2/##FILTER=<ID=PASS/' "$(dirname $out)/gatk.genotyped.vcf.gz" |
    sed 's/^##INFO/##FILTER=<ID=QD2,Description="x">\\n##INFO/' > $out ;;
esac
"""


def test_gatks_calls_keep_the_reasons_of_its_filters_and_its_blocks(sample, tools, tmp_path):
    called = tools("gatk", GATK)
    gvcf = tmp_path / "calls.g.vcf.gz"
    CALL_WHOLE[Caller.GATK](sample, header=b"", gvcf=gvcf, tool_gvcf=tmp_path / "own.g.vcf.gz")
    assert lines(gvcf) == EXPECTED
    with pysam.VariantFile(str(gvcf)) as records:
        assert [list(record.filter) for record in records if record.alts] == [["QD2"]]
    steps = [line.split()[2] for line in called.read_text().splitlines()]
    filters = ["SelectVariants", "VariantFiltration", "SelectVariants", "VariantFiltration", "MergeVcfs"]
    assert steps == ["HaplotypeCaller", "GenotypeGVCFs", *filters]


@pytest.mark.skipif(not DATA.is_dir(), reason="the real gVCFs are not here")
@pytest.mark.parametrize("name", ["NA24143", "NA24149", "NA24385"])
def test_a_real_gvcf_of_gatk_keeps_every_base_and_every_carried_allele(sample, tmp_path, name):
    """What GATK said of each base is said still: its least depth in a block, or a call."""
    source = DATA / f"{name}.g.vcf.gz"
    with pysam.VariantFile(str(source)) as records:
        (length,) = {contig.length for contig in records.header.contigs.values() if contig.name == "chr21"}
        told, carried = {}, []
        for record in records:
            genotype = record.samples[0]
            if any(genotype["GT"]):
                carried.append((record.pos, {record.alleles[number] for number in genotype["GT"] if number}))
            elif set(record.alts) == {"<NON_REF>"}:
                told |= dict.fromkeys(range(record.start, record.stop), genotype.get("MIN_DP", genotype["DP"]))
    fasta = tmp_path / "chr21.fa"
    fasta.write_text(">chr21\n" + "N" * length + "\n")
    pysam.faidx(str(fasta))
    gvcf = tmp_path / "shaped.g.vcf.gz"
    shaped = WholeSample(
        **{
            field: getattr(sample, field)
            for field in ("cram", "regions", "known_sites", "is_targeted", "threads", "memory_mib", "gpus", "scratch")
        },
        reference=fasta,
    )
    write_from_own_gvcf(shaped, source, header=b"", gvcf=gvcf)
    said, called, by_call = {}, [], set()
    with pysam.VariantFile(str(gvcf)) as records:
        for record in records:
            if record.alts is None:
                said |= dict.fromkeys(range(record.start, record.stop), record.info["MIN_DP"])
            else:
                called.append((record.pos, set(record.alts)))
                by_call |= set(range(record.start, record.start + record.rlen))
                assert min(record.samples[0]["PL"]) == 0
    assert called == carried != []
    assert {at: said[at] for at in told if at not in by_call} == {at: told[at] for at in told if at not in by_call}
    assert len(by_call) < 0.01 * len(told)


@pytest.fixture
def plan(aws: Aws, handler, monkeypatch) -> Handler:
    monkeypatch.setenv("CALLING_PART_BYTES", "1000")
    monkeypatch.setenv("CALLING_SIDE_BY_SIDE", "1")
    monkeypatch.setenv("JOBS_RUN_IN_IMAGES", "true")
    given = {caller.value: GIVEN for caller in CALL_WHOLE}
    monkeypatch.setenv("WHOLE_CALL_RESOURCES", json.dumps(given))
    return handler("plan_calling")


@pytest.mark.parametrize("caller", sorted(CALL_WHOLE))
def test_the_plan_of_a_sample_that_is_called_as_a_whole_says_what_its_job_is_given(aws: Aws, plan, caller):
    aws.submit("s-1", READS, manifest_of(READS, analysis=AnalysisChoice(caller=caller)))
    aws.bucket("analysis").write("submissions/s-1/aligned.cram", b"x" * 1_000)
    expected: dict[str, Any] = {"vcpus": "8", "memory_mib": "30720", "more_memory_mib": "61440"}
    assert plan({"submission_id": "s-1"}) == {
        "caller": caller.value,
        "part_count": 1,
        "parts": [1],
        "machine": expected,
    }
    assert Resources(**GIVEN).more_memory_mib == 245_760
