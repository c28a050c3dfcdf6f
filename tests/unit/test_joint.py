"""Joint genotyping of made-up people on a random contig: what each file, or each read, says of each allele.

Requirements: ANA-03, ANA-10.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pysam
import pytest

from strandline.landing.manifest import Sex
from strandline.landing.regions import Region
from strandline.variants.joint import Cohort, JointSite, genotype_jointly
from strandline.variants.joint_genotypes import CallStatus
from strandline.variants.joint_output import CohortWriter, format_site, gather_reports, is_counted
from strandline.variants.joint_sites import SampleFiles
from strandline.variants.joint_trios import Confidence, Genome, Trio

RNG = np.random.default_rng(5)
LENGTH = 3_000
BASES = "".join(RNG.choice(list("ACGT"), LENGTH))
DEPTH, READ = 30, 100
CONTIG = "c"
HEADER = f"""##fileformat=VCFv4.2
##contig=<ID=c,length={LENGTH}>
##contig=<ID=X,length={LENGTH}>
##INFO=<ID=END,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
"""
AT0 = 1_500


def other(base: str, step: int = 1) -> str:
    return "ACGT"[("ACGT".index(base) + step) % 4]


ALT, SECOND_ALT = other(BASES[AT0]), other(BASES[AT0], 2)


@dataclass
class Person:
    """What a person's chromosomes have in place of a base, and how many of them; and what the caller saw of that."""

    name: str
    alts: dict[int, dict[str, int]] = field(default_factory=dict)
    missed: frozenset[int] = frozenset()
    callable_regions: tuple[Region, ...] | None = None
    regions: tuple[Region, ...] | None = None
    contig: str = CONTIG
    deepest: int = DEPTH

    def write(self, folder: Path) -> SampleFiles:
        gvcf, variants = (self._vcf(folder / f"{self.name}.{kind}.vcf.gz", kind) for kind in ("g", "called"))
        whole = (Region(self.contig, 0, LENGTH),)
        callable_regions = whole if self.callable_regions is None else self.callable_regions
        return SampleFiles(self.name, variants, gvcf, self._reads(folder), callable_regions, self.regions)

    def _vcf(self, path: Path, kind: str) -> Path:
        lines, done = [], 0
        for at0 in sorted(set(self.alts) - self.missed):
            lines += [self._block(done, at0)] if kind == "g" else []
            lines += self._records(at0)
            done = at0 + 1
        lines += [self._block(done, LENGTH)] if kind == "g" else []
        columns = f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{self.name}\n"
        with pysam.BGZFile(str(path), "wb") as sink:
            sink.write((HEADER + columns + "".join(f"{line}\n" for line in lines)).encode())
        pysam.tabix_index(str(path), preset="vcf", force=True)
        return path

    def _block(self, start0: int, end0: int) -> str:
        place = f"{self.contig}\t{start0 + 1}\t.\t{BASES[start0]}\t.\t.\t.\tEND={end0}"
        return f"{place}\tGT:DP\t0/0:{self.deepest}"

    def _records(self, at0: int) -> list[str]:
        """One record an allele, as a window writes them: likelihoods by copies."""
        lines = []
        for alt, copies in self.alts[at0].items():
            likelihoods = ",".join("0" if number == copies else "250" for number in range(3))
            seen = self.deepest * copies // 2
            told = f"{('0/0', '0/1', '1/1')[copies]}:{likelihoods}:{self.deepest}:{self.deepest - seen},{seen}:99"
            lines.append(f"{self.contig}\t{at0 + 1}\t.\t{BASES[at0]}\t{alt}\t200\t.\t.\tGT:PL:DP:AD:GQ\t{told}")
        return lines

    def _reads(self, folder: Path) -> Path:
        path = folder / f"{self.name}.bam"
        header = {
            "HD": {"VN": "1.6", "SO": "coordinate"},
            "SQ": [{"SN": name, "LN": LENGTH} for name in (CONTIG, "X")],
        }
        chromosomes = [list(BASES), list(BASES)]
        for at0, alts in self.alts.items():
            carried = [alt for alt, copies in alts.items() for _ in range(copies)]
            for chromosome, alt in zip(chromosomes, carried, strict=False):
                chromosome[at0] = alt
        with pysam.AlignmentFile(str(path), "wb", header=header) as sink:
            for number, start0 in enumerate(range(0, LENGTH - READ, READ // self.deepest)):
                read = pysam.AlignedSegment()
                read.query_name, read.reference_start, read.mapping_quality = f"r{number}", start0, 60
                read.reference_id, read.cigarstring = (CONTIG, "X").index(self.contig), f"{READ}M"
                read.query_sequence = "".join(chromosomes[number % 2][start0 : start0 + READ])
                read.query_qualities = pysam.qualitystring_to_array("?" * READ)
                sink.write(read)
        pysam.index(str(path), catch_stdout=False)
        return path


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    path = tmp_path / "ref.fa"
    path.write_text(f">c\n{BASES}\n>X\n{BASES}\n")
    pysam.faidx(str(path), catch_stdout=False)
    return path


@pytest.fixture
def joint(tmp_path, reference):
    """Genotype people jointly; the trio is the first, second and third."""

    def run(*people: Person, sexes=None, trio: bool = False, keep=None) -> list[JointSite]:
        sexes = sexes or [Sex.FEMALE, Sex.MALE, Sex.FEMALE][: len(people)]
        trios = [Trio(0, 1, 2, sexes[0])] if trio else []
        genome = Genome({CONTIG: LENGTH, "X": LENGTH}, None)
        cohort = Cohort([one.write(tmp_path) for one in people], sexes, trios, genome)
        return list(genotype_jointly(reference, cohort, [CONTIG, "X"], keep=keep))

    return run


def het(name: str, at0: int = AT0, alt: str | None = None) -> Person:
    return Person(name, {at0: {alt or other(BASES[at0]): 1}})


def genotypes(site: JointSite) -> list[int | None]:
    return [call.copies for call in site.calls]


def test_a_block_says_that_an_allele_is_absent_and_how_many_reads_say_so(joint):
    (site,) = joint(het("A"), Person("B"))
    assert genotypes(site) == [1, 0]
    assert site.calls[1].evidence.depth == DEPTH
    assert format_site(site) == (
        f"c\t{AT0 + 1}\t.\t{BASES[AT0]}\t{ALT}\t{site.quality:g}\tPASS\tAC=1;AN=4;AF=0.25\tGT:FT:DP:AD:GQ:PL\t"
        f"0/1:PASS:30:15,15:99:250,0,250\t0/0:PASS:30:.:{site.calls[1].quality}:."
    )


def test_present_absent_not_callable_and_not_tested_are_told_apart(joint):
    elsewhere = (Region(CONTIG, 0, AT0),)
    sites = joint(
        het("PRESENT"),
        Person("ABSENT"),
        Person("NOT-CALLABLE", callable_regions=elsewhere),
        Person("NOT-TESTED", regions=elsewhere),
        sexes=[Sex.UNKNOWN] * 4,
    )
    (site,) = sites
    assert genotypes(site) == [1, 0, None, None]
    assert [call.status for call in site.calls] == [
        CallStatus.PASSED,
        CallStatus.PASSED,
        CallStatus.NOT_CALLABLE,
        CallStatus.NOT_TESTED,
    ]
    assert [column.split(":")[:2] for column in format_site(site).split("\t")[9:]] == [
        ["0/1", "PASS"],
        ["0/0", "PASS"],
        ["./.", "NotCallable"],
        ["./.", "NotTested"],
    ]
    assert "AC=1;AN=4;" in format_site(site)


def test_two_alleles_of_one_place_are_two_records_and_each_counts_its_own_copies(joint):
    both = Person("BOTH", {AT0: {ALT: 1, SECOND_ALT: 1}})
    sites = joint(het("ONE"), het("TWO", alt=SECOND_ALT), both)
    assert {site.candidate.alt: genotypes(site) for site in sites} == {ALT: [1, 0, 1], SECOND_ALT: [0, 1, 1]}
    assert all(call.evidence.alt_depth is not None for site in sites for call in site.calls)


def test_reads_decide_where_a_sample_has_another_allele_at_the_place(joint):
    """What the caller did not see of the first allele in B is in B's reads."""
    blind = Person("B", {AT0: {SECOND_ALT: 1, ALT: 1}})
    blind._records = lambda at0: Person("B", {AT0: {SECOND_ALT: 1}})._records(at0)
    sites = joint(het("A"), blind)
    assert {site.candidate.alt: genotypes(site) for site in sites} == {ALT: [1, 1], SECOND_ALT: [0, 1]}


def test_an_allele_that_was_missed_in_a_parent_is_found_in_its_reads(joint):
    """A child's allele whose parents' blocks both say reference is looked for again before it is called new."""
    overlooked = Person("MUM", {AT0: {ALT: 1}}, missed=frozenset({AT0}))
    (site,) = joint(het("KID"), Person("DAD"), overlooked, trio=True)
    assert genotypes(site) == [1, 0, 1]
    assert (site.violations, site.de_novos) == ((), ())


def test_what_no_read_of_the_parents_shows_is_new_in_the_child(joint):
    (site,) = joint(het("KID"), Person("DAD"), Person("MUM"), trio=True)
    (found,) = site.de_novos
    assert found.confidence is Confidence.HIGH
    assert len(site.violations) == 1
    fixed, info, keys, kid, dad = (format_site(site).split("\t")[at] for at in (6, 7, 8, 9, 10))
    assert (fixed, info.split(";")[-2:], keys) == ("PASS", ["MV=1", "DENOVO=HIGH"], "GT:FT:DP:AD:GQ:PL:DN:DQ:DR")
    confidence, quality, doubts = kid.split(":")[-3:]
    assert (confidence, doubts) == ("HIGH", ".")
    assert int(quality) > 40  # 30 reads a parent: theta / 2 x 2^-30 for one missed, beside 2 x 1.2e-8
    assert dad.split(":")[-3:] == [".", ".", "."]


def test_a_variant_that_a_stranger_has_too_is_no_sure_de_novo(joint):
    sexes = [Sex.FEMALE, Sex.MALE, Sex.FEMALE, Sex.MALE]
    (site,) = joint(het("KID"), Person("DAD"), Person("MUM"), het("STRANGER"), sexes=sexes, trio=True)
    assert [one.confidence for one in site.de_novos] == [Confidence.LOW]
    assert format_site(site).split("\t")[9].endswith(":shared")


def test_a_man_has_one_allele_of_x_and_passes_it_to_no_son(joint):
    people = [Person(name, {AT0: {ALT: copies}}, contig="X") for name, copies in (("SON", 2), ("DAD", 2), ("MUM", 1))]
    (site,) = joint(*people, sexes=[Sex.MALE, Sex.MALE, Sex.FEMALE], trio=True)
    assert [(call.copies, call.ploidy) for call in site.calls] == [(1, 1), (1, 1), (1, 2)]
    assert site.violations == ()
    assert [column.split(":")[0] for column in format_site(site).split("\t")[9:]] == ["1", "1", "0/1"]
    assert "AC=3;AN=4;" in format_site(site)


def test_parts_say_together_what_the_whole_says(joint, tmp_path, reference):
    places = (400, 1_000, 1_006, 1_700, 2_500)
    kid = Person("KID", {at0: {other(BASES[at0]): 1} for at0 in places})
    mum = Person("MUM", {at0: {other(BASES[at0]): 1} for at0 in places[1:4]})
    people = (kid, Person("DAD"), mum)
    whole = joint(*people, trio=True)
    parts = [joint(*people, trio=True, keep=[Region(CONTIG, *edges)]) for edges in ((0, 1_003), (1_003, LENGTH))]
    assert [format_site(site) for part in parts for site in part] == [format_site(site) for site in whole]

    cohort = Cohort(
        [one.write(tmp_path) for one in people],
        [Sex.FEMALE, Sex.MALE, Sex.FEMALE],
        [Trio(0, 1, 2, Sex.FEMALE)],
        Genome({CONTIG: LENGTH}, None),
    )
    written = [
        CohortWriter([one.sample_id for one in cohort.samples], cohort.trios, "made/up").write(
            sites, tmp_path / "out.vcf.gz", length_by_contig={CONTIG: LENGTH}, header=b"##made=up\n"
        )
        for sites in (whole, *parts)
    ]
    assert gather_reports(written[1:]) == written[0]
    assert written[0].trios[0].alleles == 5
    assert written[0].trios[0].violations == 2
    assert [found.position - 1 for found in written[0].trios[0].de_novos] == [400, 2_500]


def test_only_trusted_genotypes_are_counted(joint):
    (site,) = joint(het("KID"), Person("DAD"), Person("MUM"), trio=True)
    trio = Trio(0, 1, 2, Sex.FEMALE)
    assert is_counted(site, trio)
    for status in (CallStatus.LOW_QUALITY, CallStatus.NOT_CALLABLE, CallStatus.NOT_TESTED):
        calls = (site.calls[0], replace(site.calls[1], status=status), site.calls[2])
        assert not is_counted(replace(site, calls=calls), trio)
    assert is_counted(replace(site, calls=(*site.calls[:2], replace(site.calls[2], status=CallStatus.NO_COPIES))), trio)
    assert not is_counted(replace(site, quality=19.9), trio)


def test_the_written_file_is_a_vcf_that_htslib_reads_back(joint, tmp_path, reference):
    people = (het("KID"), Person("DAD"), Person("MUM"))
    cohort = Cohort([one.write(tmp_path) for one in people], [Sex.FEMALE] * 3, [], Genome({CONTIG: LENGTH}, None))
    path = tmp_path / "out.vcf.gz"
    CohortWriter([one.sample_id for one in cohort.samples], cohort.trios, "made/up").write(
        joint(*people), path, length_by_contig={CONTIG: LENGTH}, header=b"##x=y\n"
    )
    pysam.tabix_index(str(path), preset="vcf", force=True)
    with pysam.VariantFile(str(path)) as written:
        (record,) = written
        assert list(written.header.samples) == ["KID", "DAD", "MUM"]
        assert [record.samples[name]["GT"] for name in ("KID", "DAD")] == [(0, 1), (0, 0)]
        assert record.info["AC"] == (1,)
        assert record.samples["DAD"]["FT"] == "PASS"
