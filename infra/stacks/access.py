"""Stateless: who may see what: a role and a workgroup a group, and what Lake Formation grants it."""

import re
from collections.abc import Mapping

from aws_cdk import aws_athena as athena
from constructs import Construct

from infra.constructs.lake_access import Group, LakeGrants, groups, let_write
from infra.constructs.lake_question import LakeQuestion, lake_questions
from infra.constructs.permissions import (
    Permission,
    ask_athena,
    drop_tables,
    load_tables,
    read_objects,
    write_objects,
)
from infra.constructs.role import LeastPrivilegeRole
from infra.constructs.workgroup import bounded_workgroup
from infra.names import Names
from infra.stacks.part import PartStack
from infra.stacks.storage import StorageStack
from infra.stages import StageConfig

_TABLES = "tables/"


class AccessStack(PartStack):
    """What people may do with the lake. Who takes on which role is for the account's directory to say."""

    def __init__(
        self,
        scope: Construct,
        *,
        stage: StageConfig,
        names: Names,
        storage: StorageStack,
        writers: Mapping[str, str],
    ) -> None:
        super().__init__(
            scope,
            "access",
            stage=stage,
            names=names,
            contents="roles and workgroups of people, what they may see of the lake",
        )
        for group in groups(stage.sites):
            self._admit(group, stage, names, storage)
        for writer, role_arn in writers.items():
            let_write(self, f"{writer}Writes", names=names, role_arn=role_arn)

    def _admit(self, group: Group, stage: StageConfig, names: Names, storage: StorageStack) -> None:
        place = Construct(self, "".join(word.title() for word in re.split(r"\W", group.name)))
        workgroup = bounded_workgroup(
            place,
            "Workgroup",
            name=names.of(group.name),
            description=f"Queries of the lake by {group.name}",
            results=f"s3://{storage.lake.name}/athena-results/{names.of(group.name)}/",
            key=storage.keys.lake,
            account=names.account,
            cutoff_bytes=stage.athena_cutoff_bytes,
        )
        role = LeastPrivilegeRole(
            place,
            "People",
            permissions=[*ask_athena(names, names.of(group.name), storage.lake), *_files(group, names, storage)],
            name=names.of(group.name),
            description=group.described["about"],
        )
        LakeGrants(place, "Grants", names=names, group=group, role_arn=role.role.role_arn)
        if group.described.get("instead"):
            self._save_questions(place, group.described["instead"], names, workgroup)

    @staticmethod
    def _save_questions(
        place: Construct, instead: Mapping[str, str], names: Names, workgroup: athena.CfnWorkGroup
    ) -> None:
        """Save the lake's questions with the columns that the group has in the place of those it may not see."""
        for question, text in lake_questions().items():
            told = text
            for hidden, shown in instead.items():
                told = re.sub(rf"\b{hidden}\b", shown, told)
            LakeQuestion(
                place,
                "".join(word.title() for word in question.split("_")) + "Question",
                name=question,
                text=told,
                database=names.glue_database,
                workgroup=workgroup,
            )


def _files(group: Group, names: Names, storage: StorageStack) -> list[Permission]:
    """Whoever changes tables writes files: Iceberg in Athena takes the caller's own permissions for that."""
    if group.described["may"] == ["read"]:
        return []
    lake = storage.lake
    return [
        *read_objects(lake, prefix=_TABLES),
        *write_objects(lake, prefix=_TABLES),
        *load_tables(names, makes_others=True),
        *drop_tables(names),
    ]
