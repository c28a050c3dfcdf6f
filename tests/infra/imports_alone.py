"""Import one file in a bare interpreter: `python -I -S imports_alone.py FILE NAMES FOLDER...`.

Nothing is on the path but the standard library and the folders. Where NAMES is not empty, only those top-level modules
(comma-separated) and the standard library can be imported from them.
"""

import importlib.abc
import importlib.util
import sys
from importlib.machinery import ModuleSpec


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


def main(file: str, names: str, folders: list[str]) -> None:
    sys.path[:] = [*(path for path in sys.path if "site-packages" not in path), *folders]
    if names:
        sys.meta_path.insert(0, Gate(set(names.split(","))))
    specification = importlib.util.spec_from_file_location("alone", file)
    if specification is None or specification.loader is None:
        raise SystemExit(f"{file} cannot be loaded")
    specification.loader.exec_module(importlib.util.module_from_spec(specification))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
