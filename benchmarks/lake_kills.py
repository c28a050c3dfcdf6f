"""Readers beside a loader that is killed at random: each sees samples as a whole, and in the end every row is there.

`python -m benchmarks.lake_kills [--kills 50]`. A catalog in this process, files in a folder, and a loader in another
process that loads ten samples, over and over, each time with other rows (a version). It is ended by SIGKILL after a
chance time and started again. A reader counts all the while: of each sample all rows of one version, or none. When the
kills are done, a last load runs through, and the rows are held against what was to be loaded. Prints JSON limits; ends
with 1 where one is missed.
"""

import argparse
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from benchmarks.lake_on_disk import DATABASE, make_table
from strandline.aws.lake import Lake, open_catalog
from strandline.aws.lake_maintenance import compact
from strandline.lake.tables import lake_tables

SAMPLES: Final = 10
ROWS: Final = 3_000
CONTIGS: Final = ("chr1", "chr2")
_REGION: Final = "us-east-1"
_BY_TYPE: Final = {"string": "x", "long": 1, "boolean": False}


@dataclass(frozen=True, slots=True)
class Limit:
    """What is held: a name, the figure, and whether it is on the right side."""

    says: str
    figure: float
    is_held: bool


def main() -> int:
    """Kill and hold; or, as the loader, load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--load", metavar="ENDPOINT")
    parser.add_argument("--version", type=int, default=0)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    given = parser.parse_args()
    if given.load:
        load_all(given.load, given.version, given.samples)
        return 0
    limits = kill_loaders(given.kills)
    for limit in limits:
        print(json.dumps(asdict(limit)))
    return int(not all(limit.is_held for limit in limits))


def kill_loaders(kills: int, *, samples: int = SAMPLES, longest_s: float = 2.5) -> list[Limit]:
    """Run the loader until it has been killed so often, each time at most so many seconds, and once more to its end."""
    chance = random.Random(kills)  # noqa: S311 - when to kill
    with tempfile.TemporaryDirectory() as folder, _catalog(Path(folder)) as endpoint:
        seen = _Reader(endpoint)
        with seen:
            for version in range(kills):
                loader = _start(endpoint, version, samples)
                loader.stdout.readline()  # type: ignore[union-attr]  # it is a pipe: "ready", when the imports are done
                time.sleep(chance.uniform(0, longest_s))
                loader.send_signal(signal.SIGKILL)
                loader.communicate()
                if version % 10 == 9:
                    compact(_lake(endpoint), most_runs=1)
            last = _start(endpoint, kills, samples)
            last.communicate()
        rows = [_count(endpoint, table) for table in ("variants", "sample_variants")]
        wanted = Counter({(_name(number), f"v{kills}"): ROWS * len(CONTIGS) for number in range(samples)})
    return [
        Limit("loads that were killed", kills, kills > 0),
        Limit("times that the tables were read meanwhile, over 10", seen.reads, seen.reads > 10),
        Limit("versions of samples that readers saw", len(seen.versions), len(seen.versions) > 1),
        Limit("reads that saw a part of a sample, or two versions of it, 0", len(seen.torn), not seen.torn),
        Limit("exit code of the last load, 0", last.returncode, last.returncode == 0),
        Limit(
            "tables whose rows differ from what was loaded, 0",
            sum(found != wanted for found in rows),
            rows == [wanted] * 2,
        ),
    ]


def load_all(endpoint: str, version: int, samples: int) -> None:
    """Load every sample once, as a job does: rows of one version."""
    lake = _lake(endpoint)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for number in range(samples):
        lake.replace_rows("variants", f"s-{_name(number)}", partial(_one_table, _name(number), version))


def make_rows(sample_id: str, version: int) -> pa.Table:
    """Return a sample's rows of one version, which stands in `filters`."""
    table = lake_tables()["variants"]
    required = {column.name: _BY_TYPE[column.type] for column in table.columns if column.required}
    rows = [
        required
        | {"sample_id": sample_id, "submission_id": f"s-{sample_id}", "contig": contig, "position": position + 1}
        | {"filters": f"v{version}"}
        for contig in CONTIGS
        for position in range(ROWS)
    ]
    return pa.Table.from_pylist(rows, schema=table.arrow_schema())


def _one_table(sample_id: str, version: int) -> list[pa.Table]:
    return [make_rows(sample_id, version)]


class _Reader:
    """Counts rows by sample and version, again and again, in a thread of its own."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.reads = 0
        self.versions: set[str] = set()
        self.torn: list[Counter[tuple[str, str]]] = []

    def __enter__(self) -> "_Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._stop.is_set():
            for table in ("variants", "sample_variants"):
                found = _count(self._endpoint, table)
                self.reads += 1
                self.versions |= {version for _, version in found}
                is_whole = all(count == ROWS * len(CONTIGS) for count in found.values())
                if not is_whole or len({sample for sample, _ in found}) != len(found):
                    self.torn.append(found)


def _count(endpoint: str, table: str) -> "Counter[tuple[str, str]]":
    rows = open_catalog(endpoint, _REGION).load_table((DATABASE, table)).scan(selected_fields=("sample_id", "filters"))
    counted = rows.to_arrow().group_by(["sample_id", "filters"]).aggregate([([], "count_all")]).to_pylist()
    return Counter({(row["sample_id"], row["filters"]): row["count_all"] for row in counted})


@contextmanager
def _catalog(folder: Path) -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        catalog = open_catalog(endpoint, _REGION)
        catalog.create_namespace(DATABASE)
        for table in lake_tables().values():
            make_table(catalog, f"file://{folder}", table, table.arrow_schema())
        yield endpoint
    finally:
        server.stop()
        moto_api_backend.reset()  # what it holds is this process's own


def _lake(endpoint: str) -> Lake:
    return Lake(DATABASE, open_catalog(endpoint, _REGION))


def _start(endpoint: str, version: int, samples: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "benchmarks.lake_kills", "--load", endpoint]
    command += ["--version", str(version), "--samples", str(samples)]
    root = str(Path(__file__).resolve().parents[1])
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONWARNINGS": "ignore"})


def _name(number: int) -> str:
    return f"S{number:02d}"


if __name__ == "__main__":
    sys.exit(main())
