"""All stacks of one stage, in the order in which they are deployed."""

from itertools import pairwise

from aws_cdk import App, Stack

from infra.names import Names
from infra.stacks.access import AccessStack
from infra.stacks.acts import ActsStack
from infra.stacks.alarms import AlarmsStack
from infra.stacks.api import ApiStack
from infra.stacks.catalog import CatalogStack
from infra.stacks.compute import ComputeStack
from infra.stacks.fhir_api import FhirApiStack
from infra.stacks.identity import IdentityStack
from infra.stacks.intake import IntakeStack
from infra.stacks.network import NetworkStack
from infra.stacks.release import ReleaseStack
from infra.stacks.release_api import ReleaseApiStack
from infra.stacks.storage import StorageStack
from infra.stacks.workflow import WorkflowStack
from infra.stages import StageConfig


def add_stacks(app: App, stage: StageConfig, *, account: str, region: str) -> list[Stack]:
    """Add the stage's stacks to `app`; each depends on the one before it."""
    names = Names(stage=stage.name, account=account, region=region)
    storage = StorageStack(app, stage=stage, names=names)
    identity = IdentityStack(app, stage=stage, names=names)
    catalog = CatalogStack(app, stage=stage, names=names, storage=storage)
    network = NetworkStack(app, stage=stage, names=names, storage=storage)
    compute = ComputeStack(app, stage=stage, names=names, storage=storage, catalog=catalog, network=network)
    workflow = WorkflowStack(
        app, stage=stage, names=names, storage=storage, catalog=catalog, network=network, compute=compute
    )
    intake = IntakeStack(
        app, stage=stage, names=names, storage=storage, catalog=catalog, network=network, workflow=workflow
    )
    acts = ActsStack(
        app,
        stage=stage,
        names=names,
        storage=storage,
        identity=identity,
        catalog=catalog,
        network=network,
        intake=intake,
    )
    api = ApiStack(
        app,
        stage=stage,
        names=names,
        storage=storage,
        catalog=catalog,
        network=network,
        intake=intake,
        acts=acts,
    )
    release = ReleaseStack(
        app,
        stage=stage,
        names=names,
        storage=storage,
        identity=identity,
        catalog=catalog,
        network=network,
        compute=compute,
        workflow=workflow,
    )
    release_api = ReleaseApiStack(
        app, stage=stage, names=names, storage=storage, identity=identity, release=release, acts=acts
    )
    fhir = FhirApiStack(
        app,
        stage=stage,
        names=names,
        storage=storage,
        identity=identity,
        catalog=catalog,
        network=network,
        intake=intake,
        acts=acts,
    )
    writers = {
        "LoadLake": compute.job_by_name["load_lake"].role_arn,
        "RefreshGold": compute.glue_job_by_name["refresh_gold"].role_arn,
        "LoadCohort": compute.glue_job_by_name["load_cohort"].role_arn,
    }
    access = AccessStack(app, stage=stage, names=names, storage=storage, writers=writers)
    alarms = AlarmsStack(
        app,
        stage=stage,
        names=names,
        compute=compute,
        workflow=workflow,
        intake=intake,
        acts=acts,
        api=api,
        release=release,
        fhir=fhir,
    )
    stacks: list[Stack] = [
        *(
            storage,
            identity,
            catalog,
            network,
            compute,
            workflow,
            intake,
            acts,
            api,
            release,
            release_api,
            fhir,
            access,
            alarms,
        )
    ]
    for earlier, later in pairwise(stacks):
        later.add_stack_dependency(earlier)
    return stacks
