"""`strandline package`: samples carried over from where there is no network, signed by the lab."""

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from strandline.aws.lab_keys import EVERY_SITE, LabKey
from strandline.aws.submitting import LocalFile, Submission
from strandline.cli.analysis import describe, free_name, send_prepared
from strandline.cli.console import OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.cli.progress import show_hashing
from strandline.cli.references import open_reference
from strandline.cli.submission import ReferenceOption, RegionsOption, SheetArgument, SiteOption, read_sheet
from strandline.errors import RejectedInputError
from strandline.journey import MANIFEST_NAME, SIGNATURE_NAME
from strandline.landing.manifest import SITE_CODE, ReferenceName
from strandline.landing.package import Package, check_files, open_package, verify_package, write_package
from strandline.landing.signing import make_key, name_key, read_private_key, read_public_key
from strandline.reads.reference_bundle.naming import split_label

PASSPHRASE_VARIABLE: Final = "STRANDLINE_KEY_PASSPHRASE"  # noqa: S105 - a name, not a passphrase
_FASTA_SUFFIXES: Final = frozenset({".fa", ".fasta", ".fna", ".gz", ".bgz", ".json"})
_PRIVATE_MODE: Final = 0o600
_KEY_LIMIT_BYTES: Final = 64 << 10
_REASON_LENGTH: Final = range(10, 501)

app = typer.Typer(
    help="Signed packages, for labs without a network.\n\n"
    "Example: strandline package make samples.csv --key lab.pem --site north --out samples.strandpkg",
    no_args_is_help=True,
    rich_markup_mode=None,
)
FormatOption = Annotated[OutputFormat, typer.Option("--format")]
FolderArgument = Annotated[Path, typer.Argument(help="A package, or a folder of packages.")]
AskOption = Annotated[
    bool, typer.Option("--passphrase", help=f"Ask for the passphrase; ${PASSPHRASE_VARIABLE} gives it else.")
]
SiteRequired = Annotated[str, typer.Option("--site", help="The lab's code, as manifests name it.")]


