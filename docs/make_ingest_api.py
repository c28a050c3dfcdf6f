"""Write docs/ingest_api.json, the OpenAPI description of the programs' door: `python docs/make_ingest_api.py`."""

import importlib.util
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DESCRIPTION = ROOT / "docs/ingest_api.json"


def describe() -> str:
    """Return the description that the function's own models and routes give."""
    path = ROOT / "lambdas/ingest/handler.py"
    specification = importlib.util.spec_from_file_location("ingest_handler", path)
    if specification is None or specification.loader is None:
        raise RuntimeError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    schema = module.app.get_openapi_json_schema(
        title="Strandline ingest",
        version="1",
        description="Uploads of programs. Sign every request with AWS credentials (SigV4, service execute-api).",
    )
    return json.dumps(json.loads(schema), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    DESCRIPTION.write_text(describe(), encoding="utf-8")
