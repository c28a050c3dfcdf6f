"""Files that lie in S3 to be loaded into the lake."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import boto3

from strandline.aws.objects import S3Objects
from strandline.errors import RejectedInputError

_SUFFIXES: Final = (".vcf", ".vcf.gz", ".vcf.bgz")


def fetch_vcfs(source: str, folder: Path) -> Iterator[Path]:
    """Fetch the VCFs below an S3 prefix one after the other; who takes them may delete one before the next.

    Raises:
        RejectedInputError: `import_source`, where it is no S3 prefix or there is no VCF below it.
    """
    place = urlsplit(source)
    if place.scheme != "s3" or not place.netloc:
        raise RejectedInputError("import_source", "the source is an S3 prefix, such as s3://bucket/imports/cohort/")
    bucket = S3Objects(boto3.client("s3"), place.netloc)
    keys = [found.key for found in bucket.list_current(place.path.lstrip("/")) if found.key.endswith(_SUFFIXES)]
    if not keys:
        raise RejectedInputError("import_source", "there is no file of VCF below the source: *.vcf, .vcf.gz, .vcf.bgz")
    for number, key in enumerate(sorted(keys)):
        yield bucket.download(key, folder / f"{number}-{key.rpartition('/')[2]}")
