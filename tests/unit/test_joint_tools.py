"""Tools that genotype a cohort as a whole: which one, its command line, its machine, and what becomes of its VCF.

Requirements: ANA-02, ANA-03, ANA-08, ANA-10.
"""

import gzip
import stat
from pathlib import Path

import pysam
import pytest

from strandline.errors import RejectedInputError
from strandline.landing.manifest import Caller, Sex
from strandline.landing.regions import Region
from strandline.reads.reference_bundle import INDEX_BY_SOURCE, BundleSources, ReferenceRole, make_bundle
from strandline.variants.callers import joint_gatk, joint_glnexus
from strandline.variants.callers.resources import Resources, resources_for_cohort
from strandline.variants.callers.whole_cohort import WholeCohort, write_targets
from strandline.variants.joint_choice import (
    JOINT_BY_CALLER,
    JointCaller,
    check_joint_installed,
    choose_joint,
    joint_version,
)
from strandline.variants.joint_genotypes import CallStatus
from strandline.variants.joint_output import format_site, is_counted
from strandline.variants.joint_tool_sites import GenotypedCohort, filter_lines, read_genotyped
from strandline.variants.joint_trios import Confidence, Genome, Trio

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "gvcf_trio_hg38"
HEAP = ("--java-options", "-Xmx24576m")  # three quarters of 32,768
HUMAN = {f"chr{number}": 150_000_000 for number in range(1, 23)}
TRAINING = {
    role: Path(f"/r/{role.lower()}.vcf.gz") for role in ("HAPMAP", "OMNI", "THOUSAND_GENOMES", "MILLS", "DBSNP")
}


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A PATH with programs that do what they are told to and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def add(name: str, script: str) -> None:
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    return add


def cohort(count: int = 2, **changes) -> WholeCohort:
    given = {
        "reference": Path("/r/ref.fa"),
        "contigs": HUMAN,
        "gvcf_by_sample": {f"S{number}": Path(f"/s/{number}/tool.g.vcf.gz") for number in range(1, count + 1)},
        "regions": None,
        "assay": "WGS",
        "training": TRAINING,
        "scratch": Path("/s"),
        "threads": 4,
        "memory_mib": 32_768,
    }
    return WholeCohort(**{**given, **changes})


EXOME = {"regions": (Region("chr1", 99, 200),), "assay": "WES"}


def test_every_caller_has_a_way_of_genotyping_and_reads_belong_to_those_that_this_platform_shaped():
    assert set(JOINT_BY_CALLER) == set(Caller)
    ways = {caller: choose_joint({"A": caller, "B": caller}) for caller in Caller}
    assert {caller for caller, way in ways.items() if way is JointCaller.READS} == {Caller.BCFTOOLS, Caller.FREEBAYES}
    assert (ways[Caller.GATK], ways[Caller.DEEPVARIANT]) == (JointCaller.GATK, JointCaller.GLNEXUS)


@pytest.mark.parametrize("others", [(Caller.DEEPVARIANT,), (Caller.GATK, Caller.BCFTOOLS)])
def test_samples_of_different_callers_are_no_cohort(others):
    callers = {"KID": Caller.GATK, **{f"P{number}": one for number, one in enumerate(others)}}
    with pytest.raises(
        RejectedInputError, match=r"^members_of_different_callers: KID was called with gatk and P\d with"
    ):
        choose_joint(callers)


def test_a_cohort_whose_tool_is_not_here_is_refused_with_what_to_do(tools):
    check_joint_installed(JointCaller.READS)
    with pytest.raises(RejectedInputError, match=r"^joint_caller_not_installed: .*glnexus_cli is not on PATH"):
        check_joint_installed(JointCaller.GLNEXUS)
    tools("glnexus_cli", "true")
    check_joint_installed(JointCaller.GLNEXUS)


@pytest.mark.parametrize(
    ("joint", "tool", "script", "version"),
    [
        (JointCaller.GATK, "gatk", "echo 'The Genome Analysis Toolkit (GATK) v4.6.2.0'", "gatk 4.6.2.0"),
        (
            JointCaller.GLNEXUS,
            "glnexus_cli",
            "echo '[1] [2026-11-22] [GLnexus] [info] glnexus_cli release v1.4.1-0-g68e25e5 Aug 13 2021' >&2; exit 1",
            "glnexus 1.4.1",
        ),
    ],
)
def test_a_tool_says_its_version(tools, joint, tool, script, version):
    tools(tool, script)
    assert joint_version(joint) == version


