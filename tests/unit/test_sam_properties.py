"""What htslib writes from valid records is let in; what one changed byte breaks is found, or was harmless."""

import io
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.sam_files import bgzf, check, errors

QUICK = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CONTIG = "ACGTTGCAGATTACA" * 40
LENGTHS = {"c1": len(CONTIG), "HLA-A*01:01": 300}
HEADER = {
    "HD": {"VN": "1.6", "SO": "unsorted"},
    "SQ": [{"SN": name, "LN": length} for name, length in LENGTHS.items()],
    "RG": [{"ID": "g", "SM": "s", "PL": "ILLUMINA"}, {"ID": "h"}],
    "PG": [{"ID": "p"}, {"ID": "q", "PP": "p"}],
}
MODES = {"sam": "w", "bam": "wb", "cram": "wc"}

names = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="@"), min_size=1, max_size=20)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
tag_names = st.from_regex(r"[XYZ][A-Za-z0-9]", fullmatch=True)
integers = st.integers(-(2**31), 2**31 - 1)  # pysam writes no larger one
tags = st.one_of(
    st.tuples(tag_names, texts, st.just("Z")),
    st.tuples(tag_names, integers, st.just("i")),
    st.tuples(tag_names, st.floats(width=32, allow_nan=False, allow_infinity=False), st.just("f")),
    st.tuples(tag_names, st.sampled_from("!Az~"), st.just("A")),
    st.tuples(st.just("RG"), st.sampled_from("gh"), st.just("Z")),
    st.tuples(st.just("PG"), st.sampled_from("pq"), st.just("Z")),
)
middles = st.lists(st.tuples(st.integers(1, 9), st.sampled_from("MIDNP=X")), min_size=1, max_size=5)
clips = st.tuples(st.integers(0, 3), st.integers(0, 3))


@st.composite
def records(draw: st.DrawFn) -> dict[str, object]:
    """Draw fields of a record as SAM 1, 1.4 allows them."""
    (hard5, soft5), (soft3, hard3) = draw(clips), draw(clips)
    operations = [(hard5, "H"), (soft5, "S"), *draw(middles), (soft3, "S"), (hard3, "H")]
    operations = [(length, kind) for length, kind in operations if length]
    bases = sum(length for length, kind in operations if kind in "MIS=X")
    paired, mapped = draw(st.booleans()), draw(st.booleans()) and bases > 0
    flag = 0 if mapped else 4
    flag |= draw(st.sampled_from([0x1, 0x41, 0x81, 0xC1, 0x63, 0x29]) if paired else st.sampled_from([0, 0x10, 0x400]))
    flag &= ~0 if mapped else ~0x2
    count = bases if mapped else draw(st.integers(1, 12))
    return {
        "name": draw(names),
        "flag": flag,
        "contig": draw(st.integers(0, 1)) if mapped else -1,
        "start0": draw(st.integers(0, 200)) if mapped else -1,
        "mapq": draw(st.integers(0, 254)),
        "cigar": "".join(f"{length}{kind}" for length, kind in operations) if mapped else None,
        "mate": draw(st.tuples(st.integers(0, 1), st.integers(0, 250))) if paired else (-1, -1),
        "template": draw(st.integers(-500, 500)) if paired else 0,
        "seq": draw(st.text("ACGTN", min_size=count, max_size=count)),
        "qual": draw(st.none() | st.lists(st.integers(0, 93), min_size=count, max_size=count)),
        "tags": draw(st.lists(tags, max_size=6, unique_by=lambda tag: tag[0])),
    }


def write(path: Path, drawn: list[dict[str, object]], reference: Path) -> None:
    mode = MODES[path.suffix[1:]]
    with pysam.AlignmentFile(str(path), mode, header=HEADER, reference_filename=str(reference)) as sink:
        for fields in drawn:
            segment = pysam.AlignedSegment(sink.header)
            segment.query_name, segment.flag, segment.mapping_quality = fields["name"], fields["flag"], fields["mapq"]
            segment.reference_id, segment.reference_start = fields["contig"], fields["start0"]
            segment.next_reference_id, segment.next_reference_start = fields["mate"]
            segment.template_length, segment.cigarstring = fields["template"], fields["cigar"]
            segment.query_sequence, segment.query_qualities = fields["seq"], fields["qual"]
            segment.set_tags(fields["tags"])
            sink.write(segment)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "ref.fa"
    path.write_text("".join(f">{name}\n{CONTIG[:length]}\n" for name, length in LENGTHS.items()))
    pysam.faidx(str(path), catch_stdout=False)
    return path


