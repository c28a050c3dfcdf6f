"""Who may see what of the lake, as Lake Formation keeps it, from the file that the tests of access read too."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from aws_cdk import CfnResource, RemovalPolicy
from aws_cdk import aws_lakeformation as formation
from constructs import Construct

from infra.constructs.lake_table import lake_tables
from infra.constructs.permissions import DataBucket, read_objects, write_objects
from infra.constructs.role import LeastPrivilegeRole
from infra.names import Names

ACCESS = Path(__file__).resolve().parents[2] / "strandline" / "trust" / "access.json"

_SITE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"  # it stands in a filter between quotes, and in names of roles


def access_matrix() -> Mapping[str, Any]:
    """The matrix: data classes, roles, statements."""
    matrix: Mapping[str, Any] = json.loads(ACCESS.read_text(encoding="utf-8"))
    return matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One role of people: `name` is what it is called in a stage, such as researcher or lab-north."""

    name: str
    role: str
    site: str | None = None

    @property
    def described(self) -> Mapping[str, Any]:
        described: Mapping[str, Any] = access_matrix()["roles"][self.role]
        return described


def groups(sites: Sequence[str]) -> list[Group]:
    """The roles of a stage: those of sites once a site."""
    found = []
    for role, described in access_matrix()["roles"].items():
        if described["rows"] == "all":
            found.append(Group(name=role, role=role))
        else:
            if odd := [site for site in sites if re.fullmatch(_SITE, site) is None]:
                raise ValueError(f"StageConfig.sites: {odd} are not codes of sites as manifests write them")
            found += [Group(name=f"{role}-{site}", role=role, site=site) for site in sites]
    return found


def tag_key(names: Names) -> str:
    """Lake Formation's tags are the account's: each stage has its own."""
    return names.of("data_class")


class GovernedLake(Construct):
    """Lake Formation decides about the lake's folder, and what is new there is open to nobody.

    The role that deploys becomes an administrator of the data lake, as only one may tag and grant. Source: Lake
    Formation developer guide, "Changing the default settings for your data lake" and "Adding an Amazon S3 location".
    """

    def __init__(self, scope: Construct, construct_id: str, *, names: Names, lake: DataBucket, folder: str) -> None:
        super().__init__(scope, construct_id)
        deployer = f"arn:aws:iam::{names.account}:role/cdk-hnb659fds-cfn-exec-role-{names.account}-{names.region}"
        settings = formation.CfnDataLakeSettings(
            self,
            "Settings",
            admins=[_principal(deployer, formation.CfnDataLakeSettings.DataLakePrincipalProperty)],
            mutation_type="APPEND",
        )
        settings.apply_removal_policy(RemovalPolicy.RETAIN)
        role = LeastPrivilegeRole(
            self,
            "Reader",
            service="lakeformation.amazonaws.com",
            permissions=[*read_objects(lake, prefix=folder), *write_objects(lake, prefix=folder)],
        )
        self.location = formation.CfnResource(
            self,
            "Location",
            resource_arn=f"{lake.arn}/{folder.rstrip('/')}",
            role_arn=role.role.role_arn,
            use_service_linked_role=False,  # its key policy would have to be opened to that role
        )
        self.location.add_resource_dependency(settings)
        role.complete_before(self.location)
        matrix = access_matrix()
        self.tag = formation.CfnTag(self, "Tag", tag_key=tag_key(names), tag_values=list(matrix["classes"]))
        self.tag.add_resource_dependency(settings)

    def before(self, resource: CfnResource) -> None:
        """Have a database or table made only after nobody gets it by default."""
        resource.add_resource_dependency(self.location)


