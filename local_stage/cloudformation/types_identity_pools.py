"""Cognito: user pools, their groups, scopes and app clients."""

from local_stage.cloudformation.resources import Made, Request, ResourceType, attempt, confirm, leave

_IDP = "cognito-idp"
_GONE = "ResourceNotFoundException"
_POOL = (
    *("Policies", "AdminCreateUserConfig", "AccountRecoverySetting", "UsernameConfiguration", "DeletionProtection"),
    *("AutoVerifiedAttributes", "UserPoolTags", "MfaConfiguration"),
)
_CLIENT = (
    *("ClientName", "GenerateSecret", "ExplicitAuthFlows", "PreventUserExistenceErrors", "EnableTokenRevocation"),
    *("AuthSessionValidity", "AccessTokenValidity", "IdTokenValidity", "RefreshTokenValidity", "TokenValidityUnits"),
    *("ReadAttributes", "WriteAttributes"),
)


def _create_pool(request: Request) -> Made:
    name = request.name("UserPoolName", longest=128)
    asked = request.take(*_POOL)
    pool = request.call(_IDP, "CreateUserPool", PoolName=name, **asked)["UserPool"]
    pool_id = str(pool["Id"])
    _configure_codes(request, pool_id)
    confirm(asked, request.call(_IDP, "DescribeUserPool", UserPoolId=pool_id)["UserPool"], f"user pool {name}")
    host = f"cognito-idp.{request.context.region}.amazonaws.com"
    attributes = {"UserPoolId": pool_id, "Arn": pool["Arn"]}
    attributes |= {"ProviderName": f"{host}/{pool_id}", "ProviderURL": f"https://{host}/{pool_id}"}
    return Made(pool_id, attributes)


def _update_pool(request: Request, made: Made) -> Made:
    asked = request.take(*(name for name in _POOL if name != "UsernameConfiguration"))
    request.call(_IDP, "UpdateUserPool", UserPoolId=made.physical_id, **asked)
    _configure_codes(request, made.physical_id)
    return made


def _configure_codes(request: Request, pool_id: str) -> None:
    enabled = request.properties.get("EnabledMfas", [])
    if not enabled:
        return
    asked = {"MfaConfiguration": request.properties.get("MfaConfiguration", "OFF")}
    codes = {"SoftwareTokenMfaConfiguration": {"Enabled": "SOFTWARE_TOKEN_MFA" in enabled}}
    request.call(_IDP, "SetUserPoolMfaConfig", UserPoolId=pool_id, **asked, **codes)
    confirm(asked | codes, request.call(_IDP, "GetUserPoolMfaConfig", UserPoolId=pool_id), f"user pool {pool_id}")


def _delete_pool(request: Request, made: Made) -> None:
    attempt(lambda: request.call(_IDP, "DeleteUserPool", UserPoolId=made.physical_id), _GONE)


def _create_client(request: Request) -> Made:
    pool, asked = request.properties["UserPoolId"], request.take(*_CLIENT)
    made = request.call(_IDP, "CreateUserPoolClient", UserPoolId=pool, **asked)["UserPoolClient"]
    client_id = str(made["ClientId"])
    found = request.call(_IDP, "DescribeUserPoolClient", UserPoolId=pool, ClientId=client_id)["UserPoolClient"]
    confirm({name: value for name, value in asked.items() if name != "GenerateSecret"}, found, "user pool client")
    return Made(client_id, {"ClientId": client_id})


def _delete_client(request: Request, made: Made) -> None:
    pool = request.properties["UserPoolId"]
    attempt(lambda: request.call(_IDP, "DeleteUserPoolClient", UserPoolId=pool, ClientId=made.physical_id), _GONE)


def _create_group(request: Request) -> Made:
    pool, asked = request.properties["UserPoolId"], request.take("GroupName", "Description", "Precedence", "RoleArn")
    request.call(_IDP, "CreateGroup", UserPoolId=pool, **asked)
    found = request.call(_IDP, "GetGroup", UserPoolId=pool, GroupName=asked["GroupName"])["Group"]
    confirm(asked, found, f"group {asked['GroupName']}")
    return Made(str(asked["GroupName"]))


def _delete_group(request: Request, made: Made) -> None:
    pool = request.properties["UserPoolId"]
    attempt(lambda: request.call(_IDP, "DeleteGroup", UserPoolId=pool, GroupName=made.physical_id), _GONE)


def _create_server(request: Request) -> Made:
    pool, asked = request.properties["UserPoolId"], request.take("Identifier", "Name", "Scopes")
    request.call(_IDP, "CreateResourceServer", UserPoolId=pool, **asked)
    described = request.call(_IDP, "DescribeResourceServer", UserPoolId=pool, Identifier=asked["Identifier"])
    confirm(asked, described["ResourceServer"], f"resource server {asked['Identifier']}")
    return Made(str(asked["Identifier"]))


TYPES = [
    ResourceType(
        "AWS::Cognito::UserPool",
        _create_pool,
        _delete_pool,
        frozenset({"UserPoolName", "EnabledMfas", *_POOL}),
        {
            "UserPoolAddOns": "no sign-in is weighed by where it comes from",
            "UserPoolTier": "there is one tier on one machine",
            "Policies.PasswordPolicy.PasswordHistorySize": "earlier passwords are not remembered",
            "Policies.PasswordPolicy.TemporaryPasswordValidityDays": "a first password does not expire",
        },
        update=_update_pool,
        look=lambda request, made: request.call(_IDP, "DescribeUserPool", UserPoolId=made.physical_id),
    ),
    ResourceType(
        "AWS::Cognito::UserPoolClient",
        _create_client,
        _delete_client,
        frozenset({"UserPoolId", *_CLIENT}),
    ),
    ResourceType(
        "AWS::Cognito::UserPoolGroup",
        _create_group,
        _delete_group,
        frozenset({"UserPoolId", "GroupName", "Description", "Precedence", "RoleArn"}),
    ),
    ResourceType(
        "AWS::Cognito::UserPoolResourceServer",
        _create_server,
        leave,  # it goes with its pool
        frozenset({"UserPoolId", "Identifier", "Name", "Scopes"}),
    ),
]
