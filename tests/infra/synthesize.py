"""Synthesize every stage into a folder each, in one process: `python synthesize.py FOLDER`.

The prod stage is reviewed by cdk-nag on the way, once as it is (`prod/`) and once with no finding acknowledged
(`prod-unacknowledged/`), so that tests can compare what was acknowledged with what was found.
"""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import aws_cdk as cdk  # noqa: E402
import cdk_nag  # noqa: E402

import app as application  # noqa: E402
from infra.constructs import acknowledgement  # noqa: E402

GIVEN = {"account": "111122223333", "region": "us-east-1", "aws:cdk:disable-asset-staging": "true"}
PACKS = (cdk_nag.AwsSolutionsChecks, cdk_nag.HIPAASecurityChecks, cdk_nag.NIST80053R5Checks)


class Deaf:
    """Stands in for the CDK's Validations and takes no acknowledgement."""

    @classmethod
    def of(cls, _construct: Any) -> "Deaf":
        return cls()

    def acknowledge(self, *_rules: Any) -> None:
        """Forget them."""


def synthesize(stage: str, folder: Path, *, reviewed: bool) -> None:
    app = application.make_app({**GIVEN, "stage": stage}, outdir=str(folder))
    if not reviewed:
        app.synth()
        return
    cdk.Validations.of(app).add_plugins(*(pack(app) for pack in PACKS))
    try:
        app.synth()
    except Exception as error:
        if "ValidationFailed" not in str(error):
            raise  # findings are in the report, which the tests read


def main(folder: Path) -> None:
    for stage in ("local", "dev", "qa"):
        synthesize(stage, folder / stage, reviewed=False)
    synthesize("prod", folder / "prod", reviewed=True)
    acknowledgement.Validations = Deaf  # type: ignore[misc,assignment]
    synthesize("prod", folder / "prod-unacknowledged", reviewed=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
