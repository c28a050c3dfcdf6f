"""Codes of the Genomics Reporting guide, each with its system.

Sources: HL7 FHIR Genomics Reporting implementation guide 3.0.0 (STU3); LOINC answer lists LL1971-2 (presence),
LL381-5 (allelic state), LL5323-2 (coordinate system), LL378-1 (source class), LL1040-6 (assembly), LL4034-6
(significance); Sequence Ontology.
"""

from typing import Any, Final

GUIDE: Final = "http://hl7.org/fhir/uv/genomics-reporting"
LOINC: Final = "http://loinc.org"
SEQUENCE_ONTOLOGY: Final = "http://www.sequenceontology.org"
CLINVAR: Final = "http://www.ncbi.nlm.nih.gov/clinvar"
HGVS: Final = "http://varnomen.hgvs.org"
UCUM: Final = "http://unitsofmeasure.org"
GUIDE_CODES: Final = f"{GUIDE}/CodeSystem/tbd-codes-cs"

Json = dict[str, Any]


def concept(system: str, code: str, display: str) -> Json:
    """Return a CodeableConcept with one coding."""
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def loinc(code: str, display: str) -> Json:
    """Return a LOINC CodeableConcept."""
    return concept(LOINC, code, display)


def hgvs(name: str) -> Json:
    """Return a CodeableConcept of an HGVS name."""
    return concept(HGVS, name, name)


LABORATORY: Final = concept("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory", "Laboratory")
GENETICS: Final = concept("http://terminology.hl7.org/CodeSystem/v2-0074", "GE", "Genetics")
PRESENT: Final = loinc("LA9633-4", "Present")
GERMLINE: Final = loinc("LA6683-2", "Germline")
ONE_BASED: Final = loinc("LA30102-0", "1-based character counting")
ALLELIC_STATE: Final = {
    "HET": loinc("LA6706-1", "Heterozygous"),
    "HOM_ALT": loinc("LA6705-3", "Homozygous"),
    "HEMI": loinc("LA6707-9", "Hemizygous"),
}
ASSEMBLY: Final = {"GRCh37": loinc("LA14029-5", "GRCh37"), "GRCh38": loinc("LA26806-2", "GRCh38")}
SIGNIFICANCE: Final = {
    "pathogenic": loinc("LA6668-3", "Pathogenic"),
    "likely_pathogenic": loinc("LA26332-9", "Likely pathogenic"),
    "uncertain_significance": loinc("LA26333-7", "Uncertain significance"),
    "likely_benign": loinc("LA26334-5", "Likely benign"),
    "benign": loinc("LA6675-8", "Benign"),
}
CONSEQUENCE: Final = {
    term: concept(SEQUENCE_ONTOLOGY, code, display)
    for term, code, display in (
        ("splice_acceptor", "SO:0001574", "splice_acceptor_variant"),
        ("splice_donor", "SO:0001575", "splice_donor_variant"),
        ("stop_gained", "SO:0001587", "stop_gained"),
        ("frameshift", "SO:0001589", "frameshift_variant"),
        ("stop_lost", "SO:0001578", "stop_lost"),
        ("start_lost", "SO:0002012", "start_lost"),
        ("inframe_insertion", "SO:0001821", "inframe_insertion"),
        ("inframe_deletion", "SO:0001822", "inframe_deletion"),
        ("missense", "SO:0001583", "missense_variant"),
        ("splice_region", "SO:0001630", "splice_region_variant"),
        ("synonymous", "SO:0001819", "synonymous_variant"),
        ("5_prime_utr", "SO:0001623", "5_prime_UTR_variant"),
        ("3_prime_utr", "SO:0001624", "3_prime_UTR_variant"),
        ("intron", "SO:0001627", "intron_variant"),
        ("inframe_altering", "SO:0001818", "protein_altering_variant"),
        ("coding_sequence", "SO:0001580", "coding_sequence_variant"),
        ("non_coding", "SO:0001619", "non_coding_transcript_variant"),
    )
}
