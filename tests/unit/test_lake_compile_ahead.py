"""What was compiled ahead is all that reading real files needs: a job that compiles waits ten seconds. LAK-01."""

import gzip
from pathlib import Path

import pytest

from strandline.lake import alleles, compile_ahead, genotypes, info, text_scan, vcf_lines
from strandline.lake.compiled import Compiling, Kernel
from strandline.lake.vcf_columns import read_vcf
from strandline.lake.vcf_source import open_vcf

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MODULES = (alleles, genotypes, info, text_scan, vcf_lines)
PLAIN = """##fileformat=VCFv4.2
##contig=<ID=1,length=100>
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB\tC
1\t5\t.\tA\tC\t.\t.\t.\tGT\t0/1\t0\t1|1
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    monkeypatch.setattr(Compiling, "from_bytes", Compiling.from_bytes)


def signatures() -> dict[str, int]:
    """How many types each compiled function was called with so far."""
    return {
        f"{module.__name__}.{name}": len(value.dispatcher.signatures)
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, Kernel)
    }


def read(path: Path) -> None:
    with open_vcf(path) as source:
        for _ in read_vcf(source):
            pass


def test_reading_other_files_compiles_nothing_more(tmp_path):
    compile_ahead.main()
    before = signatures()
    assert sum(before.values()) > 10
    path = tmp_path / "plain.vcf.gz"
    path.write_bytes(gzip.compress(PLAIN.encode()))
    read(path)
    assert signatures() == before


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not beside this checkout")
@pytest.mark.parametrize("name", ["gvcf_trio_hg38/NA24385.g.vcf.gz", "hg002_hg19/slice/truth.vcf.gz"])
def test_reading_real_files_compiles_nothing_more(name):
    compile_ahead.main()
    before = signatures()
    read(DATA / name)
    assert signatures() == before
