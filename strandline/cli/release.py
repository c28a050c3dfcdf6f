"""`strandline release`: what waits for review, signed, delivered, amended, withdrawn; and verified by anybody."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from strandline.aws.releases import Releases, ReleaseStatus, ReleaseVersion
from strandline.cli.console import OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.cli.signing_in import ask_code, ask_password
from strandline.errors import RejectedInputError
from strandline.trust.delivery import RECORD, verify_delivery
from strandline.trust.heads import read_public_key, to_pem
from strandline.trust.people import Meaning
from strandline.trust.release import parse_record, policy_named
from strandline.trust.signatures import next_meaning

app = typer.Typer(
    help="What leaves the platform: reviewed, signed, delivered, amended, withdrawn.\n\n"
    "Example: strandline release queue",
    no_args_is_help=True,
    rich_markup_mode=None,
)
SubmissionArgument = Annotated[str, typer.Argument(help="A submission.")]
UserOption = Annotated[str, typer.Option("--user", help="Who you are; password and code are asked for.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, in one line; it stays in the record.")]
VersionOption = Annotated[int | None, typer.Option("--version", help="Version, from 1; the last where not given.")]
FormatOption = Annotated[OutputFormat, typer.Option("--format")]
_LARGEST_FILE_BYTES = 64 << 20


@app.command()
def queue(stage: StageOption = LOCAL, form: FormatOption = OutputFormat.TABLE) -> None:
    """List what waits for a signature, longest first, and whose; what could not be rendered waits to be opened anew.

    Example: strandline release queue
    """
    deployment = connect(stage)
    rows = []
    for submission in deployment.in_review():
        for version in deployment.release_calls.releases.versions(submission.submission_id):
            if version.status is not ReleaseStatus.DELIVERED:
                waits_for = _missing(deployment.release_calls.releases, version)
                rows.append(
                    (version.submission_id, version.version, version.kind, waits_for, version.asked_at, version.reason)
                )
    print_rows(("submission", "version", "kind", "waits_for", "since", "reason"), rows, form)


@app.command()
def show(
    submission_id: SubmissionArgument, stage: StageOption = LOCAL, form: FormatOption = OutputFormat.TABLE
) -> None:
    """Show every version of a release: what it is of, and who signed it.

    Example: strandline release show s-5f2a9c01d3e41b7c
    """
    releases = connect(stage).release_calls.releases
    rows = []
    for version in releases.versions(submission_id):
        digest = version.record.digest if version.record else None
        given = releases.signatures(submission_id, version.version)
        signers = "; ".join(f"{one.statement.printed_name} ({one.statement.meaning})" for one in given)
        stopped = version.stopped
        why = f"{stopped.step}: {stopped.code}: {stopped.message}" if stopped else None
        rows.append((version.version, version.kind, version.status.value, digest, signers, version.reason, why))
    print_rows(("version", "kind", "status", "record_sha256", "signed_by", "reason", "stopped_by"), rows, form)


@app.command(name="open")
def open_version(submission_id: SubmissionArgument, version: VersionOption = None, stage: StageOption = LOCAL) -> None:
    """Open a version for review: its report is rendered with all evidence, as those who sign it will see it.

    Example: strandline release open s-5f2a9c01d3e41b7c
    """
    deployment = connect(stage)
    found = _version(deployment.release_calls.releases.versions(submission_id), version)
    opened = deployment.release_calls.open(submission_id, found.version, deployment.caller())["opened"]
    say("it is being rendered: see 'strandline release show'" if opened else "it was opened before")


@app.command()
def sign(
    submission_id: SubmissionArgument,
    user: UserOption,
    meaning: Annotated[str, typer.Option("--as", help="author, reviewer or approver.")],
    version: VersionOption = None,
    record: Annotated[
        str | None, typer.Option("--record", help="SHA-256 of the record that you reviewed; refused for another.")
    ] = None,
    stage: StageOption = LOCAL,
) -> None:
    """Sign one version with your password and the code of your authenticator, given now.

    Example: strandline release sign s-5f2a9c01d3e41b7c --user ada --as author
    """
    deployment = connect(stage)
    found = _version(deployment.release_calls.releases.versions(submission_id), version)
    digest = record or found.frozen.digest
    say(f"You sign version {found.version} as {meaning}; record SHA-256 {digest}")
    token = deployment.user_admin.sign_in(user, ask_password(), ask_code())
    told = {"version": found.version, "record_sha256": digest, "meaning": meaning}
    _print(deployment.release_calls.ask_desk("sign", token, submission_id, **told))


@app.command()
def deliver(submission_id: SubmissionArgument, version: VersionOption = None, stage: StageOption = LOCAL) -> None:
    """Deliver a version that everybody has signed; the workflow does so by itself, so this is for its failures.

    Example: strandline release deliver s-5f2a9c01d3e41b7c
    """
    calls = connect(stage).release_calls
    found = _version(calls.releases.versions(submission_id), version)
    _print(calls.deliver(submission_id, found.version))


@app.command()
def amend(
    submission_id: SubmissionArgument, user: UserOption, reason: ReasonOption, stage: StageOption = LOCAL
) -> None:
    """Ask for a new version of what was released, of the files as they are now; it is reviewed and signed anew.

    Example: strandline release amend s-5f2a9c01d3e41b7c --user ada --reason "ClinVar 2026-11 calls c.68 pathogenic"
    """
    deployment = connect(stage)
    token = deployment.user_admin.sign_in(user, ask_password(), ask_code())
    _print(deployment.release_calls.ask_desk("amend", token, submission_id, reason=reason))


@app.command()
def withdraw(
    submission_id: SubmissionArgument, user: UserOption, reason: ReasonOption, stage: StageOption = LOCAL
) -> None:
    """Withdraw a release, or what waits for one; whoever has it finds the withdrawal beside it.

    Example: strandline release withdraw s-5f2a9c01d3e41b7c --user ada --reason "Another subject's blood"
    """
    deployment = connect(stage)
    token = deployment.user_admin.sign_in(user, ask_password(), ask_code())
    _print(deployment.release_calls.ask_desk("withdraw", token, submission_id, reason=reason))


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of one delivered version, or a file in it.")],
    key: Annotated[
        Path, typer.Option("--key", help="The public key of releases, PEM, from the lab and not the folder.")
    ],
    policy: Annotated[
        str | None, typer.Option("--policy", help="Who had to sign; the policy that the record names where not given.")
    ] = None,
) -> None:
    """Tell whether a delivered version is what was signed, byte by byte, with nothing but the public key.

    Example: strandline release verify releases/s-5f2a9c01d3e41b7c/0001 --key release-key.pem
    """
    place = folder if folder.is_dir() else folder.parent
    files = {path.relative_to(place).as_posix(): _read(path) for path in sorted(place.rglob("*")) if path.is_file()}
    if RECORD not in files:
        raise RejectedInputError("delivery_incomplete", f"{place} has no {RECORD}: fetch the whole folder")
    rules = policy_named(policy or parse_record(files[RECORD]).policy)
    found = verify_delivery(files, read_public_key(_read(key)), rules)
    for one in found.signatures:
        said = one.statement
        say(f"signed by {said.printed_name} ({said.user_name}) as {said.meaning} at {said.signed_at.isoformat()}")
    record = found.record
    say(f"whole: {record.kind} of {record.submission_id}, version {record.version}, under policy {record.policy}")


@app.command(name="key")
def show_key(stage: StageOption = LOCAL) -> None:
    """Print the public key that verifies releases: keep a copy apart from them.

    Example: strandline release key > release-key.pem
    """
    sys.stdout.write(to_pem(connect(stage).release_key.public_key()).decode())


def _version(versions: list[ReleaseVersion], number: int | None) -> ReleaseVersion:
    found = [one for one in versions if number in {None, one.version}]
    if not found:
        raise RejectedInputError("release_unknown", "there is no such version: see 'strandline release show'")
    return found[-1]


def _missing(releases: Releases, version: ReleaseVersion) -> Meaning | str | None:
    if version.record is None:
        return f"opening anew, {version.stopped.code}" if version.stopped else "opening"
    given = releases.signatures(version.submission_id, version.version)
    return next_meaning(version.record, given, policy_named(version.record.policy)) or "delivery"


def _print(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")


def _read(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST_FILE_BYTES:
        raise RejectedInputError("file_too_large", f"{path} is larger than any file of a release")
    return path.read_bytes()
