"""Synthesize one stage: `python app.py -c stage=local`, or through `cdk deploy -c stage=dev --all`.

Output goes to CDK_OUTDIR, else to cdk.out/. Context: `stage`; `account` and `region` (else CDK_DEFAULT_ACCOUNT and
CDK_DEFAULT_REGION, which the CDK's command line sets); `alarm_email`.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

from infra.start import prepare_cdk

prepare_cdk()  # before the CDK is imported

import aws_cdk as cdk  # noqa: E402

from infra.application import add_stacks  # noqa: E402
from infra.bundling import PackagingError  # noqa: E402
from infra.stages import STAGES, StageConfig  # noqa: E402

ROOT = Path(__file__).resolve().parent
_LOCAL_CONTEXT = {
    "aws:cdk:disable-asset-staging": True,  # this machine reads packages where they lie
    "@aws-cdk/core:validateAgainstDefaultRules": False,  # a second of start-up; the tests lint this stage too
}


def main() -> None:
    """Write the cloud assembly of the stage that the context asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--context", action="append", default=[], metavar="KEY=VALUE")
    given = dict(pair.split("=", 1) for pair in parser.parse_args().context)
    try:
        make_app(given, outdir=os.environ.get("CDK_OUTDIR", str(ROOT / "cdk.out"))).synth()
    except PackagingError as error:
        raise SystemExit(f"strandline: {error}") from None


def make_app(given: dict[str, str], *, outdir: str) -> cdk.App:
    """The app with all stacks of one stage. `given` is context beside that of cdk.json."""
    flags = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = cdk.App(outdir=outdir, context={**flags, **given}, analytics_reporting=False)
    stage = _stage(app)
    if stage.name == "local":
        for key, value in _LOCAL_CONTEXT.items():
            app.node.set_context(key, value)
    account = stage.fixed_account or _context(app, "account") or os.environ.get("CDK_DEFAULT_ACCOUNT")
    region = stage.fixed_region or _context(app, "region") or os.environ.get("CDK_DEFAULT_REGION")
    if not account or not region:
        raise SystemExit(f"strandline: stage {stage.name} needs -c account=... -c region=..., or AWS credentials")
    zones = [f"{region}{suffix}" for suffix in stage.zone_suffixes]
    app.node.set_context(f"availability-zones:account={account}:region={region}", zones)  # else the CLI looks them up
    add_stacks(app, stage, account=account, region=region)
    return app


def _stage(app: cdk.App) -> StageConfig:
    name = _context(app, "stage")
    if name is None or name not in STAGES:
        raise SystemExit(f"strandline: say which stage with -c stage=..., one of: {', '.join(STAGES)}")
    return replace(STAGES[name], alarm_email=_context(app, "alarm_email"))


def _context(app: cdk.App, key: str) -> str | None:
    value = app.node.try_get_context(key)
    return None if value is None else str(value)


if __name__ == "__main__":
    main()
