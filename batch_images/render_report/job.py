"""RenderReport: the report with pictures and evidence, as HTML and PDF, in plain words, and the page of reads."""

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from strandline.aws.jobs import open_buckets, run_job
from strandline.aws.reports import render_report
from strandline.aws.settings import ReportJobSettings
from strandline.aws.workspace import Workspace

IGV_JS = Path("/opt/igv/igv.min.js")  # where the image has it
logger = logging.getLogger("strandline.jobs")


def render(workspace: Workspace, settings: ReportJobSettings) -> None:
    """Make everything, and publish it only when all of it is there."""
    made = render_report(
        workspace,
        now=datetime.now(UTC),
        for_release=settings.purpose == "release",
        igv_js=IGV_JS if IGV_JS.exists() else None,
        notify=lambda name: logger.info("made %s", name),
    )
    workspace.publish(*made)


if __name__ == "__main__":
    settings = ReportJobSettings.from_env()
    buckets = open_buckets(analysis=settings.analysis_bucket, references=settings.references_bucket)
    sys.exit(run_job("RenderReport", lambda workspace: render(workspace, settings), settings, buckets))
