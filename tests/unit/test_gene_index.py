"""What of a gene has to be covered, worked by hand on gene models of a few lines, and on Ensembl's. CLN-03."""

import gzip
from pathlib import Path

import pysam
import pytest

from strandline.landing.regions import Region
from strandline.variants.gene_index import GeneIndex
from tests.unit.real_data import DATA, needs

ENSEMBL = DATA / "annot" / "ensembl.grch38.chr21.gff3.gz"

# Ensembl's GFF3: 1-based, both ends included. TOY codes from 21 to 210, in exons 11-40, 101-130 and 201-220.
MODELS = """\
##gff-version 3
c\te\tgene\t11\t220\t.\t+\t.\tID=gene:G1;Name=TOY;biotype=protein_coding
c\te\tmRNA\t11\t220\t.\t+\t.\tID=transcript:T1;Parent=gene:G1;biotype=protein_coding;tag=MANE_Select
c\te\texon\t11\t40\t.\t+\t.\tParent=transcript:T1
c\te\tmRNA\t11\t300\t.\t+\t.\tID=transcript:T2;Parent=gene:G1;biotype=protein_coding
c\te\texon\t11\t300\t.\t+\t.\tParent=transcript:T2
c\te\tCDS\t21\t40\t.\t+\t0\tID=CDS:P1;Parent=transcript:T1;protein_id=P1
c\te\texon\t101\t130\t.\t+\t.\tParent=transcript:T1
c\te\tCDS\t101\t130\t.\t+\t1\tID=CDS:P1;Parent=transcript:T1;protein_id=P1
c\te\texon\t201\t220\t.\t+\t.\tParent=transcript:T1
c\te\tCDS\t201\t210\t.\t+\t1\tID=CDS:P1;Parent=transcript:T1;protein_id=P1
c\te\tncRNA_gene\t401\t460\t.\t-\t.\tID=gene:G2;Name=SILENT;biotype=lncRNA
c\te\tlnc_RNA\t401\t460\t.\t-\t.\tID=transcript:T3;Parent=gene:G2;biotype=lncRNA
c\te\texon\t401\t420\t.\t-\t.\tParent=transcript:T3
c\te\texon\t441\t460\t.\t-\t.\tParent=transcript:T3
d\te\tgene\t1\t90\t.\t+\t.\tID=gene:G3
d\te\tmRNA\t1\t90\t.\t+\t.\tID=transcript:T4;Parent=gene:G3;biotype=protein_coding
d\te\texon\t1\t90\t.\t+\t.\tParent=transcript:T4
"""


@pytest.fixture
def index(tmp_path: Path):
    path = tmp_path / "genes.gff3.gz"
    with pysam.BGZFile(str(path), "wb", None) as sink:
        sink.write(MODELS.encode())
    pysam.tabix_index(str(path), preset="gff", force=True)
    with GeneIndex(path) as opened:
        yield opened


def test_coding_bases_count_with_eight_of_each_intron_beside(index):
    """0-based, half-open: 20-40 + 8, 8 + 100-130 + 8, 8 + 200-210; the untranslated ends do not count."""
    targets = index.targets_of({"TOY", "NONE"})
    assert targets == {"TOY": [Region("c", 20, 48), Region("c", 92, 138), Region("c", 192, 210)]}


def test_a_gene_that_codes_for_nothing_is_covered_by_its_exons(index):
    assert index.targets_of({"SILENT"}) == {"SILENT": [Region("c", 400, 428), Region("c", 432, 460)]}


def test_a_gene_without_a_name_is_found_by_its_id(index):
    assert index.targets_of({"G3"}) == {"G3": [Region("d", 0, 90)]}


@pytest.mark.parametrize(
    ("place", "names"),
    [(("c", 10, 11), {"T1", "T2"}), (("c", 60, 61), {"T1", "T2"}), (("c", 350, 351), set()), (("x", 0, 5), set())],
)
def test_transcripts_are_found_by_place_and_whole(index, place, names):
    found = index.transcripts_at(*place)
    assert {one.identifier for one in found} == names
    assert all(len(one.exons) == {"T1": 3, "T2": 1}[one.identifier] for one in found)


@needs(ENSEMBL)
def test_targets_of_ensembl_genes_have_the_length_of_their_proteins(tmp_path):
    """Amino acids by UniProt: SOD1 154 (P00441), APP 770 (P05067), CBS 551 (P35520), RUNX1 480 (Q01196-8).

    Three bases each and for the stop; coding exons by NCBI Gene: 5, 18, 15 and 8, with 16 bases of each intron between.
    """
    with gzip.open(ENSEMBL, "rt") as lines:
        features = sorted((line for line in lines if line[0] != "#"), key=lambda line: int(line.split("\t")[3]))
    path = tmp_path / "chr21.gff3.gz"
    with pysam.BGZFile(str(path), "wb", None) as sink:
        sink.write("".join(features).encode())
    pysam.tabix_index(str(path), preset="gff", force=True)
    expected = {"SOD1": (154, 5), "APP": (770, 18), "CBS": (551, 15), "RUNX1": (480, 8)}
    with GeneIndex(path) as genes:
        targets = genes.targets_of(expected)
    found = {symbol: (sum(one.length for one in regions), len(regions)) for symbol, regions in targets.items()}
    assert found == {symbol: (3 * (acids + 1) + 16 * (exons - 1), exons) for symbol, (acids, exons) in expected.items()}
