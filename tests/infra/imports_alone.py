"""Import files in a bare interpreter: `python -I -S imports_alone.py NAMES FOLDERS FILE...`.

Nothing is on the path but the standard library and the folders, parted by colons. Where NAMES is not empty, only those
top-level modules (parted by commas) and the standard library can be imported from them; where it is, as for functions,
a file's own folder is on the path before the others. Each file is imported in a process of its own; what every function
needs is imported before these are forked, from the same folders.
Says on stdout, as JSON, what was wrong by file; of one that can be imported it says nothing.
"""

import importlib
import importlib.abc
import importlib.util
import json
import os
import sys
import traceback
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from tempfile import TemporaryFile

OF_EVERY_FUNCTION = ("boto3", "pydantic", "aws_lambda_powertools")


class Gate(importlib.abc.MetaPathFinder):
    """Refuses every top-level module but the standard library's and `names`."""

    def __init__(self, names: set[str]) -> None:
        self._names = names | set(sys.stdlib_module_names)

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> ModuleSpec | None:
        """Refuse, or leave the search to the finders behind this one."""
        name = fullname.partition(".")[0]
        if name not in self._names and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"No module named {fullname!r} among what is pinned", name=fullname)
        return None


def main(names: str, folders: str, files: list[str]) -> None:
    sys.path[:] = [*(path for path in sys.path if "site-packages" not in path), *folders.split(":")]
    if names:
        sys.meta_path.insert(0, Gate(set(names.split(","))))
    for name in () if names else OF_EVERY_FUNCTION:
        with suppress(ImportError):  # whichever file needs it says so
            importlib.import_module(name)
    said = {file: wrong_with(file, [] if names else [str(Path(file).parent)]) for file in files}
    sys.stdout.write(json.dumps({file: wrong for file, wrong in said.items() if wrong}))


def wrong_with(file: str, own: list[str]) -> str:
    """Import a file in a process of its own and return its traceback, or how the process ended otherwise."""
    with TemporaryFile() as report:
        pid = os.fork()
        if pid == 0:
            try:
                sys.path[:0] = own
                load(file)
            except BaseException:  # whatever it is, it is the answer
                report.write(traceback.format_exc().encode())
                report.flush()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        report.seek(0)
        return report.read().decode() or (f"ended with status {status}" if status else "")


def load(file: str) -> None:
    specification = importlib.util.spec_from_file_location("alone", file)
    if specification is None or specification.loader is None:
        raise SystemExit(f"{file} cannot be loaded")
    specification.loader.exec_module(importlib.util.module_from_spec(specification))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
