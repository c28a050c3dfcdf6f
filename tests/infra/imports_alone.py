"""Import one file with nothing on the path but the folders given: `python -I -S imports_alone.py FILE FOLDER...`."""

import importlib.util
import sys


def main(file: str, folders: list[str]) -> None:
    sys.path[:] = [*(path for path in sys.path if "site-packages" not in path), *folders]
    specification = importlib.util.spec_from_file_location("alone", file)
    if specification is None or specification.loader is None:
        raise SystemExit(f"{file} cannot be loaded")
    specification.loader.exec_module(importlib.util.module_from_spec(specification))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