class DataClasses(Construct):
    """Tags the database, tables, views and columns with their data classes.

    Columns inherit their table's and tables their database's, which is that of what nobody has classified.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: Names,
        tag: formation.CfnTag,
        made: Mapping[str, CfnResource],
    ) -> None:
        super().__init__(scope, construct_id)
        matrix = access_matrix()
        self._names, self._tag = names, tag
        resource = formation.CfnTagAssociation.ResourceProperty
        named = formation.CfnTagAssociation.DatabaseResourceProperty(catalog_id=names.account, name=names.glue_database)
        after = list(made.values())
        self._associate("Database", resource(database=named), matrix["unclassified"], after)
        classes = {name: table.data_class for name, table in _classified().items()} | matrix["views"]
        for name, data_class in classes.items():
            whole = formation.CfnTagAssociation.TableResourceProperty(
                catalog_id=names.account, database_name=names.glue_database, name=name
            )
            self._associate(_id(name), resource(table=whole), data_class, [made[name]])
        for name, table in _classified().items():
            for data_class, columns in table.own_classes.items():
                with_columns = formation.CfnTagAssociation.TableWithColumnsResourceProperty(
                    catalog_id=names.account, database_name=names.glue_database, name=name, column_names=columns
                )
                place = f"{_id(name)}{_id(data_class)}"
                self._associate(place, resource(table_with_columns=with_columns), data_class, [made[name]])

    def _associate(
        self,
        construct_id: str,
        resource: formation.CfnTagAssociation.ResourceProperty,
        data_class: str,
        after: Sequence[CfnResource],
    ) -> None:
        pair = formation.CfnTagAssociation.LFTagPairProperty(
            catalog_id=self._names.account, tag_key=tag_key(self._names), tag_values=[data_class]
        )
        association = formation.CfnTagAssociation(self, construct_id, lf_tags=[pair], resource=resource)
        for one in (self._tag, *after):
            association.add_resource_dependency(one)


class LakeGrants(Construct):
    """What one group may do with the lake. Permissions are never taken from a group by adding another."""

    def __init__(self, scope: Construct, construct_id: str, *, names: Names, group: Group, role_arn: str) -> None:
        super().__init__(scope, construct_id)
        self._names, self._role_arn = names, role_arn
        matrix, described = access_matrix(), group.described
        permissions = [one for deed in described["may"] for one in matrix["permissions"][deed]]
        defines = "define" in described["may"]
        self.grant("Database", database_of(names), ["DESCRIBE", *(["ALTER", "CREATE_TABLE"] if defines else [])])
        if defines:
            self.grant("Location", location_of(names), ["DATA_LOCATION_ACCESS"])
        of_sites = [name for name, kind in matrix["classes"].items() if kind["belongs_to_site"]]
        shared = [name for name in described["reads"] if group.site is None or name not in of_sites]
        self.grant("Classes", _by_tags(names, shared), permissions)
        if group.site is not None:
            self._filter_rows(group, group.site, described["reads"], matrix["site_column"])

    def _filter_rows(self, group: Group, site: str, reads: Sequence[str], site_column: str) -> None:
        for name, table in _classified().items():
            if site_column not in table.columns:
                continue
            hidden = [column for column, data_class in table.columns.items() if data_class not in reads]
            cells = formation.CfnDataCellsFilter(
                self,
                f"{_id(name)}Rows",
                table_catalog_id=self._names.account,
                database_name=self._names.glue_database,
                table_name=name,
                name=self._names.of(group.name),
                row_filter=formation.CfnDataCellsFilter.RowFilterProperty(filter_expression=f"{site_column}='{site}'"),
                column_wildcard=formation.CfnDataCellsFilter.ColumnWildcardProperty(excluded_column_names=hidden),
            )
            named = formation.CfnPrincipalPermissions.DataCellsFilterResourceProperty(
                table_catalog_id=self._names.account,
                database_name=self._names.glue_database,
                table_name=name,
                name=self._names.of(group.name),
            )
            resource = formation.CfnPrincipalPermissions.ResourceProperty(data_cells_filter=named)
            self.grant(f"{_id(name)}Select", resource, ["SELECT"]).add_resource_dependency(cells)

    def grant(
        self,
        construct_id: str,
        resource: formation.CfnPrincipalPermissions.ResourceProperty,
        permissions: Sequence[str],
    ) -> formation.CfnPrincipalPermissions:
        return grant(self, construct_id, self._role_arn, resource, permissions)


def let_write(scope: Construct, construct_id: str, *, names: Names, role_arn: str) -> None:
    """Let a role of the platform load and maintain the tables, whose files it reaches by its own policies."""
    inner = Construct(scope, construct_id)
    grant(inner, "Database", role_arn, database_of(names), ["DESCRIBE", "CREATE_TABLE"])
    everything = _by_tags(names, list(access_matrix()["classes"]))
    grant(inner, "Tables", role_arn, everything, ["SELECT", "DESCRIBE", "INSERT", "DELETE", "ALTER"])
    grant(inner, "Location", role_arn, location_of(names), ["DATA_LOCATION_ACCESS"])


def grant(
    scope: Construct,
    construct_id: str,
    role_arn: str,
    resource: formation.CfnPrincipalPermissions.ResourceProperty,
    permissions: Sequence[str],
) -> formation.CfnPrincipalPermissions:
    """Grant a role permissions that it cannot hand on."""
    return formation.CfnPrincipalPermissions(
        scope,
        construct_id,
        principal=_principal(role_arn, formation.CfnPrincipalPermissions.DataLakePrincipalProperty),
        resource=resource,
        permissions=list(permissions),
        permissions_with_grant_option=[],
    )


def database_of(names: Names) -> formation.CfnPrincipalPermissions.ResourceProperty:
    """The lake's database."""
    named = formation.CfnPrincipalPermissions.DatabaseResourceProperty(
        catalog_id=names.account, name=names.glue_database
    )
    return formation.CfnPrincipalPermissions.ResourceProperty(database=named)


def location_of(names: Names) -> formation.CfnPrincipalPermissions.ResourceProperty:
    """The lake's folder, for new tables there."""
    named = formation.CfnPrincipalPermissions.DataLocationResourceProperty(
        catalog_id=names.account, resource_arn=f"arn:aws:s3:::{names.bucket('lake')}/tables"
    )
    return formation.CfnPrincipalPermissions.ResourceProperty(data_location=named)


def _by_tags(names: Names, classes: Sequence[str]) -> formation.CfnPrincipalPermissions.ResourceProperty:
    expression = formation.CfnPrincipalPermissions.LFTagProperty(tag_key=tag_key(names), tag_values=list(classes))
    policy = formation.CfnPrincipalPermissions.LFTagPolicyResourceProperty(
        catalog_id=names.account, resource_type="TABLE", expression=[expression]
    )
    return formation.CfnPrincipalPermissions.ResourceProperty(lf_tag_policy=policy)


def _principal(arn: str, kind: Any) -> Any:
    return cast(Any, kind)(data_lake_principal_identifier=arn)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A table's data class, and that of each column."""

    data_class: str
    columns: Mapping[str, str]

    @property
    def own_classes(self) -> dict[str, list[str]]:
        """Columns by data class, of those that are not of their table's."""
        found: dict[str, list[str]] = {}
        for column, data_class in self.columns.items():
            if data_class != self.data_class:
                found.setdefault(data_class, []).append(column)
        return found


def _classified() -> dict[str, _Table]:
    tables = lake_tables()
    found = {}
    for name, table in tables.items():
        data_class = tables[table.get("copy_of", name)]["data_class"]
        columns = {column["name"]: column.get("data_class", data_class) for column in table["columns"]}
        found[name] = _Table(data_class=data_class, columns=columns)
    return found


def _id(name: str) -> str:
    return "".join(word.title() for word in name.split("_"))
