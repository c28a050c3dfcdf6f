"""Athena of the embedded AWS: queries run on DuckDB over the tables of the Glue catalog, with Trino's meaning."""

from local_stage.context import StageContext


def install(context: StageContext) -> None:
    """Prepare Athena."""
    del context


def stop() -> None:
    """End every query."""
