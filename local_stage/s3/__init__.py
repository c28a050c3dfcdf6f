"""S3 that keeps objects on disk, verifies checksums, honours Object Lock and sends one event per object."""

from pathlib import Path

from moto.s3.models import s3_backends

from local_stage.context import StageContext
from local_stage.s3.content import ContentStore
from local_stage.s3.locks import install_locks
from local_stage.s3.notices import Publish, install_notices
from local_stage.s3.objects import StoredKey, install_objects
from local_stage.s3.policies import install_policies

__all__ = ["ContentStore", "install", "local_path"]


def install(context: StageContext, store: ContentStore, publish: Publish) -> None:
    """Change moto's S3. `store` also belongs to the WSGI layer that receives uploads."""
    del context
    install_objects(store)
    install_locks()
    install_notices(publish)
    install_policies()


def local_path(context: StageContext, bucket: str, key: str, version_id: str | None = None) -> Path | None:
    """Return a file with the bytes of an object, or None when there is no such object.

    The file stays as it is as long as the object does. Read it, never change it.
    """
    found = s3_backends[context.account]["aws"].get_object(bucket, key, version_id=version_id)
    if not isinstance(found, StoredKey):
        return None
    return StoredKey.store.as_one_file(found.value)
