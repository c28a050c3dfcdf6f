"""What a report may speak of: panels, secondary findings and consent as data. CLN-07.

The list of secondary findings is held against the ACMG's publications: 84 genes in v3.3 (2025), which are the 81 of
v3.2 (2023) with ABCD1, CYP27A1 and PLN.
"""

import json

import pytest
from pydantic import ValidationError

from strandline.errors import RejectedInputError
from strandline.interpretation.panels import GenePanel, PanelGene, panel_named, panel_names, parse_panel
from strandline.interpretation.scope import Part, Scope, refuse_withdrawn, scope_of
from strandline.interpretation.secondary_findings import secondary_genes, secondary_list
from strandline.landing.manifest import Answer, Consent, SampleDeclaration
from strandline.reporting.findings import Findings, Tier, select_findings
from tests.unit.made_up import NAME, call, consequence

PANEL = GenePanel(
    name="toy", version="1", title="Toy", source="made up", genes=(PanelGene(hgnc_id="HGNC:1", symbol="TOY1"),)
)
BODY = json.dumps(PANEL.model_dump()).encode()


def of_gene(symbol: str, term: str = "missense", **changes: object) -> object:
    return call(consequences=(consequence(term, gene=symbol),), **changes)


def select(*calls: object, panel: GenePanel | None = PANEL, secondary: Answer | None = None) -> Findings:
    return select_findings(calls, annotated=True, scope=Scope(panel, secondary))


def tiers(found: Findings) -> list[Tier]:
    return [finding.tier for finding in found.named]


def test_the_list_is_that_of_the_acmg():
    genes = secondary_genes()
    assert (len(genes), secondary_list().version) == (84, "3.3")
    assert {"ABCD1", "CYP27A1", "PLN", "CALM1", "CALM2", "CALM3"} <= set(genes)
    assert not {"ATM", "CHEK2", "CDH1", "F8"} & set(genes)
    recessive = {symbol for symbol, gene in genes.items() if gene.inheritance == "AR"}
    assert recessive == {"ATP7B", "BTD", "CASQ2", "CYP27A1", "GAA", "HFE", "MUTYH", "RPE65", "TRDN"}
    assert len({gene.hgnc_id for gene in genes.values()}) == 84


@pytest.mark.parametrize("name", panel_names())
def test_each_panel_is_named_as_its_file_and_cites_its_source(name):
    panel = panel_named(name)
    assert panel.name == name
    assert "NBK" in panel.source


def test_what_is_outside_of_the_panel_is_counted_and_not_named():
    found = select(of_gene("TOY1"), of_gene("TOY2"), of_gene("BRCA2"))
    assert tiers(found) == [Tier.KNOWN_PATHOGENIC]
    assert found.other_passed == 2


@pytest.mark.parametrize(
    ("answer", "told"), [(Answer.YES, [Tier.SECONDARY]), (Answer.NO, []), (None, [])], ids=["yes", "no", "not said"]
)
def test_a_secondary_finding_is_told_only_after_a_yes(answer, told):
    found = select(of_gene("BRCA2"), secondary=answer)
    assert tiers(found) == told
    assert len(found.named) + found.other_passed == 1


def test_a_secondary_finding_has_to_be_known_as_pathogenic():
    unknown = of_gene("BRCA2", "stop_gained", clinvar_significance="Uncertain_significance")
    assert select(unknown, secondary=Answer.YES).named == ()


def test_a_gene_of_the_panel_is_told_whatever_was_answered():
    panel = panel_named("breast-ovarian")
    assert tiers(select(of_gene("BRCA2"), panel=panel, secondary=Answer.NO)) == [Tier.KNOWN_PATHOGENIC]


def test_without_a_panel_a_no_takes_the_genes_of_the_list_out():
    calls = (of_gene("BRCA2"), of_gene("ATM"))
    assert len(select(*calls, panel=None).named) == 2
    (left,) = select(*calls, panel=None, secondary=Answer.NO).named
    assert left.call.consequences[0].gene == "ATM"


