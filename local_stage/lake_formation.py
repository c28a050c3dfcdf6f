"""Lake Formation: filters of cells, which moto does not keep, and what its grants let a role see of a table.

Source: Lake Formation developer guide, "Lake Formation tag-based access control" and "Data filters in Lake Formation".
A tag of a column takes the place of its table's, and that of its database's. Permissions add up; those on a table by
several filters, or by a filter and otherwise, are refused here and not worked out.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.lakeformation import urls
from moto.lakeformation.models import LakeFormationBackend, lakeformation_backends
from moto.lakeformation.responses import LakeFormationResponse

from local_stage.context import ACCOUNT, StageContext
from local_stage.replacing import replace

_FILTERS = "cell_filters"  # of moto's own backend, so that a reset takes them with it
_Key = tuple[str, str, str]


class MixedGrantsError(Exception):
    """Grants of several kinds on one table, which are not added up here."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a role may see of a table. `row_filter` is an expression that is true of the rows; None for all rows."""

    columns: frozenset[str]
    row_filter: str | None = None


def install(context: StageContext) -> None:
    """Make Lake Formation keep filters of cells."""
    del context
    for name, answer in {
        "create_data_cells_filter": _create_filter,
        "get_data_cells_filter": _get_filter,
        "delete_data_cells_filter": _delete_filter,
    }.items():
        setattr(LakeFormationResponse, name, answer)  # moto has no such operation
        operation = "".join(part.title() for part in name.split("_"))
        urls.url_paths[f"{{0}}/{operation}$"] = urls.response.dispatch
    replace(LakeFormationBackend, "list_data_cells_filter", lambda self: list(_filters(self).values()))


def is_registered(context: StageContext, location: str) -> bool:
    """Return whether Lake Formation decides about what lies at a location, such as s3://lake/tables/variants."""
    arn = f"arn:aws:s3:::{location.partition('://')[2].rstrip('/')}/"
    return any(arn.startswith(f"{one.arn.rstrip('/')}/") for one in _backend(context).list_resources())


def sight_of(context: StageContext, principal: str, database: str, table: str, columns: Sequence[str]) -> Sight | None:
    """Return what of a table's columns and rows a principal may select; None for nothing.

    Raises:
        MixedGrantsError: the grants are not of one kind.
    """
    seen: set[str] = set()
    filters = []
    for resource, permissions in _grants(context, principal):
        if not {"SELECT", "ALL"} & permissions:
            continue
        if "DataCellsFilter" in resource:
            named = resource["DataCellsFilter"]
            if (named["DatabaseName"], named["TableName"]) == (database, table):
                filters.append(_filters(_backend(context))[database, table, named["Name"]])
        else:
            seen |= _columns_of(context, resource, database, table, columns)
    if filters and (seen or len(filters) > 1):
        raise MixedGrantsError
    if filters:
        named = filters[0]
        hidden = (named.get("ColumnWildcard") or {}).get("ExcludedColumnNames") or []
        listed = named.get("ColumnNames") or [name for name in columns if name not in hidden]
        row_filter = (named.get("RowFilter") or {}).get("FilterExpression")
        return Sight(frozenset(listed) & frozenset(columns), row_filter)
    return Sight(frozenset(seen)) if seen else None


def holds(context: StageContext, principal: str, permission: str, database: str, table: str | None) -> bool:
    """Return whether a principal holds a permission on a table, or on a database where no table is named."""
    for resource, permissions in _grants(context, principal):
        if not {permission, "ALL"} & permissions:
            continue
        if table is None:
            if resource.get("Database", {}).get("Name") == database:
                return True
        elif _is_table(resource.get("Table", {}), database, table) or _opens(context, resource, database, table, ""):
            return True
    return False


def _columns_of(
    context: StageContext, resource: Mapping[str, Any], database: str, table: str, columns: Sequence[str]
) -> set[str]:
    if _is_table(resource.get("Table", {}), database, table):
        return set(columns)
    listed = resource.get("TableWithColumns", {})
    if (listed.get("DatabaseName"), listed.get("Name")) == (database, table):
        hidden = (listed.get("ColumnWildcard") or {}).get("ExcludedColumnNames") or []
        return set(listed.get("ColumnNames") or [name for name in columns if name not in hidden])
    return {name for name in columns if _opens(context, resource, database, table, name)}


def _opens(context: StageContext, resource: Mapping[str, Any], database: str, table: str, column: str) -> bool:
    """Return whether a grant by tags is one on a column, or on a table as a whole where no column is named."""
    policy = resource.get("LFTagPolicy", {})
    return policy.get("ResourceType") == "TABLE" and all(
        _tag(_backend(context), database, table, column, one["TagKey"]) in one["TagValues"]
        for one in policy["Expression"]
    )


def _is_table(named: Mapping[str, Any], database: str, table: str) -> bool:
    return named.get("DatabaseName") == database and ("TableWildcard" in named or named.get("Name") == table)


def _tag(backend: LakeFormationBackend, database: str, table: str, column: str, key: str) -> str | None:
    """Return the value of a tag that counts for a column: its own, its table's or its database's."""
    for tags in (
        backend.lf_columns_tags.get((ACCOUNT, database, table, column)),
        backend.lf_table_tags.get((ACCOUNT, database, table)),
        backend.lf_database_tags.get((ACCOUNT, database)),
    ):
        for tag in tags or []:
            if tag["TagKey"] == key:
                return str(tag["TagValues"][0])
    return None


def _grants(context: StageContext, principal: str) -> Iterator[tuple[Mapping[str, Any], set[str]]]:
    for catalog in list(_backend(context).grants.values()):
        for grant in list(catalog.permissions):
            if grant.principal.get("DataLakePrincipalIdentifier") == principal:
                yield grant.resource, set(grant.permissions)


def _backend(context: StageContext) -> LakeFormationBackend:
    backend: LakeFormationBackend = lakeformation_backends[context.account][context.region]
    return backend


def _filters(backend: LakeFormationBackend) -> dict[_Key, dict[str, Any]]:
    kept: dict[_Key, dict[str, Any]] = vars(backend).setdefault(_FILTERS, {})
    return kept


def _key(asked: Mapping[str, Any]) -> _Key:
    return str(asked["DatabaseName"]), str(asked["TableName"]), str(asked["Name"])


def _create_filter(self: LakeFormationResponse) -> str:
    asked = self._get_param("TableData")
    kept = _filters(self.lakeformation_backend)
    if _key(asked) in kept:
        raise JsonRESTError("AlreadyExistsException", f"Filter {asked['Name']} exists already")
    kept[_key(asked)] = asked
    return "{}"


def _get_filter(self: LakeFormationResponse) -> str:
    asked = {name: self._get_param(name) for name in ("DatabaseName", "TableName", "Name")}
    found = _filters(self.lakeformation_backend).get(_key(asked))
    if found is None:
        raise JsonRESTError("EntityNotFoundException", f"There is no filter {asked['Name']}")
    return json.dumps({"DataCellsFilter": found})


def _delete_filter(self: LakeFormationResponse) -> str:
    asked = {name: self._get_param(name) for name in ("DatabaseName", "TableName", "Name")}
    if _filters(self.lakeformation_backend).pop(_key(asked), None) is None:
        raise JsonRESTError("EntityNotFoundException", f"There is no filter {asked['Name']}")
    return "{}"