@pytest.mark.parametrize("suffix", MODES)
@QUICK
@given(drawn=st.lists(records(), max_size=8))
def test_what_htslib_writes_of_valid_records_is_let_in(suffix, drawn, reference):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{suffix}"
        write(path, drawn, reference)
        summary, log = check(path.read_bytes(), path.name, path=path, reference=reference)
    assert errors(log) == set(), [finding.message for finding in log.findings]
    assert (summary.format, summary.record_count) == (suffix.upper(), len(drawn))
    assert summary.mapped_count == sum(1 for fields in drawn if not int(str(fields["flag"])) & 4)


def ordinary_records() -> list[dict[str, object]]:
    return [
        {
            "name": f"read{number}",
            "flag": 0,
            "contig": 0,
            "start0": number,
            "mapq": 60,
            "cigar": "5S25M",
            "mate": (-1, -1),
            "template": 0,
            "seq": "ACGTA" + CONTIG[number : number + 25],
            "qual": [40] * 30,
            "tags": [("NM", 0, "i"), ("RG", "g", "Z"), ("XB", "text", "Z")],
        }
        for number in range(0, 300, 3)
    ]


@pytest.fixture(scope="module")
def originals(reference: Path) -> dict[str, tuple[bytes, str]]:
    """Return by suffix a valid file, and what htslib reads of it."""
    found = {}
    for suffix in ("bam", "cram"):
        path = reference.with_name(f"a.{suffix}")
        write(path, ordinary_records(), reference)
        found[suffix] = path.read_bytes(), read_all(path.read_bytes(), suffix, reference)
    return found


@contextmanager
def silence() -> Iterator[None]:
    """Keep htslib's words about what it cannot read out of the tests' output."""
    verbosity = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(verbosity)


def read_all(body: bytes, suffix: str, reference: Path) -> str:
    """Return header and records as htslib reads them."""
    with tempfile.TemporaryDirectory() as folder, silence():
        path = Path(folder) / f"a.{suffix}"
        path.write_bytes(body)
        with pysam.AlignmentFile(str(path), reference_filename=str(reference)) as source:
            return str(source.header) + "".join(segment.to_string() for segment in source.fetch(until_eof=True))


@pytest.mark.parametrize("suffix", ["bam", "cram"])
@settings(QUICK, max_examples=40)
@given(data=st.data())
def test_a_changed_byte_is_found_or_changes_nothing_that_is_read(suffix, data, originals, reference):
    """Harmless is a change after which htslib reads the same header and records: a block's time, system or padding."""
    body, text = originals[suffix]
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + bytes([body[at] ^ data.draw(st.integers(1, 255))]) + body[at + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{suffix}"
        path.write_bytes(changed)
        _, log = check(changed, path.name, path=path, reference=reference)
    assert errors(log) or read_all(changed, suffix, reference) == text


@pytest.mark.parametrize("suffix", ["bam", "cram"])
@settings(QUICK, max_examples=30)
@given(data=st.data())
def test_a_file_that_was_cut_anywhere_is_found(suffix, data, originals):
    body, _ = originals[suffix]
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    summary, log = check(cut, f"a.{suffix}")
    assert errors(log), summary


def unpack(body: bytes) -> bytes:
    """Return a BAM's content without its blocks."""
    plain = io.BytesIO()
    at = 0
    while at < len(body):
        (size,) = struct.unpack_from("<H", body, at + 16)
        plain.write(zlib.decompress(body[at + 18 : at + size - 7], -15))
        at += size + 1
    return plain.getvalue()


@settings(QUICK, max_examples=60)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_let_in_after_a_change_within_the_blocks_htslib_can_read(data, originals, reference):
    """Most such changes make another right file; the others are found, and none makes the check fail."""
    plain = unpack(originals["bam"][0])
    at = data.draw(st.integers(0, len(plain) - 1))
    changed = bgzf(plain[:at] + bytes([data.draw(st.integers(0, 255))]) + plain[at + 1 :])
    _, log = check(changed, "a.bam")
    if not errors(log):
        assert read_all(changed, "bam", reference)