def test_gatk_imports_whole_contigs_and_genotypes_them():
    """GATK 4.6 tool documentation, GenomicsDBImport and GenotypeGVCFs: the examples with a sample map and `gendb://`."""
    database = Path("/s/genomicsdb")
    assert joint_gatk.import_command(cohort(), Path("/s/samples.map"), database) == [
        *("gatk", *HEAP, "GenomicsDBImport", "--genomicsdb-workspace-path", "/s/genomicsdb"),
        *("--sample-name-map", "/s/samples.map", "-L", "/s/genotyped.bed", "--batch-size", "50"),
        *("--reader-threads", "4", "--tmp-dir", "/s"),
    ]
    assert joint_gatk.genotype_command(cohort(), database, Path("/s/out.vcf.gz")) == [
        *("gatk", *HEAP, "GenotypeGVCFs", "-R", "/r/ref.fa", "-V", "gendb:///s/genomicsdb", "-L", "/s/genotyped.bed"),
        *("-O", "/s/out.vcf.gz", "--tmp-dir", "/s"),
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (EXOME, ["--merge-input-intervals"]),
        ({"contigs": {f"c{n}": 10_000_000 for n in range(101)}}, ["--merge-contigs-into-num-partitions", "25"]),
        ({"contigs": {f"c{n}": 10_000_000 for n in range(100)}}, []),
    ],
)
def test_many_intervals_are_imported_together(changes, expected):
    """GenomicsDBImport: `--merge-input-intervals` for exomes, `--merge-contigs-into-num-partitions` for contigs."""
    command = joint_gatk.import_command(cohort(**changes), Path("m"), Path("d"))
    after = command.index("-L") + 2
    assert command[after : command.index("--batch-size")] == expected


@pytest.mark.parametrize(
    ("count", "changes", "why"),
    [
        (2, {}, ""),
        (30, EXOME, ""),
        (29, EXOME, "29 exomes, and it takes 30"),
        (29, {"assay": "WGS", "regions": EXOME["regions"]}, "29 exomes, and it takes 30"),
        (200, {"assay": "PANEL"}, "a panel or a slice of a genome has too few variants"),
        (200, {"contigs": {"chr20": 64_000_000}}, "a panel or a slice of a genome has too few variants"),
        (9, {"training": {"DBSNP": Path("d")}}, "the reference bundle has no HAPMAP, OMNI, THOUSAND_GENOMES, MILLS"),
    ],
)
def test_a_model_is_learnt_where_gatk_says_that_samples_suffice(count, changes, why):
    """GATK, "Hard-filtering germline short variants": VQSR takes 30 exomes, or more than one whole genome."""
    assert joint_gatk.why_no_model(cohort(count, **changes)) == why


