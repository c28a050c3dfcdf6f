"""The access log of an HTTP API: a line a request, in the format that its stage asks for.

Source: "Customize HTTP API access logs", API Gateway developer guide.
"""

import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from local_stage.context import StageContext
from local_stage.log_streams import LogStream

_VARIABLE: Final = re.compile(r"\$context\.([A-Za-z][\w.]*)")
_NONE: Final = "-"


@dataclass(slots=True)
class Answer:
    """What is known of a request once it is answered; `integration_status` is `-` where no function was called."""

    request_id: str
    began_s: float
    route_key: str = _NONE
    status: int = 0
    size_bytes: int = 0
    integration_status: str = _NONE

    def variables(self) -> dict[str, str]:
        """Return what `$context` has under these names; what else it has on AWS is `-` here."""
        return {
            "requestId": self.request_id,
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(self.began_s)),
            "routeKey": self.route_key,
            "status": str(int(self.status)),
            "responseLength": str(self.size_bytes),
            "integrationStatus": self.integration_status,
        }


@dataclass(slots=True)
class AccessLog:
    """Writes into the log groups of one embedded AWS, each with one stream."""

    context: StageContext
    _stream: str = field(default_factory=lambda: uuid.uuid4().hex)

    def write(self, stage: Any, answer: Answer) -> None:
        """Write a line where the API's stage wants one."""
        wanted = stage.access_log_settings
        if not wanted:
            return
        known = answer.variables()
        line = _VARIABLE.sub(lambda found: known.get(found[1], _NONE), wanted["format"])
        group = wanted["destinationArn"].partition(":log-group:")[2].removesuffix(":*")
        LogStream(self.context, group, self._stream).write([line])
