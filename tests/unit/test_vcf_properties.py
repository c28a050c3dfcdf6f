"""The quick way through a VCF agrees with the exact checks; what a writer may write is let in. Requirement: ING-04."""

import os
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from unittest.mock import patch

import pysam
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.landing.findings import FindingLog, Level
from strandline.landing.vcf import VcfSummary, validate_vcf
from strandline.landing.vcf.shapes import RecordShapes
from tests.unit.vcf_corpus import BROKEN, META, UNUSUAL, vcf

EXAMPLES = int(os.environ.get("VCF_EXAMPLES", "12"))  # the folder is quick; thousands were tried


def check(body: bytes) -> tuple[Counter[str], VcfSummary]:
    log = FindingLog("a.vcf")
    summary = validate_vcf([body], log)
    return log.count_by_code, summary


def check_exactly(body: bytes) -> tuple[Counter[str], VcfSummary]:
    with patch.object(RecordShapes, "learn", return_value=False):
        return check(body)


def error_codes(body: bytes) -> list[str]:
    log = FindingLog("a.vcf")
    validate_vcf([body], log)
    return [finding.rule.code for finding in log.findings if finding.rule.level is Level.ERROR]


def a_genotype(chance: Random, alts: int) -> str:
    ploidy = chance.choice([1, 2, 2, 2, 3])
    count = {1: alts + 1, 2: (alts + 1) * (alts + 2) // 2, 3: (alts + 1) * (alts + 2) * (alts + 3) // 6}[ploidy]

    def numbers(how_many: int) -> str:
        return ",".join(chance.choice([".", "0", str(chance.randrange(3000))]) for _ in range(how_many))

    gt = chance.choice("/|").join(chance.choice([".", *map(str, range(alts + 1))]) for _ in range(ploidy))
    return ":".join([gt, numbers(alts + 1), numbers(1), chance.choice([numbers(count), "."])][: chance.randint(1, 4)])


def a_record(chance: Random, position: int, samples: int) -> str:
    def bases(longest: int) -> str:
        return "".join(chance.choices("ACGT", k=chance.randint(1, longest)))

    def numbers(how_many: int) -> str:
        return ",".join(str(chance.randrange(99)) for _ in range(how_many))

    ref = bases(3)
    allowed = [bases(4), bases(1), bases(2), "*", "<NON_REF>", "<DEL>", "A[d:7["]
    alts = [alt for alt in dict.fromkeys(chance.choices(allowed, k=chance.randrange(4))) if alt != ref]
    info = {
        "AC": numbers(len(alts)),
        "AF": ",".join(f"{chance.random():.3g}" for _ in alts),
        "DP": numbers(1),
        "END": str(chance.randint(position, 990)),
        "NOTE": ",".join("".join(chance.choices("abc:/_é-", k=3)) for _ in range(chance.randint(1, 3))),
        "X1": "".join(chance.choices("abc,", k=4)),
        "RD": numbers(len(alts) + 1),
    }
    pairs = [f"{key}={value}" for key, value in info.items() if value and chance.random() < 0.6]
    pairs += chance.choice([[], ["DB"], ["1000G"]])
    if chance.random() < 0.1:
        chance.shuffle(pairs)
    columns = [
        "c",
        str(position),
        chance.choice([".", "rs1", "rs2;x"]),
        ref,
        ",".join(alts) or ".",
        chance.choice([".", "50", "1e-3", "0.5"]),
        chance.choice([".", "PASS", "q10", "q10;other"]),
        ";".join(pairs) or ".",
    ]
    if samples:
        columns += ["GT:AD:DP:PL", *(a_genotype(chance, len(alts)) for _ in range(samples))]
    return " ".join(columns)


def a_file(seed: int) -> bytes:
    chance = Random(seed)  # noqa: S311  # test data
    samples = chance.choice([0, 1, 1, 3])
    positions = sorted(chance.choices(range(1, 900), k=chance.randint(1, 25)))
    records = [a_record(chance, position, samples) for position in positions]
    return vcf(*records, version=chance.choice(["4.2", "4.3"]))


files = st.integers(0, 1 << 32).map(a_file)


@settings(max_examples=EXAMPLES, deadline=None)
@given(files)
def test_what_a_writer_may_write_is_let_in_by_both_ways(body):
    assert error_codes(body) == []
    assert check(body) == check_exactly(body)


@settings(max_examples=4 * EXAMPLES, deadline=None)
@given(files, st.data())
def test_one_changed_byte_is_found_the_same_by_both_ways(body, data):
    place = data.draw(st.integers(body.index(b"#CHROM"), len(body) - 1))
    byte = data.draw(st.one_of(st.sampled_from(b"\t\n,;:=./|%-019ACN* <"), st.integers(0, 255)))
    changed = body[:place] + bytes([byte]) + body[place + 1 :]
    assert check(changed) == check_exactly(changed)


def test_both_ways_agree_on_the_corpus_behind_records_that_teach_the_quick_way():
    for case in (*BROKEN, *UNUSUAL):
        lines = case.body.split(b"\n")
        again = b"\n".join([*lines[:-1], *lines[-2:-1] * 4, *lines[-1:]])
        assert check(again) == check_exactly(again), case.name


PLAIN = vcf(
    *(f"c {p} . A {'C' if p % 3 else 'C,G'} 50 PASS DP={p} GT:DP 0/1:{p}" for p in range(10, 40)),
    meta=("##source=x",),
)


@settings(max_examples=3 * EXAMPLES, deadline=None)
@given(st.integers(0, len(PLAIN) - 1), st.integers(1, 255))
def test_one_changed_byte_is_found_or_leaves_a_file_that_says_as_much(place, change):
    """A byte that changes nothing that is ruled (a base, a digit, a name) leaves as many records and samples.

    It may take away a definition that no record needs: `##HNFO=<ID=AC,...>` is a line that anyone may write.
    """
    changed = PLAIN[:place] + bytes([PLAIN[place] ^ change]) + PLAIN[place + 1 :]
    counts, summary = check(changed)
    if counts:
        return
    assert (summary.record_count, summary.sample_count) == (30, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.vcf"
        path.write_bytes(changed)
        with pysam.VariantFile(str(path)) as read:
            assert {"DP"} <= set(read.header.info)
            assert {"GT", "DP"} <= set(read.header.formats)
            lost = len(META) - len([line for line in str(read.header).splitlines() if line in META])
            assert lost <= 1
            assert sum(1 for _ in read) == 30
