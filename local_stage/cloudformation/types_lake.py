"""Glue's catalog and Athena's workgroups."""

import importlib

from local_stage.cloudformation.resources import Made, Request, ResourceType, attempt, confirm, tags_as_list


def _create_database(request: Request) -> Made:
    asked = request.properties["DatabaseInput"]
    name = asked.get("Name") or request.name("Name", lower=True)
    request.call("glue", "CreateDatabase", DatabaseInput={**asked, "Name": name})
    confirm(asked, request.call("glue", "GetDatabase", Name=name)["Database"], f"database {name}")
    return Made(name)


def _update_database(request: Request, made: Made) -> Made:
    asked = request.properties["DatabaseInput"]
    request.call("glue", "UpdateDatabase", Name=made.physical_id, DatabaseInput=asked)
    found = request.call("glue", "GetDatabase", Name=made.physical_id)["Database"]
    confirm(asked, found, f"database {made.physical_id}")
    return made


def _delete_database(request: Request, made: Made) -> None:
    attempt(lambda: request.call("glue", "DeleteDatabase", Name=made.physical_id), "EntityNotFoundException")


def _create_glue_table(request: Request) -> Made:
    database = request.properties["DatabaseName"]
    if "OpenTableFormatInput" in request.properties:
        iceberg = importlib.import_module("local_stage.athena.iceberg")
        name = str(iceberg.create_table(request.context, dict(request.properties)))
        found = request.call("glue", "GetTable", DatabaseName=database, Name=name)["Table"]
        confirm({"table_type": "ICEBERG"}, found["Parameters"], f"table {name}")
        return Made(name)
    asked = request.properties["TableInput"]
    request.call("glue", "CreateTable", DatabaseName=database, TableInput=asked)
    found = request.call("glue", "GetTable", DatabaseName=database, Name=asked["Name"])["Table"]
    confirm(asked, found, f"table {asked['Name']}")
    return Made(str(asked["Name"]))


def _update_glue_table(request: Request, made: Made) -> Made:
    """Change a Hive table in place. An Iceberg table's columns change by its own commits, never by a template."""
    database = request.properties["DatabaseName"]
    if "OpenTableFormatInput" not in request.properties:
        asked = request.properties["TableInput"]
        request.call("glue", "UpdateTable", DatabaseName=database, TableInput=asked)
        found = request.call("glue", "GetTable", DatabaseName=database, Name=made.physical_id)["Table"]
        confirm(asked, found, f"table {made.physical_id}")
        return made
    _delete_glue_table(request, made)
    return _create_glue_table(request)


def _delete_glue_table(request: Request, made: Made) -> None:
    database = request.properties["DatabaseName"]
    attempt(
        lambda: request.call("glue", "DeleteTable", DatabaseName=database, Name=made.physical_id),
        "EntityNotFoundException",
    )


def _create_workgroup(request: Request) -> Made:
    name = str(request.properties["Name"])
    configuration = request.properties.get("WorkGroupConfiguration", {})
    asked = request.take("Description")
    request.call(
        "athena",
        "CreateWorkGroup",
        Name=name,
        Configuration=configuration,
        **asked,
        Tags=tags_as_list(request.properties.get("Tags", [])),
    )
    found = request.call("athena", "GetWorkGroup", WorkGroup=name)["WorkGroup"]
    confirm(configuration, found["Configuration"], f"workgroup {name}")
    confirm({**asked, **request.take("State")}, found, f"workgroup {name}")
    return Made(name, {"CreationTime": str(found.get("CreationTime", ""))})


def _delete_workgroup(request: Request, made: Made) -> None:
    attempt(lambda: request.call("athena", "DeleteWorkGroup", WorkGroup=made.physical_id), "InvalidRequestException")


def _create_named_query(request: Request) -> Made:
    name = request.name("Name", longest=128)
    asked = request.take("Database", "Description", "QueryString", "WorkGroup")
    made = request.call("athena", "CreateNamedQuery", Name=name, **asked)["NamedQueryId"]
    confirm(asked, request.call("athena", "GetNamedQuery", NamedQueryId=made)["NamedQuery"], f"named query {name}")
    return Made(made, {"NamedQueryId": made})


def _delete_named_query(request: Request, made: Made) -> None:
    request.call("athena", "DeleteNamedQuery", NamedQueryId=made.physical_id)


TYPES = [
    ResourceType(
        "AWS::Glue::Database",
        _create_database,
        _delete_database,
        frozenset({"DatabaseInput"}),
        {"CatalogId": "there is one catalog"},
        update=_update_database,
        look=lambda request, made: request.call("glue", "GetDatabase", Name=made.physical_id),
    ),
    ResourceType(
        "AWS::Glue::Table",
        _create_glue_table,
        _delete_glue_table,
        frozenset({"DatabaseName", "Name", "TableInput", "OpenTableFormatInput"}),
        {"CatalogId": "there is one catalog"},
        update=_update_glue_table,
        look=lambda request, made: request.call(
            "glue", "GetTable", DatabaseName=request.properties["DatabaseName"], Name=made.physical_id
        ),
    ),
    ResourceType(
        "AWS::Athena::WorkGroup",
        _create_workgroup,
        _delete_workgroup,
        frozenset({"Name", "Description", "WorkGroupConfiguration", "State", "Tags"}),
        {"RecursiveDeleteOption": "queries live as long as the stage"},
        look=lambda request, made: request.call("athena", "GetWorkGroup", WorkGroup=made.physical_id),
    ),
    ResourceType(
        "AWS::Athena::NamedQuery",
        _create_named_query,
        _delete_named_query,
        frozenset({"Name", "Database", "Description", "QueryString", "WorkGroup"}),
        look=lambda request, made: request.call("athena", "GetNamedQuery", NamedQueryId=made.physical_id),
    ),
]
