"""The description of the programs' door is the one that the function's models give. Requirement: ING-02."""

from tests.integration.conftest import ROOT, load


def test_the_open_api_description_is_up_to_date():
    made = load(ROOT / "docs/make_ingest_api.py")
    assert made.DESCRIPTION.read_text() == made.describe(), "run: .venv/bin/python docs/make_ingest_api.py"
