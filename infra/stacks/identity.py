"""Stateful: the people. One user pool, its groups, the scopes of its tokens and the one application that they use."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from aws_cdk import CfnOutput, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infra.names import Names
from infra.stacks.part import PartStack
from infra.stages import StageConfig

PEOPLE: Final = Path(__file__).resolve().parents[2] / "strandline" / "trust" / "people.json"
_TOKEN_MINUTES: Final = 15
_REFRESH_MINUTES: Final = 8 * 60
_TEMPORARY_PASSWORD_DAYS: Final = 1


@cache
def people() -> Mapping[str, Any]:
    """The groups and scopes, from the file that the code reads too."""
    described: Mapping[str, Any] = json.loads(PEOPLE.read_text(encoding="utf-8"))
    return described


class IdentityStack(PartStack):
    """Users whom an administrator makes, each with a password and an authenticator of their own.

    Sources: 21 CFR 11.100(a) (one person a signature), 11.200(a) (two components), 11.300 (controls for both).
    """

    def __init__(self, scope: Construct, *, stage: StageConfig, names: Names) -> None:
        super().__init__(
            scope, "identity", stage=stage, names=names, contents="user pool, groups, scopes", stateful=True
        )
        self.pool = self._pool(stage, names)
        servers = self._scopes()
        self.client = self._client(names)
        for server in servers:
            self.client.add_dependency(server)
        for group, described in people()["groups"].items():
            cognito.CfnUserPoolGroup(
                self,
                f"{group.title()}Group",
                user_pool_id=self.pool.ref,
                group_name=group,
                description=described["about"],
            )
        self.issuer = f"https://cognito-idp.{names.region}.amazonaws.com/{self.pool.ref}"
        CfnOutput(self, "UserPoolId", value=self.pool.ref)
        CfnOutput(self, "UserPoolClientId", value=self.client.ref)

    def _pool(self, stage: StageConfig, names: Names) -> cognito.CfnUserPool:
        pool = cognito.CfnUserPool(
            self,
            "People",
            user_pool_name=names.of("people"),
            mfa_configuration="ON",
            enabled_mfas=["SOFTWARE_TOKEN_MFA"],
            policies=cognito.CfnUserPool.PoliciesProperty(
                password_policy=cognito.CfnUserPool.PasswordPolicyProperty(
                    minimum_length=14,
                    require_lowercase=True,
                    require_uppercase=True,
                    require_numbers=True,
                    require_symbols=True,
                    password_history_size=12,
                    temporary_password_validity_days=_TEMPORARY_PASSWORD_DAYS,
                )
            ),
            admin_create_user_config=cognito.CfnUserPool.AdminCreateUserConfigProperty(
                allow_admin_create_user_only=True
            ),
            account_recovery_setting=cognito.CfnUserPool.AccountRecoverySettingProperty(
                recovery_mechanisms=[cognito.CfnUserPool.RecoveryOptionProperty(name="admin_only", priority=1)]
            ),
            username_configuration=cognito.CfnUserPool.UsernameConfigurationProperty(case_sensitive=False),
            # password history and the blocking of leaked passwords are of the tier Plus
            user_pool_tier="PLUS",
            user_pool_add_ons=cognito.CfnUserPool.UserPoolAddOnsProperty(advanced_security_mode="ENFORCED"),
            deletion_protection="ACTIVE" if stage.keeps_data else "INACTIVE",
        )
        pool.apply_removal_policy(RemovalPolicy.RETAIN if stage.keeps_data else RemovalPolicy.DESTROY)
        return pool

    def _scopes(self) -> list[cognito.CfnUserPoolResourceServer]:
        """`user/Observation.rs`: the server is the part before the slash, as Cognito joins them so."""
        scopes = people()["scopes"]
        return [
            cognito.CfnUserPoolResourceServer(
                self,
                f"{server.title()}Scopes",
                user_pool_id=self.pool.ref,
                identifier=server,
                name=f"FHIR as {server}",
                scopes=[
                    cognito.CfnUserPoolResourceServer.ResourceServerScopeTypeProperty(
                        scope_name=f"{resource}.{scopes['may']}",
                        scope_description=f"Read and search {'every resource' if resource == '*' else resource}",
                    )
                    for resource in scopes["resources"]
                ],
            )
            for server in scopes["servers"]
        ]

    def _client(self, names: Names) -> cognito.CfnUserPoolClient:
        """The command line. It has no secret, as everybody may read it; a person's name is not theirs to change."""
        return cognito.CfnUserPoolClient(
            self,
            "CommandLine",
            user_pool_id=self.pool.ref,
            client_name=names.of("command-line"),
            generate_secret=False,
            explicit_auth_flows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            prevent_user_existence_errors="ENABLED",
            enable_token_revocation=True,
            auth_session_validity=3,
            access_token_validity=_TOKEN_MINUTES,
            id_token_validity=_TOKEN_MINUTES,
            refresh_token_validity=_REFRESH_MINUTES,
            token_validity_units=cognito.CfnUserPoolClient.TokenValidityUnitsProperty(
                **dict.fromkeys(("access_token", "id_token", "refresh_token"), "minutes")
            ),
            read_attributes=["name"],
            write_attributes=["zoneinfo"],
        )
