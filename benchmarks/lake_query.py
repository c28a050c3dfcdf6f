"""What the ten named questions read and how long they take, beside other layouts of the same rows and bcftools.

`python -m benchmarks.lake_query DATA [--scratch DIR] [--samples N] [--rounds N] [--plot FILE]`, where DATA holds the
HG002 truth set and the frequencies that the cohort is made up from. Every size of the cohort is loaded sample by sample
by the product's own code, merged and counted. The questions run as they are asked, in DuckDB over the files that the
tables' statistics leave, against: (a) one sorted file a sample, (b) one unsorted file a sample, and (c) bcftools over
an indexed BCF of all samples, which holds genotypes alone. Bytes are what the process asked the system to read, footers
and indexes included, with nothing kept from the question before. Prints JSON rows and what they are held to; ends with
1 where a limit is missed.
"""

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pysam.bcftools
from pyiceberg.expressions import AlwaysTrue, And, EqualTo, GreaterThanOrEqual, In, LessThanOrEqual, Reference

from benchmarks.lake_on_disk import open_lake
from benchmarks.made_up_cohort import CHILD, CONTIG, FATHER, MOTHER, Cohort, make_cohort, submission_of
from strandline.aws.lake import Lake
from strandline.aws.lake_gold import refresh
from strandline.aws.lake_maintenance import MERGED, compact
from strandline.lake.asking import questions
from strandline.lake.tables import lake_tables
from strandline.reporting.charts import Axis, Line, draw_lines

if TYPE_CHECKING:
    from datetime import datetime

    from pyiceberg.expressions import BooleanExpression

SIZES: Final = (50, 100, 200)
FEWEST_ROWS: Final = 10_000_000
PANEL: Final = 60
SHARE_OF_BYTES: Final = 0.1
POINT_MS: Final = 50.0
POINT: Final = ("gene", "region", "rsid", "carriers")
WHOLE_COHORT: Final = ("gene", "rsid", "rare_loss_of_function", "cohort_frequency", "clinvar_pathogenic")
"""Questions for which bcftools reads every record: its index is of places alone."""
WATCHED: Final = "S0007"
LEAST_FREQUENCY: Final = "0.05"
_FREQUENCY_OF_ROWS: Final = """
SELECT contig, position, ref, alt, sum(CASE zygosity WHEN 'HOM_ALT' THEN 2 ELSE 1 END) AS allele_count
FROM variants GROUP BY ALL HAVING sum(CASE zygosity WHEN 'HOM_ALT' THEN 2 ELSE 1 END) >= {least} ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One question to one layout of so many samples.

    Attributes:
        plan_ms: finding the files by the table's statistics; 0 where there is no table.
        engine_ms: until the last row of the answer, the median of the rounds.
        read_bytes: what was read for it.
    """

    layout: str
    question: str
    samples: int
    answer_rows: int
    read_bytes: int
    plan_ms: float
    engine_ms: float


@dataclass(frozen=True, slots=True)
class Size:
    """What a layout takes on the disk, and the rows in it."""

    layout: str
    samples: int
    rows: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Limit:
    """What is held: a name, the figure, and whether it is on the right side."""

    says: str
    figure: float
    is_held: bool


