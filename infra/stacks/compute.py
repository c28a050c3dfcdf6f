"""Stateless: queues of CPU and GPU machines and the jobs that run on them, and the jobs of Glue."""

import json

from aws_cdk import CfnOutput
from aws_cdk import aws_batch as batch
from aws_cdk import aws_glue as glue
from constructs import Construct

from infra.constructs.glue_job import FEWEST_WORKERS, GlueJob, GlueSecurity
from infra.constructs.job import PlatformJob
from infra.constructs.machines import Machines
from infra.constructs.permissions import (
    list_versions,
    load_tables,
    pull_images,
    read_items,
    read_objects,
    replace_items,
    write_objects,
)
from infra.constructs.role import LeastPrivilegeRole
from infra.names import Names
from infra.stacks.catalog import CatalogStack
from infra.stacks.network import NetworkStack
from infra.stacks.part import PartStack
from infra.stacks.storage import StorageStack
from infra.stages import JOINT_CALLS, WHOLE_CALLS, StageConfig

_SUBMISSIONS = "submissions/"
_COHORTS = "cohorts/"
_TABLES = "tables/"
_IMPORTS = "imports/"
_EACH_HOUR = "cron(15 * * * ? *)"
_REMEMBERED_S = 3_600
_RESERVED_PERCENT = 10  # of the machines, for labs that send nothing at the moment
_DEEPVARIANT_ON_GPU = "google/deepvariant:1.10.0-gpu"
_CHECKS_STATES = "validate_files"
"""The job that keeps verdicts while the submission has not moved on."""


