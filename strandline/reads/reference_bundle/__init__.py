"""Reference bundles: a genome with its indexes and annotation sources under one name and version, checksummed.

A bundle is a folder (or an S3 prefix) with `bundle.json` and the files that it lists. The version of a bundle made
from files is a digest of their content, so that one name and version can never mean two things.
"""

from strandline.reads.reference_bundle.builds import Build
from strandline.reads.reference_bundle.description import (
    BUNDLE_NAME,
    INDEX_BY_SOURCE,
    Contig,
    ReferenceBundle,
    ReferenceFile,
    ReferenceRole,
    SourceOrigin,
    derive_version,
    parse_bundle,
    verify_file,
)
from strandline.reads.reference_bundle.making import BundleSources, make_bundle
from strandline.reads.reference_bundle.verification import Damage, find_damage

__all__ = [
    "BUNDLE_NAME",
    "INDEX_BY_SOURCE",
    "Build",
    "BundleSources",
    "Contig",
    "Damage",
    "ReferenceBundle",
    "ReferenceFile",
    "ReferenceRole",
    "SourceOrigin",
    "derive_version",
    "find_damage",
    "make_bundle",
    "parse_bundle",
    "verify_file",
]