def main() -> int:
    """Run; 1 where a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--samples", type=int, default=SIZES[-1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.scratch) as scratch:
        rows, sizes = run(
            given.data, Path(scratch), [*(n for n in SIZES if n < given.samples), given.samples], given.rounds
        )
    limits = judge(rows, sizes)
    for line in [*map(asdict, sizes), *map(asdict, rows), *map(asdict, limits)]:
        print(json.dumps(line))
    if given.plot:
        given.plot.write_text(plot(rows), encoding="utf-8")
    return int(not all(limit.is_held for limit in limits))


def run(data: Path, scratch: Path, counts: Sequence[int], rounds: int) -> tuple[list[Row], list[Size]]:
    """Load, ask and measure at each number of samples; the peers at the last."""
    cohort = make_cohort(data)
    values = choose_values(cohort)
    rows: list[Row] = []
    sizes: list[Size] = []
    peers = Peers(scratch / "peers", cohort)
    with open_lake(scratch / "lake") as catalog:
        lake = Lake("lake", catalog)
        loaded = 0
        for number, (sample_id, variants) in enumerate(cohort.samples(counts[-1]), start=1):
            load(lake, cohort, sample_id, variants)
            peers.add(sample_id, variants)
            loaded += variants.num_rows
            if number in counts:
                for table in MERGED:
                    compact(lake, table, most_runs=1)
                refresh(lake, assembly="GRCh38")
                rows += [ask_lake(lake, name, values[name], number, rounds) for name in questions()]
                sizes += [Size(f"lake, {table}", number, loaded, stored(lake, table)) for table in lake_tables()]
                sys.stderr.write(f"{number} samples: {loaded} rows\n")
    rows += peers.ask(values, counts[-1], rounds)
    return rows, [*sizes, *peers.sizes(counts[-1], loaded)]


def load(lake: Lake, cohort: Cohort, sample_id: str, variants: pa.Table) -> None:
    """Load one sample as a job does."""
    submission = submission_of(sample_id)
    lake.replace_rows("variants", submission, lambda: [variants])
    lake.replace_rows("callable_regions", submission, lambda: [cohort.regions(sample_id)])
    lake.replace_rows("samples", submission, lambda: [describe(sample_id, variants.num_rows)])


def describe(sample_id: str, count: int) -> pa.Table:
    """Return a sample's row of `samples`."""
    sex = "MALE" if sample_id == FATHER or (sample_id != MOTHER and int(sample_id[1:]) % 2) else "FEMALE"
    schema = lake_tables()["samples"].arrow_schema()
    loaded_at: datetime = pa.scalar(0, schema.field("loaded_at").type).as_py()
    row = {"sample_id": sample_id, "submission_id": submission_of(sample_id), "sex": sex, "variant_count": count}
    row |= {"reference_name": "GRCh38", "reference_version": "made-up", "loaded_at": loaded_at}
    return pa.Table.from_pylist([row], schema=schema)


def choose_values(cohort: Cohort) -> dict[str, dict[str, str]]:
    """Return what each question is told: a common allele of a gene, and a place near it, so that answers have rows."""
    sites = cohort.sites
    is_told = pc.and_(pc.is_valid(sites["gene"]), pc.is_valid(sites["rsid"])).to_numpy()
    common = np.flatnonzero(
        (np.abs(cohort.frequencies - 0.3) < 0.02) & is_told & (sites["position"].to_numpy() > 35_000_000)
    )
    site = {name: sites[name][int(common[0])].as_py() for name in ("position", "ref", "alt", "gene", "rsid")}
    genes = sorted({gene for gene in sites["gene"].unique().to_pylist() if gene})[:PANEL]
    allele = {"contig": CONTIG, "position": str(site["position"]), "ref": site["ref"], "alt": site["alt"]}
    return {
        "gene": {"gene": site["gene"]},
        "region": {"contig": CONTIG, "first": str(site["position"] - 5_000), "last": str(site["position"] + 4_999)},
        "rsid": {"rsid": site["rsid"]},
        "sample": {"sample": WATCHED},
        "carriers": allele,
        "de_novo": {"child": CHILD, "father": FATHER, "mother": MOTHER},
        "rare_loss_of_function": {"genes": ",".join(genes), "most": "0.01"},
        "cohort_frequency": {"cohort": "all", "least": LEAST_FREQUENCY},
        "clinvar_pathogenic": {},
        "absence": allele,
    }


def literal_sql(name: str, values: Mapping[str, str]) -> str:
    """Return a question with its values in it, as the embedded Athena hands it on."""
    sql, literals = questions()[name].bind(values)
    parts = sql.split("?")
    return parts[0] + "".join(literal + part for literal, part in zip(literals, parts[1:], strict=True))


def ask_lake(lake: Lake, name: str, values: Mapping[str, str], samples: int, rounds: int) -> Row:
    """Ask the lake's tables, over the files that their statistics leave."""
    sql = literal_sql(name, values)
    tables = {table: lake.load(table) for table in set(re.findall(r"(?:FROM|JOIN) (\w+)", sql)) & set(lake_tables())}
    plans, found = [], {}
    for _ in range(rounds):
        began = time.perf_counter()
        found = {
            table: [
                task.file.file_path.removeprefix("file://")
                for task in opened.scan(_filter(table, name, values)).plan_files()
            ]
            for table, opened in tables.items()
        }
        plans.append(time.perf_counter() - began)
    answer_rows, read, seconds = measure(sql, found, rounds)
    return Row(
        "lake", name, samples, answer_rows, read, *(round(1e3 * s, 1) for s in (statistics.median(plans), seconds))
    )


