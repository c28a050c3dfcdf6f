"""`strandline reference`: made, registered once, listed, verified, and enough by name to send a sample. ANA-09."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from strandline.aws.registered_references import find_reference
from strandline.aws.submitting import LocalReads
from strandline.cli import reference as command
from strandline.cli.analysis import SampleInput, prepare
from strandline.cli.main import invoke
from strandline.cli.references import beside, choose_reference
from strandline.errors import RejectedInputError
from strandline.journey import reference_key
from strandline.reads.reference_bundle import BUNDLE_NAME, ReferenceRole, making, parse_bundle
from tests.integration.conftest import READS, ROOT, SAMPLE, Aws
from tests.unit import in_process

DATA = ROOT.parent / "shared" / "data"
SLICE = DATA / "grch38_chr20_0-10M/grch38.chr20_and_21_10M.fa.gz"
CLINVAR = DATA / "annot/vep_clinvar_testset.grch38.vcf.gz"
GENES = DATA / "annot/ensembl.grch38.chr21.gff3.gz"
COHORT = DATA / "grch38_chr20_0-10M/cohort-chr20_100k.vcf.gz"
CONFIDENT = DATA / "grch38_chr20_0-10M/HG002_GRCh38_1_22_v4.2.1_benchmark.chr20.bed"
GENES_OF_GRCH37 = DATA / "b37_chr20_0-1M/chr20.b37.0-1M.ensembl.gff3"
CALLS_OF_GRCH37 = DATA / "b37_chr20_0-1M/HG001.v3.3.2.20.0-1M.vcf.gz"
Command = Callable[..., int]


@pytest.fixture
def strandline(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line in this process, its stage the mocked account."""
    monkeypatch.setenv("STRANDLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(making, "run_pipeline", in_process.run_pipeline)
    monkeypatch.setattr(command, "connect", lambda _stage: SimpleNamespace(references=aws.bucket("references")))
    return lambda *words: invoke(["reference", *map(str, words)])


@pytest.fixture
def made(strandline: Command, tmp_path: Path) -> Path:
    (tmp_path / "toy.fa").write_text(">chr1\n" + "ACGTTGCA" * 40 + "\n")
    assert strandline("make", "--fasta", tmp_path / "toy.fa", "--name", "toy", "--out", tmp_path / "toy") == 0
    return tmp_path / "toy"


def test_a_bundle_is_registered_once_and_found_by_its_name(aws, strandline, made, capsys):
    bundle = parse_bundle((made / BUNDLE_NAME).read_bytes())
    assert strandline("verify", made) == 0
    assert strandline("add", made) == 0
    assert "registered toy/" in capsys.readouterr().err
    assert strandline("add", made / BUNDLE_NAME) == 0
    assert "was registered before" in capsys.readouterr().err
    assert strandline("list", "--format", "json") == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (row["name"], row["version"], row["bases"], row["where"]) == ("toy", bundle.version, 320, "registered")
    references = aws.bucket("references")
    assert find_reference(references, "toy") == find_reference(references, "toy", bundle.version) == bundle
    assert find_reference(references, "to") is None


def test_a_sample_is_described_with_a_registered_reference_and_no_fasta(aws, strandline, made, tmp_path, monkeypatch):
    assert strandline("add", made) == 0
    for name, body in READS.items():
        (tmp_path / name).write_bytes(body)
    reads = tmp_path / "R1.fastq.gz", tmp_path / "R2.fastq.gz"
    (tmp_path / "home/toy").mkdir(parents=True)  # a folder of that name that is no bundle
    monkeypatch.chdir(tmp_path / "home")
    deployment = SimpleNamespace(stage="dev", references=aws.bucket("references"), submissions=aws.table)
    submission, _ = prepare(deployment, SampleInput(SAMPLE, (LocalReads(reads),), Path("toy"), None))
    assert submission.manifest.reference.name == "toy"
    with pytest.raises(RejectedInputError, match=r"^reference_unreadable: toi is no reference here"):
        choose_reference(Path("toi"), aws.bucket("references"))
    (tmp_path / "home/here.fa").write_text(">x\nACGT\n")
    assert beside(tmp_path, "toy/1") == Path("toy/1")
    assert beside(tmp_path, "here.fa") == tmp_path / "here.fa"  # a sheet's paths are from the sheet, not from here


def test_a_name_with_two_versions_wants_the_version(aws, strandline, made):
    assert strandline("add", made) == 0
    bundle = parse_bundle((made / BUNDLE_NAME).read_bytes())
    other = bundle.model_copy(update={"version": "0c2b"})
    aws.bucket("references").write(reference_key("toy", "0c2b", BUNDLE_NAME), other.to_json())
    with pytest.raises(RejectedInputError, match=r"^reference_ambiguous: toy is registered in versions "):
        find_reference(aws.bucket("references"), "toy")


def test_other_content_under_a_registered_name_and_version_is_refused(aws, strandline, made, capsys):
    assert strandline("add", made) == 0
    bundle = parse_bundle((made / BUNDLE_NAME).read_bytes())
    (fasta,) = bundle.files_of(ReferenceRole.FASTA)
    assert fasta.origin is not None
    other = fasta.model_copy(update={"origin": fasta.origin.model_copy(update={"content_sha256": "0" * 64})})
    files = tuple(other if file is fasta else file for file in bundle.files)
    key = reference_key(bundle.name, bundle.version, BUNDLE_NAME)
    aws.bucket("references").write(key, bundle.model_copy(update={"files": files}).to_json())
    assert strandline("add", made) == 65
    assert "reference_conflict" in capsys.readouterr().err


def test_damage_is_named_by_file_and_ends_with_65(aws, strandline, made, capsys):
    assert strandline("add", made) == 0
    bundle = parse_bundle((made / BUNDLE_NAME).read_bytes())
    assert strandline("verify", bundle.label) == 0
    aws.bucket("references").write(
        reference_key(bundle.name, bundle.version, "reference.fa.fai"), b"chr1\t1\t1\t1\t1\n"
    )
    aws.s3.delete_object(Bucket="references", Key=reference_key(bundle.name, bundle.version, "reference.fa.pac"))
    capsys.readouterr()
    assert strandline("verify", "toy", "--format", "json") == 65
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(row["file"], row["code"]) for row in found} == {
        ("reference.fa.fai", "size_differs"),
        ("reference.fa.pac", "file_missing"),
    }
    (made / "reference.fa").write_bytes(b">chr1\nA\n")
    assert strandline("add", made) == 65
    assert "reference_damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["verify", "nowhere/1"], "reference_unknown"),
        (["verify", "../nowhere"], "reference_unreadable"),
        (["add", "nowhere"], "reference_unreadable"),
        (["make", "--fasta", "nowhere.fa", "--name", "../x", "--out", "out"], "invalid_reference_name"),
        (["make", "--fasta", "nowhere.fa", "--name", "x", "--out", "out"], "reference_unreadable"),
        (["make", "--fasta", "nowhere.fa", "--name", "x", "--genes", "no.gff3", "--out", "out"], "source_unreadable"),
        (["make", "--fasta", "nowhere.fa", "--name", "x", "--out", "full"], "output_exists"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(strandline, tmp_path, monkeypatch, capsys, words, code):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert strandline(*words) == 65
    assert f"strandline: {code}: " in capsys.readouterr().err.splitlines()[-1]
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != "home"] == before


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 700 kb of GRCh38's chr20, and of chr21, where all is unknown."""
    if not SLICE.exists():
        pytest.skip(f"{SLICE.name} is not on this machine")
    import gzip  # noqa: PLC0415

    fasta = tmp_path_factory.mktemp("short") / "GRCh38.fa"
    with gzip.open(SLICE, "rt") as lines, fasta.open("w") as sink:
        bases = 0
        for line in lines:
            bases = 0 if line.startswith(">") else bases + len(line)
            if bases < 700_000:
                sink.write(line)
    return fasta