def test_a_model_is_learnt_and_applied_as_gatk_says_for_indels_and_then_for_snps():
    """GATK, "(How to) Filter variants either with VQSR or by hard-filtering", section 1, without its Axiom resource."""
    sites, indels, snps, mark_indels, mark_snps = joint_gatk.model_commands(
        cohort(), Path("/s/g.vcf.gz"), Path("/s/f.vcf.gz")
    )
    assert sites == ["gatk", *HEAP, "MakeSitesOnlyVcf", "-I", "/s/g.vcf.gz", "-O", "/s/sites.vcf.gz"]
    tranches = (
        "100.0",
        "99.95",
        "99.9",
        "99.5",
        "99.0",
        "97.0",
        "96.0",
        "95.0",
        "94.0",
        "93.5",
        "93.0",
        "92.0",
        "91.0",
        "90.0",
    )
    assert indels == [
        *("gatk", *HEAP, "VariantRecalibrator", "-V", "/s/sites.vcf.gz", "--trust-all-polymorphic"),
        *(part for tranche in tranches for part in ("-tranche", tranche)),
        *("-an", "FS", "-an", "ReadPosRankSum", "-an", "MQRankSum", "-an", "QD", "-an", "SOR", "-an", "DP"),
        *("-mode", "INDEL", "--max-gaussians", "4"),
        *("-resource:mills,known=false,training=true,truth=true,prior=12", "/r/mills.vcf.gz"),
        *("-resource:dbsnp,known=true,training=false,truth=false,prior=2", "/r/dbsnp.vcf.gz"),
        *("-O", "/s/indels.recal", "--tranches-file", "/s/indels.tranches"),
    ]
    tranches = ("100.0", "99.95", "99.9", "99.8", "99.6", "99.5", "99.4", "99.3", "99.0", "98.0", "97.0", "90.0")
    assert snps == [
        *("gatk", *HEAP, "VariantRecalibrator", "-V", "/s/sites.vcf.gz", "--trust-all-polymorphic"),
        *(part for tranche in tranches for part in ("-tranche", tranche)),
        *(
            "-an",
            "QD",
            "-an",
            "MQRankSum",
            "-an",
            "ReadPosRankSum",
            "-an",
            "FS",
            "-an",
            "MQ",
            "-an",
            "SOR",
            "-an",
            "DP",
        ),
        *("-mode", "SNP", "--max-gaussians", "6"),
        *("-resource:hapmap,known=false,training=true,truth=true,prior=15", "/r/hapmap.vcf.gz"),
        *("-resource:omni,known=false,training=true,truth=true,prior=12", "/r/omni.vcf.gz"),
        *("-resource:1000G,known=false,training=true,truth=false,prior=10", "/r/thousand_genomes.vcf.gz"),
        *("-resource:dbsnp,known=true,training=false,truth=false,prior=7", "/r/dbsnp.vcf.gz"),
        *("-O", "/s/snps.recal", "--tranches-file", "/s/snps.tranches"),
    ]
    level = ("--truth-sensitivity-filter-level", "99.7", "--create-output-variant-index", "true")
    assert mark_indels == [
        *("gatk", *HEAP, "ApplyVQSR", "-V", "/s/g.vcf.gz", "--recal-file", "/s/indels.recal"),
        *("--tranches-file", "/s/indels.tranches", *level, "-mode", "INDEL", "-O", "/s/indels.filtered.vcf.gz"),
    ]
    assert mark_snps == [
        *("gatk", *HEAP, "ApplyVQSR", "-V", "/s/indels.filtered.vcf.gz", "--recal-file", "/s/snps.recal"),
        *("--tranches-file", "/s/snps.tranches", *level, "-mode", "SNP", "-O", "/s/f.vcf.gz"),
    ]


def test_what_a_model_learns_from_can_be_put_into_a_bundle(tmp_path):
    fasta, vcf = tmp_path / "r.fa", tmp_path / "sites.vcf"
    fasta.write_text(f">c\n{'ACGT' * 20}\n")
    vcf.write_text("##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nc\t2\trs1\tC\tT\t.\t.\t.\n")
    sources = BundleSources(dbsnp=vcf, hapmap=vcf, omni=vcf, thousand_genomes=vcf, mills=vcf)
    bundle = make_bundle(fasta, tmp_path / "bundle", annotations=sources)
    for role in map(ReferenceRole, joint_gatk.TRAINING_ROLES):
        assert [file.role for file in bundle.files_of(role, INDEX_BY_SOURCE[role])] == [role, INDEX_BY_SOURCE[role]]


def test_depth_teaches_nothing_of_an_exome():
    for command in joint_gatk.model_commands(cohort(30, **EXOME), Path("/s/g"), Path("/s/f"))[1:3]:
        assert "DP" not in command


GATK = """
tool=$3
echo $tool >> {folder}/tools.txt
while [ $# -gt 0 ]; do [ "$1" = -O ] && out=$2; shift; done
[ -n "$out" ] && echo $tool > $out
true
"""


