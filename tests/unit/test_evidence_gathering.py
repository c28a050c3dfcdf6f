"""What a report looks up: ClinVar at the residue, repeats, persons' decisions, and all of it put together. CLN-03.

The toy gene codes for ATG AAA CGA TTT TAA at 11-25 (1-based). By the standard genetic code CGA>GGA is Gly, CAA Gln,
CGG Arg again; TTT>TTA, TTG and CTT are all Leu.
"""

import json
from pathlib import Path

import pysam
import pytest

from strandline.errors import RejectedInputError
from strandline.interpretation.clinvar_lookup import ClinVarIndex
from strandline.interpretation.decisions import parse_decisions
from strandline.interpretation.panels import GenePanel, PanelGene
from strandline.interpretation.points import Band
from strandline.interpretation.repeats import lies_in_repeat
from strandline.interpretation.rules import KnownChange
from strandline.interpretation.scope import Scope
from strandline.landing.regions import Region
from strandline.reporting.findings import select_findings
from strandline.reporting.gathering import EvidenceFiles, gather_evidence, measure_genes
from strandline.variants.gene_index import GeneIndex
from strandline.variants.records import TranscriptName
from tests.unit.made_up import call, consequence
from tests.unit.placed_reads import Placed, write_bam

BASES = "T" * 10 + "ATGAAACGATTTTAA" + "CAG" * 5 + "G" * 160
GENES = """\
c\te\tgene\t11\t25\t.\t+\t.\tID=gene:G1;Name=TOY;biotype=protein_coding
c\te\tmRNA\t11\t25\t.\t+\t.\tID=transcript:T1;Parent=gene:G1;biotype=protein_coding
c\te\texon\t11\t25\t.\t+\t.\tParent=transcript:T1
c\te\tCDS\t11\t25\t.\t+\t0\tID=CDS:P1;Parent=transcript:T1;protein_id=P1
"""
CLINVAR = """\
##fileformat=VCFv4.1
##contig=<ID=c,length=200>
##INFO=<ID=CLNSIG,Number=.,Type=String,Description="x">
##INFO=<ID=CLNREVSTAT,Number=.,Type=String,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
c\t17\t1\tC\tG\t.\t.\tCLNSIG=Pathogenic;CLNREVSTAT=criteria_provided,_single_submitter
c\t18\t2\tG\tA\t.\t.\tCLNSIG=Pathogenic
c\t19\t3\tA\tG\t.\t.\tCLNSIG=Benign
c\t19\t4\tAT\tA\t.\t.\tCLNSIG=Pathogenic
c\t20\t5\tT\tC\t.\t.\tCLNSIG=Likely_pathogenic
c\t22\t6\tT\tG\t.\t.\tCLNSIG=Pathogenic
"""
PANEL = GenePanel(
    name="toy", version="1", title="Toy", source="made up",
    genes=(
        PanelGene(hgnc_id="HGNC:1", symbol="TOY", loss_of_function=True), PanelGene(hgnc_id="HGNC:2", symbol="GONE"),
    ),
)  # fmt: skip


def bgzip(path: Path, text: str, preset: str) -> Path:
    with pysam.BGZFile(str(path), "wb", None) as sink:
        sink.write(text.encode())
    pysam.tabix_index(str(path), preset=preset, force=True)
    return path


@pytest.fixture
def files(tmp_path: Path) -> EvidenceFiles:
    fasta = tmp_path / "ref.fa"
    fasta.write_text(f">c\n{BASES}\n")
    pysam.faidx(str(fasta))
    reads = [Placed(0, "40M", bases=BASES[:16] + "G" + BASES[17:40]) for _ in range(12)] + [
        Placed(0, "40M", bases=BASES[:40]) for _ in range(13)
    ]
    bam = write_bam(tmp_path / "r.bam", reads, {"c": len(BASES)})
    genes = bgzip(tmp_path / "g.gff3.gz", GENES, "gff")
    return EvidenceFiles(bam, fasta, genes, bgzip(tmp_path / "v.vcf.gz", CLINVAR, "vcf"))


def missense(position: int, ref: str, alt: str, protein: str, **changes: object):
    name = TranscriptName("T1", "TOY", "longest_CDS", "missense", "c.1", "P1", protein)
    effects = (consequence("missense", gene="TOY", transcript="T1"),)
    return call(contig="c", position=position, ref=ref, alt=alt, names=(name,), consequences=effects, **changes)


def residue_of(files: EvidenceFiles, one) -> list[KnownChange] | None:
    assert files.gene_models
    assert files.clinvar
    with GeneIndex(files.gene_models) as genes, ClinVarIndex(files.clinvar, files.fasta) as known:
        (transcript,) = genes.transcripts_at("c", one.position - 1, one.position)
        return known.known_at_residue(one, transcript)


def test_what_is_known_at_the_residue_is_named_by_its_protein(files):
    found = residue_of(files, missense(17, "C", "G", "p.(Arg3Gly)"))
    assert found == [
        KnownChange("1", "Pathogenic", "p.(Arg3Gly)", True),
        KnownChange("2", "Pathogenic", "p.(Arg3Gln)", False),
        KnownChange("3", "Benign", "p.(Arg3=)", False),
    ]


def test_the_same_change_of_the_protein_by_other_bases_is_found(files):
    found = residue_of(files, missense(22, "T", "A", "p.(Phe4Leu)"))
    assert found == [
        KnownChange("5", "Likely_pathogenic", "p.(Phe4Leu)", False),
        KnownChange("6", "Pathogenic", "p.(Phe4Leu)", False),
    ]


def test_of_what_is_no_single_base_nothing_is_told(files):
    assert residue_of(files, missense(17, "CG", "C", "p.(Arg3fs)")) is None


