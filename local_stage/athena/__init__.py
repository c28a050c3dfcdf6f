"""Athena of the embedded AWS: queries run on DuckDB over the tables of the Glue catalog, with Trino's meaning."""

from local_stage.athena.moto_seams import install, stop

__all__ = ["install", "stop"]
