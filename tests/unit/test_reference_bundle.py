"""Reference bundles: versioned by content, checksummed, refused where they are not what they say. ANA-09."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pysam
import pytest

from strandline.errors import RejectedInputError
from strandline.reads.reference_bundle import (
    BUNDLE_NAME,
    Contig,
    ReferenceBundle,
    ReferenceRole,
    find_damage,
    make_bundle,
    making,
    parse_bundle,
    verify_file,
)
from tests.unit import in_process

FASTA = b">chr1 first\n" + b"ACGTacgtNN" * 30 + b"\n>chr2\nGGGGCCCCAA\nTT\n"
CLINVAR = (
    "##fileformat=VCFv4.3\n##contig=<ID=chr1,length=300>\n"
    '##INFO=<ID=CLNSIG,Number=.,Type=String,Description="x">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t5\t7\tA\tC\t.\t.\tCLNSIG=Benign\n"
)


@pytest.fixture(autouse=True)
def _tools_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "run_pipeline", in_process.run_pipeline)


def made(folder: Path, body: bytes = FASTA, name: str = "GRCh38 slice.fa", **sources: Path) -> ReferenceBundle:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(body)
    return make_bundle(folder / name, folder / "bundle", **sources)


def test_a_bundle_lists_every_file_with_its_size_and_checksum(tmp_path):
    bundle = made(tmp_path)
    assert {file.role for file in bundle.files} >= {
        ReferenceRole.FASTA,
        ReferenceRole.FASTA_INDEX,
        ReferenceRole.SEQUENCE_DICTIONARY,
        ReferenceRole.BWA_INDEX,
    }
    on_disk = {path.name for path in (tmp_path / "bundle").iterdir()} - {BUNDLE_NAME}
    assert {file.name for file in bundle.files} == on_disk
    for file in bundle.files:
        body = (tmp_path / "bundle" / file.name).read_bytes()
        assert (file.size_bytes, file.sha256) == (len(body), hashlib.sha256(body).hexdigest())


def test_contigs_carry_the_md5_that_sam_defines(tmp_path):
    """SAM specification 1.3, tag M5: of the upper-case bases without white space; samtools dict says the same."""
    bundle = made(tmp_path)
    first = hashlib.md5(b"ACGTACGTNN" * 30, usedforsecurity=False).hexdigest()
    second = hashlib.md5(b"GGGGCCCCAATT", usedforsecurity=False).hexdigest()
    assert bundle.contigs == (
        Contig(name="chr1", length=300, md5=first),
        Contig(name="chr2", length=12, md5=second),
    )
    assert bundle.length_by_contig == {"chr1": 300, "chr2": 12}
    dictionary = (tmp_path / "bundle" / "reference.dict").read_text()
    assert f"M5:{first}" in dictionary
    assert f"M5:{second}" in dictionary


def test_gzip_and_plain_give_one_version_and_any_other_base_another(tmp_path):
    plain = made(tmp_path / "a")
    packed = made(tmp_path / "b", gzip.compress(FASTA), "GRCh38 slice.fasta.gz")
    other = made(tmp_path / "c", FASTA.replace(b"TT\n", b"TA\n"))
    assert plain.label == packed.label
    assert plain.label.startswith("GRCh38-slice/")
    assert plain.version != other.version


def test_annotation_sources_are_part_of_the_version(tmp_path):
    clinvar, genes = tmp_path / "clinvar.vcf", tmp_path / "genes.gff3"
    clinvar.write_text(CLINVAR)
    genes.write_text("##gff-version 3\nchr1\tx\tgene\t1\t9\t.\t+\t.\tID=gene:G1\n")
    bundle = made(tmp_path / "a", gene_models=genes, clinvar=clinvar)
    assert bundle.version != made(tmp_path / "b").version
    assert bundle.file_of(ReferenceRole.GENE_MODELS) is not None
    with pysam.VariantFile(str(tmp_path / "a" / "bundle" / "clinvar.vcf.gz")) as records:
        assert [record.id for record in records.fetch("chr1", 0, 300)] == ["7"]  # compressed and indexed


def test_the_description_on_disk_is_what_was_returned(tmp_path):
    bundle = made(tmp_path)
    assert parse_bundle((tmp_path / "bundle" / BUNDLE_NAME).read_bytes()) == bundle


@pytest.mark.parametrize("damage", [lambda body: body[:-1], lambda body: body[:-1] + b"!"])
def test_a_damaged_file_is_found_by_size_or_checksum(tmp_path, damage):
    file = made(tmp_path).file_of(ReferenceRole.FASTA)
    assert file is not None
    path = tmp_path / "bundle" / file.name
    assert verify_file(path, file) == path
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RejectedInputError, match=r"^reference_mismatch: reference\.fa is not the file"):
        verify_file(path, file)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "reference_invalid"),
        (b"@r\nACGT\n+\nIIII\n", "reference_invalid"),
        (b">a\nACGT\nAC\nACGT\n", "reference_invalid"),
        (b">a\n>b\nACGT\n", "reference_invalid"),
        (b">a\nACGT\n>b\n\n", "reference_invalid"),
        (b">\nACGT\n", "reference_invalid"),
        (b">a\nACGT\n>a other words\nGGGG\n", "reference_duplicate_contig"),
        (gzip.compress(FASTA)[:-9], "gzip_truncated"),
        (b">a\nACGTE\n", "reference_invalid"),
        (b">a\nAC-GT\n", "reference_invalid"),
        (b">a\nACGT\rACGT\r", "reference_invalid"),
        (b">a,b\nACGT\n", "reference_invalid"),
    ],
)
def test_what_is_no_reference_is_refused_and_leaves_no_description(tmp_path, body, code):
    with pytest.raises(RejectedInputError) as caught:
        made(tmp_path, body)
    assert caught.value.code == code
    assert not (tmp_path / "bundle" / BUNDLE_NAME).exists()


def test_line_endings_of_windows_give_the_same_bundle(tmp_path):
    there = made(tmp_path / "a", FASTA.replace(b"\n", b"\r\n"))
    assert there.label == made(tmp_path / "b").label
    assert (tmp_path / "a/bundle/reference.fa").read_bytes() == FASTA


def test_lower_case_and_ambiguous_letters_stay_as_they_are(tmp_path):
    """The MD5 is of the upper-case letters, ambiguous ones among them (SAM specification 1.3)."""
    bundle = made(tmp_path, b">a\nacgtRYSWKMBDHVN\n")
    assert bundle.contigs[0].md5 == hashlib.md5(b"ACGTRYSWKMBDHVN", usedforsecurity=False).hexdigest()
    assert b"acgtRY" in (tmp_path / "bundle/reference.fa").read_bytes()


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".x", "", "a b", "x" * 64, "a..b", "a."])
def test_a_name_that_is_a_path_is_refused(tmp_path, name):
    with pytest.raises(RejectedInputError, match=r"^invalid_reference_name: "):
        make_bundle(tmp_path / "x.fa", tmp_path / "bundle", name=name)
    assert not (tmp_path / "bundle").exists()


def test_the_same_sources_give_the_same_version_however_they_are_compressed(tmp_path):
    plain, packed = tmp_path / "clinvar.vcf", tmp_path / "clinvar.vcf.gz"
    plain.write_text(CLINVAR)
    packed.write_bytes(gzip.compress(CLINVAR.encode(), mtime=5))
    assert made(tmp_path / "a", clinvar=plain).label == made(tmp_path / "b", clinvar=packed).label


def test_a_missing_reference_is_named(tmp_path):
    with pytest.raises(RejectedInputError, match=r"^reference_unreadable: .*nowhere\.fa does not exist"):
        make_bundle(tmp_path / "nowhere.fa", tmp_path / "bundle")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": 5}, "name"),
        ({"contigs": [{"name": "c", "length": 0, "md5": "x"}]}, "contigs.0.length"),
        ({"files": [{"name": "f", "role": "FASTA", "size_bytes": 1, "sha256": "xyz"}]}, "files.0.sha256"),
        ({"files": [{"name": "f", "role": "VIRUS", "size_bytes": 1, "sha256": "0" * 64}]}, "files.0.role"),
        ({"more": 1}, "more"),
        ({"schema_version": 3}, "schema_version"),
    ],
)
def test_a_description_that_was_tampered_with_is_refused_by_field(change, field):
    document = {"name": "a", "version": "1", "contigs": [], "files": []}
    with pytest.raises(RejectedInputError, match=rf"^bundle_invalid: bundle\.json, {field}: "):
        parse_bundle(json.dumps(document | change).encode())


def test_a_description_that_is_no_json_is_refused():
    with pytest.raises(RejectedInputError, match=r"^bundle_invalid: bundle\.json, the document: "):
        parse_bundle(b"{")


def test_a_description_from_before_there_were_origins_is_read():
    """As every bundle.json was written before `schema_version`."""
    file = {"name": "reference.fa", "role": "FASTA", "size_bytes": 6, "sha256": "0" * 64, "source": ""}
    contig = {"name": "a", "length": 4, "md5": "x"}
    document = {"name": "a", "version": "1", "assembly": None, "contigs": [contig], "files": [file]}
    bundle = parse_bundle(json.dumps(document).encode())
    assert (bundle.schema_version, bundle.files[0].origin) == (1, None)


def test_a_description_whose_file_is_a_path_is_refused():
    file = {"name": "../passwd", "role": "FASTA", "size_bytes": 1, "sha256": "0" * 64}
    document = {"name": "a", "version": "1", "contigs": [], "files": [file]}
    with pytest.raises(RejectedInputError, match=r"^invalid_file_name: "):
        parse_bundle(json.dumps(document).encode())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle of every kind of index."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "clinvar.vcf").write_text(CLINVAR)
    (folder / "genes.gff3").write_text("##gff-version 3\nchr1\tx\tgene\t1\t9\t.\t+\t.\tID=gene:G1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "run_pipeline", in_process.run_pipeline)
        made(folder, gene_models=folder / "genes.gff3", clinvar=folder / "clinvar.vcf")
    return folder / "bundle"


def damage_after(whole: Path, folder: Path, change: Callable[[Path], object]) -> set[tuple[str, str]]:
    """Return file and code of what is found in a copy of a bundle that something was done to."""
    shutil.copytree(whole, folder / "copy")
    change(folder / "copy")
    bundle = parse_bundle((folder / "copy" / BUNDLE_NAME).read_bytes())
    return {(damage.file, damage.code) for damage in find_damage(bundle, folder / "copy")}


def listed_anew(folder: Path, name: str, body: bytes) -> None:
    """Replace a file and the checksum that is listed of it."""
    (folder / name).write_bytes(body)
    document = json.loads((folder / BUNDLE_NAME).read_bytes())
    for file in document["files"]:
        if file["name"] == name:
            file |= {"size_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    (folder / BUNDLE_NAME).write_text(json.dumps(document))


def test_nothing_is_wrong_with_a_bundle_as_it_was_made(whole, tmp_path):
    assert damage_after(whole, tmp_path, Path.exists) == set()


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        (
            "reference.fa",
            lambda path: path.write_bytes(path.read_bytes().replace(b"GGGG", b"GGGC")),
            "checksum_differs",
        ),
        ("reference.fa.bwt", lambda path: path.write_bytes(path.read_bytes()[:-1]), "size_differs"),
        ("clinvar.vcf.gz.tbi", Path.unlink, "file_missing"),
        ("notes.txt", Path.touch, "file_not_listed"),
        (
            "reference.fa.fai",
            lambda path: listed_anew(path.parent, path.name, b"chr1\t300\t6\t300\t301\n"),
            "index_differs",
        ),
        ("reference.dict", lambda path: listed_anew(path.parent, path.name, b"@HD\tVN:1.6\n"), "index_differs"),
        ("reference.fa.ann", lambda path: listed_anew(path.parent, path.name, b"300 1 11\n"), "index_differs"),
        ("clinvar.vcf.gz.tbi", lambda path: listed_anew(path.parent, path.name, b"no index"), "index_differs"),
        ("genes.gff3.gz", lambda path: listed_anew(path.parent, path.name, gzip.compress(b"x")), "content_differs"),
    ],
)
def test_each_damage_is_found_and_names_its_file(whole, tmp_path, name, change, code):
    assert (name, code) in damage_after(whole, tmp_path, lambda folder: change(folder / name))


def test_another_fasta_under_the_old_version_is_found(whole, tmp_path):
    body = (whole / "reference.fa").read_bytes().replace(b"GGGG", b"GGGC")
    found = damage_after(whole, tmp_path, lambda folder: listed_anew(folder, "reference.fa", body))
    assert found == {("reference.fa", "fasta_differs")}  # its origin still has the digest that gave the version
