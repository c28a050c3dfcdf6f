"""`strandline lineage`: from a row of the lake, or a submission, back to bytes, code, images and reference."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Final

import typer

from strandline.aws.deployment import Deployment
from strandline.aws.lineage import Lineage, MadeStep, trace
from strandline.aws.queries import QueryResult
from strandline.cli.console import Cell, OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.errors import RejectedInputError
from strandline.journey import is_submission_id
from strandline.lake.asking import Parameter

_VARIANT: Final = re.compile(r"([^\s:>]+):(\d+)[ :]+([ACGTN]+)>([ACGTN*]+)")
_ROWS: Final = """SELECT submission_id, contig, position, ref, alt, genotype, filters, quality, depth, reference_name,
reference_version FROM variants WHERE sample_id = ? AND contig = ? AND position = ? AND ref = ? AND alt = ?"""
_COLUMNS: Final = ("submission", "what", "name", "is")
_DIGITS: Final = 16  # of a digest, in the table: JSON has all


def lineage(
    sample: Annotated[str, typer.Argument(help="Sample or submission.")],
    variant: Annotated[
        list[str] | None, typer.Argument(metavar="CHR:POS REF>ALT", help="A call of the sample; 1-based position.")
    ] = None,
    stage: StageOption = LOCAL,
    form: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Show what a result was made from: source files, steps with their tools and images, reference, and who decided.

    Example: strandline lineage SYN-CHILD chr21:20500 "A>G"
    """
    deployment = connect(stage)
    called = _find_rows(deployment, sample, " ".join(variant)) if variant else None
    for submission_id in _submissions(deployment, sample, called):
        found = trace(submission_id, table=deployment.submissions, references=deployment.references)
        if form is OutputFormat.JSON:
            sys.stdout.write(json.dumps(asdict(found) | {"rows": _rows_of(called, submission_id)}, default=str) + "\n")
        else:
            print_rows(_COLUMNS, list(_lines(found, _rows_of(called, submission_id))), form)


def parse_variant(text: str) -> tuple[str, int, str, str]:
    """Return contig, 1-based position, REF and ALT.

    Raises:
        RejectedInputError: `variant_unreadable`.

    >>> parse_variant("chr20:10000117 C>T")
    ('chr20', 10000117, 'C', 'T')
    """
    found = _VARIANT.fullmatch(text.strip())
    if found is None:
        raise RejectedInputError("variant_unreadable", f"'{text}' is no variant: write it as 'chr20:10000117 C>T'")
    contig, position, ref, alt = found.groups()
    return contig, int(position), ref, alt


def _find_rows(deployment: Deployment, sample: str, text: str) -> QueryResult:
    contig, position, ref, alt = parse_variant(text)
    quoted = [Parameter("value", "text", "a name").literals(value)[0] for value in (sample, contig, ref, alt)]
    found = deployment.queries.run(_ROWS, [quoted[0], quoted[1], str(position), quoted[2], quoted[3]])
    if not found.rows:
        raise RejectedInputError(
            "variant_not_called",
            f"the lake holds no such call of {sample}: 'strandline ask absence' tells whether reads would show it",
        )
    return found


def _submissions(deployment: Deployment, sample: str, called: QueryResult | None) -> list[str]:
    if called is not None:
        return list(dict.fromkeys(str(row[0]) for row in called.rows))
    if is_submission_id(sample) and deployment.submissions.get(sample) is not None:
        return [sample]
    found = [record.submission_id for record in deployment.submissions.list_by_sample(sample)]
    if not found:
        raise RejectedInputError("sample_unknown", f"no sample or submission {sample}: see 'strandline status'")
    if len(found) > 1:
        say(f"{sample} was submitted {len(found)} times; all are shown, the oldest first")
    return found


def _rows_of(called: QueryResult | None, submission_id: str) -> list[dict[str, str | None]]:
    if called is None:
        return []
    return [dict(zip(called.columns, row, strict=True)) for row in called.rows if row[0] == submission_id]


def _lines(found: Lineage, rows: list[dict[str, str | None]]) -> Iterator[tuple[Cell, ...]]:
    def line(what: str, name: str, value: str) -> tuple[Cell, ...]:
        return found.submission_id, what, name, value

    for row in rows:
        place = f"{row['contig']}:{row['position']} {row['ref']}>{row['alt']}"
        quality = f"{float(row['quality']):.1f}" if row["quality"] is not None else "none"
        yield line("call", place, f"{row['genotype']}, {row['filters']}, quality {quality}, depth {row['depth']}")
    for file in found.files:
        held = f"version {file.version_id}, {file.size_bytes} bytes, SHA-256 {_short(file.sha256)}"
        yield line("source", f"{file.name} ({file.role})", held)
    yield line("reference", found.reference, f"bundle.json SHA-256 {_short(found.bundle_sha256)}")
    for step in found.steps:
        yield line("step", step.name, _describe(step))
    for change in found.changes:
        yield line("change", str(change.after), f"{change.when} by {change.who}: {change.why}")


def _describe(step: MadeStep) -> str:
    if step.making is None:
        return f"inputs {_short(step.key)}; made by a version that kept no more"
    tools = ", ".join(dict.fromkeys(value for name, value in step.making.read.items() if name in _TOOLS))
    parts = [f"code {_short(step.making.code_version)}", *([tools] if tools else [])]
    parts.append(f"image {step.making.image}" if step.making.image else "in no image")
    if step.making.taken_over_from:
        parts.append(f"taken over from {step.making.taken_over_from}")
    return f"inputs {_short(step.key)}; {'; '.join(parts)}"


def _short(digest: str) -> str:
    return digest[:_DIGITS]


_TOOLS: Final = frozenset({"aligner", "samtools", "bcftools", "caller"})
