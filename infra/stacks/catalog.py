"""Stateful: the submissions table, the lake's tables and who may query them how."""

from aws_cdk import CfnOutput, CfnResource, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_glue as glue
from constructs import Construct

from infra.constructs.acknowledgement import acknowledge, in_packs
from infra.constructs.backup import TableBackup
from infra.constructs.lake_access import DataClasses, GovernedLake
from infra.constructs.lake_question import LakeQuestion, lake_questions
from infra.constructs.lake_table import LakeTable, lake_tables
from infra.constructs.lake_view import LakeView, lake_views
from infra.constructs.permissions import TABLE_INDEXES, DataTable
from infra.constructs.workgroup import bounded_workgroup
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
            contents="submissions and FHIR tables, lake tables and views, query workgroup, questions",
            stateful=True,
        )
        self.submissions = self._submissions(stage, names, storage)
        if stage.keeps_data:
            TableBackup(self, "Backup", names=names, table=self.submissions, key=storage.keys.patients)
        self.fhir = self._fhir(stage, names, storage)
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

    def _fhir(self, stage: StageConfig, names: Names, storage: StorageStack) -> DataTable:
        """What the FHIR API serves. It is made of the deliveries, and can be made of them again."""
        name = names.of("fhir")
        text = dynamodb.AttributeType.STRING
        table = dynamodb.Table(
            self,
            "Fhir",
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
        acknowledge(
            table,
            in_packs("DynamoDBInBackupPlan"),
            "it is made of the deliveries, which are kept, and recovers to a point in time",
        )
        CfnOutput(self, "FhirTable", value=table.table_name)
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
        governed = GovernedLake(self, "Governed", names=names, lake=storage.lake, folder="tables/")
        governed.before(database)
        made: dict[str, CfnResource] = {}
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
            made[name] = lake_table
        tables = list(made.values())
        for name, text in lake_views().items():
            view = LakeView(
                self, f"{name.title()}View", name=name, text=text, catalog_id=self.account, database=names.glue_database
            ).table
            view.apply_removal_policy(RemovalPolicy.RETAIN)
            for read in tables:
                view.add_resource_dependency(read)
            made[name] = view
        DataClasses(self, "DataClasses", names=names, tag=governed.tag, made=made)
        CfnOutput(self, "GlueDatabase", value=names.glue_database)

    def _workgroup(self, stage: StageConfig, names: Names, storage: StorageStack) -> None:
        name = names.workgroup
        workgroup = bounded_workgroup(
            self,
            "Workgroup",
            name=name,
            description="Queries of the lake: results encrypted, cost bounded",
            results=f"s3://{storage.lake.name}/athena-results/",
            key=storage.keys.lake,
            account=self.account,
            cutoff_bytes=stage.athena_cutoff_bytes,
        )
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
