"""`strandline fhir`: the bundle of a sample, and what is wrong with any FHIR document."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from strandline.cli.console import OutputFormat, print_rows, say
from strandline.cli.drafts import SampleArgument, print_draft
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.errors import RejectedInputError
from strandline.fhir.problems import Finding, Severity

_COLUMNS: Final = ("severity", "code", "location", "message", "advice")


class _SampleOrCommand(TyperGroup):
    """Takes what is no command as the name of a sample, so that `strandline fhir SAMPLE` prints its bundle."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and "--help" not in args:
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_SampleOrCommand,
    no_args_is_help=True,
    help="Print the FHIR bundle of a sample's latest analysis, validate a document, or hand a release over.\n\n"
    "Example: strandline fhir HG002 > bundle.json",
)


@app.command(hidden=True)
def show(sample: SampleArgument, stage: StageOption = LOCAL) -> None:
    """Print the FHIR bundle of a sample's latest analysis.

    Example: strandline fhir HG002 > bundle.json
    """
    from strandline.journey import Artifact  # noqa: PLC0415

    print_draft(stage, sample, Artifact.BUNDLE)


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="A FHIR R4 resource or Bundle, as JSON.")],
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Check a FHIR document against R4 and the Genomics Reporting guide 3.0.0, and say what to mend.

    Example: strandline fhir validate bundle.json --format json
    """
    from strandline.fhir.validation import LARGEST_BYTES, read_document, validate_document  # noqa: PLC0415

    if not file.is_file():
        raise RejectedInputError("file_not_found", f"{file.name} is no file: name a FHIR document")
    if file.stat().st_size > LARGEST_BYTES:
        raise RejectedInputError("fhir_too_large", f"{file.name} is over {LARGEST_BYTES >> 20} MiB: split it")
    findings = validate_document(read_document(file.read_bytes()))
    print_rows(_COLUMNS, [_cells(finding) for finding in findings], form)
    errors = _count(findings, Severity.ERROR)
    say(f"{file.name}: {errors} errors, {_count(findings, Severity.WARNING)} warnings")
    if errors:
        raise typer.Exit(RejectedInputError.EXIT_CODE)


@app.command()
def push(
    submission: Annotated[str, typer.Argument(help="Id of a submission that was released.")],
    endpoint: Annotated[str, typer.Argument(help="Base URL of the other system: https://HOST/PATH.")],
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="A file with the bearer token for it, on one line.")
    ] = None,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
    stage: StageOption = LOCAL,
) -> None:
    """Hand what was released of a submission to another FHIR server, once however often, and keep its receipt.

    Example: strandline fhir push s-5e0d1b0c9d0f4c55 https://ehr.example/fhir --token-file token.txt
    """
    from strandline.aws.fhir_push import sender  # noqa: PLC0415
    from strandline.fhir.push import check_endpoint  # noqa: PLC0415

    to = check_endpoint(endpoint)
    if token_file is not None and not token_file.is_file():
        raise RejectedInputError("file_not_found", f"{token_file.name} is no file: name one that holds a token")
    token = token_file.read_text(encoding="utf-8").strip() if token_file else None
    pushing = connect(stage).fhir_pushing
    receipt = pushing.push(submission, to, sender(to, token), clock=lambda: datetime.now(UTC), pause=time.sleep)
    told = asdict(receipt) | {"taken": receipt.taken.isoformat(timespec="seconds")}
    print_rows(tuple(told), [tuple(map(str, told.values()))], form)


@app.command("load-healthlake")
def load_healthlake(
    export: Annotated[str, typer.Argument(help="Id of a finished bulk export: the end of its Content-Location.")],
    datastore: Annotated[str, typer.Option("--datastore", help="Id of the HealthLake data store.")],
    role: Annotated[str, typer.Option("--role", help="ARN of the role by which HealthLake reads the files.")],
    key: Annotated[str, typer.Option("--key", help="ARN of the KMS key for the import's own log.")],
    stage: StageOption = LOCAL,
) -> None:
    """Load a bulk export into AWS HealthLake, on a stage that is on AWS.

    Example: strandline fhir load-healthlake 4f0c... --datastore 8a1d... --role arn:... --key arn:... --stage prod
    """
    from strandline.aws.health_lake import DataStore  # noqa: PLC0415

    if stage == LOCAL:
        raise RejectedInputError("healthlake_absent", "there is no HealthLake in the embedded AWS: name a stage on AWS")
    begun = connect(stage).health_lake_imports.start(export, DataStore(datastore, role, key))
    say(f"import {begun.job_id}: {begun.status}")


def _cells(finding: Finding) -> tuple[str, ...]:
    return finding.severity.value, finding.code, finding.location, finding.message, finding.advice


def _count(findings: Sequence[Finding], severity: Severity) -> int:
    return sum(finding.severity is severity for finding in findings)
