"""BuildReport: the clinician's report, a draft until a person signs, and the quality page."""

from datetime import UTC, datetime

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext

from strandline import __version__
from strandline.aws.drafts import DraftRequest, open_analysis
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.aws.workspace import Workspace
from strandline.journey import Artifact
from strandline.reads.quality import QualitySummary
from strandline.reporting.multiqc import general_statistics
from strandline.reporting.quality_page import QualityPageInput, build_quality_page
from strandline.reporting.report import ReportInput, build_report


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=DraftRequest)
def lambda_handler(event: DraftRequest, context: LambdaContext) -> dict[str, int]:
    logger.append_keys(submission_id=event.submission_id)
    metrics.add_metric(name="ReportsDrafted", unit=MetricUnit.Count, value=1)
    with open_analysis(event.submission_id) as (workspace, analysis):
        source = ReportInput(
            submission_id=event.submission_id,
            sample=workspace.manifest.sample,
            reference_label=analysis.bundle.label,
            sources=analysis.sources,
            quality=analysis.quality,
            findings=analysis.findings,
            issued=datetime.now(UTC),
            platform_version=__version__,
            scope=analysis.scope,
        )
        workspace.path(Artifact.REPORT).write_text(build_report(source))
        workspace.publish(Artifact.REPORT)
        publish_quality(workspace, analysis.quality)
    return {"findings": len(analysis.findings.named)}


def publish_quality(workspace: Workspace, quality: QualitySummary) -> None:
    """Write the page and the MultiQC file of what was measured; a record of the first version has nothing to show."""
    if quality.measured is None:
        return
    page = QualityPageInput(
        quality.submission_id, quality.sample_id, quality.reference, quality.measured, quality, __version__
    )
    workspace.path(Artifact.QC_PAGE).write_text(build_quality_page(page))
    statistics = general_statistics(quality.measured, quality.sample_id, quality)
    workspace.path(Artifact.MULTIQC).write_text(statistics)
    workspace.publish(Artifact.QC_PAGE, Artifact.MULTIQC)