@pytest.mark.parametrize(
    ("changes", "marked", "steps"),
    [
        ({}, "by VQSR", ["MakeSitesOnlyVcf", *["VariantRecalibrator"] * 2, *["ApplyVQSR"] * 2]),
        (
            EXOME,
            "by GATK's hard filters, not VQSR: 2 exomes, and it takes 30",
            ["SelectVariants", "VariantFiltration", "SelectVariants", "VariantFiltration", "MergeVcfs"],
        ),
    ],
)
def test_gatk_runs_its_tools_in_order_and_says_what_marked_the_sites(tools, tmp_path, changes, marked, steps):
    tools("gatk", GATK.format(folder=tmp_path))
    given = cohort(**changes, scratch=tmp_path)
    filtered, words = joint_gatk.genotype_cohort(given)
    assert (tmp_path / "tools.txt").read_text().split() == ["GenomicsDBImport", "GenotypeGVCFs", *steps]
    assert filtered.read_text().strip() == steps[-1]
    assert words == marked
    assert (tmp_path / "samples.map").read_text() == "S1\t/s/1/tool.g.vcf.gz\nS2\t/s/2/tool.g.vcf.gz\n"
    assert given.targets.read_text().splitlines()[0] == ("chr1\t99\t200" if changes else "chr1\t0\t150000000")


@pytest.mark.parametrize(("changes", "preset"), [({}, "DeepVariantWGS"), (EXOME, "DeepVariantWES")])
def test_glnexus_is_given_the_preset_of_the_assay_and_its_share_of_the_machine(changes, preset):
    """`glnexus_cli --help`, version 1.4.1; DeepVariant 1.10, "Best practices for multi-sample variant calling"."""
    bed = ["--bed", "/s/genotyped.bed"] if changes else []
    assert joint_glnexus.glnexus_command(cohort(**changes, threads=16, memory_mib=61_440)) == [
        *("glnexus_cli", "--config", preset, *bed, "--more-PL", "--trim-uncalled-alleles"),
        *("--dir", "/s/GLnexus.DB", "--threads", "16", "--mem-gbytes", "45"),  # three quarters of 60 GiB
        *("/s/1/tool.g.vcf.gz", "/s/2/tool.g.vcf.gz"),
    ]


def test_targets_are_every_contig_where_nothing_was_left_out(tmp_path):
    assert write_targets(cohort(contigs={"a": 5, "b": 7}, scratch=tmp_path)).read_text() == "a\t0\t5\nb\t0\t7\n"


MOST = Resources(vcpus=16, memory_mib=61_440, gpus=0, scratch_gib=500)


def test_a_cohorts_machine_follows_from_the_size_of_its_gvcfs():
    gib = 1 << 30
    assert resources_for_cohort(MOST, 4 * gib, scratch_factor=5) == Resources(16, 61_440, 0, 40)  # 20, and five times 4
    assert resources_for_cohort(MOST, gib, scratch_factor=5) == Resources(4, 15_360, 0, 25)
    with pytest.raises(RejectedInputError, match=r"^scratch_too_small: joint genotyping needs 520 GiB .*fewer samples"):
        resources_for_cohort(MOST, 100 * gib, scratch_factor=5)


BASES = "ACGTTTTTACGTACGTACGT"
JOINT = """##fileformat=VCFv4.2
##contig=<ID=c,length=20>
##FILTER=<ID=MONOALLELIC,Description="Site represents one ALT allele">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">
##FORMAT=<ID=RNC,Number=2,Type=Character,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tMUM\tDAD\tKID
"""
CELLS = "GT:DP:AD:GQ:PL:RNC"
ABSENT = "0/0:30:30,0:50:0,90,900:.."
HET = "0/1:31:15,16:48:50,0,60:.."


@pytest.fixture
def judged(tmp_path):
    """Judge records of a made-up family in the columns MUM, DAD, KID, as the tool names them."""
    fasta = tmp_path / "r.fa"
    fasta.write_text(f">c\n{BASES}\n>X\n{BASES}\n")
    pysam.faidx(str(fasta))

    def judge(*records: str, contig: str = "c", callable_end0: int = 20, regions=None) -> list:
        vcf = tmp_path / "joint.vcf"
        vcf.write_text(JOINT.replace("ID=c", f"ID={contig}") + "".join(f"{contig}\t{one}\n" for one in records))
        lengths = {"c": 20, "X": 20}
        family = GenotypedCohort(
            sample_ids=["DAD", "KID", "MUM"],
            sexes=[Sex.MALE, Sex.MALE, Sex.FEMALE],
            trios=[Trio(child=1, father=0, mother=2, sex=Sex.MALE)],
            genome=Genome(lengths, None),
            callable_regions=[[Region(contig, 0, callable_end0)]] * 3,
            regions=[regions, None, None],
        )
        return list(read_genotyped(fasta, vcf, family, lengths))

    return judge


