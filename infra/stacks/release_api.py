"""Stateless: the signers' door, an HTTP API to the release desk for people with a token of the stage's user pool."""

from aws_cdk import CfnOutput
from constructs import Construct

from infra.constructs.keys import SIGNS_RELEASES
from infra.constructs.people_api import PeopleApi
from infra.names import Names
from infra.stacks.acts import ActsStack
from infra.stacks.identity import IdentityStack
from infra.stacks.part import PartStack
from infra.stacks.release import ReleaseStack
from infra.stacks.storage import StorageStack
from infra.stages import StageConfig

ROUTES = ("POST /releases/{submission_id}/{act}",)
_TIMEOUT_S = 29
_RATE_PER_S = 5
"""People sign, not programs: who tries tokens or codes by the thousand is slowed down before a function runs."""


class ReleaseApiStack(PartStack):
    """HTTP API -> `sign_release`, which verifies the token anew and wants a sign-in of the last two minutes."""

    def __init__(
        self,
        scope: Construct,
        *,
        stage: StageConfig,
        names: Names,
        storage: StorageStack,
        identity: IdentityStack,
        release: ReleaseStack,
        acts: ActsStack,
    ) -> None:
        super().__init__(scope, "release-api", stage=stage, names=names, contents="the signers' door")
        door = PeopleApi(
            self,
            "Door",
            name="release",
            description="Signs, amends and withdraws releases",
            stage=stage,
            names=names,
            key=storage.keys.operations,
            issuer=identity.issuer,
            client_id=identity.client.ref,
            rate_per_s=_RATE_PER_S,
            note_act=acts.function,
        )
        door.send(ROUTES, release.functions[SIGNS_RELEASES], below="releases", timeout_s=_TIMEOUT_S)
        CfnOutput(self, "ReleaseUrl", value=f"{door.endpoint}/releases")
