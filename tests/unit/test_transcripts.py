"""Transcripts out of gene models, and which of them is chosen. ANA-07. Lines as Ensembl and RefSeq write them."""

import gzip
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.variants.transcripts import (
    ContigTranscripts,
    GeneModels,
    Ground,
    Transcript,
    choose_transcripts,
    parse_transcripts,
)

# one gene of Ensembl 110 in its manner: two exons on the reverse strand, coded from 180 down to 121
LINES = """\
##gff-version 3
c\te\tgene\t101\t200\t.\t-\t.\tID=gene:G1;Name=TOY%2C1;biotype=protein_coding
c\te\tmRNA\t101\t200\t.\t-\t.\tID=transcript:T1;Parent=gene:G1;biotype=protein_coding;tag={tag};version=3
c\te\tfive_prime_UTR\t181\t200\t.\t-\t.\tParent=transcript:T1
c\te\texon\t161\t200\t.\t-\t.\tParent=transcript:T1
c\te\tCDS\t161\t180\t.\t-\t0\tID=CDS:P1;Parent=transcript:T1;protein_id=P1;version=2
c\te\texon\t101\t140\t.\t-\t.\tParent=transcript:T1
c\te\tCDS\t121\t140\t.\t-\t1\tID=CDS:P1;Parent=transcript:T1;protein_id=P1;version=2
"""


def read(text: str) -> Transcript:
    (transcript,) = parse_transcripts(line.encode() for line in text.splitlines())
    return transcript


def test_a_transcript_is_read_with_its_versions_whatever_the_order_of_its_features():
    expected = Transcript(
        identifier="T1.3",
        gene="TOY,1",
        is_forward=False,
        biotype="protein_coding",
        exons=((100, 140), (160, 200)),
        coding=(120, 180),
        protein="P1.2",
        tags=frozenset({"basic", "MANE_Select"}),
    )
    text = LINES.format(tag="basic,MANE_Select")
    assert read(text) == expected
    assert read("\n".join(reversed(text.splitlines()))) == expected
    assert (expected.length, expected.coding_span, expected.coding_length) == (80, (20, 60), 40)


@pytest.mark.parametrize(
    ("position0", "place"),
    [(199, (0, 0)), (160, (39, 0)), (159, (39, 1)), (150, (39, 10)), (149, (40, -10)), (140, (40, -1)), (139, (40, 0))],
)
def test_a_place_is_counted_from_the_nearest_exon_in_the_direction_of_transcription(position0, place):
    """Numbering: the intron 141 to 160 has 20 bases, ten for each exon."""
    assert read(LINES.format(tag="basic")).locate(position0) == place


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("161\t180\t.\t-\t0", "161\t180\t.\t-\t2"),  # it begins inside of a codon
        ("121\t140\t.\t-\t1", "121\t139\t.\t-\t1"),  # it leaves out a base of an exon
    ],
)
def test_a_frame_that_cannot_be_numbered_is_known_to_be_so(line, changed):
    assert read(LINES.format(tag="basic")).frame_is_known
    assert not read(LINES.format(tag="basic").replace(line, changed)).frame_is_known


BASE = Transcript("T1", "TOY", True, "protein_coding", ((0, 100),), (10, 40))
LONGER = replace(BASE, identifier="T2", coding=(10, 70))


@pytest.mark.parametrize(
    ("others", "identifier", "ground"),
    [
        ([replace(BASE, tags=frozenset({"MANE_Select"})), LONGER], "T1", Ground.MANE_SELECT),
        ([replace(BASE, tags=frozenset({"Ensembl_canonical"})), LONGER], "T1", Ground.ENSEMBL_CANONICAL),
        ([BASE, LONGER], "T2", Ground.LONGEST_CODING),
        ([BASE, replace(LONGER, biotype="nonsense_mediated_decay")], "T1", Ground.LONGEST_CODING),
        ([BASE, replace(LONGER, frame_is_known=False)], "T1", Ground.LONGEST_CODING),
        ([BASE, replace(BASE, identifier="T0")], "T0", Ground.LONGEST_CODING),
        ([replace(BASE, coding=None), replace(LONGER, coding=None, exons=((0, 200),))], "T2", Ground.LONGEST),
    ],
)
def test_mane_select_comes_first_then_the_canonical_one_then_the_longest(others, identifier, ground):
    for order in (others, others[::-1]):
        assert [(one.identifier, why) for one, why in choose_transcripts(order)] == [(identifier, ground)]


def test_mane_plus_clinical_is_kept_beside_and_every_gene_has_its_own():
    """RefSeq writes `MANE Select`, Ensembl `MANE_Select`."""
    select = read(LINES.format(tag="MANE Select"))
    plus = replace(LONGER, gene="TOY,1", tags=frozenset({"MANE_Plus_Clinical"}))
    other = replace(BASE, gene="OTHER", identifier="T9")
    assert [(one.identifier, why) for one, why in choose_transcripts([other, plus, select])] == [
        ("T9", Ground.LONGEST_CODING),
        ("T1.3", Ground.MANE_SELECT),
        ("T2", Ground.MANE_PLUS_CLINICAL),
    ]


@given(
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(1, 60_000)), max_size=20),
    st.integers(0, 150_000),
    st.integers(1, 40_000),
)
def test_exactly_those_that_share_a_base_are_found(places, start, length):
    made = [
        replace(BASE, identifier=f"T{number}", exons=((at, at + size),)) for number, (at, size) in enumerate(places)
    ]
    found = {one.identifier for one in ContigTranscripts(made).overlapping(start, start + length)}
    assert found == {one.identifier for one in made if one.start0 < start + length and start < one.end0}


@pytest.mark.parametrize("compressed", [False, True])
def test_gene_models_are_read_by_contig_from_plain_text_and_gzip(tmp_path, compressed):
    text = LINES.format(tag="basic")
    text += text.replace("c\t", "d\t").replace("T1", "T2").replace("##gff-version 3\n", "")
    path = tmp_path / "genes.gff3"
    path.write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    models = GeneModels(path, ["d", "c", "e"], scratch)
    named = {contig: [one.identifier for one in models.transcripts_of(contig).overlapping(0, 500)] for contig in "cdex"}
    assert named == {"c": ["T1.3"], "d": ["T2.3"], "e": [], "x": []}
