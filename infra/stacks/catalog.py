"""Stateful: the tables of submissions, of the audit log and of FHIR, the lake's tables and who may query them how."""

from aws_cdk import CfnOutput, CfnResource, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_glue as glue
from aws_cdk import aws_kms as kms
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

_AUDIT_QUEUE = "submissions-audit-queue"
"""After the table whose changes the entries in it tell: whoever writes the one finds the other by its name."""


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
            contents="submissions, audit and FHIR tables, lake tables and views, query workgroup, questions",
            stateful=True,
        )
        self.submissions = self._submissions(stage, names, storage)
        if stage.keeps_data:
            TableBackup(self, "Backup", names=names, table=self.submissions, key=storage.keys.patients)
        self.audit_queue = self._audit_queue(stage, names, storage)
        self.audit_log = self._audit_log(stage, names, storage)
        self.fhir = self._fhir(stage, names, storage)
        self._lake(names, storage)
        self._workgroup(stage, names, storage)

    def _submissions(self, stage: StageConfig, names: Names, storage: StorageStack) -> DataTable:
        table = self._table("Submissions", names.of("submissions"), storage.keys.patients, stage, expires=True)
        text = dynamodb.AttributeType.STRING
        for index, prefix in TABLE_INDEXES.items():
            table.add_global_secondary_index(
                index_name=index,
                partition_key=dynamodb.Attribute(name=f"{prefix}pk", type=text),
                sort_key=dynamodb.Attribute(name=f"{prefix}sk", type=text),
            )
        CfnOutput(self, "SubmissionsTable", value=table.table_name)
        return self._data_table(names, "submissions", storage.keys.patients)

    def _audit_queue(self, stage: StageConfig, names: Names, storage: StorageStack) -> DataTable:
        """Where entries of the audit log wait for their place: named after the table whose changes they tell."""
        table = self._table("AuditQueue", names.of(_AUDIT_QUEUE), storage.keys.patients, stage)
        acknowledge(
            table,
            in_packs("DynamoDBInBackupPlan"),
            "an entry is here for a minute, until it is in the log; the table recovers to a point in time",
        )
        return self._data_table(names, _AUDIT_QUEUE, storage.keys.patients)

    def _audit_log(self, stage: StageConfig, names: Names, storage: StorageStack) -> DataTable:
        """How far the audit log is, and which object holds which entries: `seal_audit_log` alone writes it."""
        table = self._table("AuditLog", names.of("audit-log"), storage.keys.audit, stage)
        acknowledge(
            table,
            in_packs("DynamoDBInBackupPlan"),
            "it can be made again from the bucket's locked objects, and recovers to a point in time",
        )
        CfnOutput(self, "AuditLogTable", value=table.table_name)
        return self._data_table(names, "audit-log", storage.keys.audit)

    @staticmethod
    def _data_table(names: Names, purpose: str, key: kms.IKey) -> DataTable:
        name = names.of(purpose)
        return DataTable(name=name, arn=names.arn("dynamodb", f"table/{name}"), key=key)

    def _table(
        self, construct_id: str, name: str, key: kms.IKey, stage: StageConfig, *, expires: bool = False
    ) -> dynamodb.Table:
        """Make a table of items by `pk` and `sk`; where they expire, `expires_at` says when."""
        text = dynamodb.AttributeType.STRING
        return dynamodb.Table(
            self,
            construct_id,
            table_name=name,
            partition_key=dynamodb.Attribute(name="pk", type=text),
            sort_key=dynamodb.Attribute(name="sk", type=text),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expires_at" if expires else None,
            deletion_protection=stage.keeps_data,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _fhir(self, stage: StageConfig, names: Names, storage: StorageStack) -> DataTable:
        """What the FHIR API serves. It is made of the deliveries, and can be made of them again."""
        table = self._table("Fhir", names.of("fhir"), storage.keys.patients, stage, expires=True)
        acknowledge(
            table,
            in_packs("DynamoDBInBackupPlan"),
            "it is made of the deliveries, which are kept, and recovers to a point in time",
        )
        CfnOutput(self, "FhirTable", value=table.table_name)
        return self._data_table(names, "fhir", storage.keys.patients)

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
