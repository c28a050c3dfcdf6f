"""Who may see which columns and rows of the lake, and may run which statements, as `access.json` says it.

Lake Formation is made to decide so by the stage's templates, which read the same file. HIPAA's list of identifiers,
45 CFR 164.514(b)(2)(i), is why the names that a lab gives are a class of their own.
"""

import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from strandline.errors import RejectedInputError
from strandline.lake.tables import Column, LakeTable, lake_tables

Deed = Literal["read", "write", "define"]
_SITE_ROLE: Final = re.compile(r"(?P<role>[a-z]+)-(?P<site>[A-Za-z0-9][A-Za-z0-9._-]{0,31})")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataClass(_Frozen):
    """A kind of column. Of one that belongs to a site, a role of a site sees that site's rows."""

    about: str
    belongs_to_site: bool


class Role(_Frozen):
    """What one group may do. `instead` names a column that tells the same apart as one that it may not see."""

    about: str
    reads: tuple[str, ...]
    rows: Literal["all", "site"]
    may: tuple[Deed, ...]
    instead: Mapping[str, str] = {}


class AccessMatrix(_Frozen):
    """The whole of `access.json`. `unclassified` is the class of whatever has none: what comes later begins hidden."""

    classes: Mapping[str, DataClass]
    unclassified: str
    views: Mapping[str, str]
    site_column: str
    roles: Mapping[str, Role]
    statements: Mapping[Deed, tuple[str, ...]]
    permissions: Mapping[Deed, tuple[str, ...]]

    def sees(self, role: Role, table: LakeTable) -> tuple[Column, ...]:
        """Return the columns of a table that a role sees; of a site's role in the rows of its site alone.

        What belongs to sites and does not say to which is seen by no role of a site.
        """
        tells_site = any(column.name == self.site_column for column in table.columns)
        seen = set(role.reads)
        if role.rows == "site" and not tells_site:
            seen = {name for name in role.reads if not self.classes[name].belongs_to_site}
        return tuple(column for column in table.columns if column.data_class in seen)

    def is_by_site(self, role: Role, table: LakeTable) -> bool:
        """Return whether a role sees the rows of its site alone."""
        seen = self.sees(role, table)
        return role.rows == "site" and any(self.classes[column.data_class].belongs_to_site for column in seen)

    def deed_of(self, statement: str) -> Deed:
        """Return what kind of deed a statement is, by its first word.

        Raises:
            KeyError: there is no such statement.
        """
        return next(deed for deed, words in self.statements.items() if statement in words)


@cache
def access_matrix() -> AccessMatrix:
    """Return the matrix."""
    return AccessMatrix.model_validate_json(files("strandline.trust").joinpath("access.json").read_bytes())


def split_role(name: str) -> tuple[str, str | None]:
    """Return a role as a person names it, with its site where it is one of a site.

    Raises:
        RejectedInputError: `role_unknown`, with the roles there are; `role_site_missing`.

    >>> split_role("researcher"), split_role("lab-north")
    (('researcher', None), ('lab', 'north'))
    """
    roles = access_matrix().roles
    found = _SITE_ROLE.fullmatch(name)
    role, site = (found["role"], found["site"]) if found else (name, None)
    if role not in roles or (site is not None and roles[role].rows == "all"):
        shown = ", ".join(f"{one}-SITE" if known.rows == "site" else one for one, known in roles.items())
        raise RejectedInputError("role_unknown", f"there is no such role: take one of {shown}")
    if roles[role].rows == "site" and site is None:
        raise RejectedInputError("role_site_missing", f"'{role}' is of one site: say which, such as {role}-north")
    return role, site


def in_words_of(role: str, sql: str) -> str:
    """Return a question of the lake with the columns that stand, for a role, in the place of those it may not see.

    >>> in_words_of("researcher", "SELECT sample_id FROM variants")
    'SELECT submission_id FROM variants'
    """
    for hidden, shown in access_matrix().roles[role].instead.items():
        sql = re.sub(rf"\b{hidden}\b", shown, sql)
    return sql


def matrix_lines() -> list[str]:
    """Return the matrix as two Markdown tables: of classes by role, and of columns by table and role."""
    matrix = access_matrix()
    roles = matrix.roles
    lines = [f"| class | what it is | {' | '.join(roles)} |", f"| --- | --- |{' --- |' * len(roles)}"]
    for name, kind in matrix.classes.items():
        cells = [_cell(matrix, role, name) for role in roles.values()]
        lines.append(f"| `{name}` | {kind.about} | {' | '.join(cells)} |")
    for deed, words in matrix.statements.items():
        cells = ["yes" if deed in role.may else "no" for role in roles.values()]
        lines.append(f"| {deed} | {', '.join(words)} | {' | '.join(cells)} |")
    lines += ["", f"| table | {' | '.join(roles)} |", f"| --- |{' --- |' * len(roles)}"]
    for table in lake_tables().values():
        cells = [_shown(matrix, role, table) for role in roles.values()]
        lines.append(f"| `{table.name}` | {' | '.join(cells)} |")
    for view, kind_name in matrix.views.items():
        cells = ["yes" if _sees_view(matrix, role, kind_name) else "no" for role in roles.values()]
        lines.append(f"| `{view}` (view) | {' | '.join(cells)} |")
    return lines


def _cell(matrix: AccessMatrix, role: Role, kind: str) -> str:
    if kind not in role.reads:
        return "no"
    return "its site" if role.rows == "site" and matrix.classes[kind].belongs_to_site else "yes"


def _shown(matrix: AccessMatrix, role: Role, table: LakeTable) -> str:
    seen = [column.name for column in matrix.sees(role, table)]
    lacking = [f"`{column.name}`" for column in table.columns if column.name not in seen]
    if not seen:
        return "nothing"
    whose = ", its site" if matrix.is_by_site(role, table) else ""
    if not lacking:
        return f"all{whose}"
    if len(lacking) <= len(seen):
        return f"all but {', '.join(lacking)}{whose}"
    return f"{', '.join(f'`{name}`' for name in seen)}{whose}"


def _sees_view(matrix: AccessMatrix, role: Role, kind: str) -> bool:
    return kind in role.reads and not (role.rows == "site" and matrix.classes[kind].belongs_to_site)


if __name__ == "__main__":
    sys.stdout.write("\n".join(matrix_lines()) + "\n")
