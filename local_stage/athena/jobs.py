"""What a statement is given, and what comes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from local_stage.athena.access import Access
from local_stage.athena.glue_tables import open_session
from local_stage.athena.session import Session
from local_stage.callers import Caller
from local_stage.context import StageContext


@dataclass(frozen=True)
class Job:
    """One run of a statement by `caller`, None for whoever runs the stage.

    `attach` is told of each session while it runs, so that it can be cancelled.
    """

    context: StageContext
    query_id: str
    database: str
    output_location: str
    parameters: Sequence[str] = ()
    scan_limit_bytes: int | None = None
    attach: Callable[[Session | None], None] = lambda _: None
    caller: Caller | None = None

    @cached_property
    def access(self) -> Access:
        """What the caller may see and do."""
        return Access(self.context, self.caller)

    def open_session(self) -> Session:
        """Return a session that ends with `close_session`."""
        session = open_session(self.access, self.database, self.scan_limit_bytes)
        self.attach(session)
        return session

    def close_session(self, session: Session) -> None:
        """End a session."""
        self.attach(None)
        session.close()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Lines of cells, without a header; for what writes, the files written and the count of rows."""

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    scanned_bytes: int = 0
    written: Sequence[str] | None = None
    row_count: int = 0
