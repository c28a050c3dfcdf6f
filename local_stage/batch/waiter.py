"""Runs one job of one image, whose libraries it imports while it waits: `python waiter.py JOB_FILE`.

One line of JSON on stdin says what to run: `argv`, `env` (the whole environment) and `cwd`. Importing a job file has
no effects, so the work begins only when the file runs as a program. Where no job comes for a while it ends, with the
exit code that means "try again": a job handed over in that very moment is not taken for done.
"""

import importlib.util
import json
import os
import runpy
import select
import sys
import tempfile

_PATIENCE_S = 300.0
_TRY_AGAIN = 75


def main(job_file: str) -> int:
    """Import what the job imports, wait, and become the job."""
    sys.path[0] = os.path.dirname(job_file)  # noqa: PTH120 - as the interpreter does for `python JOB_FILE`
    spec = importlib.util.spec_from_file_location("job_in_waiting", job_file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{job_file} cannot be imported")
    sys.dont_write_bytecode = True  # a program's own file leaves none beside it either
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    sys.dont_write_bytecode = False
    ready, _, _ = select.select([sys.stdin], [], [], _PATIENCE_S)
    line = sys.stdin.readline() if ready else ""
    if not line:
        return _TRY_AGAIN
    asked = json.loads(line)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    tempfile.tempdir = None  # it may have been asked for already, in another environment
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = [job_file, *asked["argv"]]
    runpy.run_path(job_file, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
