"""PED and FAM files: who is whose child, and who is affected.

Source: PLINK 1.9 file formats, .ped and .fam (Purcell et al. 2007, doi:10.1086/519795): family, individual, father,
mother, sex (1 male, 2 female), phenotype (1 unaffected, 2 affected, 0 or -9 missing, or a measured value).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from strandline.landing.findings import FindingLog, Level, Rule
from strandline.landing.text_lines import has_control_character, is_formula, is_utf8, numbered_lines

_COLUMNS: Final = ("family", "individual", "father", "mother", "sex", "phenotype")
_MISSING: Final = b"0"
_MALE: Final = b"1"
_FEMALE: Final = b"2"
_LINE_LIMIT_BYTES: Final = 64 << 20
_MOST_INDIVIDUALS: Final = 500_000
_NUMBER: Final = re.compile(rb"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|(?i:na|nan)")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def _rule(code: str, level: Level, says: str, advice: str, section: str = "PLINK 1.9, .fam") -> Rule:
    return Rule(f"ped_{code}", level, section, says, advice)


EMPTY: Final = _rule("empty", Level.ERROR, "the file names nobody", "send the right file")
TOO_LARGE: Final = _rule("too_large", Level.ERROR, "the file names over half a million people", "split it by family")
LINE_TOO_LONG: Final = _rule("line_too_long", Level.ERROR, "a line is over 64 MiB", "send a PED file")
NOT_TEXT: Final = _rule("not_text", Level.ERROR, "a line is not UTF-8", "save the file as UTF-8")
BYTE_ORDER_MARK: Final = _rule("byte_order_mark", Level.ERROR, "the file begins with a byte order mark", "save without")
CONTROL: Final = _rule("control_character", Level.ERROR, "a line has a control character", "remove it")
FORMULA: Final = _rule(
    "formula", Level.ERROR, "a cell begins as a formula of a spreadsheet does", "rename it", "OWASP, CSV injection"
)
COLUMNS: Final = _rule("columns", Level.ERROR, "a line has fewer than six columns", "write all six")
EXTRA_COLUMNS: Final = _rule(
    "extra_columns", Level.WARNING, "a line has columns behind the sixth, which are not read", "remove them"
)
COLUMNS_DIFFER: Final = _rule("columns_differ", Level.ERROR, "lines differ in their number of columns", "correct them")
ID_MISSING: Final = _rule("id_missing", Level.ERROR, "an individual has the id 0, which means nobody", "name it")
ID_REPEATED: Final = _rule("id_repeated", Level.ERROR, "an individual stands twice in its family", "keep one line")
ID_IN_TWO_FAMILIES: Final = _rule(
    "id_in_two_families", Level.WARNING, "two families have an individual of the same id", "give each its own"
)
SEX: Final = _rule("sex", Level.WARNING, "sex is none of 1, 2 and 0", "write 1 male, 2 female, 0 unknown")
PHENOTYPE: Final = _rule("phenotype", Level.ERROR, "the phenotype is no number", "write 1, 2, 0 or a measured value")
OWN_PARENT: Final = _rule("own_parent", Level.ERROR, "an individual is its own parent", "correct the parent")
SAME_PARENT: Final = _rule("same_parent", Level.ERROR, "father and mother are the same individual", "correct one")
ONE_PARENT: Final = _rule("one_parent", Level.WARNING, "only one parent is named", "name both or none")
PARENT_UNKNOWN: Final = _rule(
    "parent_unknown", Level.WARNING, "a parent has no line in the family", "add the line, or write 0"
)
FATHER_SEX: Final = _rule("father_sex", Level.ERROR, "a father is not male", "correct his sex or the child's father")
MOTHER_SEX: Final = _rule("mother_sex", Level.ERROR, "a mother is not female", "correct her sex or the child's mother")
PARENT_SEX_UNKNOWN: Final = _rule(
    "parent_sex_unknown", Level.WARNING, "a parent's sex is unknown", "write 1 for a father, 2 for a mother"
)
LOOP: Final = _rule("loop", Level.ERROR, "an individual is its own ancestor", "correct the parents")

PED_RULES: Final = tuple(rule for rule in list(globals().values()) if isinstance(rule, Rule))


@dataclass(frozen=True, slots=True)
class PedigreeSummary:
    """What a PED file holds; a trio is a child with both parents in the file."""

    family_count: int
    individual_count: int
    trio_count: int


@dataclass(frozen=True, slots=True)
class _Individual:
    father: bytes
    mother: bytes
    sex: bytes
    line: int


def validate_pedigree(pieces: Iterable[bytes], log: FindingLog) -> PedigreeSummary:
    """Check a PED or FAM file and write what is wrong into `log`; `pieces` are its bytes, unpacked."""
    people: dict[tuple[bytes, bytes], _Individual] = {}
    family_by_id: dict[bytes, bytes] = {}
    width: int | None = None
    for number, line in numbered_lines(pieces, log, limit_bytes=_LINE_LIMIT_BYTES, too_long=LINE_TOO_LONG):
        if not line.strip() or line.startswith(b"#"):
            continue
        if not _is_text(line, number, log):
            continue
        cells = line.split(None, len(_COLUMNS))
        if len(cells) < len(_COLUMNS):
            log.add(COLUMNS, line=number, kind=f"{len(cells)} columns")
            continue
        found_width = len(line.split()) if len(cells) > len(_COLUMNS) else len(cells)
        if width is None:
            width = found_width
            if width > len(_COLUMNS):
                log.add(EXTRA_COLUMNS, line=number)
        elif width != found_width:
            log.add(COLUMNS_DIFFER, line=number, kind=f"{found_width} for {width}")
        _check_cells(cells, number, log)
        family, name, father, mother, sex = cells[:5]
        if (family, name) in people:
            log.add(ID_REPEATED, line=number, field="individual")
        elif family_by_id.setdefault(name, family) != family:
            log.add(ID_IN_TWO_FAMILIES, line=number, field="individual")
        people[family, name] = _Individual(father, mother, sex, number)
        if len(people) > _MOST_INDIVIDUALS:
            log.add(TOO_LARGE, line=number)
            break
    if not people:
        log.add(EMPTY)
    _check_parents(people, log)
    _check_loops(people, log)
    trios = sum((f, one.father) in people and (f, one.mother) in people for (f, _), one in people.items())
    return PedigreeSummary(len({family for family, _ in people}), len(people), trios)


def _is_text(line: bytes, number: int, log: FindingLog) -> bool:
    if number == 1 and line.startswith(_BYTE_ORDER_MARK):
        log.add(BYTE_ORDER_MARK, line=number)
    if has_control_character(line):
        log.add(CONTROL, line=number)
        return False
    if not is_utf8(line):
        log.add(NOT_TEXT, line=number)
        return False
    return True


def _check_cells(cells: list[bytes], number: int, log: FindingLog) -> None:
    for name, cell in zip(_COLUMNS, cells, strict=False):
        if is_formula(cell):
            log.add(FORMULA, line=number, field=name)
    _, individual, father, mother, sex, phenotype = cells[:6]
    if individual == _MISSING:
        log.add(ID_MISSING, line=number, field="individual")
    if sex not in {_MISSING, _MALE, _FEMALE}:
        log.add(SEX, line=number, field="sex")
    if not _NUMBER.fullmatch(phenotype):
        log.add(PHENOTYPE, line=number, field="phenotype")
    if individual in {father, mother} and individual != _MISSING:
        log.add(OWN_PARENT, line=number)
    elif father == mother != _MISSING:
        log.add(SAME_PARENT, line=number)
    elif (father == _MISSING) != (mother == _MISSING):
        log.add(ONE_PARENT, line=number)


def _check_parents(people: dict[tuple[bytes, bytes], _Individual], log: FindingLog) -> None:
    for (family, _), one in people.items():
        for field, parent, sex, rule in (
            ("father", one.father, _MALE, FATHER_SEX),
            ("mother", one.mother, _FEMALE, MOTHER_SEX),
        ):
            known = people.get((family, parent))
            if parent != _MISSING and known is None:
                log.add(PARENT_UNKNOWN, line=one.line, field=field)
            elif known and known.sex != sex:
                log.add(rule if known.sex in {_MALE, _FEMALE} else PARENT_SEX_UNKNOWN, line=one.line, field=field)


def _check_loops(people: dict[tuple[bytes, bytes], _Individual], log: FindingLog) -> None:
    """Note one individual of each loop: walk up from each, without recursion, for lines may be deep."""
    done: set[tuple[bytes, bytes]] = set()
    for start in people:
        path: list[tuple[bytes, bytes]] = []
        on_path: set[tuple[bytes, bytes]] = set()
        waiting: list[tuple[tuple[bytes, bytes], bool]] = [(start, False)]
        while waiting:
            one, is_left = waiting.pop()
            if is_left:
                on_path.discard(path.pop())
                done.add(one)
                continue
            if one in on_path:
                log.add(LOOP, line=people[one].line)
                continue
            if one in done or one not in people:
                continue
            path.append(one)
            on_path.add(one)
            waiting.append((one, True))
            person = people[one]
            parents = {person.father, person.mother} - {_MISSING, one[1]}
            waiting += [((one[0], parent), False) for parent in sorted(parents)]
