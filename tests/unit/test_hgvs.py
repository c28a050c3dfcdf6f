"""Names by the HGVS nomenclature 21. ANA-07. Expected names: examples of hgvs-nomenclature.org, its rules, and dbSNP.

The sections are cited at each test. Where an example's numbers are of a gene that is not here, its bases are laid out
in a toy gene and numbered from there.
"""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.variants.hgvs import (
    ContigBases,
    Edit,
    edit_of,
    move_left,
    move_right,
    name_on_genome,
    name_on_transcript,
    reverse_complement,
)
from strandline.variants.protein_names import name_protein_change
from strandline.variants.transcripts import Transcript
from tests.unit.real_data import DATA, needs
from tests.unit.toy_genes import both_strands, open_bases

# 5'UTR of 4, then codons; the first intron lies between GAACAG and TGCCTT, the second between CTGGCC and GTTTTA
EXONS = ("CCCCATGGAACAG", "TGCCTTCTGGCC", "GTTTTATGGTAAGCGC")
INTRONS = ("gtaagtttttcag".upper(), "GTAAGCCCCCCAG")
LEADER, CODED = 4, 33
PTEN_LIKE = "ATGTGGTCCAGTTCCCACGATTGA"
GRCH37_CHR20 = DATA / "b37_chr20_0-1M" / "hs37d5_chr20_1_1000000.fa.gz"


def edit_at(bases: ContigBases, transcript: Transcript, offset: int, deleted: int, inserted: str) -> Edit:
    """Return an edit given in the direction of transcription: `offset` bases behind the transcript's first."""
    if transcript.is_forward:
        start = transcript.start0 + offset
        return Edit(start, start + deleted, bases.fetch(start, start + deleted), inserted)
    end = transcript.end0 - offset
    return Edit(end - deleted, end, bases.fetch(end - deleted, end), reverse_complement(inserted))


# offsets are of the unspliced transcript: exon 1 is 0-12, intron 1 13-25, exon 2 26-37, intron 2 38-50, exon 3 51-66
@pytest.mark.parametrize(
    ("offset", "deleted", "inserted", "coding", "protein"),
    [
        pytest.param(0, 1, "T", "c.-4C>T", None, id="Numbering: before the ATG"),
        pytest.param(4, 1, "G", "c.1A>G", "p.(Met1?)", id="Protein substitution: initiation codon"),
        pytest.param(7, 1, "A", "c.4G>A", "p.(Glu2Lys)", id="Protein substitution: missense"),
        pytest.param(9, 1, "G", "c.6A>G", "p.(Glu2=)", id="Protein substitution: silent"),
        pytest.param(7, 1, "T", "c.4G>T", "p.(Glu2Ter)", id="Protein substitution: nonsense"),
        pytest.param(13, 1, "A", "c.9+1G>A", "p.?", id="Numbering: intron, from the exon upstream"),
        pytest.param(19, 1, "A", "c.9+7T>A", None, id="Numbering: the middle base of an odd intron has +"),
        pytest.param(20, 1, "A", "c.10-6T>A", None, id="Numbering: intron, from the exon downstream"),
        pytest.param(12, 1, "", "c.9+1del", "p.?", id="DNA deletion: c.1704+1del and not c.1704del"),
        pytest.param(13, 0, "G", "c.9+1dup", "p.?", id="DNA duplication: c.1704+1dup and not c.1704dup"),
        pytest.param(50, 1, "", "c.22del", "p.?", id="DNA deletion: c.1813del and not c.1813-1del"),
        pytest.param(51, 0, "G", "c.22dup", "p.?", id="DNA duplication: c.1813dup and not c.1813-1dup"),
        pytest.param(11, 6, "", "c.8_9+4del", "p.?", id="DNA deletion: c.183_186+48del"),
        pytest.param(63, 1, "A", "c.*1G>A", None, id="Numbering: behind the stop codon"),
        pytest.param(60, 1, "C", "c.31T>C", "p.(Ter11GlnextTer?)", id="Protein extension: extTer?"),
        pytest.param(8, 1, "C", "c.5A>C", "p.(Glu2Ala)", id="Protein substitution"),
        pytest.param(14, 2, "", "c.9+2_9+3del", "p.?", id="Protein deletion: the second base of an intron"),
        pytest.param(15, 2, "", "c.9+3_9+4del", None, id="the third and fourth base of an intron"),
        pytest.param(15, 0, "C", "c.9+2_9+3insC", None, id="behind the second base of an intron"),
        pytest.param(65, 0, "GC", "c.*3_*4dup", None, id="DNA duplication: of the transcript's last bases"),
        pytest.param(67, 0, "T", None, None, id="DNA insertion: behind the transcript's last base"),
    ],
)
def test_positions_and_changes_are_written_as_the_nomenclature_does_on_both_strands(
    tmp_path, offset, deleted, inserted, coding, protein
):
    for bases, transcript in both_strands(tmp_path, EXONS, INTRONS, leader=LEADER, coded=CODED):
        names = name_on_transcript(edit_at(bases, transcript, offset, deleted, inserted), transcript, bases)
        assert (names and names.coding, names and names.protein) == (coding, protein)