def test_real_sources_take_the_names_of_the_fasta(strandline, short, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(making, "_index", lambda _fasta: {})  # a second, and another test's matter
    sources = ["--clinvar", CLINVAR, "--frequencies", COHORT, "--callable", CONFIDENT]
    given = ["make", "--fasta", short, "--name", "GRCh38-slice", "--build", "GRCh38", *sources]
    assert strandline(*given, "--out", tmp_path / "dry", "--dry-run") == 0
    assert not (tmp_path / "dry").exists()
    assert strandline(*given, "--out", tmp_path / "made") == 0
    assert "clinvar.vcf.gz: renamed 20 is chr20, 21 is chr21" in capsys.readouterr().err
    bundle = parse_bundle((tmp_path / "made" / BUNDLE_NAME).read_bytes())
    counts = {file.role: file.origin.record_count for file in bundle.files if file.origin}
    assert bundle.assembly == "GRCh38"
    assert counts[ReferenceRole.CLINVAR] == 2  # 20:145514 and 20:145669
    assert counts[ReferenceRole.FREQUENCIES] == 1354
    clinvar = bundle.file_of(ReferenceRole.CLINVAR)
    assert clinvar is not None
    assert clinvar.source == "ClinVar 2021-10-25"


@pytest.mark.parametrize(
    ("option", "path", "code"),
    [
        ("--genes", GENES_OF_GRCH37, "source_disagrees"),
        ("--known-sites", CALLS_OF_GRCH37, "source_disagrees"),
        ("--dbsnp", COHORT, "source_invalid"),
    ],
)
def test_real_sources_of_another_build_are_refused(strandline, short, tmp_path, capsys, option, path, code):
    out = tmp_path / "made"
    assert strandline("make", "--fasta", short, "--name", "x", option, path, "--out", out) == 65
    assert f"strandline: {code}: " in capsys.readouterr().err
    assert not out.exists()