def measure(sql: str, files: Mapping[str, Sequence[str]], rounds: int) -> tuple[int, int, float]:
    """Return the answer's rows, the bytes read for it and the median of seconds, in a new DuckDB each time."""
    times, read, count = [], 0, 0
    for _ in range(rounds):
        connection = duckdb.connect()
        connection.execute(
            "SET threads = 2; SET enable_external_file_cache = false; SET parquet_metadata_cache = false"
        )
        for table, paths in files.items():
            listed = ", ".join(f"'{path}'" for path in paths)
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet([{listed}])")  # noqa: S608 - our own paths
        before, began = bytes_read(), time.perf_counter()
        count = connection.sql(sql).to_arrow_table().num_rows
        times.append(time.perf_counter() - began)
        read = bytes_read() - before
        connection.close()
    return count, read, statistics.median(times)


def bytes_read() -> int:
    """Return what this process has asked the system to read, from disks and from memory that stands for them."""
    return int(Path("/proc/self/io").read_text(encoding="ascii").split()[1])


def stored(lake: Lake, table: str) -> int:
    """Return the size of a table's data files."""
    return sum(task.file.file_size_in_bytes for task in lake.load(table).scan().plan_files())


class Peers:
    """The same rows: one file a sample, sorted and not; and one BCF of all."""

    def __init__(self, folder: Path, cohort: Cohort) -> None:
        self._folder = folder
        self._cohort = cohort
        self._samples: list[str] = []
        self._genotypes: dict[str, tuple[Any, Any]] = {}
        for name in ("a", "b", "regions"):
            (folder / name).mkdir(parents=True)

    def add(self, sample_id: str, rows: pa.Table) -> None:
        """Take a sample."""
        shuffled = np.random.default_rng(len(self._samples)).permutation(rows.num_rows)
        pq.write_table(rows, self._folder / "a" / f"{sample_id}.parquet", compression="zstd")
        pq.write_table(rows.take(pa.array(shuffled)), self._folder / "b" / f"{sample_id}.parquet", compression="zstd")
        pq.write_table(
            self._cohort.regions(sample_id), self._folder / "regions" / f"{sample_id}.parquet", compression="zstd"
        )
        self._samples.append(sample_id)
        keys = pc.binary_join_element_wise(pc.cast(rows["position"], pa.string()), rows["ref"], rows["alt"], ":")
        self._genotypes[sample_id] = (keys, rows["genotype"])

    def sizes(self, samples: int, rows: int) -> list[Size]:
        """Return what each takes."""
        layouts = {"(a) by sample": "a/*", "(b) unsorted": "b/*", "(c) BCF and index": "cohort.bcf*"}
        return [
            Size(layout, samples, rows, sum(file.stat().st_size for file in self._folder.glob(pattern)))
            for layout, pattern in layouts.items()
        ]

    def ask(self, values: Mapping[str, Mapping[str, str]], samples: int, rounds: int) -> list[Row]:
        """Ask all three."""
        rows = [
            self._ask_files(layout, name, values[name], samples, rounds)
            for layout in ("(a) by sample", "(b) unsorted")
            for name in questions()
        ]
        bcf = self._write_bcf()
        for name, command in _bcftools(str(bcf), values).items():
            times, read, answer = [], 0, ""
            for _ in range(rounds):
                before, began = bytes_read(), time.perf_counter()
                answer = str(command())
                times.append(time.perf_counter() - began)
                read = bytes_read() - before - len(answer)  # pysam reads the answer back from a file
            seconds = statistics.median(times)
            rows.append(Row("(c) BCF", name, samples, answer.count("\n"), read, 0.0, round(1e3 * seconds, 1)))
        return rows

    def _ask_files(self, layout: str, name: str, values: Mapping[str, str], samples: int, rounds: int) -> Row:
        """Ask one file a sample; a question about samples reads theirs alone, as partitions by sample allow."""
        sql = literal_sql(name, values)
        if name == "cohort_frequency":
            sql = _FREQUENCY_OF_ROWS.format(least=float(LEAST_FREQUENCY) * 2 * samples)
        asked = {"sample": [WATCHED], "de_novo": [CHILD, FATHER, MOTHER]}.get(name, self._samples)
        paths = [str(self._folder / layout[1] / f"{sample}.parquet") for sample in asked]
        files = {"variants": paths, "sample_variants": paths}
        files["callable_regions"] = [str(self._folder / "regions" / f"{sample}.parquet") for sample in asked]
        described = self._folder / "samples.parquet"
        pq.write_table(pa.concat_tables(describe(sample, 0) for sample in self._samples), described)
        files["samples"] = [str(described)]
        answer_rows, read, seconds = measure(sql, files, rounds)
        return Row(layout, name, samples, answer_rows, read, 0.0, round(1e3 * seconds, 1))

    def _write_bcf(self) -> Path:
        sites = self._cohort.sites
        keys = pc.binary_join_element_wise(pc.cast(sites["position"], pa.string()), sites["ref"], sites["alt"], ":")
        codes = np.zeros((sites.num_rows, len(self._samples)), dtype=np.int8)
        for number, sample_id in enumerate(self._samples):
            carried, genotypes = self._genotypes[sample_id]
            places = pc.index_in(carried, keys.combine_chunks()).to_numpy()
            codes[places, number] = np.where(genotypes.to_numpy(zero_copy_only=False) == "1/1", 2, 1)
        text, bcf = self._folder / "cohort.vcf", self._folder / "cohort.bcf"
        with text.open("w", encoding="ascii") as sink:
            sink.write(_header(self._samples))
            for start in range(0, sites.num_rows, 50_000):
                some, rows = codes[start : start + 50_000], sites.slice(start, 50_000).to_pylist()
                sink.writelines(_line(row, codes) for row, codes in zip(rows, some, strict=True) if codes.any())
        pysam.bcftools.view("-Ob", "-o", str(bcf), str(text), catch_stdout=False)
        pysam.bcftools.index(str(bcf), catch_stdout=False)
        text.unlink()
        return bcf


