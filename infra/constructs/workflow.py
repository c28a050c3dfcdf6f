"""A state machine whose definition is a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Fn
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from infra.constructs.log_group import encrypted_log_group
from infra.constructs.permissions import Permission, trace
from infra.constructs.role import LeastPrivilegeRole
from infra.names import Names
from infra.stages import StageConfig
from infra.workflow_names import refuse_other_names

DEFINITIONS = Path(__file__).resolve().parents[2] / "step_functions"


class Workflow(Construct):
    """`step_functions/{name}.asl.json` with its `${names}` filled in, every step logged and traced.

    Raises:
        ValueError: The names in the file and the names given differ.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        stage: StageConfig,
        names: Names,
        substitutions: Mapping[str, str],
        permissions: Sequence[Permission],
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        text = (DEFINITIONS / f"{name}.asl.json").read_text(encoding="utf-8")
        refuse_other_names(text, substitutions)
        log_group = encrypted_log_group(
            self, "Logs", name=f"/aws/vendedlogs/states{names.log_group('workflows', name)}", key=key, stage=stage
        )
        role = LeastPrivilegeRole(
            self,
            "Execution",
            service="states.amazonaws.com",
            permissions=[
                *permissions,
                *deliver_logs(),
                *trace(),
                Permission(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key.key_arn]),
            ],
        )
        self.state_machine = stepfunctions.StateMachine(
            self,
            "StateMachine",
            state_machine_name=names.of(name),
            definition_body=stepfunctions.DefinitionBody.from_string(Fn.sub(text, dict(substitutions))),
            role=role.role,
            tracing_enabled=True,
            logs=stepfunctions.LogOptions(
                destination=log_group, level=stepfunctions.LogLevel.ALL, include_execution_data=False
            ),
            encryption_configuration=stepfunctions.CustomerManagedEncryptionConfiguration(key),
        )
        role.complete_before(self.state_machine)
        self.log_group: logs.ILogGroup = log_group


def deliver_logs() -> list[Permission]:
    """Set up the delivery of the state machine's log."""
    return [
        Permission(
            actions=[
                "logs:CreateLogDelivery",
                "logs:GetLogDelivery",
                "logs:UpdateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:DescribeResourcePolicies",
                "logs:DescribeLogGroups",
            ],
            resources=["*"],
            wildcard_reason="CloudWatch Logs gives the delivery actions no resource to name",
        )
    ]
