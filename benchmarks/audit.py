"""The audit log beside pymerkle: appending, verifying a million entries, the length of proofs, and tampering found.

`python -m benchmarks.audit [--entries N] [--trials N]`. Everything runs in turns in one process. pymerkle is a peer and
no part of the product: `pip install pymerkle` beside it; where it is missing, that is said.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from strandline.trust.entries import Action
from strandline.trust.export import ENTRIES, read_entries
from strandline.trust.heads import SignedHead
from strandline.trust.log import AuditLog
from strandline.trust.merkle import MerkleTree, leaf_hash, verify_inclusion
from strandline.trust.verification import verify_log

LEAST_APPENDS: Final = 100_000
LONGEST_VERIFYING_S: Final = 3.0
_HEAD_EVERY: Final = 10_000
_KEY: Final = ec.generate_private_key(ec.SECP256R1())
_TRIED: Final = 20_000  # entries of the log that is tampered with


def main() -> int:
    """Print one JSON object a figure; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--trials", type=int, default=100)
    given = parser.parse_args()
    with TemporaryDirectory() as scratch:
        heads, append_s = _append(given.entries, Path(scratch))
        verify_s, found = _time(lambda: verify_log(read_entries(Path(scratch)), heads, _KEY.public_key()))
        lines = list(read_entries(Path(scratch)))
    rate, per_million = given.entries / append_s, verify_s * 1_000_000 / given.entries
    met = [
        _tell("appends a second", round(rate), rate >= LEAST_APPENDS, at_least=LEAST_APPENDS),
        _tell(
            "seconds to verify a million", round(per_million, 2), found.is_whole and per_million < LONGEST_VERIFYING_S
        ),
        *_measure_proofs(lines),
        *_tamper(given.trials),
    ]
    _measure_peer(lines)
    return 0 if all(met) else 1


def _append(count: int, folder: Path) -> tuple[list[SignedHead], float]:
    """Append entries of about 240 bytes to a file, as an export holds them, and sign a head after every 10,000."""
    heads = []
    with (folder / ENTRIES).open("wb") as sink:
        log = AuditLog("benchmark", lambda entry: sink.write(entry + b"\n"))
        began = time.perf_counter()
        for number in range(count):
            log.append(
                Action.STATE_CHANGED, f"submission/{number}", who="service/intake", role="workflow", why="accepted"
            )
            if number % _HEAD_EVERY == _HEAD_EVERY - 1 or number == count - 1:
                heads.append(log.sign_head(_KEY.public_key(), _sign))
        return heads, time.perf_counter() - began


def _sign(message: bytes) -> bytes:
    return _KEY.sign(message, ec.ECDSA(hashes.SHA256()))


def _measure_proofs(lines: list[bytes]) -> list[bool]:
    """Prove entries of trees of growing size; a proof may have one hash for each doubling."""
    tree, met = MerkleTree(), []
    sizes = [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= len(lines)]
    for number, line in enumerate(lines, start=1):
        tree.append(line)
        if number in sizes:
            places = random.Random(number).sample(range(number), 100)  # noqa: S311 - no secret
            paths = [tree.prove_inclusion(place) for place in places]
            held = all(
                verify_inclusion(leaf_hash(lines[place]), place, number, path, tree.root())
                for place, path in zip(places, paths, strict=True)
            )
            longest = max(map(len, paths))
            met.append(_tell(f"hashes in a proof of {number}", longest, held and longest <= (number - 1).bit_length()))
    return met


def _tamper(trials: int) -> list[bool]:
    """Change one bit, drop, swap and insert an entry, each many times at random places."""
    with TemporaryDirectory() as scratch:
        heads, _ = _append(_TRIED, Path(scratch))
        lines = list(read_entries(Path(scratch)))
    chance = random.Random(11)  # noqa: S311 - no secret

    def flip() -> list[bytes]:
        place = chance.randrange(len(lines))
        line = bytearray(lines[place])
        line[chance.randrange(len(line))] ^= 1 << chance.randrange(8)
        return [*lines[:place], bytes(line), *lines[place + 1 :]]

    def drop() -> list[bytes]:
        place = chance.randrange(len(lines))
        return [*lines[:place], *lines[place + 1 :]]

    def swap() -> list[bytes]:
        one, other = sorted(chance.sample(range(len(lines)), 2))
        return [*lines[:one], lines[other], *lines[one + 1 : other], lines[one], *lines[other + 1 :]]

    def insert() -> list[bytes]:
        place = chance.randrange(len(lines))
        return [*lines[:place], lines[chance.randrange(len(lines))], *lines[place:]]

    kinds = {"a flipped bit": flip, "a dropped entry": drop, "two swapped entries": swap, "an inserted entry": insert}
    met = []
    for name, make in kinds.items():
        found = sum(not verify_log(make(), heads, _KEY.public_key()).is_whole for _ in range(trials))
        met.append(_tell(f"{name}: found of {trials}", found, found == trials))
    return met


def _measure_peer(lines: list[bytes]) -> None:
    if find_spec("pymerkle") is None:
        _tell("pymerkle", "is not installed, so not measured", True)
        return
    peer: Any = import_module("pymerkle")
    tree = peer.InmemoryTree(algorithm="sha256")

    def append() -> None:
        for line in lines:
            tree.append_entry(line)

    seconds, _ = _time(append)
    _tell("pymerkle, appends a second (hashing alone)", round(len(lines) / seconds), True)
    ours = MerkleTree()

    def append_ours() -> None:
        for line in lines:
            ours.append(line)

    seconds, _ = _time(append_ours)
    _tell("our tree, appends a second (hashing alone)", round(len(lines) / seconds), True)
    _tell("both have one root", ours.root() == tree.get_root(), ours.root() == tree.get_root())


def _time(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def _tell(says: str, figure: object, is_held: bool, **limits: float) -> bool:
    sys.stdout.write(
        json.dumps({"section": "audit", "says": says, "figure": figure, "is_held": is_held, **limits}) + "\n"
    )
    return is_held


if __name__ == "__main__":
    sys.exit(main())
