"""Lake Formation: tags, whom they open what to, and filters of cells. `local_stage.athena.access` goes by them."""

from collections.abc import Mapping

from local_stage.cloudformation.resources import Made, Request, ResourceError, ResourceType, attempt, confirm
from local_stage.cloudformation.template import Json

_GONE = "EntityNotFoundException"


def _put_settings(request: Request) -> Made:
    admins = request.properties.get("Admins", [])
    settings = {"DataLakeAdmins": admins, "CreateDatabaseDefaultPermissions": [], "CreateTableDefaultPermissions": []}
    for name in ("CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions"):
        settings[name] = request.properties.get(name, [])
    request.call("lakeformation", "PutDataLakeSettings", DataLakeSettings=settings)
    found = request.call("lakeformation", "GetDataLakeSettings")["DataLakeSettings"]
    confirm(settings, found, "data lake settings")
    return Made(f"{request.stack_name}-settings")


def _reset_settings(request: Request, made: Made) -> None:
    del made
    request.call("lakeformation", "PutDataLakeSettings", DataLakeSettings={"DataLakeAdmins": []})


def _register(request: Request) -> Made:
    arn, role = str(request.properties["ResourceArn"]), request.properties["RoleArn"]
    request.call("lakeformation", "RegisterResource", ResourceArn=arn, RoleArn=role)
    found = request.call("lakeformation", "DescribeResource", ResourceArn=arn)["ResourceInfo"]
    confirm({"ResourceArn": arn, "RoleArn": role}, found, f"location {arn}")
    return Made(arn)


def _deregister(request: Request, made: Made) -> None:
    attempt(lambda: request.call("lakeformation", "DeregisterResource", ResourceArn=made.physical_id), _GONE)


def _create_tag(request: Request) -> Made:
    key, values = str(request.properties["TagKey"]), list(request.properties["TagValues"])
    request.call("lakeformation", "CreateLFTag", TagKey=key, TagValues=values)
    confirm(values, request.call("lakeformation", "GetLFTag", TagKey=key)["TagValues"], f"tag {key}")
    return Made(key)


def _delete_tag(request: Request, made: Made) -> None:
    attempt(lambda: request.call("lakeformation", "DeleteLFTag", TagKey=made.physical_id), _GONE)


def _associate(request: Request) -> Made:
    resource, tags = request.properties["Resource"], request.properties["LFTags"]
    failures = request.call("lakeformation", "AddLFTagsToResource", Resource=resource, LFTags=tags).get("Failures")
    if failures:
        raise ResourceError(f"tags of {_name(resource)}: {failures[0]['Error']['ErrorMessage']}")
    found = request.call("lakeformation", "GetResourceLFTags", Resource=resource)
    for column in resource.get("TableWithColumns", {}).get("ColumnNames", []):
        (own,) = [one["LFTags"] for one in found["LFTagsOnColumns"] if one["Name"] == column]
        confirm(tags, own, f"tags of {_name(resource)}.{column}")
    if "Table" in resource:
        confirm(tags, found["LFTagsOnTable"], f"tags of {_name(resource)}")
    if "Database" in resource:
        confirm(tags, found["LFTagOnDatabase"], f"tags of {_name(resource)}")
    return Made(_name(resource))


def _dissociate(request: Request, made: Made) -> None:
    del made
    asked = {"Resource": request.properties["Resource"], "LFTags": request.properties["LFTags"]}
    attempt(lambda: request.call("lakeformation", "RemoveLFTagsFromResource", **asked), _GONE)


def _create_filter(request: Request) -> Made:
    data = request.take("TableCatalogId", "DatabaseName", "TableName", "Name", "RowFilter", "ColumnNames")
    data |= request.take("ColumnWildcard")
    request.call("lakeformation", "CreateDataCellsFilter", TableData=data)
    named = request.take("TableCatalogId", "DatabaseName", "TableName", "Name")
    found = request.call("lakeformation", "GetDataCellsFilter", **named)["DataCellsFilter"]
    confirm(data, found, f"filter {data['Name']}")
    return Made(f"{data['TableName']}|{data['Name']}")


def _delete_filter(request: Request, made: Made) -> None:
    del made
    named = request.take("TableCatalogId", "DatabaseName", "TableName", "Name")
    attempt(lambda: request.call("lakeformation", "DeleteDataCellsFilter", **named), _GONE)


def _grant(request: Request) -> Made:
    request.call("lakeformation", "GrantPermissions", **_granted(request))
    asked = request.take("Principal", "Resource", "Permissions")
    principal = request.properties["Principal"]
    found = request.call("lakeformation", "ListPermissions")["PrincipalResourcePermissions"]
    confirm([asked], found, f"permissions {request.logical_id}")
    return Made(f"{principal['DataLakePrincipalIdentifier']}|{request.logical_id}")


def _revoke(request: Request, made: Made) -> None:
    del made
    attempt(lambda: request.call("lakeformation", "RevokePermissions", **_granted(request)), _GONE)


def _granted(request: Request) -> dict[str, Json]:
    return request.take("Principal", "Resource", "Permissions", "PermissionsWithGrantOption")


def _name(resource: Mapping[str, Json]) -> str:
    (named,) = resource.values()
    return ".".join(str(named[key]) for key in ("DatabaseName", "Name") if key in named)


_CATALOG = "there is one catalog"
TYPES = [
    ResourceType(
        "AWS::LakeFormation::DataLakeSettings",
        _put_settings,
        _reset_settings,
        frozenset({"Admins", "CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions"}),
        {"MutationType": "there is one stage"},
        look=lambda request, _: request.call("lakeformation", "GetDataLakeSettings"),
    ),
    ResourceType(
        "AWS::LakeFormation::Resource",
        _register,
        _deregister,
        frozenset({"ResourceArn", "RoleArn"}),
        {"UseServiceLinkedRole": "the role is named", "HybridAccessEnabled": "it decides for every assumed role"},
        look=lambda request, made: request.call("lakeformation", "DescribeResource", ResourceArn=made.physical_id),
    ),
    ResourceType(
        "AWS::LakeFormation::Tag",
        _create_tag,
        _delete_tag,
        frozenset({"TagKey", "TagValues"}),
        {"CatalogId": _CATALOG},
        look=lambda request, made: request.call("lakeformation", "GetLFTag", TagKey=made.physical_id),
    ),
    ResourceType(
        "AWS::LakeFormation::TagAssociation",
        _associate,
        _dissociate,
        frozenset({"Resource", "LFTags"}),
    ),
    ResourceType(
        "AWS::LakeFormation::DataCellsFilter",
        _create_filter,
        _delete_filter,
        frozenset(
            {"TableCatalogId", "DatabaseName", "TableName", "Name", "RowFilter", "ColumnNames", "ColumnWildcard"}
        ),
    ),
    ResourceType(
        "AWS::LakeFormation::PrincipalPermissions",
        _grant,
        _revoke,
        frozenset({"Principal", "Resource", "Permissions", "PermissionsWithGrantOption"}),
        {"Catalog": _CATALOG},
    ),
]
