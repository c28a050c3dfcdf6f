"""The Glue catalog of the embedded AWS: an update of a version that is no longer the current one is refused.

Iceberg's commits rest on that: two writers that both read version 4 must not both write version 5. moto takes every
update. Source: `UpdateTable`, AWS Glue API reference (`VersionId`, `ConcurrentModificationException`).
"""

import threading
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.glue.responses import GlueResponse

from local_stage.context import StageContext
from local_stage.replacing import replace

_commit = threading.Lock()


def install(context: StageContext) -> None:
    """Make the catalog check versions."""
    del context
    replace(GlueResponse, "update_table", _checking_version(GlueResponse.update_table))


def _checking_version(original: Callable[[Any], ActionResult]) -> Callable[[Any], ActionResult]:
    def update_table(self: Any) -> ActionResult:
        expected = self.parameters.get("VersionId")
        with _commit:
            if expected is not None:
                name = self.parameters["TableInput"]["Name"]
                table = self.glue_backend.get_table(self.parameters["DatabaseName"], name)
                if table.as_dict()["VersionId"] != expected:
                    raise JsonRESTError("ConcurrentModificationException", f"table {name} is past version {expected}")
            return original(self)

    return update_table
