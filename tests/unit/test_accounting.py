"""Records in and records out of each step add up. ANA-08."""

from pathlib import Path

import pysam
import pytest

from strandline.reads.tools import tool_command
from strandline.variants import calling, filtering
from strandline.variants.accounting import LostRecordsError, check_none_is_lost, count_records
from tests.unit import in_process

HEADER = (
    '##fileformat=VCFv4.3\n##contig=<ID=c,length=1000>\n##FILTER=<ID=LowQual,Description="x">\n'
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS\n"
)


def write(path: Path, positions: list[int]) -> Path:
    plain = path.with_suffix(".vcf")
    plain.write_text(HEADER + "".join(f"c\t{at}\t.\tA\tC\t{at}\t.\t.\tGT:DP\t0/1:{at}\n" for at in positions))
    pysam.tabix_compress(str(plain), str(path), force=True)
    return path


def test_records_are_counted_and_headers_are_not(tmp_path):
    assert count_records(write(tmp_path / "a.gz", [1, 2, 3])) == 3
    assert count_records(write(tmp_path / "b.gz", [])) == 0


def test_parts_are_counted_together(tmp_path):
    parts = [write(tmp_path / "a.gz", [1, 2]), write(tmp_path / "b.gz", [3])]
    assert check_none_is_lost(parts, write(tmp_path / "all.gz", [1, 2, 3])) == 3
    for positions in ([1, 2], [1, 2, 3, 3]):
        with pytest.raises(LostRecordsError, match=f"3 records went in and {len(positions)} came out as other.gz"):
            check_none_is_lost(parts, write(tmp_path / "other.gz", positions))


def test_filtering_that_would_drop_a_call_fails(tmp_path, monkeypatch):
    """A hard filter instead of a soft one."""
    vcf, output = write(tmp_path / "in.vcf.gz", [3, 10, 30]), tmp_path / "out.vcf.gz"
    monkeypatch.setattr(filtering, "run_pipeline", in_process.run_pipeline)
    filtering.filter_variants(vcf, output)
    assert count_records(output) == 3
    dropping = [[*tool_command("bcftools"), "filter", "-e", "QUAL<20", "-Oz", "-o", str(output), str(vcf)]]
    monkeypatch.setattr(filtering, "filter_commands", lambda *_: dropping)
    with pytest.raises(LostRecordsError, match="3 records went in and 1 came out"):
        filtering.filter_variants(vcf, output)


def test_a_part_that_is_gathered_twice_fails(tmp_path, monkeypatch):
    parts = [write(tmp_path / "a.g.vcf.gz", [1, 2]), write(tmp_path / "b.g.vcf.gz", [30])]
    monkeypatch.setattr(calling, "gather_commands", lambda some, out: [["/bin/cp", str(some[0]), str(out)]])
    with pytest.raises(LostRecordsError, match="3 records went in and 2 came out"):
        calling.gather_calls(tmp_path / "ref.fa", parts, gvcf=tmp_path / "g.vcf.gz", vcf=tmp_path / "v.vcf.gz")
