"""VCFs that lie in S3 to be loaded into the lake."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

import boto3

from strandline.aws.objects import S3Objects
from strandline.errors import RejectedInputError

VCF_SUFFIXES: Final = (".vcf", ".vcf.gz", ".vcf.bgz")


def list_vcfs(source: str, endpoint_url: str | None = None) -> list[str]:
    """Return the places of the VCFs below an S3 prefix, `s3://BUCKET/KEY` each.

    Raises:
        RejectedInputError: `import_source`, where it is no S3 prefix or there is no VCF below it.
    """
    place = urlsplit(source)
    if place.scheme != "s3" or not place.netloc:
        raise RejectedInputError("import_source", "the source is an S3 prefix, such as s3://bucket/imports/cohort/")
    bucket = S3Objects(boto3.client("s3", endpoint_url=endpoint_url), place.netloc)
    keys = [found.key for found in bucket.list_current(place.path.lstrip("/")) if found.key.endswith(VCF_SUFFIXES)]
    if not keys:
        raise RejectedInputError("import_source", "there is no file of VCF below the source: *.vcf, .vcf.gz, .vcf.bgz")
    return [f"s3://{place.netloc}/{key}" for key in sorted(keys)]


@contextmanager
def at_hand(source: str, endpoint_url: str | None = None) -> Iterator[Path]:
    """Yield the path of a file here: of one in S3, that of a copy which is removed at the end."""
    place = urlsplit(source)
    if place.scheme != "s3":
        yield Path(source)
        return
    bucket = S3Objects(boto3.client("s3", endpoint_url=endpoint_url), place.netloc)
    with TemporaryDirectory(prefix="strandline-") as scratch:
        yield bucket.download(place.path.lstrip("/"), Path(scratch) / place.path.rpartition("/")[2])
