"""The made-up family: the truth that demonstrations are scored against must itself be right."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from strandline.landing.fastq import FastqSource, validate_fastq_pair
from strandline.synthetic.family import (
    Family,
    Person,
    PlantedVariant,
    apply_variants,
    make_family,
    to_assertions_vcf,
    to_vcf,
)
from strandline.synthetic.genome import CONTIG, Genome, make_genome, to_fasta, to_gff3
from strandline.synthetic.reads import READ_LENGTH, write_reads

STOPS = {"TAA", "TAG", "TGA"}
SEEDS = (1, 7, 20_261_122)


def made(seed: int) -> tuple[Genome, Family]:
    rng = np.random.default_rng(seed)
    genome = make_genome(rng)
    return genome, make_family(genome, rng)


def codons(bases: str) -> list[str]:
    return [bases[start : start + 3] for start in range(0, len(bases), 3)]


def coding(genome: Genome, gene: int) -> str:
    return "".join(genome.bases[exon.start - 1 : exon.end] for exon in genome.genes[gene].exons)


@pytest.mark.parametrize("seed", SEEDS)
def test_genes_begin_with_atg_end_with_a_stop_and_have_none_between(seed):
    genome, _ = made(seed)
    for gene in range(len(genome.genes)):
        first, *inner, last = codons(coding(genome, gene))
        assert first == "ATG"
        assert last in STOPS
        assert not STOPS & set(inner)


@pytest.mark.parametrize("seed", SEEDS)
def test_introns_go_from_gt_to_ag(seed):
    genome, _ = made(seed)
    for gene in genome.genes:
        for before, after in zip(gene.exons, gene.exons[1:], strict=False):
            intron = genome.bases[before.end : after.start - 1]
            assert (intron[:2], intron[-2:]) == ("GT", "AG")


def test_gff3_phases_say_how_many_bases_until_the_next_codon():
    """GFF3 specification 1.26, column 8. Exons of 300, 240 and 360 bases end with whole codons, so each phase is 0."""
    genome, _ = made(1)
    lines = [line.split("\t") for line in to_gff3(genome).splitlines() if not line.startswith("#")]
    assert {line[0] for line in lines} == {CONTIG}
    by_kind = {kind: [line for line in lines if line[2] == kind] for kind in ("gene", "mRNA", "exon", "CDS")}
    assert [len(found) for found in by_kind.values()] == [4, 4, 12, 12]
    assert {line[7] for line in by_kind["CDS"]} == {"0"}
    assert all(line[8].startswith("ID=transcript:") and "Parent=gene:" in line[8] for line in by_kind["mRNA"])
    exons = [(exon.start, exon.end) for gene in genome.genes for exon in gene.exons]
    assert [(int(line[3]), int(line[4])) for line in by_kind["CDS"]] == exons


def test_fasta_holds_every_base_in_lines_of_sixty():
    genome, _ = made(1)
    header, *lines = to_fasta(genome).splitlines()
    assert header == f">{CONTIG}"
    assert "".join(lines) == genome.bases
    assert {len(line) for line in lines[:-1]} == {60}


def test_variants_are_applied_as_a_hand_would():
    #            123456789
    variants = [
        PlantedVariant(1, "G", "C"),
        PlantedVariant(3, "TTA", "T"),
        PlantedVariant(7, "A", "AGG"),
        PlantedVariant(9, "C", "T"),
    ]
    assert apply_variants("GATTACATC", variants) == "CAT" + "C" + "AGG" + "T" + "T"
    assert apply_variants("GATTACATC", []) == "GATTACATC"


@pytest.mark.parametrize("seed", SEEDS)
def test_planted_variants_fit_the_genome_and_never_meet(seed):
    genome, family = made(seed)
    for person in family.members:
        for haplotype in person.haplotypes:
            for variant in haplotype:
                assert genome.bases[variant.position - 1 :].startswith(variant.ref)
                assert variant.ref != variant.alt
            ends = [variant.position + len(variant.ref) - 1 for variant in haplotype]
            assert all(after.position > end for end, after in zip(ends, haplotype[1:], strict=False))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_child_has_one_haplotype_of_each_parent_and_one_variant_of_its_own(seed):
    _, family = made(seed)
    maternal, paternal = family.child.haplotypes
    assert maternal in family.mother.haplotypes
    without = tuple(variant for variant in paternal if variant != family.de_novo)
    assert without in family.father.haplotypes
    assert len(paternal) == len(without) + 1
    of_parents = {variant for parent in (family.mother, family.father) for h in parent.haplotypes for variant in h}
    assert family.de_novo not in of_parents
    assert family.de_novo.position not in {variant.position for variant in of_parents}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_stop_gain_makes_a_stop_inside_the_protein_and_the_splice_variant_breaks_a_gt(seed):
    genome, family = made(seed)
    notes = {variant.note: variant for haplotype in family.child.haplotypes for variant in haplotype if variant.note}
    assert set(notes) == {"stop gain", "splice donor", "de novo"}
    stop = notes["stop gain"]
    changed = Genome(apply_variants(genome.bases, [stop]), genome.genes)
    *inner, _ = codons(coding(changed, 0))
    assert STOPS & set(inner)
    donor = notes["splice donor"]
    assert genome.bases[donor.position - 1 : donor.position + 1] == "GT"
    assert donor.position == genome.genes[1].exons[0].end + 1


def test_genotypes_follow_from_the_haplotypes():
    shared, one, two = PlantedVariant(5, "A", "C"), PlantedVariant(9, "G", "T"), PlantedVariant(2, "C", "G")
    person = Person("S", "PT00001", "FEMALE", ((shared, one), (two, shared)))
    assert list(person.genotype_by_variant().items()) == [(two, "0/1"), (shared, "1/1"), (one, "0/1")]


def test_the_truth_is_written_in_order_with_its_notes():
    genome, family = made(1)
    records = [line.split("\t") for line in to_vcf(family.child, genome).splitlines() if not line.startswith("#")]
    positions = [int(record[1]) for record in records]
    assert positions == sorted(positions)
    assert len(records) == len(family.child.genotype_by_variant())
    assert {record[7] for record in records} == {".", "NOTE=stop_gain", "NOTE=splice_donor", "NOTE=de_novo"}
    (known,) = [line for line in to_assertions_vcf(family, genome).splitlines() if not line.startswith("#")]
    assert known.endswith("CLNSIG=Pathogenic")


def reads_of(folder: Path, seed: int) -> tuple[Path, Path, int]:
    folder.mkdir()
    genome = Genome("".join("ACGT"[i] for i in np.random.default_rng(5).integers(0, 4, 20_000)), ())
    person = Person("S", "PT00001", "FEMALE", ((), ()))
    first, second = folder / "R1.fastq.gz", folder / "R2.fastq.gz"
    count = write_reads(person, genome, np.random.default_rng(seed), first, second, depth=15)
    return first, second, count


def test_reads_are_a_valid_pair_of_the_asked_depth(tmp_path):
    first, second, count = reads_of(tmp_path / "a", 1)
    summary = validate_fastq_pair(FastqSource("R1", [first.read_bytes()]), FastqSource("R2", [second.read_bytes()]))
    assert (summary.pair_count, summary.shortest_read, summary.longest_read) == (count, READ_LENGTH, READ_LENGTH)
    assert summary.base_count / 20_000 == pytest.approx(15, rel=0.01)


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    one, again, other = (reads_of(tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert [path.read_bytes() for path in one[:2]] == [path.read_bytes() for path in again[:2]]
    assert one[0].read_bytes() != other[0].read_bytes()


def test_bases_are_wrong_about_as_often_as_their_qualities_say(tmp_path):
    """Phred: quality q means wrong once in 10^(q/10). Reads are compared with the only place that they fit."""
    first, _, _ = reads_of(tmp_path / "a", 3)
    genome = "".join("ACGT"[i] for i in np.random.default_rng(5).integers(0, 4, 20_000))
    backward = genome.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    places = {strand[i : i + 30]: strand[i:] for strand in (genome, backward) for i in range(len(strand) - 30)}
    lines = gzip.decompress(first.read_bytes()).decode().splitlines()
    wrong = expected = 0.0
    for bases, quality in zip(lines[1::4], lines[3::4], strict=True):
        truth = places.get(bases[:30])
        if truth is None:
            continue  # an error stands in its first bases
        wrong += sum(a != b for a, b in zip(bases[30:], truth[30:READ_LENGTH], strict=True))
        # a base is drawn anew where it is wrong, and one in four draws gives the right one again
        expected += sum(0.75 * 10 ** -((ord(q) - 33) / 10) for q in quality[30:])
    assert wrong == pytest.approx(expected, rel=0.35)
    assert wrong > 20
