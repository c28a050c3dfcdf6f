"""What every stack has in common."""

from aws_cdk import Environment, Stack
from constructs import Construct

from infra.names import Names
from infra.stages import StageConfig


class PartStack(Stack):
    """One part of a stage, named and tagged after both. A stateful one refuses deletion where data is kept."""

    def __init__(
        self, scope: Construct, part: str, *, stage: StageConfig, names: Names, contents: str, stateful: bool = False
    ) -> None:
        super().__init__(
            scope,
            part,
            env=Environment(account=names.account, region=names.region),
            stack_name=names.stack(part),
            description=f"Strandline {stage.name}: {contents}",
            termination_protection=stateful and stage.keeps_data,
            tags={"strandline:stage": stage.name, "strandline:part": part},
        )
