"""Files of checksums, as md5sum and its kin write them.

Source: GNU coreutils manual, "md5sum invocation": `DIGEST  NAME`, `DIGEST *NAME`, a backslash in front where a name is
escaped, and the tagged form `SHA256 (NAME) = DIGEST`. A digest alone, as Picard writes beside a file, has no name.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from strandline.landing.findings import FindingLog, Level, Rule
from strandline.landing.text_lines import has_control_character, is_utf8, numbered_lines

_ALGORITHM_BY_DIGITS: Final = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
_SUFFIXES: Final = {f".{algorithm}": algorithm for algorithm in _ALGORITHM_BY_DIGITS.values()}
_LINE_LIMIT_BYTES: Final = 1 << 20
_MOST_LINES: Final = 500_000
_PLAIN: Final = re.compile(rb"(\\?)([0-9A-Fa-f]+)(?: [ *](.+))?")
_TAGGED: Final = re.compile(rb"(\\?)([A-Za-z0-9]+) ?\((.+)\) ?= ?([0-9A-Fa-f]+)")
_ESCAPE: Final = re.compile(rb"\\(.)")
_ESCAPED: Final = {b"n": b"\n", b"r": b"\r", b"\\": b"\\"}
_SECTION: Final = "GNU coreutils, md5sum"


def _rule(code: str, level: Level, says: str, advice: str) -> Rule:
    return Rule(f"checksum_{code}", level, _SECTION, says, advice)


EMPTY: Final = _rule("empty", Level.ERROR, "the file holds no checksum", "send the right file")
TOO_LARGE: Final = _rule("too_large", Level.ERROR, "the file has over half a million lines", "split it")
LINE_TOO_LONG: Final = _rule("line_too_long", Level.ERROR, "a line is over 1 MiB", "send a file of checksums")
NOT_TEXT: Final = _rule("not_text", Level.ERROR, "a line is not UTF-8 or has a control character", "save it as UTF-8")
CARRIAGE_RETURN: Final = _rule(
    "carriage_return", Level.ERROR, "lines end in CR LF, which md5sum takes into the name", "end lines with LF"
)
FORM: Final = _rule("form", Level.ERROR, "a line is not a digest, two blanks and a name", "write it with md5sum")
DIGITS: Final = _rule("digits", Level.ERROR, "a digest has the length of no known algorithm", "compute it again")
ALGORITHM: Final = _rule(
    "algorithm", Level.ERROR, "a digest is not of the algorithm that the file or the line names", "compute it again"
)
MIXED: Final = _rule("mixed", Level.WARNING, "digests of several algorithms stand in one file", "keep one a file")
CONTRADICTION: Final = _rule(
    "contradiction", Level.ERROR, "a name has two different digests of one algorithm", "compute it again"
)
REPEATED: Final = _rule("repeated", Level.WARNING, "a name stands twice with the same digest", "keep one line")
OUTSIDE: Final = _rule(
    "outside", Level.WARNING, "a name is absolute or leads out of its folder", "write it relative to the file"
)
NAMELESS: Final = _rule("nameless", Level.ERROR, "a digest without a name stands among others", "name its file")

CHECKSUM_RULES: Final = tuple(rule for rule in list(globals().values()) if isinstance(rule, Rule))


@dataclass(frozen=True, slots=True)
class DeclaredChecksum:
    """One line: `digest` in lowercase hexadecimal digits; `name` is None where the line is a digest alone."""

    algorithm: str
    digest: str
    name: str | None


def parse_checksums(pieces: Iterable[bytes], log: FindingLog) -> list[DeclaredChecksum]:
    """Return the checksums of a file and write what is wrong into `log`, whose file name may tell the algorithm."""
    expected = next((name for suffix, name in _SUFFIXES.items() if log.file.lower().endswith(suffix)), None)
    found: list[DeclaredChecksum] = []
    digest_by_name: dict[tuple[str, str], str] = {}
    for number, line in numbered_lines(pieces, log, limit_bytes=_LINE_LIMIT_BYTES, too_long=LINE_TOO_LONG):
        if line.endswith(b"\r") and not log.count_by_code[CARRIAGE_RETURN.code]:
            log.add(CARRIAGE_RETURN, line=number)
        text = line.removesuffix(b"\r")
        if not text.strip() or text.startswith(b"#"):
            continue
        one = _parse_line(text, number, expected, log)
        if one is None:
            continue
        if one.name is not None:
            before = digest_by_name.get((one.algorithm, one.name))
            if before is not None:
                log.add(REPEATED if before == one.digest else CONTRADICTION, line=number)
            digest_by_name[one.algorithm, one.name] = one.digest
        found.append(one)
        if len(found) > _MOST_LINES:
            log.add(TOO_LARGE, line=number)
            break
    if not found and not log.count_by_code:
        log.add(EMPTY)
    if len({one.algorithm for one in found}) > 1:
        log.add(MIXED)
    if len(found) > 1 and any(one.name is None for one in found):
        log.add(NAMELESS)
    return found


def _parse_line(text: bytes, number: int, expected: str | None, log: FindingLog) -> DeclaredChecksum | None:
    if has_control_character(text) or not is_utf8(text):
        log.add(NOT_TEXT, line=number)
        return None
    tagged = _TAGGED.fullmatch(text)
    plain = None if tagged else _PLAIN.fullmatch(text)
    if tagged:
        escape, tag, name, digest = tagged.groups()
    elif plain:
        (escape, digest, name), tag = plain.groups(), None
    else:
        log.add(FORM, line=number)
        return None
    algorithm = _ALGORITHM_BY_DIGITS.get(len(digest))
    if algorithm is None:
        log.add(DIGITS, line=number, kind=f"{len(digest)} digits")
        return None
    told = tag.decode().lower() if tag else expected
    if told not in {None, algorithm} or expected not in {None, algorithm}:
        log.add(ALGORITHM, line=number, kind=f"{len(digest)} digits")
    if name is not None:
        if escape:
            name = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[0]), name)
        if name.startswith(b"/") or b".." in name.split(b"/"):
            log.add(OUTSIDE, line=number)
    return DeclaredChecksum(algorithm, digest.decode().lower(), None if name is None else name.decode())
