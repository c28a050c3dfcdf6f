"""Compile what reads VCF before a file is read: `python -m strandline.lake.compile_ahead`.

Compiling takes some ten seconds of processor time, reading a sample's file one. What is compiled is kept for later
processes (see `compiled`), so an image is built with it.
"""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from strandline.lake.compiled import Compiling
from strandline.lake.vcf_columns import read_vcf
from strandline.lake.vcf_source import open_vcf

_HEADER: Final = """##fileformat=VCFv4.3
##contig=<ID=c,length=1000>
##FILTER=<ID=LowQual,Description="x">
##INFO=<ID=END,Number=1,Type=Integer,Description="x">
##INFO=<ID=DB,Number=0,Type=Flag,Description="x">
##INFO=<ID=AF,Number=A,Type=Float,Description="x">
##INFO=<ID=AD,Number=R,Type=Integer,Description="x">
##INFO=<ID=NAME,Number=.,Type=String,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=MIN_DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">
##FORMAT=<ID=GL,Number=G,Type=Float,Description="x">
##FORMAT=<ID=PS,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=FT,Number=1,Type=String,Description="x">
"""
_COLUMNS: Final = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
_KEYS: Final = "GT:DP:GQ:AD:PL:GL:PS:FT"
_SITES: Final = (
    ("c\t1\t.\tA\t<*>\t.\t.\tEND=9", "GT:MIN_DP:GQ", "0/0:12:30"),
    ("c\t10\trs1\tA\tG\t50.5\tPASS\tDB;AF=0.5;AD=3,4;NAME=x", _KEYS, "0|1:7:40:3,4:40,0,50:-4,0,-5:10:PASS"),
    ("c\t20\t.\tAC\tA,ACC\t.\tLowQual\tAF=0.1,.;NAME=a,b", _KEYS, "1/2:7:9:1,3,3:9,8,7,6,5,0:.:.:."),
    ("c\t30\t.\tG\t<DEL>,*\t1e2\t.\tEND=40", _KEYS, "./.:.:.:.:.:.:.:."),
)


def main() -> None:
    """Read files that call everything with every type: of one sample, of two, and of one record.

    A column of one value lies in one piece however it is cut, which is another type.
    """
    Compiling.from_bytes = 0
    with TemporaryDirectory() as folder:
        for count, sites in ((1, _SITES), (2, _SITES), (1, _SITES[1:2])):
            lines = [
                _COLUMNS + "".join(f"\tS{number}" for number in range(count)),
                *(f"{site}\t{keys}" + f"\t{values}" * count for site, keys, values in sites),
            ]
            path = Path(folder) / f"{count}.vcf.gz"
            path.write_bytes(gzip.compress((_HEADER + "\n".join(lines) + "\n").encode()))
            for keeps_all in (False, True):
                with open_vcf(path) as source:
                    for _ in read_vcf(source, keeps_all=keeps_all):
                        pass


if __name__ == "__main__":
    main()
