"""BuildBundle: a FHIR bundle of the findings, held to its profiles, and preliminary until a person signs."""

from datetime import UTC, datetime

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext

from strandline import __version__
from strandline.aws.drafts import DraftRequest, open_analysis, read_amendment, read_regions, read_report
from strandline.aws.telemetry import logger, metrics, tracer
from strandline.fhir.bundle import build_bundle, serialise_bundle
from strandline.fhir.drafting import BundleInput
from strandline.fhir.validation import require_valid
from strandline.journey import Artifact


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)  # responses may name a patient
@metrics.log_metrics
@event_parser(model=DraftRequest)
def lambda_handler(event: DraftRequest, context: LambdaContext) -> dict[str, int]:
    logger.append_keys(submission_id=event.submission_id)
    metrics.add_metric(name="BundlesDrafted", unit=MetricUnit.Count, value=1)
    with open_analysis(event.submission_id) as (workspace, analysis):
        source = BundleInput(
            submission_id=event.submission_id,
            sample=workspace.manifest.sample,
            reference_label=analysis.bundle.label,
            assembly=analysis.bundle.assembly,
            quality=analysis.quality,
            findings=analysis.findings,
            issued=datetime.now(UTC),
            platform_version=__version__,
            sources=analysis.sources,
            regions=read_regions(workspace, analysis.bundle),
            report=read_report(workspace) if event.purpose == "release" else None,
            amendment=read_amendment(workspace, analysis.knowledge) if event.purpose == "release" else None,
        )
        bundle = require_valid(build_bundle(source))
        workspace.path(Artifact.BUNDLE).write_bytes(serialise_bundle(bundle))
        workspace.publish(Artifact.BUNDLE)
    return {"findings": len(analysis.findings.named)}
