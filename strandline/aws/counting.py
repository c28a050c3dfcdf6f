"""What is counted of a submission's reads: its own regions and the common variants of its reference bundle."""

from strandline.aws.workspace import Workspace
from strandline.journey import Artifact
from strandline.landing.regions import Region, parse_regions
from strandline.reads.known_sites import read_known_sites
from strandline.reads.measurement import NamedRegion, Wanted, read_names
from strandline.reads.reference_bundle import ReferenceBundle, ReferenceRole

_ROLES = [ReferenceRole.FREQUENCIES, ReferenceRole.FREQUENCIES_INDEX]


def read_wanted(workspace: Workspace, bundle: ReferenceBundle) -> Wanted:
    """Return what is counted; the submission's regions lie among the outputs by now."""
    named = _named_regions(workspace, bundle)
    analysed = [one.region for one in named] or [
        Region(name, 0, length) for name, length in bundle.length_by_contig.items()
    ]
    frequencies = workspace.fetch_reference(bundle, _ROLES).get(ReferenceRole.FREQUENCIES)
    sites = read_known_sites(frequencies, analysed) if frequencies else []
    return Wanted(tuple(analysed), tuple(named), tuple(sites), bundle.assembly)


def _named_regions(workspace: Workspace, bundle: ReferenceBundle) -> list[NamedRegion]:
    """Return the submission's regions by name, none where the whole reference is analysed."""
    bed = workspace.fetch_if_there(Artifact.REGIONS)
    if bed is None:
        return []
    body = bed.read_bytes()
    return read_names(body, parse_regions(body, bed.name, bundle.length_by_contig))