def test_each_allele_of_a_site_is_a_record_whose_genotypes_count_its_copies(judged):
    """PL of a site with two alternatives: 00, 01, 11, 02, 12, 22 (VCF 4.3, section 1.6.2)."""
    mum = "1/2:30:2,14,14:40:400,200,210,220,0,230:.."
    dad = "0/0:30:30,0,0:50:0,90,900,90,900,900:.."
    kid = "0/1:30:15,15,0:45:45,0,300,100,310,400:.."
    first, second = judged(f"2\t.\tC\tA,T\t60\tPASS\t.\t{CELLS}\t{mum}\t{dad}\t{kid}")
    assert [(site.candidate.ref, site.candidate.alt) for site in (first, second)] == [("C", "A"), ("C", "T")]
    assert [call.copies for call in first.calls] == [0, 1, 1]  # in the order of the sample ids
    assert [call.copies for call in second.calls] == [0, 0, 1]
    # MUM of the first: none of it is the best of 00, 02, 22; one of 01, 12; two is 11
    assert first.calls[2].evidence.likelihoods == (220, 0, 210)
    assert (first.calls[2].evidence.ref_depth, first.calls[2].evidence.alt_depth) == (16, 14)
    assert [column.split(":")[0] for column in format_site(first).split("\t")[9:]] == ["0/0", "0/1", "0/1"]


def test_an_indel_gets_its_normal_form_and_what_nobody_has_is_left_out(judged):
    """Bases 3 to 8 are GTTTTT: the deletion of the last T is that of the first."""
    (site,) = judged(
        f"7\t.\tTT\tT,*\t60\tPASS\t.\t{CELLS}\t0/1:31:15,16,0:48:50,0,60,90,90,90:..\t{ABSENT}\t{ABSENT}",
        f"12\t.\tT\tG\t60\tPASS\t.\t{CELLS}\t{ABSENT}\t{ABSENT}\t{ABSENT}",
    )
    assert (site.candidate.start0 + 1, site.candidate.ref, site.candidate.alt) == (3, "GT", "G")


def test_the_marks_of_a_tool_stay_and_keep_an_allele_from_being_counted(judged):
    clean, marked = judged(
        f"2\t.\tC\tA\t60\tPASS\t.\t{CELLS}\t{HET}\t{ABSENT}\t{HET}",
        f"3\t.\tG\tA\t60\tMONOALLELIC\t.\t{CELLS}\t{HET}\t{ABSENT}\t{HET}",
    )
    assert [format_site(site).split("\t")[6] for site in (clean, marked)] == ["PASS", "MONOALLELIC"]
    trio = Trio(1, 0, 2, Sex.MALE)
    assert (is_counted(clean, trio), is_counted(marked, trio)) == (True, False)


def test_a_de_novo_is_sure_where_the_likelihoods_of_both_parents_are(judged):
    (site,) = judged(f"2\t.\tC\tA\t60\tPASS\t.\t{CELLS}\t{ABSENT}\t{ABSENT}\t0/1:31:15,16:99:300,0,300:..")
    assert site.violations == (Trio(1, 0, 2, Sex.MALE),)
    assert [one.confidence for one in site.de_novos] == [Confidence.HIGH]
    (doubted,) = judged(f"2\t.\tC\tA\t60\tMONOALLELIC\t.\t{CELLS}\t{ABSENT}\t{ABSENT}\t0/1:31:15,16:99:300,0,300:..")
    assert [one.confidence for one in doubted.de_novos] == [Confidence.LOW]


