"""Who is whose child among the samples that are genotyped together, from a PED file.

An individual of the file is the sample of the same id. What the file says is held against what the labs declared.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict

from strandline.errors import RejectedInputError
from strandline.landing.findings import FindingLog
from strandline.landing.manifest import Sex
from strandline.landing.pedigree import ID_IN_TWO_FAMILIES, validate_pedigree
from strandline.variants.joint_trios import Trio

PEDIGREE_LIMIT_BYTES: Final = 1 << 20
_NOBODY: Final = "0"
_SEX: Final = {"1": Sex.MALE, "2": Sex.FEMALE}


class Relation(BaseModel):
    """One individual; `father` and `mother` are None where the file names none."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sample_id: str
    father: str | None = None
    mother: str | None = None
    sex: Sex = Sex.UNKNOWN


def read_pedigree(body: bytes, name: str) -> tuple[Relation, ...]:
    """Read a PED file in the order of its lines.

    Raises:
        RejectedInputError: `pedigree_too_large`, the code of the first rule of PED files that is broken (`ped_loop`
            where somebody is an own ancestor), or `pedigree_ambiguous`.

    >>> read_pedigree(b"F KID DAD MUM 2 0\\nF DAD 0 0 1 0\\nF MUM 0 0 2 0\\n", "trio.ped")[0].father
    'DAD'
    """
    if len(body) > PEDIGREE_LIMIT_BYTES:
        raise RejectedInputError("pedigree_too_large", f"{name} is over 1 MiB: keep the families that are genotyped")
    log = FindingLog(name)
    validate_pedigree([body], log)
    log.refuse_errors()
    if log.count_by_code[ID_IN_TWO_FAMILIES.code]:
        raise RejectedInputError(
            "pedigree_ambiguous", f"{name}: two families have an individual of the same id: a sample is one person"
        )
    rows = (line.split() for line in body.decode().splitlines() if line.strip() and not line.startswith("#"))
    return tuple(
        Relation(
            sample_id=row[1],
            father=None if row[2] == _NOBODY else row[2],
            mother=None if row[3] == _NOBODY else row[3],
            sex=_SEX.get(row[4], Sex.UNKNOWN),
        )
        for row in rows
    )


def agreed_sexes(relations: Sequence[Relation], declared: Mapping[str, Sex]) -> dict[str, Sex]:
    """Return the sex of each sample: as its lab declared, or as the pedigree says where that is unknown.

    Raises:
        RejectedInputError: `sex_conflict`, where the two say different.
    """
    sexes = dict(declared)
    for number, relation in enumerate(relations, start=1):
        known = sexes.get(relation.sample_id)
        if known is None or relation.sex is Sex.UNKNOWN:
            continue
        if known not in {Sex.UNKNOWN, relation.sex}:
            raise RejectedInputError(
                "sex_conflict",
                f"individual {number} of the pedigree has another sex than its submission declares: correct the one "
                "that is wrong",
            )
        sexes[relation.sample_id] = relation.sex
    return sexes


def find_trios(relations: Sequence[Relation], sample_ids: Sequence[str], sexes: Mapping[str, Sex]) -> list[Trio]:
    """Return each child with both parents among the samples, by their places.

    >>> family = [Relation(sample_id="K", father="D", mother="M")]
    >>> find_trios(family, ["D", "K", "M"], {"K": Sex.FEMALE})
    [Trio(child=1, father=0, mother=2, sex=<Sex.FEMALE: 'FEMALE'>)]
    """
    places = {sample_id: place for place, sample_id in enumerate(sample_ids)}
    return [
        Trio(
            places[relation.sample_id],
            places[relation.father],
            places[relation.mother],
            sexes.get(relation.sample_id, Sex.UNKNOWN),
        )
        for relation in relations
        if relation.father in places and relation.mother in places and relation.sample_id in places
    ]
