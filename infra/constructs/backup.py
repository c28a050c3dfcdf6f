"""Daily copies of the submissions table, beside its point in time recovery."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_backup as backup
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.constructs.permissions import DataTable, Permission
from infra.constructs.role import LeastPrivilegeRole
from infra.names import Names

_KEPT_DAYS = 35


class TableBackup(Construct):
    """One copy a day of one table, kept 35 days in a vault under the table's own key."""

    def __init__(self, scope: Construct, construct_id: str, *, names: Names, table: DataTable, key: kms.IKey) -> None:
        super().__init__(scope, construct_id)
        vault = backup.BackupVault(
            self,
            "Vault",
            backup_vault_name=names.of("submissions"),
            encryption_key=key,
            removal_policy=RemovalPolicy.RETAIN,
        )
        plan = backup.BackupPlan(
            self,
            "Plan",
            backup_plan_name=names.of("submissions"),
            backup_vault=vault,
            backup_plan_rules=[
                backup.BackupPlanRule(
                    rule_name="daily",
                    schedule_expression=events.Schedule.cron(hour="3", minute="0"),
                    delete_after=Duration.days(_KEPT_DAYS),
                )
            ],
        )
        role = LeastPrivilegeRole(
            self,
            "Execution",
            service="backup.amazonaws.com",
            permissions=[
                Permission(
                    actions=["dynamodb:DescribeTable", "dynamodb:CreateBackup", "dynamodb:StartAwsBackupJob"],
                    resources=[table.arn],
                ),
                Permission(
                    actions=["backup:DescribeBackupVault", "backup:CopyIntoBackupVault"],
                    resources=[vault.backup_vault_arn],
                ),
                Permission(
                    actions=["kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey"], resources=[table.key.key_arn]
                ),
            ],
        )
        selection = backup.CfnBackupSelection(
            self,
            "Selection",
            backup_plan_id=plan.backup_plan_id,
            backup_selection=backup.CfnBackupSelection.BackupSelectionResourceTypeProperty(
                selection_name="submissions", iam_role_arn=role.role.role_arn, resources=[table.arn]
            ),
        )
        role.complete_before(selection)