def test_a_base_that_ends_one_exon_and_begins_the_next_stays_in_its_exon(tmp_path):
    """DNA deletion and duplication, exception of the 3' rule: c.3921del in GAT gta..//..cag TCA, never c.3922del."""
    for bases, transcript in both_strands(tmp_path, ("CATGGAT", "TCATAA"), ("GTAAGTACCCAG",), leader=1, coded=12):
        deletion = name_on_transcript(edit_at(bases, transcript, 6, 1, ""), transcript, bases)
        duplication = name_on_transcript(edit_at(bases, transcript, 7, 0, "T"), transcript, bases)
        assert deletion is not None
        assert duplication is not None
        assert (deletion.coding, duplication.coding) == ("c.6del", "c.6dup")


def test_one_deletion_has_its_most_three_prime_place_on_the_genome_and_on_a_transcript_of_the_other_strand(tmp_path):
    """DNA deletion: the stretch of 8 at NC_000023.11:g.32343176 to 183, which is NM_004006.2:c.5690 to 5697."""
    exon = "ATGATTGAAAAAAAATTAGTAA"
    _, (bases, transcript) = both_strands(tmp_path, (exon,), (), leader=0, coded=len(exon) // 3 * 3)
    first_t = bases.fetch(0, bases.length).index("TTTTTTTTCAAT")
    for place in range(first_t, first_t + 8):
        edit = Edit(place, place + 1, "T", "")
        names = name_on_transcript(edit, transcript, bases)
        assert names is not None
        assert names.coding == "c.15del"
        assert name_on_genome(edit, bases, "NC_000023.11") == f"NC_000023.11:g.{first_t + 8}del"


@pytest.mark.parametrize(
    ("position", "ref", "alt", "name"),
    [
        pytest.param(20, "T", "TT", "g.20dup", id="DNA duplication: c.20dup"),
        pytest.param(23, "A", "ATAGA", "g.20_23dup", id="DNA duplication: c.20_23dup"),
        pytest.param(19, "GT", "GCC", "g.20delinsCC", id="DNA delins"),
        pytest.param(19, "G", "GCC", "g.19_20insCC", id="DNA insertion"),
        pytest.param(20, "T", "C", "g.20T>C", id="DNA substitution"),
        pytest.param(19, "GTA", "CTG", "g.19_21delinsCTG", id="DNA delins of a range"),
    ],
)
def test_the_beginning_of_nm_004006_is_named_as_in_the_examples(tmp_path, position, ref, alt, name):
    bases = open_bases(tmp_path, "ATGCTTTGGTGGGAAGAAGTAGAGGACTGTTATGAAAGA")
    edit = edit_of(position, ref, alt)
    assert edit is not None
    assert name_on_genome(edit, bases, "NM_004006.2") == f"NM_004006.2:{name}"


def test_the_mitochondrion_is_named_m_and_what_is_no_bases_is_not_named(tmp_path):
    bases = open_bases(tmp_path, "ATGCTTTGGTGGG")
    edit = edit_of(4, "C", "T")
    assert edit is not None
    assert name_on_genome(edit, bases, "NC_012920.1", is_mitochondrion=True) == "NC_012920.1:m.4C>T"
    assert [edit_of(4, "C", alt) for alt in ("*", "<DEL>", "<NON_REF>", "C")] == [None] * 4


@pytest.mark.parametrize(
    ("bases", "offset", "deleted", "inserted", "name"),
    [
        pytest.param("ATGGATGCATACGTCACGTAA", 11, 1, "", "p.(Tyr4Ter)", id="Frame shift: c.12delC is a stop"),
        pytest.param("ATGGATGCATACGAGATGAGG", 13, 0, "TGCATACG", "p.(Glu5ValfsTer5)", id="Frame shift: c.6_13dup"),
        pytest.param(PTEN_LIKE, 9, 3, "", "p.(Ser5del)", id="Deletion: MetTrpSerSerSerHisAsp"),
        pytest.param("ATGCTTTGGTGGGAA", 6, 3, "", "p.(Trp4del)", id="Deletion: MetLeuTrpTrpGlu"),
        pytest.param("ATGAAAGGCCACCAGCAATGC", 12, 0, "GCT", "p.(His4_Gln5insAla)", id="Insertion: His4_Gln5insAla"),
        pytest.param("ATGAAAGGCCACCAGCAATGC", 6, 0, "CAGAGCAAA", "p.(Lys2_Gly3insGlnSerLys)", id="Insertion of three"),
        pytest.param("ATGAAAATGCACCAG", 9, 0, "GGGTAG", "p.(Met3_His4insGlyTer)", id="Insertion: c.9_10insGGGTAG"),
        pytest.param(
            "ATGCCCAACCAG", 6, 0, "TCATCATGAGCTCCC", "p.(Pro2_Asn3insSerSerTer)", id="Insertion: not behind the stop"
        ),
        pytest.param("ATGAAAGTTCCCTAA", 6, 0, "GTT", "p.(Val3dup)", id="Duplication: Val7dup"),
        pytest.param("ATGAAAGTTTAA", 9, 0, "GTT", "p.(Ter4ValextTer1)", id="Duplication: at the end an extension"),
        pytest.param("ATGAAATAACAGTGAC", 6, 1, "C", "p.(Ter3GlnextTer2)", id="Extension: Ter110GlnextTer17"),
        pytest.param("ATGAAATGAGCATAG", 7, 0, "G", "p.(Ter3TrpextTer?)", id="Extension: TGA to TGGA"),
        pytest.param("ATGAGACAGCCCTAA", 3, 3, "CCC", "p.(Arg2Pro)", id="Substitution of a codon"),
        pytest.param("ATGTGTAAACCCTAA", 3, 6, "TGG", "p.(Cys2_Lys3delinsTrp)", id="Delins: Cys28_Lys29delinsTrp"),
        pytest.param(
            "ATGCACCAGACGAGCTAAC", 5, 1, "CC", "p.(Gln3ProfsTer?)", id="Frame shift: first amino acid changed"
        ),
        pytest.param("ATGAAACCCTAA", 11, 1, "G", "p.(Ter4=)", id="Substitution: silent in the stop codon"),
    ],
)
def test_protein_changes_are_written_as_the_nomenclature_does(bases, offset, deleted, inserted, name):
    """Sections of the protein recommendations; each bases are the example's, or spell its amino acids."""
    stop = min((at + 3 for at in range(0, len(bases) - 2, 3) if bases[at : at + 3] in {"TAA", "TAG", "TGA"}), default=0)
    coded = stop or len(bases) // 3 * 3
    assert name_protein_change(bases, coded, offset, deleted, inserted) == name


def test_an_effect_that_cannot_be_told_is_said_so():
    assert name_protein_change("ATGTGAGCATAA", 12, 7, 1, "A") == "p.?"  # a stop inside, as of a selenoprotein
    assert name_protein_change("ATGNNNGCATAA", 12, 7, 1, "A") == "p.?"
    assert name_protein_change("ATGGCAGCATAA", 12, -1, 3, "") == "p.(Met1?)"


@needs(GRCH37_CHR20)
def test_variants_of_zcchc3_have_the_names_that_dbsnp_gives_them(tmp_path):
    """NM_033089.6, one exon: c.1 is NC_000020.10:g.278228. Its bases are the genome's up to
    c.460, where the genome has three more."""
    with gzip.open(GRCH37_CHR20, "rt") as lines:
        next(lines)
        genome = "".join(line.strip() for line in lines)
    bases = open_bases(tmp_path, genome, "20")
    transcript = Transcript(
        "NM_033089.6", "ZCCHC3", True, "protein_coding", ((278_203, 280_966),), (278_227, 279_442), "NP_149080.2"
    )
    for position, ref, alt, coding, protein in (
        (278_280, "T", "C", "c.53T>C", "p.(Leu18Pro)"),  # rs111943584
        (278_287, "C", "A", "c.60C>A", "p.(Pro20=)"),  # rs111960006
        (278_450, "C", "T", "c.223C>T", "p.(Leu75Phe)"),  # rs375843454
        (278_462, "G", "T", "c.235G>T", "p.(Ala79Ser)"),  # rs13043299
        (278_480, "G", "T", "c.253G>T", "p.(Asp85Tyr)"),  # rs111330250
        (278_515, "T", "C", "c.288T>C", "p.(Asp96=)"),  # rs2223665
        (278_528, "C", "A", "c.301C>A", "p.(Arg101=)"),  # rs113099430
    ):
        edit = edit_of(position, ref, alt)
        assert edit is not None
        names = name_on_transcript(edit, transcript, bases)
        assert names is not None
        assert (names.coding, names.protein) == (coding, protein)
        assert name_on_genome(edit, bases, "NC_000020.10") == f"NC_000020.10:g.{position}{ref}>{alt}"


def test_an_incomplete_transcript_and_an_edit_beyond_its_ends_are_not_named(tmp_path):
    bases = open_bases(tmp_path, "CCCCCGAACAGTGCCTTTAACCCCC")
    coding = Transcript("T1", "TOY", True, "protein_coding", ((5, 20),), (5, 20))
    inside = Edit(8, 9, "C", "T")
    assert name_on_transcript(inside, coding, bases) is None  # no ATG, and no base before
    unknown = Transcript("T1", "TOY", True, "protein_coding", ((5, 20),), (6, 20), frame_is_known=False)
    assert name_on_transcript(inside, unknown, bases) is None
    noncoding = Transcript("T1", "TOY", True, "lncRNA", ((5, 20),))
    named = name_on_transcript(inside, noncoding, bases)
    assert named is not None
    assert (named.coding, named.protein) == ("n.4C>T", None)
    assert [name_on_transcript(edit, noncoding, bases) for edit in (Edit(4, 6, "CG", ""), Edit(5, 5, "", "A"))] == [
        None,
        None,
    ]


class Letters(ContigBases):
    """Bases out of a string."""

    def __init__(self, letters: str) -> None:
        self._letters, self.length, self.contig = letters, len(letters), "c"

    def __getitem__(self, position0: int) -> str:
        return self._letters[position0]


def apply(letters: str, edit: Edit) -> str:
    return letters[: edit.start0] + edit.inserted + letters[edit.end0 :]


@settings(max_examples=300)
@given(st.text("AC", min_size=4, max_size=30), st.data())
def test_a_moved_edit_makes_the_same_sequence_and_can_be_moved_no_further(letters, data):
    """The 3' rule chooses among equal places: every place of the same edit is one, so both ends are found."""
    bases = Letters(letters)
    start = data.draw(st.integers(1, len(letters) - 2))
    if data.draw(st.booleans()):
        end = data.draw(st.integers(start + 1, len(letters) - 1))
        edit = Edit(start, end, letters[start:end], "")
    else:
        edit = Edit(start, start, "", data.draw(st.text("AC", min_size=1, max_size=4)))
    right, left = move_right(edit, bases, len(letters)), move_left(edit, bases, 0)
    assert apply(letters, right) == apply(letters, left) == apply(letters, edit)
    equal = [
        place
        for place in range(len(letters) - len(edit.deleted) + 1)
        for inserted in {edit.inserted[turn:] + edit.inserted[:turn] for turn in range(max(len(edit.inserted), 1))}
        if apply(letters, Edit(place, place + len(edit.deleted), "", inserted)) == apply(letters, edit)
    ]
    assert (min(equal), max(equal)) == (left.start0, right.start0)


@settings(max_examples=200)
@given(st.text("ACGT", min_size=1, max_size=6), st.text("ACGT", min_size=1, max_size=6), st.text("ACGT", max_size=4))
def test_shared_bases_around_an_allele_change_nothing(ref, alt, flank):
    assert (edit_of(100, ref, alt) is None) == (ref == alt)
    plain, padded = edit_of(100, ref, alt), edit_of(100 - len(flank), flank + ref + flank, flank + alt + flank)
    if plain and padded and not plain.can_move:
        assert padded == plain
