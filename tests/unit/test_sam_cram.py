"""CRAM put together block by block, and as htslib writes it. Layouts: CRAM 3.1, 2.3 and 6 to 9."""

import bz2
import gzip
import hashlib
import lzma
import struct
import zlib
from pathlib import Path

import pysam
import pytest

from strandline.landing.sam.reference import Contig, measure_reference
from tests.unit.sam_files import HEADER, bam, bam_record, check, codes, errors

DEFINITION = b"CRAM\x03\x00" + bytes(20)
END = bytes.fromhex("0f000000ffffffff0fe0454f4600000000010005bdd94f0001000606010001000100ee63014b")
END_2 = bytes.fromhex("0b000000ffffffff0fe0454f460000000001000001000606010001000100")
EMPTY_MAPS = bytes.fromhex("010001000100")
BASES = "ACGTTGCAGATTACA" * 40


def itf8(value: int) -> bytes:
    """Encode what fits into 28 bits, or -1 and -2."""
    if value < 0:
        return b"\xff\xff\xff\xff" + bytes([16 + value])
    if value < 0x80:
        return bytes([value])
    if value < 0x4000:
        return bytes([0x80 | value >> 8, value & 0xFF])
    if value < 0x200000:
        return bytes([0xC0 | value >> 16]) + (value & 0xFFFF).to_bytes(2, "big")
    return bytes([0xE0 | value >> 24]) + (value & 0xFFFFFF).to_bytes(3, "big")


