"""What the caller of a query may see and do: what Lake Formation grants its role, and the role's policies allow.

Whoever runs the stage may do everything. Of a table that does not lie in a registered location IAM alone decides. A
column that is not granted is as one that does not exist; rows that are not granted are
left out before anything of a query is worked out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from local_stage import lake_formation
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.callers import Caller
from local_stage.context import StageContext
from local_stage.lake_formation import MixedGrantsError, Sight

_ACTIONS: Final = {
    "CREATE_TABLE": "CreateTable",
    "ALTER": "UpdateTable",
    "DROP": "DeleteTable",
    "INSERT": "UpdateTable",
    "DELETE": "UpdateTable",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Decides for one query of `caller`, None for whoever runs the stage."""

    context: StageContext
    caller: Caller | None = None

    def sight(self, described: Mapping[str, Any], columns: Iterable[str] | None = None) -> Sight | None:
        """Return what is seen of a table, as Glue describes it: None for all of it.

        Args:
            described: the table.
            columns: those that it has, where others know that better than Glue.

        Raises:
            AthenaFailure: nothing of it is.
        """
        listed = _columns(described) if columns is None else frozenset(columns)
        found = self._find(described, listed)
        if found is not None and not found.columns:
            raise _insufficient("Select", str(described["Name"]))
        return None if found is not None and found.row_filter is None and found.columns == listed else found

    def sees(self, described: Mapping[str, Any]) -> bool:
        """Return whether anything of a table is seen, so that lists may show it."""
        found = self._find(described, _columns(described))
        return found is None or bool(found.columns)

    def require_whole(self, described: Mapping[str, Any], what: str) -> None:
        """Refuse what tells of all rows and columns at once, or changes them.

        Raises:
            AthenaFailure: some of them are not seen.
        """
        if self.sight(described) is not None:
            raise AthenaFailure("NOT_SUPPORTED", f"{what} is only for those who see all of {described['Name']}")

    def require(self, permission: str, database: str, described: Mapping[str, Any] | None = None) -> None:
        """Refuse what a permission of Lake Formation is needed for, such as INSERT or CREATE_TABLE.

        Raises:
            AthenaFailure: it is not granted.
        """
        if self.caller is None:
            return
        table = None if described is None else str(described["Name"])
        governed = self._is_governed(database, described)
        if governed and not lake_formation.holds(self.context, self.caller.arn, permission, database, table):
            raise _insufficient(permission.title().replace("_", " "), table or database)
        action = f"glue:{_ACTIONS[permission]}"
        if not self.caller.may(action, self._table_arn(database, table or "new")):
            raise AthenaFailure(
                "PERMISSION_DENIED", f"Access Denied: {self.caller.role} may not {action} in {database}"
            )

    def require_writable(self, location: str) -> None:
        """Refuse to write where the caller's policies do not let it.

        Raises:
            AthenaFailure: they do not.
        """
        if self.caller is None:
            return
        place = location.partition("://")[2].rstrip("/")
        if not self.caller.may("s3:PutObject", f"arn:aws:s3:::{place}/part"):
            raise AthenaFailure("PERMISSION_DENIED", f"Access Denied: {self.caller.role} may not write to {location}")

    def _find(self, described: Mapping[str, Any], columns: frozenset[str]) -> Sight | None:
        """Return what is seen of a table; None where everything is."""
        if self.caller is None:
            return None
        database, name = str(described["DatabaseName"]), str(described["Name"])
        if not self._is_governed(database, described):
            return None if self._may_read(described) else Sight(frozenset())
        try:
            found = lake_formation.sight_of(self.context, self.caller.arn, database, name, sorted(columns))
        except MixedGrantsError:
            raise unsupported(f"grants of several kinds on {name} for one role") from None
        return found or Sight(frozenset())

    def _may_read(self, described: Mapping[str, Any]) -> bool:
        """Return whether the caller's policies let it read the files of a table; a view has none."""
        place = str((described.get("StorageDescriptor") or {}).get("Location") or "").partition("://")[2].rstrip("/")
        return not place or (self.caller is not None and self.caller.may("s3:GetObject", f"arn:aws:s3:::{place}/part"))

    def _table_arn(self, database: str, table: str) -> str:
        return f"arn:aws:glue:{self.context.region}:{self.context.account}:table/{database}/{table}"

    def _is_governed(self, database: str, described: Mapping[str, Any] | None) -> bool:
        glue = self.context.client("glue")
        try:
            places = [str(glue.get_database(Name=database)["Database"].get("LocationUri") or "")]
        except glue.exceptions.EntityNotFoundException:
            return False
        if described is not None:
            places.append(str((described.get("StorageDescriptor") or {}).get("Location") or ""))
        return any(place and lake_formation.is_registered(self.context, place) for place in places)


def _columns(described: Mapping[str, Any]) -> frozenset[str]:
    storage = described.get("StorageDescriptor") or {}
    listed = [*(storage.get("Columns") or []), *(described.get("PartitionKeys") or [])]
    return frozenset(str(column["Name"]).lower() for column in listed)


def _insufficient(permission: str, name: str) -> AthenaFailure:
    return AthenaFailure(
        "",
        "Insufficient permissions to execute the query. "
        f"Insufficient Lake Formation permission(s): Required {permission} on {name}",
    )
