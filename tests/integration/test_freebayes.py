"""freebayes on real reads, where it is installed: what it calls in parts, how deep its blocks are, and how right it is.

HG002 at thirty-fold depth over 100 kb of chromosome 20, against GIAB v4.2.1. Requirements: ANA-02, ANA-04, ANA-10.
"""

import shutil
from pathlib import Path

import pysam
import pytest

from strandline.landing.manifest import Caller
from strandline.landing.regions import Region
from strandline.reads.alignment import align_reads, choose_aligner
from strandline.reads.coverage import write_bed
from strandline.reads.lanes import Lane, ReadGroup
from strandline.reads.reference_bundle import ReferenceRole, make_bundle
from strandline.variants.callers import CALL_GVCF
from strandline.variants.calling import call_variants, gather_calls
from strandline.variants.comparison import compare_calls
from strandline.variants.scattering import widen

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "hg002_hg19"
SLICE = DATA / "slice"
PARTS = ((5_000, 30_000), (30_000, 70_007), (70_007, 105_000))  # 0-based, half-open; the middle edge in a deletion
call = CALL_GVCF[Caller.FREEBAYES]

pytestmark = [
    pytest.mark.skipif(shutil.which("freebayes") is None, reason="freebayes is not installed"),
    pytest.mark.skipif(not SLICE.is_dir(), reason="the real reads are not here"),
]


@pytest.fixture(scope="module")
def aligned(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("hg002")
    bundle = make_bundle(SLICE / "reference.fa.gz", folder)
    fasta, cram = folder / "reference.fa", folder / "a.cram"
    lane = Lane(ReadGroup("HG002", "ILLUMINA", "lib1", None, None), (DATA / "HG002_R1.fq.gz", DATA / "HG002_R2.fq.gz"))
    aligner = choose_aligner({file.role for file in bundle.files})
    assert aligner.index is ReferenceRole.BWA_INDEX
    align_reads(fasta, [lane], cram, aligner=aligner, threads=2)
    return fasta, cram


@pytest.fixture(scope="module")
def whole(aligned, tmp_path_factory) -> tuple[Path, Path]:
    fasta, cram = aligned
    folder = tmp_path_factory.mktemp("whole")
    gvcf, vcf = folder / "c.g.vcf.gz", folder / "c.vcf.gz"
    call_variants(fasta, cram, SLICE / "sequenced.bed", header=b"##made=up\n", gvcf=gvcf, vcf=vcf, call=call)
    return gvcf, vcf


def lines(vcf: Path) -> list[str]:
    with pysam.VariantFile(str(vcf)) as records:
        return [str(record) for record in records]


def depths(gvcf: Path) -> dict[int, int]:
    """The depth that blocks give each base; a base that two blocks give one is an error."""
    depth: dict[int, int] = {}
    with pysam.VariantFile(str(gvcf)) as records:
        for record in (one for one in records if one.alts is None):
            for at in range(record.start, record.stop):
                assert at not in depth
                depth[at] = record.info["MIN_DP"]
    return depth


def test_parts_say_together_what_one_call_says(aligned, whole, tmp_path):
    fasta, cram = aligned
    sequenced = [Region("chr20", 5_000, 105_000)]
    gvcfs = []
    for number, (start0, end0) in enumerate(PARTS):
        keep = [Region("chr20", start0, end0)]
        bed, gvcf = tmp_path / f"{number}.bed", tmp_path / f"{number}.g.vcf.gz"
        write_bed(widen(keep, {"chr20": 1_100_000}, sequenced), bed)
        call(fasta, cram, bed, header=b"", gvcf=gvcf, keep=keep)
        gvcfs.append(gvcf)
    gather_calls(fasta, gvcfs, gvcf=tmp_path / "all.g.vcf.gz", vcf=tmp_path / "all.vcf.gz")
    assert lines(tmp_path / "all.vcf.gz") == lines(whole[1]) != []
    assert depths(tmp_path / "all.g.vcf.gz") == depths(whole[0])


def test_every_call_has_what_later_steps_read(whole):
    with pysam.VariantFile(str(whole[0])) as records:
        for record in (one for one in records if one.alts is not None):
            sample = record.samples[0]
            assert any(sample["GT"])
            assert sample["DP"] >= sum(sample["AD"]) - 1  # a read may show neither allele
            assert isinstance(sample["GQ"], int)
            assert min(sample["PL"]) == 0
            assert record.qual is not None


def test_no_block_says_that_bases_were_hardly_read_which_were(aligned, whole):
    """A block's depth is held against samtools' own: of 100 kb at thirty-fold depth 9 bases have under five reads."""
    fasta, cram = aligned
    depth = pysam.depth("-a", "-Q", "1", "-q", "13", "-r", "chr20:5001-105000", "--reference", str(fasta), str(cram))
    really = {int(line.split("\t")[1]): int(line.split("\t")[2]) for line in depth.splitlines()}
    said_low = []
    with pysam.VariantFile(str(whole[0])) as records:
        for record in records:
            if record.alts is None and record.info["MIN_DP"] < 5:
                said_low += range(record.start + 1, record.stop + 1)
    wrongly = [position for position in said_low if really[position] >= 15]
    assert len(really) == 100_000
    assert len(wrongly) < 100  # the least of a block that reaches into a gap: 0.1% of the bases


def test_calls_are_as_right_as_freebayes_is(aligned, whole):
    """Measured once with version 1.3.6: F1 0.978 of SNVs, 0.936 of indels; there are 207 and 31."""
    scores = compare_calls(
        whole[1], SLICE / "truth.vcf.gz", aligned[0], [SLICE / "confident.bed", SLICE / "sequenced.bed"]
    )
    assert scores.snv.f1 >= 0.97
    assert scores.indel.f1 >= 0.93
    assert scores.snv.genotype_concordance >= 0.99
