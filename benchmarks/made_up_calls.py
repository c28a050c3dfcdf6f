"""Made-up VCF files as GATK writes them, of any size: INFO-heavy records with GT:AD:DP:GQ:PL, each time the same."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

import pysam

_FORMATS: Final = {"GT": "1,String", "AD": "R,Integer", "DP": "1,Integer", "GQ": "1,Integer", "PL": "G,Integer"}
_INFOS: Final = {
    "AC": "A,Integer",
    "AF": "A,Float",
    "AN": "1,Integer",
    "BaseQRankSum": "1,Float",
    "DP": "1,Integer",
    "ExcessHet": "1,Float",
    "FS": "1,Float",
    "MLEAC": "A,Integer",
    "MLEAF": "A,Float",
    "MQ": "1,Float",
    "MQRankSum": "1,Float",
    "QD": "1,Float",
    "ReadPosRankSum": "1,Float",
    "SOR": "1,Float",
}
_CONTIG_LENGTH: Final = 248_956_422
_BASES: Final = "ACGT"


def make_calls(folder: Path, records: int, samples: int) -> Path:
    """Return a bgzip file of so many records and samples, made where it is not there yet."""
    path = folder / f"calls_{records}_{samples}.vcf.gz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        half_done = path.with_suffix(".half")
        with pysam.BGZFile(str(half_done), "wb", None) as sink:
            lines = _lines(records, samples)
            while some := list(islice(lines, 1000)):
                sink.write("".join(some).encode())
        half_done.rename(path)
    return path


def _lines(records: int, samples: int) -> Iterator[str]:
    chance = Random(records + samples)  # noqa: S311  # made-up data
    yield '##fileformat=VCFv4.2\n##FILTER=<ID=LowQual,Description="Low quality">\n'
    for kind, keys in (("FORMAT", _FORMATS), ("INFO", _INFOS)):
        for key, described in keys.items():
            number, form = described.split(",")
            yield f'##{kind}=<ID={key},Number={number},Type={form},Description="{key}">\n'
    yield f"##contig=<ID=chr1,length={_CONTIG_LENGTH}>\n"
    names = [f"S{number}" for number in range(samples)]
    yield "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]) + "\n"
    position, step = 10_000, _CONTIG_LENGTH // (records + 100)
    for _ in range(records):
        position += chance.randint(1, step)
        yield _record(chance, position, samples)


def _record(chance: Random, position: int, samples: int) -> str:
    ref, alts = _alleles(chance)
    is_het, count = chance.random() < 0.6, len(alts)

    def each(value: str) -> str:
        return ",".join([value] * count)

    def numbers(how_many: int, most: int) -> str:
        return ",".join(str(chance.randint(0, most)) for _ in range(how_many))

    info = [f"AC={each('1')}", f"AF={each('0.500')}", f"AN={2 * samples}"]
    info += [f"BaseQRankSum={chance.uniform(-3, 3):.3f}"] if is_het else []
    info += [f"DP={chance.randint(5, 80)}", f"ExcessHet={chance.uniform(0, 4):.4f}", f"FS={chance.uniform(0, 9):.3f}"]
    info += [f"MLEAC={each('1')}", f"MLEAF={each('0.500')}", f"MQ={chance.uniform(40, 60):.2f}"]
    info += [f"MQRankSum={chance.uniform(-3, 3):.3f}"] if is_het else []
    info += [f"QD={chance.uniform(0, 30):.2f}"]
    info += [f"ReadPosRankSum={chance.uniform(-3, 3):.3f}"] if is_het else []
    info += [f"SOR={chance.uniform(0, 3):.3f}"]
    genotype, likelihoods = "0/1" if is_het else "1/1", (count + 1) * (count + 2) // 2
    columns = [
        ":".join([genotype, numbers(count + 1, 40), numbers(1, 80), numbers(1, 99), numbers(likelihoods, 1500)])
        for _ in range(samples)
    ]
    identifier = "." if chance.random() < 0.3 else f"rs{chance.randint(1, 10**9)}"
    quality, filters = f"{chance.uniform(30, 2000):.2f}", "PASS" if chance.random() < 0.9 else "LowQual"
    fixed = ["chr1", str(position), identifier, ref, ",".join(alts), quality, filters, ";".join(info), "GT:AD:DP:GQ:PL"]
    return "\t".join(fixed + columns) + "\n"


def _alleles(chance: Random) -> tuple[str, list[str]]:
    """Return REF and ALT: 10% insertions, 5% deletions, 3% of two ALT alleles, else single-base changes."""
    ref, kind = chance.choice(_BASES), chance.random()
    others = [base for base in _BASES if base != ref]
    more = "".join(chance.choices(_BASES, k=chance.randint(1, 8)))
    if kind < 0.1:
        return ref, [ref + more]
    if kind < 0.15:
        return ref + more, [ref]
    return ref, chance.sample(others, 2 if kind < 0.18 else 1)