@app.command()
def keygen(
    out: Annotated[Path, typer.Option("--out", help="Folder for lab.pem (keep it) and lab.pub (give it).")],
    ask: AskOption = False,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Make a lab's Ed25519 key pair; $STRANDLINE_KEY_PASSPHRASE encrypts the private key where it is set.

    Example: strandline package keygen --out keys
    """
    private, public = out / "lab.pem", out / "lab.pub"
    for path in (private, public):
        if path.exists():
            raise RejectedInputError("key_exists", f"{path} is there already: give another --out")
    private_pem, public_pem = make_key(_passphrase(ask, twice=True))
    out.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_MODE), "wb") as sink:
        sink.write(private_pem)
    public.write_bytes(public_pem)
    rows = [(name_key(read_public_key(public_pem)), str(private), str(public))]
    print_rows(("key_id", "private", "public"), rows, form)


@app.command()
def make(
    sheet: SheetArgument,
    key: Annotated[Path, typer.Option("--key", help="The lab's private key, lab.pem.")],
    out: Annotated[Path, typer.Option("--out", help="The package; a folder of packages where samples are several.")],
    reference: ReferenceOption = None,
    regions: RegionsOption = None,
    site: SiteOption = None,
    ask: AskOption = False,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Make a signed package of each sample of a sheet; no network is needed.

    Example: strandline package make samples.csv --key keys/lab.pem --site north --out samples.strandpkg
    """
    private = read_private_key(_read_key(key), _passphrase(ask))
    rows = []
    given = read_sheet(sheet, reference=reference, regions=regions, site=site)
    if any(one.sample.site is None for one in given):
        raise RejectedInputError("site_missing", "a signature is checked against the keys of a site: give --site")
    for one in given:
        submission = describe(one, _reference_of(one.reference))
        submission_id = submission.submission_id()
        folder = out if len(given) == 1 else out / submission_id
        size = sum(file.size_bytes for file in submission.manifest.files)
        with show_hashing(size) as copied:
            paths = {file.name: file.path for file in submission.files}
            signature = write_package(folder, submission.manifest, paths, private, copied=copied)
        rows.append((str(folder), one.sample.sample_id, submission_id, len(paths), size, signature.key_id))
    print_rows(("package", "sample", "submission", "files", "bytes", "key_id"), rows, form)


@app.command()
def verify(
    folder: FolderArgument,
    public_keys: Annotated[
        list[Path] | None, typer.Option("--public-key", help="A lab's public key; may be given more than once.")
    ] = None,
    keys: Annotated[Path | None, typer.Option("--keys", help="Folder of public keys, *.pub.")] = None,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Check packages without a network: every byte is as it was signed, nothing is missing, nothing was added.

    Example: strandline package verify samples.strandpkg --public-key keys/lab.pub
    """
    paths = [*(public_keys or []), *(sorted(keys.glob("*.pub")) if keys else [])]
    if not paths:
        raise typer.BadParameter("give --public-key or --keys: whom is to be trusted?")
    trusted = {name_key(raw): raw for raw in (read_public_key(_read_key(path)) for path in paths)}
    rows: list[tuple[str | None, ...]] = []
    for one in _packages(folder):
        try:
            with show_hashing(_size(one)) as read:
                package = verify_package(one, trusted, read=read)
            rows.append((str(one), package.manifest.sample.sample_id, "GENUINE", package.signature.key_id, None))
        except RejectedInputError as error:
            say(f"strandline: {one}: {error.code}: {error.message}")
            rows.append((str(one), None, "REJECTED", None, error.code))
    print_rows(("package", "sample", "verdict", "key_id", "code"), rows, form)
    if any(row[-1] for row in rows):
        raise typer.Exit(RejectedInputError.EXIT_CODE)


@app.command()
def send(folder: FolderArgument, stage: StageOption = LOCAL, form: FormatOption = OutputFormat.TABLE) -> None:
    """Upload packages; the landing door verifies their signatures. What was cut goes on where it stopped.

    Example: strandline package send samples.strandpkg
    """
    packages = [open_package(one) for one in _packages(folder)]
    deployment = connect(stage)
    rows = []
    for package in packages:
        with show_hashing(_size(package.folder)) as read:
            check_files(package, read=read)
        submission = _submission_of(package)
        submission_id = send_prepared(deployment, submission, free_name(deployment, submission))
        rows.append((str(package.folder), package.manifest.sample.sample_id, submission_id))
    print_rows(("package", "sample", "submission"), rows, form)


@app.command("register-key")
def register_key(
    public_key: Annotated[Path, typer.Argument(help="The lab's public key, lab.pub.")],
    site: SiteRequired,
    valid_from: Annotated[
        datetime | None, typer.Option("--valid-from", formats=["%Y-%m-%d"], help="First day (UTC); now if left out.")
    ] = None,
    stage: StageOption = LOCAL,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Trust a lab's key: packages that it signs for this site are accepted.

    Example: strandline package register-key --site north keys/lab.pub
    """
    raw = read_public_key(_read_key(public_key))
    deployment, now = connect(stage), datetime.now(UTC)
    since = valid_from.replace(tzinfo=UTC) if valid_from else now
    key = deployment.lab_keys.register(_check_site(site), raw, who=deployment.caller(), now=now, valid_from=since)
    _print_keys([key], form)


@app.command("revoke-key")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="Id of a registered key.")],
    site: SiteRequired,
    reason: Annotated[str, typer.Option("--reason", help="Why, in 10 to 500 characters; it stays with the key.")],
    stage: StageOption = LOCAL,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Trust a lab's key no longer; what it signed and was not validated yet is refused.

    Example: strandline package revoke-key --site north 3b6a27bcceb6a42d62a3a8d02a6f0d73 --reason "the laptop was lost"
    """
    if len(reason.strip()) not in _REASON_LENGTH:
        raise RejectedInputError("reason_missing", "give a reason of 10 to 500 characters: it stays with the key")
    deployment = connect(stage)
    who, now = deployment.caller(), datetime.now(UTC)
    _print_keys([deployment.lab_keys.revoke(_check_site(site), key_id, who=who, reason=reason, now=now)], form)


@app.command("keys")
def list_keys(site: SiteRequired, stage: StageOption = LOCAL, form: FormatOption = OutputFormat.TABLE) -> None:
    """List the keys of a site, revoked ones too.

    Example: strandline package keys --site north
    """
    _print_keys(connect(stage).lab_keys.list(_check_site(site)), form)


@app.command()
def require(
    site: Annotated[str | None, typer.Option("--site", help="A lab's code; every site where it is left out.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Accept unsigned submissions again.")] = False,
    stage: StageOption = LOCAL,
) -> None:
    """Accept from a site, or from every site, only what is signed.

    Example: strandline package require --site north
    """
    deployment = connect(stage)
    asked = _check_site(site) if site else EVERY_SITE
    deployment.lab_keys.require(asked, not off, who=deployment.caller(), now=datetime.now(UTC))
    whose = f"site {site}" if site else "every site"
    say(f"what {whose} sends {'may be unsigned' if off else 'must be signed'}")


def _print_keys(keys: Sequence[LabKey], form: OutputFormat) -> None:
    rows = [
        (
            key.site,
            key.key_id,
            key.valid_from.isoformat(),
            key.registered_by,
            key.revoked_at.isoformat() if key.revoked_at else None,
            key.revoked_by,
            key.reason,
        )
        for key in keys
    ]
    print_rows(("site", "key_id", "valid_from", "registered_by", "revoked_at", "revoked_by", "reason"), rows, form)


def _packages(folder: Path) -> list[Path]:
    """Return the folder where it is a package, else the packages in it."""
    if (folder / MANIFEST_NAME).exists() or not folder.is_dir():
        return [folder]
    return sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")) or [folder]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) if folder.is_dir() else 0


def _submission_of(package: Package) -> Submission:
    files = tuple(LocalFile(package.folder / file.name, file.name, file.role) for file in package.manifest.files)
    return Submission(package.manifest, files, package.manifest_body, package.folder / SIGNATURE_NAME)


def _reference_of(asked: Path) -> ReferenceName:
    """Return the reference that is meant: NAME/VERSION is taken at its word, for nobody can be asked here."""
    is_path = asked.exists() or asked.suffix in _FASTA_SUFFIXES  # a path that is mistyped is no name
    label = None if is_path else split_label(str(asked))
    if label is not None and label[1] is not None:
        return ReferenceName(name=label[0], version=label[1])
    bundle = open_reference(asked).bundle
    return ReferenceName(name=bundle.name, version=bundle.version)


def _check_site(site: str) -> str:
    if not re.fullmatch(SITE_CODE, site):
        raise RejectedInputError("invalid_site", "a site's code is up to 32 letters, digits, '.', '_' and '-'")
    return site


def _passphrase(ask: bool, *, twice: bool = False) -> str | None:
    """Return the passphrase of the private key; it is never an argument, which others on the machine could read."""
    if ask:
        return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True))
    return os.environ.get(PASSPHRASE_VARIABLE)


def _read_key(path: Path) -> bytes:
    try:
        with path.open("rb") as source:
            return source.read(_KEY_LIMIT_BYTES)
    except OSError as error:
        raise RejectedInputError("key_unreadable", f"{path}: {error.strerror}; check the path") from None
