"""Human genome builds, told by the lengths and MD5 sums of their chromosomes.

Source: assembly reports of the NCBI for GCF_000001405.25 (GRCh37.p13), GCF_000001405.40 (GRCh38.p14) and
GCF_009914755.1 (T2T-CHM13v2.0): lengths and RefSeq accessions; MD5 as in the `M5` tags of the 1000 Genomes Project's
hs37d5 and GRCh38_full_analysis_set_plus_decoy_hla.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from strandline.errors import RejectedInputError
from strandline.reads.reference_bundle.description import Contig

CHROMOSOMES: Final = (*(str(number) for number in range(1, 23)), "X", "Y", "MT")
MITOCHONDRION: Final = "MT"
YORUBA_LENGTH: Final = 16571
"""Length of UCSC hg19's chrM, NC_001807.4: another sequence than the MT of every later release."""


class Build(StrEnum):
    """A build as `--build` names it."""

    GRCH37 = "GRCh37"
    GRCH38 = "GRCh38"
    T2T = "T2T-CHM13v2.0"
    OTHER = "OTHER"


_LENGTHS: Final[Mapping[Build, tuple[int, ...]]] = {
    Build.GRCH37: (
        *(249250621, 243199373, 198022430, 191154276, 180915260, 171115067, 159138663, 146364022, 141213431),
        *(135534747, 135006516, 133851895, 115169878, 107349540, 102531392, 90354753, 81195210, 78077248),
        *(59128983, 63025520, 48129895, 51304566, 155270560, 59373566, 16569),
    ),
    Build.GRCH38: (
        *(248956422, 242193529, 198295559, 190214555, 181538259, 170805979, 159345973, 145138636, 138394717),
        *(133797422, 135086622, 133275309, 114364328, 107043718, 101991189, 90338345, 83257441, 80373285),
        *(58617616, 64444167, 46709983, 50818468, 156040895, 57227415, 16569),
    ),
    Build.T2T: (
        *(248387328, 242696752, 201105948, 193574945, 182045439, 172126628, 160567428, 146259331, 150617247),
        *(134758134, 135127769, 133324548, 113566686, 101161492, 99753195, 96330374, 84276897, 80542538),
        *(61707364, 66210255, 45090682, 51324926, 154259566, 62460029, 16569),
    ),
}
_BUILD_BY_MD5: Final = {
    "1b22b98cdeb4a9304cb5d48026a85128": Build.GRCH37,  # chromosomes 1, 20 and 21 of each
    "0dec9660ec1efaaf33281c0d5ea2560f": Build.GRCH37,
    "2979a6085bfe28e3ad6f552f361ed74d": Build.GRCH37,
    "6aef897c3d6ff0c78aff06ac189178dd": Build.GRCH38,
    "b18e6c531b0bd70e949a7fc20859cb01": Build.GRCH38,
    "974dc7aec0b755b19f031418fdedf293": Build.GRCH38,
}
_REFSEQ_VERSIONS: Final = (  # of NC_000001 to NC_000024 in GRCh37; GRCh38 has each one's next
    *(10, 11, 11, 11, 9, 11, 13, 10, 11, 10, 9, 11, 10, 8, 9, 9, 10, 9, 9, 10, 8, 10, 10, 9),
)
_FIRST_T2T_ACCESSION: Final = 60925  # NC_060925.1 is chromosome 1, NC_060948.1 is Y


_CAMBRIDGE_ACCESSION: Final = "NC_012920.1"  # revised Cambridge reference sequence
_CAMBRIDGE_MD5: Final = "c68f52674c9fb33aef52dcf399755519"


def _accessions() -> dict[str, tuple[str, Build | None]]:
    found: dict[str, tuple[str, Build | None]] = {_CAMBRIDGE_ACCESSION: (MITOCHONDRION, None)}
    for index, (chromosome, version) in enumerate(zip(CHROMOSOMES, _REFSEQ_VERSIONS, strict=False)):
        found[f"NC_{index + 1:06d}.{version}"] = (chromosome, Build.GRCH37)
        found[f"NC_{index + 1:06d}.{version + 1}"] = (chromosome, Build.GRCH38)
        found[f"NC_{_FIRST_T2T_ACCESSION + index:06d}.1"] = (chromosome, Build.T2T)
    return found


