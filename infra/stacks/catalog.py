"""Stateful: the submissions table, the lake's tables and who may query them how."""

from aws_cdk import CfnOutput, RemovalPolicy
from aws_cdk import aws_athena as athena
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_glue as glue
from constructs import Construct

from infra.constructs.backup import TableBackup
from infra.constructs.lake_question import LakeQuestion, lake_questions
from infra.constructs.lake_table import LakeTable, lake_tables
from infra.constructs.lake_view import LakeView, lake_views
from infra.constructs.permissions import TABLE_INDEXES, DataTable
from infra.names import Names
from infra.stacks.part import PartStack
from infra.stacks.storage import StorageStack
from infra.stages import StageConfig


class CatalogStack(PartStack):
    """What tells where data is: retained like the data itself."""

    def __init__(
        self,
        scope: Construct,
        *,
        stage: StageConfig,
        names: Names,
        storage: StorageStack,
    ) -> None:
        super().__init__(
            scope,
            "catalog",
            stage=stage,
            names=names,
            contents="submissions table, lake tables and views, query workgroup, questions",
            stateful=True,
        )
        self.submissions = self._submissions(stage, names, storage)
        if stage.keeps_data:
            TableBackup(self, "Backup", names=names, table=self.submissions, key=storage.keys.patients)
        self._lake(names, storage)
        self._workgroup(stage, names, storage)

    def _submissions(self, stage: StageConfig, names: Names, storage: StorageStack) -> DataTable:
        name = names.of("submissions")
        text = dynamodb.AttributeType.STRING
        table = dynamodb.Table(
            self,
            "Submissions",
            table_name=name,
            partition_key=dynamodb.Attribute(name="pk", type=text),
            sort_key=dynamodb.Attribute(name="sk", type=text),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=storage.keys.patients,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expires_at",
            deletion_protection=stage.keeps_data,
            removal_policy=RemovalPolicy.RETAIN,
        )
        for index, prefix in TABLE_INDEXES.items():
            table.add_global_secondary_index(
                index_name=index,
                partition_key=dynamodb.Attribute(name=f"{prefix}pk", type=text),
                sort_key=dynamodb.Attribute(name=f"{prefix}sk", type=text),
            )
        CfnOutput(self, "SubmissionsTable", value=table.table_name)
        return DataTable(name=name, arn=names.arn("dynamodb", f"table/{name}"), key=storage.keys.patients)

    def _lake(self, names: Names, storage: StorageStack) -> None:
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=self.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=names.glue_database,
                description="Variants and samples of every loaded submission",
                location_uri=f"s3://{storage.lake.name}/tables/",
            ),
        )
        database.apply_removal_policy(RemovalPolicy.RETAIN)
        made = []
        for name, definition in lake_tables().items():
            lake_table = LakeTable(
                self,
                "".join(word.title() for word in name.split("_")),
                name=name,
                definition=definition,
                catalog_id=self.account,
                database=names.glue_database,
                location=f"s3://{storage.lake.name}/tables/{name}",
            ).table
            lake_table.add_resource_dependency(database)
            lake_table.apply_removal_policy(RemovalPolicy.RETAIN)
            made.append(lake_table)
        for name, text in lake_views().items():
            view = LakeView(
                self, f"{name.title()}View", name=name, text=text, catalog_id=self.account, database=names.glue_database
            ).table
            view.apply_removal_policy(RemovalPolicy.RETAIN)
            for lake_table in made:
                view.add_resource_dependency(lake_table)
        CfnOutput(self, "GlueDatabase", value=names.glue_database)

    def _workgroup(self, stage: StageConfig, names: Names, storage: StorageStack) -> None:
        name = names.workgroup
        workgroup = athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=name,
            description="Queries of the lake: results encrypted, cost bounded",
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=stage.athena_cutoff_bytes,
                engine_version=athena.CfnWorkGroup.EngineVersionProperty(
                    selected_engine_version="Athena engine version 3"
                ),
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{storage.lake.name}/athena-results/",
                    expected_bucket_owner=self.account,
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_KMS", kms_key=storage.keys.lake.key_arn
                    ),
                ),
            ),
        )
        workgroup.apply_removal_policy(RemovalPolicy.RETAIN)
        for question, text in lake_questions().items():
            LakeQuestion(
                self,
                "".join(word.title() for word in question.split("_")) + "Question",
                name=question,
                text=text,
                database=names.glue_database,
                workgroup=workgroup,
            )
        CfnOutput(self, "AthenaWorkgroup", value=name)