@pytest.mark.parametrize(
    ("identifier", "status"), [("1", "criteria_provided,_single_submitter"), ("2", None), (None, None)]
)
def test_the_review_status_is_that_of_the_record_itself(files, identifier, status):
    assert files.clinvar
    with ClinVarIndex(files.clinvar, files.fasta) as known:
        one = missense(17 if identifier != "2" else 18, "C", "G", "p.(Arg3Gly)", clinvar_id=identifier)
        assert known.review_status(one) == status


@pytest.mark.parametrize(
    ("position", "ref", "alt", "repeat"),
    [
        (25, "ACAG", "A", True),  # one CAG of five
        (25, "A", "ACAG", True),
        (28, "GCAGCAG", "G", True),  # two of them
        (26, "CAGC", "C", True),  # the same repeat, begun at another letter
        (11, "ATGA", "A", False),
        (17, "C", "CTTG", False),
        (17, "C", "G", None),
        (14, "AAA", "TT", None),
    ],
)
def test_a_repeat_is_three_copies_of_what_is_inserted_or_deleted(files, position, ref, alt, repeat):
    with pysam.FastaFile(str(files.fasta)) as fasta:
        assert lies_in_repeat(fasta, call(contig="c", position=position, ref=ref, alt=alt)) is repeat


def decisions(**changes: object) -> bytes:
    person = {"who": "PRACT-7", "when": "2026-11-22T08:30:00Z", "why": "seen before"}
    one = {
        "variant": "c:17:C:G",
        "classification": {"band": "likely pathogenic", **person},
        "overrides": [{"criterion": "PS3", "points": 4, **person}],
    } | changes
    return json.dumps({"variants": [one]}).encode()


def classed(**changes: str) -> bytes:
    person = {"band": "benign", "who": "P", "when": "2026-11-22T08:30:00Z", "why": "x"}
    return decisions(classification=person | changes)


def test_everything_is_put_together(files):
    """By hand: PM5 (Arg3Gln) 2 and the person's PS3 4 make 6; 12 of 25 reads show G."""
    one = missense(17, "C", "G", "p.(Arg3Gly)", clinvar_id="1")
    found = select_findings([one], annotated=True)
    evidence = gather_evidence(found, files, Scope(PANEL), None, parse_decisions(decisions()))["c:17:C:G"]
    assert evidence.suggestion is not None
    assert evidence.picture is not None
    assert evidence.classification is not None
    assert {made.criterion: made.points for made in evidence.suggestion.met} == {"PM5": 2, "PS3": 4}
    assert evidence.suggestion.band is Band.LIKELY_PATHOGENIC
    assert "12 show G (12 forward, 0 reverse); 13 show C" in evidence.picture.says
    assert evidence.review_status == "criteria_provided,_single_submitter"
    assert evidence.classification.who == "PRACT-7"


def test_each_gene_of_the_panel_is_measured_in_its_order(files):
    """15 coding bases, 10 to 25 from 0, all under 25 reads."""
    toy, gone = measure_genes(PANEL, files)
    assert (toy.symbol, toy.bases, toy.bases_at_20, toy.mean_depth, toy.gaps) == ("TOY", 15, 15, 25.0, ())
    assert (gone.symbol, gone.bases) == ("GONE", 0)
    assert measure_genes(None, files) == []


def test_a_gap_of_a_gene_is_named(files, tmp_path):
    bam = write_bam(tmp_path / "few.bam", [Placed(14, "20M")] * 20, {"c": len(BASES)})
    toy, _ = measure_genes(PANEL, EvidenceFiles(bam, files.fasta, files.gene_models))
    assert (toy.bases_at_20, toy.gaps) == (11, (Region("c", 10, 14),))


def test_without_gene_models_and_clinvar_pictures_are_drawn_and_nothing_is_invented(files):
    one = missense(17, "C", "G", "p.(Arg3Gly)")
    bare = EvidenceFiles(files.aligned, files.fasta)
    evidence = gather_evidence(select_findings([one], annotated=True), bare, Scope(), None, parse_decisions(b"{}"))
    (found,) = evidence.values()
    assert found.suggestion is not None
    assert (found.suggestion.points, found.review_status, found.classification) == (0, None, None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "interpretation_not_json"),
        (b"[]", "interpretation_invalid"),
        (decisions(variant="c;17"), "interpretation_invalid"),
        (classed(band="fine"), "interpretation_invalid"),
        (classed(when="2026-11-22T08:30:00"), "interpretation_invalid"),
        (classed(why=" "), "interpretation_invalid"),
        (b'{"variants": [{"variant": "c:1:A:C"}, {"variant": "c:1:A:C"}]}', "interpretation_twice"),
        (b" " * (1 << 20) + b"{}", "interpretation_too_large"),
    ],
)  # fmt: skip
def test_a_wrong_interpretation_is_refused(body, code):
    with pytest.raises(RejectedInputError) as refused:
        parse_decisions(body)
    assert refused.value.code == code


def test_an_override_that_the_rules_do_not_allow_is_refused(files):
    person = {"who": "P", "when": "2026-11-22T08:30:00Z", "why": "x"}
    wrong = parse_decisions(decisions(overrides=[{"criterion": "PS3", "points": -4, **person}]))
    found = select_findings([missense(17, "C", "G", "p.(Arg3Gly)")], annotated=True)
    with pytest.raises(RejectedInputError, match=r"^override_wrong_points:"):
        gather_evidence(found, files, Scope(), None, wrong)


def test_a_decision_on_a_variant_that_is_not_reported_is_not_lost_in_silence(files):
    with pytest.raises(RejectedInputError, match=r"^interpretation_of_nothing: 1 of the decisions"):
        gather_evidence(select_findings([], annotated=True), files, Scope(), None, parse_decisions(decisions()))
