"""What of a gene has to be covered, worked by hand on gene models of a few lines. CLN-03."""

from pathlib import Path

import pysam
import pytest

from strandline.landing.regions import Region
from strandline.variants.gene_index import GeneIndex

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