@pytest.mark.parametrize(
    ("calls", "count"),
    [
        ([of_gene("MUTYH")], 0),
        ([of_gene("MUTYH", zygosity="HOM_ALT")], 1),
        ([of_gene("MUTYH"), of_gene("MUTYH", position=5)], 2),
        ([of_gene("MUTYH"), of_gene("GAA")], 0),
        ([of_gene("ABCD1", zygosity="HEMI")], 1),
        ([of_gene("OTC")], 1),
        ([of_gene("TTN")], 0),
        ([of_gene("TTN", "frameshift")], 1),
        ([of_gene("HFE", zygosity="HOM_ALT")], 0),
    ],
    ids=["one copy", "homozygous", "two", "of two genes", "hemizygous", "X", "TTN missense", "TTN", "HFE other"],
)
def test_what_of_a_gene_is_told_is_what_the_list_says(calls, count):
    assert len(select(*calls, secondary=Answer.YES).named) == count


@pytest.mark.parametrize(("zygosity", "count"), [("HOM_ALT", 1), ("HET", 0)])
def test_of_hfe_only_the_homozygous_c282y_is_told(zygosity, count):
    name = (NAME.__class__("ENST00000357618.10", "HFE", None, "missense", "c.845G>A", None, "p.(Cys282Tyr)"),)
    found = select(of_gene("HFE", names=name, zygosity=zygosity), secondary=Answer.YES)
    assert len(found.named) == count


def test_a_call_counts_for_the_panel_with_any_of_its_transcripts():
    both = call(consequences=(consequence("missense", gene="TOY2"), consequence("intron", gene="TOY1")))
    assert tiers(select(both)) == [Tier.KNOWN_PATHOGENIC]
    assert Scope(PANEL).part_of(["TOY2"]) is Part.OUTSIDE


def test_a_sample_says_its_panel_and_its_answer():
    sample = SampleDeclaration.model_validate({"sample_id": "S", "panel": "lynch", "secondary_findings": "YES"})
    scope = scope_of(sample)
    assert "MSH6" in (scope.panel or PANEL).symbols
    assert "with consent" in scope.secondary_policy


def test_a_declaration_that_says_nothing_of_it_keeps_its_bytes():
    assert not {"panel", "secondary_findings"} & set(SampleDeclaration(sample_id="S").model_dump())


def test_an_unknown_panel_is_refused_at_the_door():
    with pytest.raises(RejectedInputError, match=r"^panel_unknown: .*lynch"):
        SampleDeclaration(sample_id="S", panel="no-such")
    with pytest.raises(ValidationError):
        SampleDeclaration.model_validate({"sample_id": "S", "secondary_findings": "PERHAPS"})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "panel_not_json"),
        (b"[" * 100_000, "panel_not_json"),
        (b"{}", "panel_invalid"),
        (BODY.replace(b"HGNC:1", b"hgnc 1"), "panel_invalid"),
        (BODY.replace(b"TOY1", b"<b>"), "panel_invalid"),
        (json.dumps(PANEL.model_dump() | {"genes": [PANEL.genes[0].model_dump()] * 2}).encode(), "panel_gene_twice"),
        (b" " * (1 << 20) + BODY, "panel_too_large"),
    ],
)
def test_a_wrong_panel_is_refused_without_its_values(body, code):
    with pytest.raises(RejectedInputError) as refused:
        parse_panel(body)
    assert refused.value.code == code
    assert "<b>" not in str(refused.value)


def test_a_withdrawn_consent_is_refused():
    with pytest.raises(RejectedInputError, match=r"^consent_withdrawn: the subject withdrew consent"):
        refuse_withdrawn(Consent.WITHDRAWN)
    for consent in (None, Consent.CARE, Consent.RESEARCH):
        refuse_withdrawn(consent)
