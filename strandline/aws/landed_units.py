"""What of a submission can be validated by itself: the reads of one read group, or the regions."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from strandline import landing
from strandline.aws.landed_files import LandedFile
from strandline.landing.manifest import DeclaredFile, FileRole, Manifest


@dataclass(frozen=True, slots=True)
class LandedUnit:
    """Files that are validated together, all of them there.

    `digest` (SHA-256, hexadecimal) stands for all that a verdict on them rests on: the object versions, what the
    manifest declares of them, the reference, and the code that judges. Where it is the same, so is the verdict.
    """

    files: tuple[DeclaredFile, ...]
    landed: tuple[LandedFile, ...]
    digest: str

    @property
    def size_bytes(self) -> int:
        """Bytes of all files, as declared."""
        return sum(file.size_bytes for file in self.files)

    @property
    def role(self) -> FileRole:
        """The role of the first file: it tells how the unit is read."""
        return self.files[0].role

    @property
    def names(self) -> frozenset[str]:
        """The names of the files."""
        return frozenset(file.name for file in self.files)


def landed_units(manifest: Manifest, landed: Mapping[str, LandedFile]) -> list[LandedUnit]:
    """Return the units of which every file has landed: the regions first, then the reads in the manifest's order.

    Args:
        manifest: what the lab declared.
        landed: the registered files by name.
    """
    regions = manifest.file_by_role(FileRole.REGIONS)
    units = [(regions,)] if regions else []
    return [
        _landed_unit(manifest, files, tuple(landed[file.name] for file in files))
        for files in [*units, *(reads.files for reads in manifest.read_sets())]
        if all(file.name in landed for file in files)
    ]


def _landed_unit(manifest: Manifest, files: tuple[DeclaredFile, ...], landed: tuple[LandedFile, ...]) -> LandedUnit:
    rests_on = {
        "judges": _version_of_the_judges(),
        "reference": manifest.reference.model_dump(mode="json"),
        "declared": [file.model_dump(mode="json") for file in files],
        "landed": [[file.version_id, file.size_bytes] for file in landed],
    }
    return LandedUnit(files, landed, hashlib.sha256(json.dumps(rests_on, sort_keys=True).encode()).hexdigest())


@cache
def _version_of_the_judges() -> str:
    """Return a digest of the code that judges files: a verdict lasts no longer than the rules it was given by."""
    folder = Path(landing.__path__[0])
    digest = hashlib.sha256()
    for path in [*sorted(folder.rglob("*.py")), Path(__file__).with_name("unit_validation.py")]:
        digest.update(path.read_bytes())
    return digest.hexdigest()
