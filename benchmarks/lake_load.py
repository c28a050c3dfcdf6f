"""How fast VCF becomes columns, beside peers in turns on the same made-up files, as whole processes.

`python -m benchmarks.lake_load [--peers PYTHON] [--scratch DIR] [--rounds N] [--sections NAME...]`. All
write Parquet, with zstd but for vcf2parquet, which does not know it. The peers are Python packages (cyvcf2,
oxbow, polars-bio with polars, vcf2parquet; all with pyarrow and pysam) of the interpreter PYTHON, such as that of a
virtual environment made for them; one that is not there is skipped and named. Prints a JSON row a tool and file, with
what it is held to; ends with 1 where a limit is missed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks.made_up_calls import make_calls
from benchmarks.validate import Commands, Limit, Row, measure

SINGLE: Final = (250_000, 1_000_000)
WIDE: Final = (25_000, 100_000)
WIDE_SAMPLES: Final = 100
GROWTH_LIMIT: Final = 1.25
OURS: Final = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import pyarrow.parquet as pq
from strandline.lake.vcf_columns import read_vcf
from strandline.lake.vcf_source import VcfSource

def chunks(path):
    with Path(path).open("rb") as source:
        while chunk := source.read(1 << 20):
            yield chunk

path, folder = sys.argv[1:]
writers = {}
DELTAS = ["position", "end_position", "source_position", "phred_likelihoods.list.element"]  # no dictionary helps them
REPEATED = ["sample_id", "contig", "ref", "alt", "variant_type", "filters", "genotype", "zygosity", "called_genotype",
            "quality", "depth", "ref_depth", "alt_depth", "genotype_quality", "info.key_value.key"]
OPTIONS = {"compression": "zstd", "compression_level": 1, "store_schema": False, "use_dictionary": REPEATED,
           "write_statistics": ["sample_id", "contig", "position", "end_position"],
           "column_encoding": dict.fromkeys(DELTAS, "DELTA_BINARY_PACKED")}

def write(batch):
    for name in ("sites", "genotypes"):
        rows = getattr(batch, name)
        if name == "genotypes":
            rows = rows.drop_columns("site")
        if name not in writers:
            writers[name] = pq.ParquetWriter(f"{folder}/{name}.parquet", rows.schema, **OPTIONS)
        writers[name].write_batch(rows)

with ThreadPoolExecutor(1) as pool:
    written = None
    for batch in read_vcf(VcfSource(chunks(path), path), keeps_all=True):
        if written:
            written.result()
        written = pool.submit(write, batch)
    written.result()
for writer in writers.values():
    writer.close()
"""
CYVCF2: Final = """
import sys
import cyvcf2, pyarrow as pa, pyarrow.parquet as pq

path, folder = sys.argv[1:]
source = cyvcf2.VCF(path)
columns = ["contig", "position", "id", "ref", "alt", "qual", "filter", "info", "GT", "AD", "DP", "GQ", "PL"]
kinds = [pa.string(), pa.int64(), *[pa.string()] * 2, pa.list_(pa.string()), pa.float64(), pa.string(),
         pa.map_(pa.string(), pa.string()), pa.list_(pa.list_(pa.int32())), *[pa.list_(pa.list_(pa.int32()))] * 4]
schema = pa.schema(list(zip(columns, kinds)))
writer, waiting = pq.ParquetWriter(f"{folder}/calls.parquet", schema, compression="zstd"), []

def flush():
    writer.write_table(pa.table([pa.array(column, kind) for column, kind in zip(zip(*waiting), kinds)], schema=schema))
    waiting.clear()

for v in source:
    samples = [v.format(key).tolist() for key in ("AD", "DP", "GQ", "PL")]
    info = [(key, str(value)) for key, value in v.INFO]
    waiting.append((v.CHROM, v.POS, v.ID, v.REF, v.ALT, v.QUAL, v.FILTER, info, [g[:2] for g in v.genotypes], *samples))
    if len(waiting) == 20_000:
        flush()
if waiting:
    flush()
writer.close()
"""
OXBOW: Final = """
import sys
import oxbow, pyarrow as pa, pyarrow.parquet as pq

path, folder = sys.argv[1:]
writer = None
for batch in oxbow.from_vcf(path, compression="bgzf", samples="*").batches():
    rows = pa.record_batch(batch)
    writer = writer or pq.ParquetWriter(f"{folder}/calls.parquet", rows.schema, compression="zstd")
    writer.write_batch(rows)
writer.close()
"""
POLARS_BIO: Final = """
import sys
import polars_bio, pysam

path, folder = sys.argv[1:]
header = pysam.VariantFile(path).header
found = polars_bio.scan_vcf(path, info_fields=list(header.info), format_fields=list(header.formats))
found.sink_parquet(f"{folder}/calls.parquet", compression="zstd")
"""
VCF2PARQUET: Final = """
import sys
import pyvcf2parquet

path, folder = sys.argv[1:]
pyvcf2parquet.convert_vcf(path, f"{folder}/calls.parquet", info_optional=True)
"""
BCFTOOLS: Final = """
import os, sys
import pysam.bcftools

path, folder = sys.argv[1:]
form = r"%CHROM\\t%POS\\t%ID\\t%REF\\t%ALT\\t%QUAL\\t%FILTER\\t%INFO[\\t%GT:%AD:%DP:%GQ:%PL]\\n"
pysam.bcftools.query("-f", form, "-o", os.devnull, path, catch_stdout=False)
"""
BCFTOOLS_TABLE: Final = """
import sys
from subprocess import PIPE, Popen
import pyarrow.csv, pyarrow.parquet as pq

path, folder = sys.argv[1:]
form = r"%CHROM\\t%POS\\t%ID\\t%REF\\t%ALT\\t%QUAL\\t%FILTER\\t%INFO[\\t%GT\\t%AD\\t%DP\\t%GQ\\t%PL]\\n"
query = '''
import sys
import pysam.bcftools
pysam.bcftools.query("-f", sys.argv[2], "-o", "/dev/stdout", sys.argv[1], catch_stdout=False)
'''
read = pyarrow.csv.ReadOptions(autogenerate_column_names=True, block_size=16 << 20)
parse = pyarrow.csv.ParseOptions(delimiter="\\t", quote_char=False)
writer = None
with Popen([sys.executable, "-c", query, path, form], stdout=PIPE) as asked:
    for batch in pyarrow.csv.open_csv(asked.stdout, read, parse):
        writer = writer or pq.ParquetWriter(f"{folder}/calls.parquet", batch.schema, compression="zstd")
        writer.write_batch(batch)
writer.close()
"""
PEERS: Final = {
    "cyvcf2 and pyarrow": ("cyvcf2", CYVCF2),
    "oxbow": ("oxbow", OXBOW),
    "polars-bio": ("polars_bio", POLARS_BIO),
    "vcf2parquet": ("pyvcf2parquet", VCF2PARQUET),
    "bcftools query and pyarrow, INFO as text": ("pysam", BCFTOOLS_TABLE),
    "bcftools query, to nowhere": ("pysam", BCFTOOLS),
}
NOT_HELD: Final = "bcftools query, to nowhere"  # it makes no columns and stores nothing: how fast the text is read


