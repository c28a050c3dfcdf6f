"""What the Annotate job tells of its bundle: sources in the header, and what contigs are. ANA-07, ANA-09."""

import pytest

from strandline.reads.reference_bundle import ReferenceBundle, ReferenceFile, ReferenceRole
from strandline.reads.reference_bundle.description import Contig
from tests.integration.conftest import ROOT, load

MD5 = "0" * 32


@pytest.fixture(scope="module")
def job():
    return load(ROOT / "batch_images" / "annotate" / "job.py")


def bundle(*contigs: Contig, assembly: str | None = "GRCh38") -> ReferenceBundle:
    dbsnp = ReferenceFile(
        name="dbsnp.vcf.gz", role=ReferenceRole.DBSNP, size_bytes=1, sha256="ab" * 32, source="dbSNP 157"
    )
    return ReferenceBundle(name="toy", version="1", assembly=assembly, contigs=contigs, files=(dbsnp,))


def test_every_source_has_a_header_line_with_its_version_or_that_there_is_none(job):
    assert job.describe_sources(bundle(), "bcftools 1.21").decode().splitlines() == [
        "##strandlineConsequences=bcftools 1.21",
        "##strandlineGenes=none in this reference bundle",
        "##strandlineClinVar=none in this reference bundle",
        "##strandlineDbSnp=dbSNP 157 sha256:abababababab",
        "##strandlineFrequencies=none in this reference bundle",
    ]


def test_only_whole_chromosomes_of_a_known_build_have_an_accession(job):
    """Length of chromosome 21 in GRCh38: assembly report of GCF_000001405.40."""
    whole, slice_of_20 = Contig(name="chr21", length=46_709_983, md5=MD5), Contig(name="chr20", length=5000, md5=MD5)
    mitochondrion = Contig(name="chrM", length=16_569, md5=MD5)
    names = job.name_sequences(bundle(whole, slice_of_20, mitochondrion))
    assert (names.accession_by_contig, names.mitochondria) == ({"chr21": "NC_000021.9"}, {"chrM"})
    assert job.name_sequences(bundle(whole, assembly=None)).accession_by_contig == {}
