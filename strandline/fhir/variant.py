"""Variants as Observations: found ones, and those that were asked for and are absent, not callable or not tested.

Source: profile variant. Coordinates are 1-based and include both ends, as the coordinate system component says.
"""

from collections.abc import Iterator
from typing import Final

from strandline.fhir import codes
from strandline.fhir.codes import Json, component, loinc
from strandline.fhir.drafting import AskedVariant, Draft, Outcome
from strandline.reads.reference_bundle.builds import chromosome_of
from strandline.reporting.findings import Finding
from strandline.variants.records import VariantCall

_ASSESSMENT: Final = loinc("69548-6", "Genetic variant assessment")
_CHROMOSOME: Final = loinc("48000-4", "Chromosome [Identifier] in Blood or Tissue by Molecular genetics method")
_REF: Final = loinc("69547-8", "Genomic ref allele [ID]")
_ALT: Final = loinc("69551-0", "Genomic alt allele [ID]")
_PLACE: Final = loinc("81254-5", "Genomic allele start-end")
_STATE: Final = loinc("53034-5", "Allelic state")
_BUILD: Final = loinc("62374-4", "Human reference sequence assembly version")
_GENE: Final = loinc("48018-6", "Gene studied [ID]")
_GENOMIC_SEQUENCE: Final = loinc("48013-7", "Genomic reference sequence [ID]")
_TRANSCRIPT: Final = loinc("51958-7", "Transcript reference sequence [ID]")
_PROTEIN: Final = codes.guide_code("protein-ref-seq", "An identifier for the protein reference sequence.")
_CHANGE: Final = loinc("48019-4", "DNA change type")
_DEPTH: Final = loinc("82121-5", "Allelic read depth")
_FRACTION: Final = loinc("81258-6", "Sample variant allelic frequency [NFr]")
_IDENTIFIER: Final = loinc("81252-9", "Discrete genetic variant")
_POPULATION: Final = loinc("92821-8", "Population allele frequency")
_GENOMIC: Final = loinc("81290-9", "Genomic DNA change (gHGVS)")
_CODING: Final = loinc("48004-6", "DNA change (c.HGVS)")
_AMINO_ACIDS: Final = loinc("48005-3", "Amino acid change (pHGVS)")
_COUNTED: Final = component(loinc("92822-6", "Genomic coord system"), valueCodeableConcept=codes.ONE_BASED)
_SOURCE: Final = component(loinc("48002-0", "Genomic source class [Type]"), valueCodeableConcept=codes.GERMLINE)
_STATES: Final = {name: component(_STATE, valueCodeableConcept=state) for name, state in codes.ALLELIC_STATE.items()}
_BUILDS: Final = {name: component(_BUILD, valueCodeableConcept=build) for name, build in codes.ASSEMBLY.items()}
_CHANGES: Final = {name: component(_CHANGE, valueCodeableConcept=change) for name, change in codes.CHANGE.items()}
_CHROMOSOMES: Final = {
    name: component(_CHROMOSOME, valueCodeableConcept=chromosome) for name, chromosome in codes.CHROMOSOME.items()
}
_SAYS: Final = {
    Outcome.ABSENT: "absent: enough reads cover the place, and they show the reference",
    Outcome.NO_CALL: "no call: no genotype can be believed at the place",
    Outcome.NOT_TESTED: "not tested: the place is outside of what was analysed",
}
_ZYGOSITY: Final = {"HET": "heterozygous", "HOM_ALT": "homozygous", "HEMI": "hemizygous"}


def name_of(call: VariantCall | AskedVariant) -> str:
    """Return what names an allele within a submission."""
    return f"{call.contig}:{call.position}:{call.ref}:{call.alt}"


def found_variant(draft: Draft, finding: Finding) -> Json:
    """A variant that is there."""
    call = finding.call
    says = f"{name_of(call)}, {_ZYGOSITY[call.zygosity]}. {finding.tier.value}."
    resource = draft.observation(f"variant/{name_of(call)}", "variant", _ASSESSMENT, says)
    return resource | {
        "valueCodeableConcept": codes.PRESENT,
        "note": [{"text": f"{finding.tier.value}. Filters: {';'.join(call.filters)}. Genotype {call.genotype}."}],
        "method": codes.SEQUENCING,
        "component": [*_place(draft, call), *_sequences(call), *_of_gene(call), *_measured(call), *_known(call)],
    }