_GENOTYPES: Final = np.array(["0/0", "0/1", "1/1"])
_INFO: Final = {
    "GENE": "gene",
    "CSQ": "consequence",
    "CLNSIG": "clinvar_significance",
    "POPAF": "highest_population_frequency",
}


def _header(samples: Sequence[str]) -> str:
    lines = ["##fileformat=VCFv4.3", f"##contig=<ID={CONTIG},length=64444167>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += [
        f'##INFO=<ID={key},Number=1,Type={"Float" if key == "POPAF" else "String"},Description="{key}">'
        for key in _INFO
    ]
    lines += ["\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples])]
    return "\n".join(lines) + "\n"


def _line(row: Mapping[str, Any], codes: Any) -> str:
    info = ";".join(f"{key}={row[name]}" for key, name in _INFO.items() if row[name] is not None)
    fixed = [CONTIG, str(row["position"]), row["rsid"] or ".", row["ref"], row["alt"], "50", "PASS", info, "GT"]
    return "\t".join([*fixed, *_GENOTYPES[codes]]) + "\n"


def _bcftools(bcf: str, values: Mapping[str, Mapping[str, str]]) -> dict[str, Callable[[], object]]:
    """Return what a user of bcftools would type for each question that genotypes alone can answer."""
    carriers = "[%SAMPLE\t%POS\t%REF\t%ALT\t%GT\t%INFO/GENE\t%INFO/CSQ\n]"

    def query(condition: str, *arguments: str, shown: str = carriers) -> Callable[[], object]:
        return lambda: pysam.bcftools.query("-f", shown, "-i", condition, *arguments, bcf)

    place, near = values["carriers"], values["region"]
    at = f"{CONTIG}:{place['position']}-{place['position']}"
    genes = " || ".join(f'GENE="{gene}"' for gene in values["rare_loss_of_function"]["genes"].split(","))
    breaks = 'CSQ="stop_gained" || CSQ="frameshift" || CSQ="splice_donor"'
    trio = f"{FATHER},{MOTHER},{CHILD}"
    return {
        "gene": query(f'GENE="{values["gene"]["gene"]}" && GT="alt"'),
        "region": query('GT="alt"', "-r", f"{CONTIG}:{near['first']}-{near['last']}"),
        "rsid": query(f'ID="{values["rsid"]["rsid"]}" && GT="alt"'),
        "sample": query('GT="alt"', "-s", values["sample"]["sample"]),
        "carriers": query(f'REF="{place["ref"]}" && ALT="{place["alt"]}" && GT="alt"', "-r", at),
        "de_novo": query('GT[2]="het" && GT[0]="ref" && GT[1]="ref"', "-s", trio, shown="%POS\t%REF\t%ALT\n"),
        "rare_loss_of_function": query(f'({genes}) && ({breaks}) && POPAF<=0.01 && GT="alt"'),
        "cohort_frequency": query(f"AC/AN>={LEAST_FREQUENCY}", shown="%POS\t%REF\t%ALT\n"),
        "clinvar_pathogenic": query('(CLNSIG="Pathogenic" || CLNSIG="Likely_pathogenic") && GT="alt"'),
    }


def _filter(table: str, name: str, values: Mapping[str, str]) -> "BooleanExpression":
    """Return the conditions of a question by which a table's statistics leave files out."""

    def equal(column: str, value: Any) -> "BooleanExpression":
        return EqualTo(term=Reference(column), value=value)

    if table in {"sample_variants", "callable_regions"} and name in {"sample", "de_novo"}:
        return In(term=Reference("sample_id"), literals=set(values.values()))
    if table == "variants" and name in {"gene", "rsid"}:
        return equal(name, values[name])
    if table == "variants" and name == "rare_loss_of_function":
        return In(term=Reference("gene"), literals=set(values["genes"].split(",")))
    if name == "cohort_frequency":
        return equal("cohort", values["cohort"])
    if table in {"variants", "callable_regions"} and ("position" in values or "first" in values):
        first, last = (int(values.get(key, values.get("position", 0))) for key in ("first", "last"))
        begins = "position" if table == "variants" else "start0"
        begun = LessThanOrEqual(term=Reference(begins), value=last)
        ended = GreaterThanOrEqual(term=Reference("end_position"), value=first)
        return And(equal("contig", values["contig"]), begun, ended)
    return AlwaysTrue()


def judge(rows: Sequence[Row], sizes: Sequence[Size]) -> list[Limit]:
    """Hold the figures at the largest size to what the lake promises."""
    last = max(row.samples for row in rows)
    at = {(row.layout, row.question): row for row in rows if row.samples == last}
    loaded = max(size.rows for size in sizes)
    limits = [Limit(f"rows of variants, at least {FEWEST_ROWS}", loaded, loaded >= FEWEST_ROWS)]
    for name in POINT:
        ours = at["lake", name]
        limits += [
            Limit(f"{name}: answer has rows", ours.answer_rows, ours.answer_rows > 0),
            Limit(
                f"{name}: ms in the engine, planning included, under {POINT_MS:g}",
                ours.plan_ms + ours.engine_ms,
                ours.plan_ms + ours.engine_ms < POINT_MS,
            ),
        ]
        for layout in ("(a) by sample", "(b) unsorted"):
            share = ours.read_bytes / at[layout, name].read_bytes
            says = f"{name}: share of the bytes of {layout}, at most {SHARE_OF_BYTES:g}"
            limits.append(Limit(says, round(share, 4), share <= SHARE_OF_BYTES))
    for name in WHOLE_COHORT:
        times = at["(c) BCF", name].engine_ms / (at["lake", name].plan_ms + at["lake", name].engine_ms)
        limits.append(Limit(f"{name}: times as fast as bcftools, over 1", round(times, 1), times > 1))
    for name in (*POINT, "sample", "clinvar_pathogenic", "rare_loss_of_function", "de_novo", "absence"):
        others = [row.answer_rows for row in rows if row.samples == last and row.question == name]
        limits.append(Limit(f"{name}: layouts that answer otherwise, 0", len(set(others)) - 1, len(set(others)) == 1))
    return limits


def plot(rows: Sequence[Row]) -> str:
    """Return a page with how bytes and time grow with the number of samples."""
    shown = [name for name in questions() if any(row.question == name for row in rows)]
    figures: list[tuple[str, Callable[[Row], float]]] = [
        ("read, MB", lambda row: row.read_bytes / 1e6),
        ("time, planning included, ms", lambda row: row.plan_ms + row.engine_ms),
    ]
    charts = []
    for label, figure in figures:
        for names in (shown[:5], shown[5:]):
            lines = [
                Line(
                    name, [(row.samples, figure(row)) for row in rows if row.layout == "lake" and row.question == name]
                )
                for name in names
            ]
            charts.append(draw_lines(f"{label}, by samples in the lake", Axis("samples"), Axis(label, low=0.0), lines))
    style = "body{font:14px sans-serif} figure{display:inline-block;width:46%} svg text{font-size:11px}"
    style += " i{display:inline-block;width:1em;height:.6em;margin:0 .3em 0 .9em}"
    head = f'<!doctype html><meta charset="utf-8"><title>The lake as it grows</title><style>{style}</style>'
    return f"{head}{''.join(charts)}\n"


if __name__ == "__main__":
    sys.exit(main())