CHROMOSOME_BY_ACCESSION: Final = _accessions()
"""RefSeq accession to chromosome and build; None where every build has that sequence."""


def chromosome_of(name: str) -> str | None:
    """Return the chromosome that a contig's name means, as Ensembl names it, or None.

    >>> [chromosome_of(name) for name in ("chr20", "20", "chrM", "NC_000020.11", "chrUn_KI270302v1")]
    ['20', '20', 'MT', '20', None]
    """
    if name in CHROMOSOME_BY_ACCESSION:
        return CHROMOSOME_BY_ACCESSION[name][0]
    bare = name[3:] if name[:3] in {"chr", "Chr", "CHR"} else name
    if bare == "M":
        return MITOCHONDRION
    return bare if bare in CHROMOSOMES else None


def accession_of(contig: Contig, build: Build | None) -> str | None:
    """Return the RefSeq accession of a contig with its version, or None where it is not surely that sequence.

    A chromosome of a build is told by its length: a slice has positions of its own, which the accession's are not. The
    mitochondrion is told by its MD5, as T2T-CHM13 has one of equal length.
    """
    chromosome = chromosome_of(contig.name)
    if chromosome == MITOCHONDRION:
        return _CAMBRIDGE_ACCESSION if contig.md5 == _CAMBRIDGE_MD5 else None
    if chromosome is None or contig.length != length_of(build, chromosome):
        return None
    found = (name for name, place in CHROMOSOME_BY_ACCESSION.items() if place == (chromosome, build))
    return next(found, None)


def length_of(build: Build | None, chromosome: str | None) -> int | None:
    """Return the length of a build's chromosome in bases; None where either is not known."""
    if build is None or build is Build.OTHER or chromosome is None:
        return None
    return _LENGTHS[build][CHROMOSOMES.index(chromosome)]


def recognise_build(contigs: Sequence[Contig]) -> Build | None:
    """Return the build whose chromosomes these are, by length or MD5, or None: a slice has none of them whole.

    The mitochondrion tells nothing, as all builds share it.

    Raises:
        RejectedInputError: `reference_mixed_builds`.
    """
    contig_by_build: dict[Build, str] = {}
    for contig in contigs:
        chromosome = chromosome_of(contig.name)
        if chromosome == MITOCHONDRION:
            continue
        for build in _LENGTHS:
            if length_of(build, chromosome) == contig.length or _BUILD_BY_MD5.get(contig.md5) is build:
                contig_by_build.setdefault(build, contig.name)
    if len(contig_by_build) > 1:
        told = ", ".join(f"{name} is of {build}" for build, name in contig_by_build.items())
        raise RejectedInputError("reference_mixed_builds", f"{told}: give one build's FASTA")
    return next(iter(contig_by_build), None)


def check_build(contigs: Sequence[Contig], declared: Build | None) -> Build | None:
    """Return the build of a FASTA: the recognised one, or the declared one where nothing speaks against it.

    Raises:
        RejectedInputError: `build_mismatch` or `reference_mixed_builds`.
    """
    recognised = recognise_build(contigs)
    if declared is None or declared is recognised:
        return recognised
    if recognised:
        raise RejectedInputError(
            "build_mismatch", f"the FASTA is {recognised} by the length of its chromosomes, not {declared}"
        )
    for contig in contigs:
        longest = length_of(declared, chromosome_of(contig.name))
        if longest and contig.length > longest and contig.length != YORUBA_LENGTH:
            raise RejectedInputError(
                "build_mismatch",
                f"{contig.name} has {contig.length:,} bases, and {declared} has {longest:,}: it is of another build",
            )
    return None if declared is Build.OTHER else declared