def test_what_a_tool_does_not_know_is_not_said(judged):
    expected = {
        "./.:0:0,0:.:0,0,0:MM": (CallStatus.NOT_CALLABLE, None),
        ".:.:.:.:.:..": (CallStatus.NOT_CALLABLE, None),
        "./1:9:4,5:12:30,0,40:-.": (CallStatus.LOW_QUALITY, 1),
        "0/1:4:2,2:48:50,0,60:..": (CallStatus.LOW_DEPTH, 1),
        "0/1:31:15,16:19:19,0,60:..": (CallStatus.LOW_QUALITY, 1),
        "1/1:31:0,31:60:600,90,0:..": (CallStatus.PASSED, 2),
        "0/1:31:15,16:48:.:..": (CallStatus.PASSED, 1),
    }
    places = range(12, 19)
    other = {"A": "C", "C": "A", "G": "A", "T": "A"}
    changes = [f"{place}\t.\t{BASES[place - 1]}\t{other[BASES[place - 1]]}\t60\tPASS\t." for place in places]
    cells = [f"{CELLS}\t{HET}\t{ABSENT}\t{cell}" for cell in expected]
    sites = judged(*("\t".join(one) for one in zip(changes, cells, strict=True)))
    assert [(site.calls[1].status, site.calls[1].copies) for site in sites] == list(expected.values())


def test_that_an_allele_is_absent_is_only_said_of_callable_and_tested_places(judged):
    (site,) = judged(f"2\t.\tC\tA\t60\tPASS\t.\t{CELLS}\t{HET}\t{ABSENT}\t{ABSENT}", callable_end0=1)
    assert [call.status for call in site.calls[:2]] == [CallStatus.NOT_CALLABLE] * 2
    assert site.calls[2].copies == 1  # who has it is believed
    (site,) = judged(f"2\t.\tC\tA\t60\tPASS\t.\t{CELLS}\t{HET}\t{ABSENT}\t{ABSENT}", regions=[Region("c", 5, 9)])
    assert [call.status for call in site.calls[:2]] == [CallStatus.NOT_TESTED, CallStatus.PASSED]


def test_a_man_has_one_x_whatever_a_tool_that_thinks_of_two_says(judged):
    doubtful = "0/1:30:5,25:20:400,0,90:.."
    (site,) = judged(f"2\t.\tC\tA\t60\tPASS\t.\t{CELLS}\t{HET}\t{ABSENT}\t{doubtful}", contig="X")
    assert [(call.copies, call.ploidy) for call in site.calls] == [(0, 1), (1, 1), (1, 2)]
    assert site.calls[1].quality == 99  # all is likelier than none by 310, and 99 is the most that is said
    assert site.violations == ()  # his X is his mother's


@pytest.mark.skipif(not DATA.is_dir(), reason="the real VCF is not here")
def test_a_real_family_of_gatk_keeps_every_carried_allele_its_genotypes_and_the_reasons(tmp_path):
    """Made by GenomicsDBImport and GenotypeGVCFs of three people; chr21:22-23 Mb."""
    source, fasta = tmp_path / "joint.vcf.gz", tmp_path / "r.fa"
    source.write_bytes((DATA / "Ashkenazim.vcf.gz").read_bytes())
    fasta.write_bytes((DATA / "hg38_chr21_22000000_23000000.fasta").read_bytes())
    pysam.faidx(str(fasta))
    names, lengths = ["NA24143", "NA24149", "NA24385"], {"chr21": 1_000_001}
    everywhere = [Region("chr21", 0, 1_000_001)]
    family = GenotypedCohort(
        names, [Sex.FEMALE, Sex.MALE, Sex.MALE], [], Genome(lengths, None), [everywhere] * 3, [None] * 3
    )
    expected = {}
    with gzip.open(source, "rt") as lines:
        for row in (line.split("\t") for line in lines if not line.startswith("#")):
            genotypes = [cell.split(":")[0].replace("|", "/").split("/") for cell in row[9:]]
            for number, alt in enumerate(row[4].split(","), start=1):
                counts = [None if "." in one else sum(int(code) == number for code in one) for one in genotypes]
                if any(counts) and alt != "*":
                    expected[int(row[1]), row[3], alt] = (row[6], counts)
    sites = list(read_genotyped(fasta, source, family, lengths))
    found = {
        (site.candidate.start0 + 1, site.candidate.ref, site.candidate.alt): (
            ";".join(site.filters) or "PASS",
            [call.copies for call in site.calls],
        )
        for site in sites
    }
    assert found == expected
    assert len(found) > 1_700
    assert {mark for mark, _ in found.values()} == {"PASS", "GATKCutoffSNP", "GATKCutoffIndel"}
    assert b"ID=GATKCutoffSNP" in filter_lines(source)
    assert [site.candidate.start0 for site in sites] == sorted(site.candidate.start0 for site in sites)
