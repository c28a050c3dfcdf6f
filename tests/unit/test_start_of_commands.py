"""What a command loads before it does anything: a second that every user pays on every command."""

import subprocess
import sys

LOADED = """
import sys
import strandline.cli.main, strandline.cli.analysis, strandline.cli.ground, local_stage.lifecycle
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_a_command_loads_neither_the_embedded_aws_nor_what_only_functions_need():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"strandline", "local_stage", "boto3"} <= loaded
    assert not loaded & {"moto", "werkzeug", "aws_lambda_powertools", "aws_xray_sdk", "duckdb", "pyarrow"}
