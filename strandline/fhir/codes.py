"""Codes of the Genomics Reporting guide, each with its system.

Sources: HL7 FHIR Genomics Reporting implementation guide 3.0.0 (STU3); LOINC answer lists LL1971-2 (presence),
LL381-5 (allelic state), LL5323-2 (coordinate system), LL378-1 (source class), LL1040-6 (assembly), LL4034-6
(significance), LL2938-0 (chromosome), LL4048-6 (method); Sequence Ontology.
"""

from base64 import b64encode
from typing import Any, Final

GUIDE: Final = "http://hl7.org/fhir/uv/genomics-reporting"
LOINC: Final = "http://loinc.org"
SEQUENCE_ONTOLOGY: Final = "http://www.sequenceontology.org"
CLINVAR: Final = "http://www.ncbi.nlm.nih.gov/clinvar"
DBSNP: Final = "http://www.ncbi.nlm.nih.gov/projects/SNP"
REFSEQ: Final = "http://www.ncbi.nlm.nih.gov/refseq"
ENSEMBL: Final = "http://www.ensembl.org"
HGVS: Final = "http://varnomen.hgvs.org"
UCUM: Final = "http://unitsofmeasure.org"
GUIDE_CODES: Final = f"{GUIDE}/CodeSystem/tbd-codes-cs"
FILE_FORMATS: Final = f"{GUIDE}/CodeSystem/genomic-study-data-format-cs"
PHASES: Final = "http://terminology.hl7.org/CodeSystem/sequence-phase-relationship-cs"
SUBJECTS: Final = "urn:strandline:subject-pseudonym"
SAMPLES: Final = "urn:strandline:sample"
SUBMISSIONS: Final = "urn:strandline:submission"
SITES: Final = "urn:strandline:site"
SIGNERS: Final = "urn:strandline:signer"
RELEASES: Final = "urn:strandline:release"

Json = dict[str, Any]


def profile(name: str) -> str:
    """Return the address of one of the guide's profiles or extensions."""
    return f"{GUIDE}/StructureDefinition/{name}"


def concept(system: str, code: str, display: str) -> Json:
    """Return a CodeableConcept with one coding."""
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def loinc(code: str, display: str) -> Json:
    """Return a LOINC CodeableConcept."""
    return concept(LOINC, code, display)


def guide_code(code: str, display: str) -> Json:
    """Return one of the codes that the guide defines until LOINC does."""
    return concept(GUIDE_CODES, code, display)


def hgvs(name: str) -> Json:
    """Return a CodeableConcept of an HGVS name."""
    return {"coding": [{"system": HGVS, "code": name, "display": name}]}


def sequence(accession: str) -> Json:
    """Return a CodeableConcept of a reference sequence, coded where its accession says whose it is."""
    if accession[:3] in {"NC_", "NM_", "NR_", "NP_", "NG_", "NT_", "NW_", "XM_", "XP_", "XR_"}:
        return {"coding": [{"system": REFSEQ, "code": accession, "display": accession}]}
    if accession.startswith("ENS"):
        return {"coding": [{"system": ENSEMBL, "code": accession, "display": accession}]}
    return {"text": accession}


def extension(name: str, **value: object) -> Json:
    """Return one of the guide's extensions."""
    return {"url": profile(name), **value}


def base64_of(data: bytes) -> str:
    """Return bytes as FHIR's base64Binary."""
    return b64encode(data).decode()


def component(code: Json, **value: object) -> Json:
    """Return a component of an Observation."""
    return {"code": code, **value}


LABORATORY: Final = concept("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory", "Laboratory")
GENETICS: Final = concept("http://terminology.hl7.org/CodeSystem/v2-0074", "GE", "Genetics")
PRESENT: Final = loinc("LA9633-4", "Present")
ABSENT: Final = loinc("LA9634-2", "Absent")
NO_CALL: Final = loinc("LA18198-4", "No call")
NOT_PERFORMED: Final = concept(
    "http://terminology.hl7.org/CodeSystem/data-absent-reason", "not-performed", "Not Performed"
)
SEQUENCING: Final = loinc("LA26398-0", "Sequencing")
GERMLINE: Final = loinc("LA6683-2", "Germline")
ONE_BASED: Final = loinc("LA30102-0", "1-based character counting")
CIS: Final = concept(PHASES, "Cis", "Cis")
TRANS: Final = concept(PHASES, "Trans", "Trans")
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
_CHROMOSOMES: Final = (
    "LA21254-0 LA21255-7 LA21256-5 LA21257-3 LA21258-1 LA21259-9 LA21260-7 LA21261-5 LA21262-3 LA21263-1 LA21264-9 "
    "LA21265-6 LA21266-4 LA21267-2 LA21268-0 LA21269-8 LA21270-6 LA21271-4 LA21272-2 LA21273-0 LA21274-8 LA21275-5 "
    "LA21276-3 LA21277-1"
)
CHROMOSOME: Final = {
    name: loinc(code, f"Chromosome {name}")
    for name, code in zip((*map(str, range(1, 23)), "X", "Y"), _CHROMOSOMES.split(), strict=True)
}
CHANGE: Final = {
    "SNV": concept(SEQUENCE_ONTOLOGY, "SO:0001483", "SNV"),
    "MNV": concept(SEQUENCE_ONTOLOGY, "SO:0002007", "MNV"),
    "INSERTION": concept(SEQUENCE_ONTOLOGY, "SO:0000667", "insertion"),
    "DELETION": concept(SEQUENCE_ONTOLOGY, "SO:0000159", "deletion"),
    "COMPLEX": concept(SEQUENCE_ONTOLOGY, "SO:1000032", "delins"),
}
"""By `variants.kinds.variant_type`."""
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
        ("stop_retained", "SO:0001567", "stop_retained_variant"),
        ("start_retained", "SO:0002019", "start_retained_variant"),
        ("synonymous", "SO:0001819", "synonymous_variant"),
        ("5_prime_utr", "SO:0001623", "5_prime_UTR_variant"),
        ("3_prime_utr", "SO:0001624", "3_prime_UTR_variant"),
        ("intron", "SO:0001627", "intron_variant"),
        ("intergenic", "SO:0001628", "intergenic_variant"),
        ("inframe_altering", "SO:0001818", "protein_altering_variant"),
        ("coding_sequence", "SO:0001580", "coding_sequence_variant"),
        ("non_coding", "SO:0001619", "non_coding_transcript_variant"),
    )
}
