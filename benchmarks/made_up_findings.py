"""Findings that somebody made up: as many as asked for, of which each is another."""

from datetime import UTC, datetime
from typing import Final

from strandline.fhir.drafting import BundleInput, RegionsSaid
from strandline.landing.manifest import SampleDeclaration
from strandline.landing.regions import Region
from strandline.reads.quality import AlignmentSummary, CoverageSummary, QualitySummary, VariantSummary
from strandline.reporting.findings import Finding, Findings, Tier
from strandline.variants.records import Consequence, TranscriptName, VariantCall

_BASES: Final = ("A", "C", "G", "T")


def made_up_input(count: int) -> BundleInput:
    """Findings that all differ in place, alleles, names, depths and ids, each with an effect and a word of ClinVar."""
    named = tuple(Finding(Tier.KNOWN_PATHOGENIC, _call(number)) for number in range(count))
    quality = QualitySummary(
        submission_id="s-1",
        sample_id="S",
        reference="GRCh38/0c2b",
        alignment=AlignmentSummary(
            read_count=20_000, mapped_fraction=0.99, properly_paired_fraction=0.97, duplicate_fraction=0.02
        ),
        coverage=CoverageSummary(
            analysed_bases=100_000,
            callable_bases=95_000,
            mean_depth=31.4,
            fraction_at_10=0.95,
            fraction_at_20=0.9,
            fraction_at_30=0.6,
        ),
        variants=VariantSummary(
            **dict.fromkeys(("called", "passed", "snv", "indel", "heterozygous", "homozygous"), count),
            transitions=count,
            transversions=count,
            count_by_filter={},
        ),
        warnings=(),
        programs=(),
    )
    return BundleInput(
        submission_id="s-1",
        sample=SampleDeclaration.model_validate({"sample_id": "S", "subject_id": "PT00042", "site": "north"}),
        reference_label="GRCh38/0c2b",
        assembly="GRCh38",
        quality=quality,
        findings=Findings(named, 0, 0, 0),
        issued=datetime(2026, 11, 22, tzinfo=UTC),
        platform_version="0",
        sources={"ClinVar": "2026-11"},
        regions=RegionsSaid([Region("chr13", 32_000_000, 33_000_000)], [Region("chr13", 32_000_000, 32_900_000)]),
    )


def _call(number: int) -> VariantCall:
    position, ref, alt = 32_316_461 + 7 * number, _BASES[number % 4], _BASES[(number + 1 + number // 4 % 3) % 4]
    gene, coding = f"GENE{number // 20}", f"c.{number + 1}{ref}>{alt}"
    name = TranscriptName(
        f"ENST{number // 20:011}.1", gene, "MANE_Select", "missense", coding, f"ENSP{number // 20:011}.1",
        f"p.(Lys{number // 3 + 1}Glu)",
    )  # fmt: skip
    return VariantCall(
        contig="chr13",
        position=position,
        ref=ref,
        alt=alt,
        quality=221.3,
        filters=("PASS",),
        genotype="0/1",
        zygosity="HET",
        phased=False,
        depth=40,
        ref_depth=10 + number % 23,
        alt_depth=10 + number % 31,
        genotype_quality=99,
        consequences=(Consequence("missense", gene, name.transcript.split(".")[0], f"{number}K>{number}E", None),),
        clinvar_id=str(900_001 + number),
        clinvar_significance="Likely_pathogenic",
        identifier=None,
        genomic_name=f"NC_000013.11:g.{position}{ref}>{alt}",
        names=(name,),
        dbsnp_id=f"rs{number + 1}",
        population_frequency=round(number / 1e6, 6),
    )
