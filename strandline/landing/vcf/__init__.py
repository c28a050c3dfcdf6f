"""VCF and gVCF files, versions 4.1 to 4.5, against the specification of the version that they declare."""

from strandline.landing.vcf.rules import VCF_RULES
from strandline.landing.vcf.validation import VcfSummary, validate_vcf

__all__ = ["VCF_RULES", "VcfSummary", "validate_vcf"]