class ComputeStack(PartStack):
    """A CPU queue that falls back from Spot to On-Demand, a steady one without Spot, a GPU queue, and the jobs.

    What runs for many hours is lost whole where its host is taken back: it goes to the steady queue.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        stage: StageConfig,
        names: Names,
        storage: StorageStack,
        catalog: CatalogStack,
        network: NetworkStack,
    ) -> None:
        super().__init__(
            scope, "compute", stage=stage, names=names, contents="Batch queues, job definitions, Glue jobs"
        )
        machines = Machines(self, "Machines", stage=stage, names=names, network=network)
        spot, on_demand = (
            machines.pool(
                name, instances=stage.cpu_instance_classes, vcpus_max=stage.cpu_vcpus_max, spot=name == "CpuSpot"
            )
            for name in ("CpuSpot", "CpuOnDemand")
        )
        self._policy = _fair_shares(self, names, stage)
        self.cpu_queue = self._queue("CpuQueue", names.of("cpu"), [spot, on_demand])
        self.steady_queue = self._queue("SteadyQueue", names.of("steady"), [on_demand])
        self.gpu_queue = self._queue(
            "GpuQueue",
            names.of("gpu"),
            [machines.pool("Gpu", instances=stage.gpu_instance_types, vcpus_max=stage.gpu_vcpus_max, gpu=True)],
        )
        self.job_by_name = self._jobs(stage, names, storage, catalog)
        self.glue_job_by_name = self._glue_jobs(names, storage, stage)
        CfnOutput(self, "CpuQueueArn", value=self.cpu_queue.attr_job_queue_arn)
        CfnOutput(self, "GpuQueueArn", value=self.gpu_queue.attr_job_queue_arn)

    def _queue(self, construct_id: str, name: str, pools: list[batch.CfnComputeEnvironment]) -> batch.CfnJobQueue:
        """A queue that tries its pools in the order given."""
        return batch.CfnJobQueue(
            self,
            construct_id,
            job_queue_name=name,
            priority=1,
            state="ENABLED",
            scheduling_policy_arn=self._policy.attr_arn,
            compute_environment_order=[
                batch.CfnJobQueue.ComputeEnvironmentOrderProperty(compute_environment=pool.ref, order=order)
                for order, pool in enumerate(pools, start=1)
            ],
        )

    def _jobs(
        self, stage: StageConfig, names: Names, storage: StorageStack, catalog: CatalogStack
    ) -> dict[str, PlatformJob]:
        execution = LeastPrivilegeRole(
            self,
            "Execution",
            service="ecs-tasks.amazonaws.com",
            permissions=[*pull_images(names), *PlatformJob.log_permissions(names)],
        )
        table, analysis = catalog.submissions, storage.analysis
        landed = read_objects(storage.landing, prefix=_SUBMISSIONS)
        references = read_objects(storage.references)
        analysed = read_objects(analysis, prefix=_SUBMISSIONS)
        result = write_objects(analysis, prefix=_SUBMISSIONS)
        current = read_objects(analysis, prefix=_SUBMISSIONS, versions=False)
        untagged = write_objects(analysis, prefix=_SUBMISSIONS, tags=False)
        of_cohorts = [*read_objects(analysis, prefix=_COHORTS), *write_objects(analysis, prefix=_COHORTS)]
        analyses = {"REFERENCES_BUCKET": storage.references.name, "ANALYSIS_BUCKET": analysis.name}
        measures = {"QUALITY_GATES": json.dumps(dict(stage.quality_gates)), **analyses}
        reads_landing = {"LANDING_BUCKET": storage.landing.name, **analyses}
        loads = {
            "ANALYSIS_BUCKET": analysis.name,
            "LAKE_BUCKET": storage.lake.name,
            "GLUE_DATABASE": names.glue_database,
        }
        lake = [
            *read_objects(storage.lake, prefix=_TABLES, versions=False),
            *write_objects(storage.lake, prefix=_TABLES, tags=False),
        ]
        granted = {
            "validate_files": (reads_landing, [*landed, *references, *analysed, *result]),
            "align_reads": (reads_landing, [*landed, *references, *analysed, *result]),
            "measure_quality": (measures, [*references, *analysed, *result]),
            "call_variants": (analyses, [*references, *analysed, *result]),
            "gather_calls": (analyses, [*references, *analysed, *result]),
            "annotate": ({"CONSEQUENCES": stage.consequences, **analyses}, [*references, *analysed, *result]),
            "filter_and_qc": (analyses, [*references, *analysed, *result]),
            "load_lake": (loads, [*current, *untagged, *lake, *load_tables(names)]),
            "render_report": (analyses, [*references, *analysed, *result]),
            **{
                job: (analyses, [*references, *analysed, *of_cohorts])
                for job in ("joint_genotype", *JOINT_CALLS.values())
            },
            **{
                job: ({"GPUS": str(stage.size_of(job).gpus), **analyses}, [*references, *analysed, *result])
                for job in WHOLE_CALLS.values()
            },
        }
        on_gpu = {"call_deepvariant": {"DEEPVARIANT_IMAGE": _DEEPVARIANT_ON_GPU}} if stage.deepvariant_on_gpu else {}
        return {
            name: PlatformJob(
                self,
                "".join(word.title() for word in name.split("_")),
                name=name,
                stage=stage,
                names=names,
                environment={**environment, "SUBMISSIONS_TABLE": table.name},
                permissions=[
                    *permissions,
                    *read_items(table),
                    *replace_items(table, checks_others=name == _CHECKS_STATES),
                ],
                execution_role=execution,
                key=storage.keys.operations,
                build_args=on_gpu.get(name),
                target="vep" if name == "annotate" and stage.consequences == "vep" else None,
            )
            for name, (environment, permissions) in granted.items()
        }

    def _glue_jobs(self, names: Names, storage: StorageStack, stage: StageConfig) -> dict[str, GlueJob]:
        """What counts cohorts, each hour where something was loaded since; and what loads VCFs as they are."""
        lake = storage.lake
        key = storage.keys.operations
        security = GlueSecurity(self, "GlueSecurity", names=names, key=key)
        tables = [
            *read_objects(lake, prefix=_TABLES),
            *write_objects(lake, prefix=_TABLES),
            *load_tables(names, makes_others=True),
        ]
        granted = {
            "refresh_gold": ("Counts the alleles and gene burden of cohorts that changed", FEWEST_WORKERS, tables),
            "load_cohort": (
                "Loads VCFs from the lake's folder for imports as they are",
                stage.cohort_workers,
                [*tables, *read_objects(lake, prefix=_IMPORTS), *list_versions(lake)],
            ),
        }
        jobs = {
            name: GlueJob(
                self,
                "".join(word.title() for word in name.split("_")),
                name=name,
                names=names,
                arguments={"--database": names.glue_database},
                permissions=permissions,
                security=security,
                key=key,
                description=description,
                workers=workers,
            )
            for name, (description, workers, permissions) in granted.items()
        }
        trigger = glue.CfnTrigger(
            self,
            "RefreshGoldEachHour",
            name=names.of("refresh-gold-each-hour"),
            type="SCHEDULED",
            schedule=_EACH_HOUR,
            start_on_creation=True,
            actions=[glue.CfnTrigger.ActionProperty(job_name=jobs["refresh_gold"].job.name)],
        )
        trigger.add_resource_dependency(jobs["refresh_gold"].job)
        return jobs


def _fair_shares(scope: Construct, names: Names, stage: StageConfig) -> batch.CfnSchedulingPolicy:
    """Labs take turns by what each used in the last hour: a thousand samples of one do not keep the others out."""
    policy = batch.CfnSchedulingPolicy
    return policy(
        scope,
        "FairShares",
        name=names.of("labs"),
        fairshare_policy=policy.FairsharePolicyProperty(
            share_decay_seconds=_REMEMBERED_S,
            compute_reservation=_RESERVED_PERCENT,
            share_distribution=[
                policy.ShareAttributesProperty(share_identifier=share, weight_factor=weight)
                for share, weight in sorted(stage.lab_weights.items())
            ],
        ),
    )
