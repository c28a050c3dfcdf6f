"""`strandline audit`: the log exported; exported, it is verified, searched and proven without a network."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from strandline.cli.console import OutputFormat, print_rows, say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.cli.progress import show_hashing
from strandline.errors import RejectedInputError
from strandline.trust.entries import Action, AuditEntry, parse_entry
from strandline.trust.export import ENTRIES, PUBLIC_KEY, read_entries, read_heads, write_export
from strandline.trust.heads import SignedHead, read_public_key, to_pem
from strandline.trust.merkle import MerkleTree, leaf_hash
from strandline.trust.verification import verify_log

app = typer.Typer(
    help="The audit log: exported, it is verified with nothing but its public key.\n\n"
    "Example: strandline audit verify audit-2026-11 --public-key audit.pem",
    no_args_is_help=True,
    rich_markup_mode=None,
)
FolderArgument = Annotated[Path, typer.Argument(help="Folder of an exported log.")]
FormatOption = Annotated[OutputFormat, typer.Option("--format")]


@app.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="Folder to write; it must not be there yet.")],
    stage: StageOption = LOCAL,
) -> None:
    """Write the stage's audit log and its public key into a folder that needs neither us nor a network.

    Example: strandline audit export --out audit-2026-11
    """
    if out.exists():
        raise RejectedInputError("folder_exists", f"{out} is there already: give another folder")
    deployment = connect(stage)
    write_export(out, deployment.audit.entries(), deployment.audit.heads())
    (out / PUBLIC_KEY).write_bytes(to_pem(deployment.audit_key.public_key()))
    say(f"{out}: 'strandline audit verify {out} --public-key {out / PUBLIC_KEY}'; keep a copy of the key elsewhere")
    waiting = deployment.audit.waiting_count()
    if waiting:
        say(f"{waiting} entries wait for their place in the log: it is sealed each minute")


@app.command()
def verify(
    folder: FolderArgument,
    public_key: Annotated[Path, typer.Option("--public-key", help="The log's public key, PEM.")],
    trusted: Annotated[
        list[Path] | None,
        typer.Option("--head", help="Tree heads kept elsewhere: a log that was cut with its own heads shows by them."),
    ] = None,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Tell whether every entry is there, in order, unchanged, and as it was signed.

    Example: strandline audit verify audit-2026-11 --public-key audit.pem --head auditors-copy.ndjson
    """
    key = read_public_key(_read_key(public_key))
    heads = [head for source in (folder, *(trusted or [])) for head in read_heads(source)]
    if not heads:
        raise RejectedInputError(
            "audit_head_missing", f"{folder} has no signed head: export again once the log was sealed, or give --head"
        )
    heads.sort(key=lambda signed: (signed.head.when, signed.head.size))
    found = verify_log(_shown(folder), heads, key)
    faults = [(str(one.fault), one.first, one.last, one.says) for one in found.problems]
    if faults or form is not OutputFormat.TABLE:
        print_rows(("fault", "first", "last", "what"), faults, form)
    say(f"{found.size} entries, {found.signed_size} of them under {found.head_count} tree heads")
    say(f"root {found.root.hex()}")
    if found.is_whole:
        say("whole: nothing is missing, moved or changed")
        if found.size > found.signed_size:
            say(f"the last {found.size - found.signed_size} entries were appended after the last head was signed")
    if not found.is_whole:
        raise RejectedInputError("audit_log_broken", f"{folder} is not the log that was signed; see the faults above")


@app.command()
def proof(
    folder: FolderArgument,
    entry: Annotated[int, typer.Argument(help="Place of the entry in the log, from 0.")],
    since: Annotated[
        int | None, typer.Option("--since", help="Prove too that the log only grew since it had so many entries.")
    ] = None,
) -> None:
    """Print the proof that an entry is in the log as the last signed head says (RFC 6962), as JSON.

    Example: strandline audit proof audit-2026-11 1041
    """
    heads = read_heads(folder)
    if not heads:
        raise RejectedInputError("audit_head_missing", f"{folder} has no signed head to prove an entry under")
    last = max(heads, key=lambda signed: signed.head.size)
    sys.stdout.write(json.dumps(_prove(folder, entry, since, last), indent=1) + "\n")


@app.command()
def search(
    folder: FolderArgument,
    who: Annotated[str | None, typer.Option("--who", help="Only what this person or service did.")] = None,
    what: Annotated[Action | None, typer.Option("--what", help="Only this action.")] = None,
    record: Annotated[str | None, typer.Option("--record", help="Only what was done to this record.")] = None,
    since: Annotated[str, typer.Option("--since", help="From this time (UTC, ISO 8601) on.")] = "",
    until: Annotated[str, typer.Option("--until", help="Before this time (UTC, ISO 8601).")] = "9999",
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """List the entries that fit.

    Example: strandline audit search audit-2026-11 --record report/r-17 --what SIGNED
    """
    wanted = {"who": who, "what": what, "record": record}

    def fits(entry: AuditEntry) -> bool:
        is_within = since <= entry.when < until
        return is_within and all(value is None or getattr(entry, name) == value for name, value in wanted.items())

    found = [entry for entry in map(parse_entry, read_entries(folder)) if fits(entry)]
    columns = ("sequence", "when", "who", "role", "what", "record", "why")
    print_rows(columns, [[getattr(entry, column) for column in columns] for entry in found], form)


def _prove(folder: Path, index: int, since: int | None, signed: SignedHead) -> dict[str, object]:
    tree, head, entry = MerkleTree(), signed.head, b""
    for line in _shown(folder):
        place = tree.append(line)
        entry = line if place == index else entry
    if tree.size < head.size or tree.root(head.size) != head.root:
        raise RejectedInputError("audit_log_broken", f"{folder} is not the log that was signed: verify it first")
    if not 0 <= index < head.size:
        raise RejectedInputError("audit_entry_unknown", f"entry {index} is not among the {head.size} that are signed")
    proven: dict[str, object] = {
        "entry": json.loads(entry),
        "leaf_hash": leaf_hash(entry).hex(),
        "index": index,
        "inclusion": [hash_.hex() for hash_ in tree.prove_inclusion(index, head.size)],
        "head": json.loads(signed.to_json()),
    }
    if since is not None:
        if not 0 < since <= head.size:
            raise RejectedInputError("audit_entry_unknown", f"the signed log never had {since} entries")
        steps = tree.prove_consistency(since, head.size)
        proven["consistency"] = {
            "size": since,
            "root": tree.root(since).hex(),
            "path": [hash_.hex() for hash_ in steps],
        }
    return proven


def _shown(folder: Path) -> Iterator[bytes]:
    """Yield the entries, with a bar on a terminal."""
    path = folder / ENTRIES
    with show_hashing(path.stat().st_size if path.is_file() else 0) as read:
        for line in read_entries(folder):
            read(len(line) + 1)
            yield line


def _read_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RejectedInputError("public_key_missing", f"{path}: {error.strerror}") from None