def summed(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


def cram_block(
    kind: int, content: bytes, *, method: int = 0, stored: bytes | None = None, raw: int | None = None
) -> bytes:
    stored = content if stored is None else stored
    head = bytes([method, kind]) + itf8(1 if kind == 4 else 0) + itf8(len(stored))
    return summed(head + itf8(len(content) if raw is None else raw) + stored)


def container(
    *blocks: bytes,
    contig: int = -1,
    records: int = 0,
    landmarks: tuple[int, ...] = (),
    count: int | None = None,
    length: int | None = None,
) -> bytes:
    body = b"".join(blocks)
    head = struct.pack("<i", len(body) if length is None else length) + itf8(contig) + itf8(0) + itf8(0) + itf8(records)
    head += b"\0\0" + itf8(len(blocks) if count is None else count) + itf8(len(landmarks))
    return summed(head + b"".join(itf8(landmark) for landmark in landmarks)) + body


def slice_head(*, contig: int = -1, records: int = 0, blocks: int = 1) -> bytes:
    numbers = itf8(contig) + itf8(0) + itf8(0) + itf8(records) + b"\0" + itf8(blocks) + itf8(1) + itf8(0) + itf8(-1)
    return numbers + bytes(16)


TEXT = HEADER.encode()
HEAD_BLOCK = cram_block(0, struct.pack("<i", len(TEXT)) + TEXT)
HEAD = DEFINITION + container(HEAD_BLOCK)
MAPS = cram_block(1, EMPTY_MAPS)
CORE = cram_block(5, b"")


def slices(**numbers: int) -> bytes:
    """Return a file of one container with one slice, which is right but for what is given."""
    given = {"records": 0, "contig": -1, "blocks": 1, "landmark": len(MAPS), "container_records": 0, **numbers}
    head = cram_block(2, slice_head(contig=given["contig"], records=given["records"], blocks=given["blocks"]))
    return HEAD + container(MAPS, head, CORE, records=given["container_records"], landmarks=(given["landmark"],)) + END


def padded(method: int, stored: bytes) -> bytes:
    content = struct.pack("<i", len(TEXT)) + TEXT
    return DEFINITION + container(cram_block(0, content, method=method, stored=stored)) + END


RAW = struct.pack("<i", len(TEXT)) + TEXT
ALLOWED = {
    "nothing but a header": HEAD + END,
    "a header compressed by gzip": padded(1, gzip.compress(RAW)),
    "a header compressed by bzip2": padded(2, bz2.compress(RAW)),
    "a header compressed by lzma": padded(3, lzma.compress(RAW)),
    "room after the header": DEFINITION + container(HEAD_BLOCK, length=len(HEAD_BLOCK) + 9) + bytes(9) + END,
    "room within the header's block": DEFINITION + container(cram_block(0, RAW + bytes(50))) + END,
    "an empty slice": slices(),
}
BROKEN = {
    "cut within the definition": (DEFINITION[:9], "cram_truncated"),
    "cut after the definition": (DEFINITION, "cram_truncated"),
    "no end": (HEAD, "cram_truncated"),
    "cut within the end": (HEAD + END[:-4], "cram_truncated"),
    "bytes after the end": (HEAD + END + b"x", "cram_bytes_after_end"),
    "version 1": (b"CRAM\x01\x00" + HEAD[6:] + END, "cram_version"),
    "version 4": (b"CRAM\x04\x00" + HEAD[6:] + END, "cram_version"),
    "a container's checksum": (HEAD[:40] + bytes([HEAD[40] ^ 1]) + HEAD[41:] + END, "cram_checksum"),
    "a block's checksum": (HEAD[:-1] + bytes([HEAD[-1] ^ 1]) + END, "cram_checksum"),
    "a block's content": (HEAD.replace(b"SN:c1", b"SN:c3") + END, "cram_checksum"),
    "no header": (DEFINITION + container(MAPS) + END, "cram_header"),
    "a header longer than its block": (
        DEFINITION + container(cram_block(0, struct.pack("<i", 99) + b"@CO\n")) + END,
        "cram_header",
    ),
    "an unknown method": (DEFINITION + container(cram_block(0, RAW, method=5)) + END, "cram_block"),
    "an unknown content": (HEAD + container(cram_block(3, b"")) + END, "cram_block"),
    "two sizes of raw data": (DEFINITION + container(cram_block(0, RAW, raw=5)) + END, "cram_block"),
    "a header that is no gzip": (padded(1, b"no gzip at all"), "cram_block"),
    "a block beyond its container": (DEFINITION + container(HEAD_BLOCK, length=30) + END, "cram_block"),
    "fewer blocks than bytes": (HEAD + container(MAPS, CORE, count=1) + END, "cram_container"),
    "a container without blocks": (HEAD + container() + END, "cram_container"),
    "no compression header": (HEAD + container(CORE) + END, "cram_container"),
    "no slice header": (HEAD + container(MAPS, CORE, landmarks=(len(MAPS),)) + END, "cram_container"),
    "a slice of more blocks": (slices(blocks=9), "cram_container"),
    "a slice without core": (
        HEAD + container(MAPS, cram_block(2, slice_head()), cram_block(4, b""), landmarks=(len(MAPS),)) + END,
        "cram_container",
    ),
    "a slice on an unknown contig": (slices(contig=2), "cram_container"),
    "landmarks elsewhere": (slices(landmark=1), "cram_container"),
    "records that nobody has": (slices(container_records=5), "cram_record_count"),
    "a length below 0": (HEAD + container(MAPS, length=-5) + END, "cram_container"),
    "two contigs of one name": (
        DEFINITION + container(cram_block(0, (RAW.replace(b"SN:c2", b"SN:c1")))) + END,
        "sam_contig_repeated",
    ),
}


@pytest.mark.parametrize("body", ALLOWED.values(), ids=ALLOWED)
def test_a_structure_that_is_allowed_has_no_error(body):
    summary, log = check(body, "a.cram", step=5)
    assert codes(log) <= {"cram_no_m5", "cram_not_decoded"}
    assert (summary.format, summary.version, summary.contig_count, summary.read_group_count) == ("CRAM", "3.0", 2, 1)


@pytest.mark.parametrize(("body", "code"), BROKEN.values(), ids=BROKEN)
def test_a_structure_that_is_broken_breaks_one_rule(body, code):
    for step in (1 << 20, 5):
        assert errors(check(body, "a.cram", step=step)[1]) == {code}


def test_cram_2_is_known_and_told():
    text = container(HEAD_BLOCK[:-4])
    head = b"CRAM\x02\x01" + bytes(20) + text[: -len(HEAD_BLOCK)] + HEAD_BLOCK[:-4]  # neither has a checksum there
    _, log = check(head + END_2, "a.cram")
    assert "cram_version_old" in codes(log)
    assert errors(log) == set()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ref.fa").write_text(f">c1 of ours\n{BASES}\n>c2\n{BASES.lower()[:300]}\n")
    (tmp_path / "other.fa").write_text(f">c1\n{BASES.replace('GATT', 'GACT')}\n>c2\n{BASES[:300]}\n")
    (tmp_path / "lacking.fa").write_text(f">c2\n{BASES[:300]}\n")
    return tmp_path


def written(folder: Path, *options: bytes, name: str = "a.cram", mode: str = "wc") -> Path:
    path = folder / name
    head = {
        "HD": {"VN": "1.6", "SO": "coordinate"},
        "SQ": [{"SN": "c1", "LN": len(BASES)}, {"SN": "c2", "LN": 300}],
        "RG": [{"ID": "g"}],
    }
    with pysam.AlignmentFile(
        str(path), mode, header=head, reference_filename=str(folder / "ref.fa"), format_options=list(options)
    ) as sink:
        for contig, count in ((0, 500), (1, 200), (-1, 20)):
            for number in range(count):
                segment = pysam.AlignedSegment(sink.header)
                segment.query_name, segment.mapping_quality = f"r{contig}_{number}", 30
                segment.query_sequence, segment.flag = BASES[number : number + 40], 0 if contig >= 0 else 4
                segment.query_qualities = [35] * 40
                if contig >= 0:
                    segment.reference_id, segment.reference_start, segment.cigarstring = contig, number, "40M"
                segment.set_tags([("RG", "g", "Z")])
                sink.write(segment)
    return path


def verdict(path: Path, reference: Path | None) -> tuple[int, int | None, set[str]]:
    summary, log = check(path.read_bytes(), path.name, path=path, reference=reference)
    return summary.record_count, summary.mapped_count, codes(log)


@pytest.mark.parametrize(
    "options",
    [
        [b"version=3.0"],
        [b"version=3.1"],
        [b"version=3.1", b"archive"],
        [b"use_lzma=1", b"use_bzip2=1"],
        [b"seqs_per_slice=50", b"slices_per_container=3"],
        [b"multi_seq_per_slice=1"],
    ],
)
def test_what_htslib_writes_is_decoded_and_its_index_agrees(folder, options):
    path = written(folder, *options)
    pysam.index(str(path))
    assert verdict(path, folder / "ref.fa") == (720, 700, set())
    assert verdict(path, None) == (720, None, {"cram_not_decoded"})


def test_a_reference_within_the_file_is_enough(folder):
    assert verdict(written(folder, b"embed_ref=1"), None) == (720, 700, set())
    assert verdict(written(folder, b"no_ref=1"), None) == (720, 700, {"cram_no_m5"})


def test_another_reference_is_told_before_anything_is_decoded_with_it(folder):
    path = written(folder)
    assert verdict(path, folder / "other.fa") == (720, None, {"cram_reference_differs"})
    assert verdict(path, folder / "lacking.fa") == (720, None, {"cram_reference_differs"})


def test_rules_of_records_hold_for_what_was_decoded(folder):
    path = written(folder)
    body = path.read_bytes()
    with pysam.AlignmentFile(str(path), reference_filename=str(folder / "ref.fa")) as source:
        header = source.header.to_dict()
        header["RG"] = [{"ID": "h"}]
        records = list(source.fetch(until_eof=True))
        with pysam.AlignmentFile(
            str(path), "wc", header=header, reference_filename=str(folder / "ref.fa"), format_options=[b"version=3.0"]
        ) as sink:
            for record in reversed(records):
                sink.write(record)
    assert path.read_bytes() != body
    assert verdict(path, folder / "ref.fa")[2] == {"sam_not_sorted", "sam_read_group_unknown"}


def test_a_bam_on_another_reference_is_let_in_with_a_warning(folder):
    summary, log = check(bam(bam_record()), "a.bam", reference=folder / "ref.fa")
    assert (summary.record_count, codes(log), errors(log)) == (1, {"sam_reference_differs"}, set())


def test_md5_is_taken_as_the_specification_says(tmp_path):
    """SAM 1, 1.3.2 gives the text and its digest; and here is a name without bases after it."""
    path = tmp_path / "r.fa"
    path.write_bytes(b">one two\r\nACGT ACGT ACGT\r\nacgt acgt acgt\n... 12345 !!!\n>empty\n")
    assert measure_reference(path) == {
        b"one": Contig(35, b"dfabdbb36e239a6da88957841f32b8e4"),
        b"empty": Contig(0, hashlib.md5(b"", usedforsecurity=False).hexdigest().encode()),
    }
    path.write_bytes(gzip.compress(b">long\n" + b"ACGTN\n" * 400_000))
    (contig,) = measure_reference(path).values()
    assert contig == Contig(2_000_000, hashlib.md5(b"ACGTN" * 400_000, usedforsecurity=False).hexdigest().encode())