def asked_variant(draft: Draft, asked: AskedVariant) -> Json:
    """A variant that was asked for and is not there, or of which nothing can be said; the three are told apart."""
    says = f"{name_of(asked)}, {_SAYS[asked.outcome]}."
    resource = draft.observation(f"asked/{name_of(asked)}", "variant", _ASSESSMENT, says)
    match asked.outcome:
        case Outcome.ABSENT:
            resource["valueCodeableConcept"] = codes.ABSENT
        case Outcome.NO_CALL:
            resource["valueCodeableConcept"] = codes.NO_CALL
        case Outcome.NOT_TESTED:
            resource["dataAbsentReason"] = codes.NOT_PERFORMED
    return resource | {"note": [{"text": f"{says.capitalize()}"}], "component": list(_place(draft, asked))}


def _place(draft: Draft, call: VariantCall | AskedVariant) -> Iterator[Json]:
    """Where it is and what it changes."""
    chromosome = chromosome_of(call.contig) if draft.source.assembly else None
    if chromosome in _CHROMOSOMES:
        yield _CHROMOSOMES[chromosome]
    yield component(_GENOMIC_SEQUENCE, valueCodeableConcept=_sequence_of(call))
    yield component(_REF, valueString=call.ref)
    yield component(_ALT, valueString=call.alt)
    last = call.position + len(call.ref) - 1
    yield component(_PLACE, valueRange={"low": {"value": call.position}, "high": {"value": last}})
    yield _COUNTED
    yield _SOURCE
    if draft.source.assembly in _BUILDS:
        yield _BUILDS[draft.source.assembly]


def _sequence_of(call: VariantCall | AskedVariant) -> Json:
    """The sequence that its coordinates count on: by accession where it is known to be that, else by the contig."""
    name = call.genomic_name if isinstance(call, VariantCall) else None
    return codes.sequence(name.partition(":")[0]) if name else {"text": call.contig}


def _sequences(call: VariantCall) -> Iterator[Json]:
    """Names of the variant on the genome, and on the chosen transcript and its protein, with their sequences."""
    if call.genomic_name:
        yield component(_GENOMIC, valueCodeableConcept=codes.hgvs(call.genomic_name))
    chosen = call.chosen
    if chosen is None:
        return
    if chosen.full_coding:
        yield component(_CODING, valueCodeableConcept=codes.hgvs(chosen.full_coding))
    yield component(_TRANSCRIPT, valueCodeableConcept=codes.sequence(chosen.transcript))
    if chosen.full_protein:
        yield component(_AMINO_ACIDS, valueCodeableConcept=codes.hgvs(chosen.full_protein))
    if chosen.protein_accession:
        yield component(_PROTEIN, valueCodeableConcept=codes.sequence(chosen.protein_accession))


def _of_gene(call: VariantCall) -> Iterator[Json]:
    effect = call.chosen_consequence
    if effect and effect.gene:
        yield component(_GENE, valueCodeableConcept={"text": effect.gene})


def _measured(call: VariantCall) -> Iterator[Json]:
    """What the reads say: kind of change, zygosity, reads of the allele and their fraction."""
    if call.variant_type in _CHANGES:
        yield _CHANGES[call.variant_type]
    yield _STATES[call.zygosity]
    if call.alt_depth is not None:
        quantity = {"value": call.alt_depth, "unit": "reads", "system": codes.UCUM, "code": "{reads}"}
        yield component(_DEPTH, valueQuantity=quantity)
    if call.alt_depth is not None and call.ref_depth is not None and call.alt_depth + call.ref_depth:
        fraction = round(call.alt_depth / (call.alt_depth + call.ref_depth), 4)
        quantity = {"value": fraction, "unit": "relative frequency", "system": codes.UCUM, "code": "1"}
        yield component(_FRACTION, valueQuantity=quantity)


def _known(call: VariantCall) -> Iterator[Json]:
    """What others know it as, and how frequent it is."""
    if call.clinvar_id:
        known = codes.concept(codes.CLINVAR, call.clinvar_id, f"ClinVar variation {call.clinvar_id}")
        yield component(_IDENTIFIER, valueCodeableConcept=known)
    if call.rsid:
        yield component(_IDENTIFIER, valueCodeableConcept=codes.concept(codes.DBSNP, call.rsid, call.rsid))
    if call.population_frequency is not None:
        quantity = {"value": call.population_frequency, "system": codes.UCUM, "code": "1"}
        yield component(_POPULATION, valueQuantity=quantity)