_Given = tuple[Path, int, str]  # scratch folder, rounds, interpreter of the peers
Section = Callable[[_Given], tuple[list[Row], list[Limit]]]


def main() -> int:
    """Run the sections; 1 where a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "strandline-benchmarks")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default=sys.executable)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    given = parser.parse_args()
    missed = False
    for name in given.sections:
        rows, limits = SECTIONS[name]((given.scratch, given.rounds, given.peers))
        for row in rows:
            print(json.dumps(asdict(row)), flush=True)
        for limit in limits:
            print(json.dumps(asdict(limit)), flush=True)
        missed |= not all(limit.is_held for limit in limits)
    return int(missed)


def load_single(given: _Given) -> tuple[list[Row], list[Limit]]:
    """One sample, INFO-heavy: every field to Parquet."""
    return _load("single", given, SINGLE, 1)


def load_wide(given: _Given) -> tuple[list[Row], list[Limit]]:
    """A hundred samples: every field of every genotype to Parquet."""
    return _load("wide", given, WIDE, WIDE_SAMPLES)


def _load(section: str, given: _Given, sizes: tuple[int, int], samples: int) -> tuple[list[Row], list[Limit]]:
    scratch, rounds, peers = given
    small, large = (str(make_calls(scratch, size, samples)) for size in sizes)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        ours: Commands = [[sys.executable, "-c", OURS, large, folder]]
        subprocess.run([sys.executable, "-c", OURS, small, folder], check=True)  # compiles, once on a machine
        tools: dict[str, Commands] = {"strandline": ours}
        tools |= {
            name: [[peers, "-c", script, large, folder]]
            for name, (package, script) in PEERS.items()
            if _is_installed(peers, package, name)
        }
        rows = measure(section, sizes[1], tools, rounds)
        few = measure(section, sizes[0], {"strandline": [[sys.executable, "-c", OURS, small, folder]]}, rounds)
    return [*few, *rows], _limits(section, few[0], rows)


def _limits(section: str, few: Row, rows: list[Row]) -> list[Limit]:
    ours, *others = rows
    limits = []
    for row in others:
        if row.tool != NOT_HELD:
            times = row.seconds / ours.seconds
            limits.append(Limit(section, f"times as fast as {row.tool}, over 1", round(times, 2), times > 1))
            a_core = row.cpu_s / ours.cpu_s
            limits.append(Limit(section, f"a core, times as fast as {row.tool}, over 1", round(a_core, 2), a_core > 1))
    growth = ours.peak_mb / few.peak_mb
    says = f"peak memory on four times the records, under {GROWTH_LIMIT:g} times"
    return [*limits, Limit(section, says, round(growth, 2), growth < GROWTH_LIMIT)]


def _is_installed(python: str, package: str, tool: str) -> bool:
    asked = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    if subprocess.run([python, "-c", asked], check=False).returncode:
        sys.stderr.write(f"skipped: {tool} is not installed for {python}\n")
        return False
    return True


SECTIONS: Final[Mapping[str, Section]] = {"single": load_single, "wide": load_wide}


if __name__ == "__main__":
    sys.exit(main())
