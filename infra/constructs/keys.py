"""One key a class of data, so that a role opens only the class it works on."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.names import Names

SIGNS_RELEASES = "sign_release"
"""The function that alone signs releases."""


class DataKeys(Construct):
    """Rotating keys for patients' data, the lake, references, the audit trail and operations.

    Grants live in each role's policy; the keys trust the account. Only `operations` names services: those that write
    logs and messages on nobody's behalf.
    """

    def __init__(self, scope: Construct, construct_id: str, *, names: Names) -> None:
        super().__init__(scope, construct_id)
        self.patients = self._key("Patients", names, "reads, calls, reports and submissions: tied to patients")
        self.lake = self._key("Lake", names, "the variant lake and its query results")
        self.references = self._key("References", names, "reference genomes and annotation sources: public knowledge")
        self.audit = self._key("Audit", names, "the audit trail")
        self.operations = self._key("Operations", names, "logs, queues, alerts and workflow state: no patient's data")
        self.audit_signing = kms.Key(
            self,
            "AuditSigning",
            alias=f"strandline/{names.stage}/audit-signing",
            description=f"Strandline {names.stage}: signs the audit log; its public half verifies it anywhere",
            key_spec=kms.KeySpec.ECC_NIST_P256,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            removal_policy=RemovalPolicy.RETAIN,
        )
        self.release_signing = self._release_signing(names)
        self._let_services_write(names)

    def _release_signing(self, names: Names) -> kms.Key:
        """The key of electronic signatures. Whatever else a role may do, one function alone signs with it."""
        key = kms.Key(
            self,
            "ReleaseSigning",
            alias=f"strandline/{names.stage}/release-signing",
            description=f"Strandline {names.stage}: signs releases for persons; its public half verifies them anywhere",
            key_spec=kms.KeySpec.ECC_NIST_P256,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            removal_policy=RemovalPolicy.RETAIN,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="OneFunctionSigns",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["kms:Sign"],
                resources=["*"],
                conditions={"ArnNotEquals": {"aws:PrincipalArn": names.role_arn(SIGNS_RELEASES)}},
            )
        )
        return key

    def _key(self, construct_id: str, names: Names, description: str) -> kms.Key:
        return kms.Key(
            self,
            construct_id,
            alias=f"strandline/{names.stage}/{construct_id.lower()}",
            description=f"Strandline {names.stage}: {description}",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _let_services_write(self, names: Names) -> None:
        encrypt = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey"]
        groups = [
            names.arn("logs", f"log-group:{prefix}*") for prefix in ("/strandline/", "/aws/vendedlogs/", "/aws-glue/")
        ]
        self.operations.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LogGroupsOfThisStage",
                principals=[iam.ServicePrincipal(f"logs.{names.region}.amazonaws.com")],
                actions=[*encrypt, "kms:DescribeKey"],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            )
        )
        self.operations.add_to_resource_policy(
            iam.PolicyStatement(
                sid="EventsAndAlarmsIntoQueuesAndTopics",
                # EventBridge does not say for which rule it encrypts: no condition on the source can be met.
                principals=[
                    iam.ServicePrincipal("events.amazonaws.com"),
                    iam.ServicePrincipal("cloudwatch.amazonaws.com"),
                ],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
            )
        )
