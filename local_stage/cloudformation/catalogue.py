"""Every resource type that the embedded AWS can make."""

from collections.abc import Mapping
from functools import cache

from local_stage.cloudformation import (
    types_api,
    types_batch,
    types_compute,
    types_glue_jobs,
    types_identity,
    types_identity_pools,
    types_lake,
    types_lake_formation,
    types_messaging,
    types_network,
    types_storage,
    types_watching,
)
from local_stage.cloudformation.resources import ResourceError, ResourceType


@cache
def known_types() -> Mapping[str, ResourceType]:
    """Return the types by name."""
    modules = (
        types_storage,
        types_lake,
        types_lake_formation,
        types_glue_jobs,
        types_network,
        types_identity,
        types_identity_pools,
        types_batch,
        types_compute,
        types_messaging,
        types_watching,
        types_api,
    )
    return {known.name: known for module in modules for known in module.TYPES}


def find_type(name: str) -> ResourceType:
    """Return one type.

    Raises:
        ResourceError: the embedded AWS does not make resources of that type.
    """
    try:
        return known_types()[name]
    except KeyError:
        raise ResourceError(f"the embedded AWS does not make {name}: add it to local_stage/cloudformation") from None
