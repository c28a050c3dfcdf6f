"""What a submission's report is to be read with, where a source became newer since its analysis: `knowledge.json`.

It lies beside the calls, which stay as they are: what it says of an allele stands in place of what the calls say.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from strandline.errors import RejectedInputError
from strandline.interpretation.reclassification import Change, Known, allele_of, read_policy, with_known
from strandline.variants.records import VariantCall

KNOWLEDGE_LIMIT_BYTES: Final = 64 << 20
_LONGEST_REASON: Final = 1_900
_Digest = Field(pattern=r"^[0-9a-f]{64}$")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Source(_Frozen):
    """A version of ClinVar: the reference bundle that brings it, the file's SHA-256, and what it says of itself."""

    name: str
    version: str
    says: str
    sha256: str = _Digest

    @property
    def label(self) -> str:
        """Name and version of the bundle."""
        return f"{self.name}/{self.version}"

    @property
    def named(self) -> str:
        """What people call it; a file whose header says nothing is known by its name."""
        return self.says if "clinvar" in self.says.lower() else f"ClinVar {self.says}"

    @property
    def line(self) -> str:
        """What the header of annotated calls says of it."""
        return f"{self.says} sha256:{self.sha256[:12]}"


class Knowledge(_Frozen):
    """What a newer source says of one sample's calls.

    Attributes:
        before: the source of the version in force.
        after: the newer one.
        found: when they were compared, in UTC.
        policy: version of the policy that said what matters.
        release: the version of the release that this was found for.
        known: of every call whose entry differs from that of the analysis: its allele, and what is known now.
        changes: since the version in force, those that matter and others.
    """

    before: Source
    after: Source
    found: AwareDatetime
    policy: str
    release: int = Field(ge=1)
    known: tuple[tuple[str, Known | None], ...]
    changes: tuple[Change, ...]

    @property
    def mattering(self) -> tuple[Change, ...]:
        """The changes for which the report is looked at again."""
        return tuple(change for change in self.changes if change.rule)

    @property
    def reason(self) -> str:
        """Why there is a new version, in one line that a record of a release takes."""
        told = [f"{change.gene or 'no gene'} {change.variant} {words_of(change)}" for change in self.mattering]
        line = f"{self.after.named} in place of {self.before.named}: "
        shown = 0
        while shown < len(told) and len(line) + len(told[shown]) < _LONGEST_REASON:
            line += ("; " if shown else "") + told[shown]
            shown += 1
        line += f"; and {len(told) - shown} more" if shown < len(told) else ""
        return "".join(letter if letter.isprintable() else " " for letter in line)[:_LONGEST_REASON]

    def applied_to(self, calls: Iterable[VariantCall]) -> Iterator[VariantCall]:
        """Yield calls as they are known now."""
        known = dict(self.known)
        for call in calls:
            allele = allele_of(call)
            yield with_known(call, known[allele]) if allele in known else call


def words_of(change: Change) -> str:
    """Return a change that matters, in words.

    >>> words_of(Change(variant="c:1:A:G", after=Known(clinvar_id="7", significance="Benign"), rule="became_benign"))
    'became (likely) benign: not in ClinVar, now Benign (7)'
    """
    return f"{read_policy().says(change.rule or '')}: {said_of(change.before)}, now {said_of(change.after)}"


def said_of(known: Known | None) -> str:
    """Return what ClinVar says of an allele, in words."""
    return f"{known.words} ({known.clinvar_id})" if known else "not in ClinVar"


def parse_knowledge(body: bytes) -> Knowledge:
    """Read `knowledge.json`.

    Raises:
        RejectedInputError: `knowledge_invalid`.
    """
    try:
        return Knowledge.model_validate_json(body)
    except ValidationError:
        raise RejectedInputError("knowledge_invalid", "knowledge.json is not as it was written: compare anew") from None


def knowledge_to_bytes(knowledge: Knowledge) -> bytes:
    """Return what `parse_knowledge` reads."""
    return json.dumps(knowledge.model_dump(mode="json", by_alias=True), sort_keys=True).encode()
