"""Alignment files: SAM, BAM and CRAM against their specifications, by our own reading of every byte that has a rule."""

from strandline.landing.sam.alignment import AlignmentSource, AlignmentSummary, validate_alignment
from strandline.landing.sam.reference import Contig
from strandline.landing.sam.rules import SAM_RULES

__all__ = ["SAM_RULES", "AlignmentSource", "AlignmentSummary", "Contig", "validate_alignment"]
