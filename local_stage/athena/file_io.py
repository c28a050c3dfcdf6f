"""Lets pyiceberg, inside the server, read objects where they lie on disk and write them through S3's own door."""

import io
from pathlib import Path
from typing import Any

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream
from pyiceberg.typedef import EMPTY_DICT, Properties

from local_stage import s3
from local_stage.context import StageContext, stage_client

ENDPOINT = "stage.endpoint"
STATE_DIR = "stage.state-dir"


def file_io_properties(context: StageContext) -> dict[str, str]:
    """Return the catalog properties that make pyiceberg use `StageFileIO`."""
    name = f"{StageFileIO.__module__}.{StageFileIO.__name__}"
    return {"py-io-impl": name, ENDPOINT: context.endpoint_url, STATE_DIR: str(context.state_dir)}


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key.

    >>> split_uri("s3://lake/variants/metadata/1.json")
    ('lake', 'variants/metadata/1.json')
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in {"s3", "s3a"} or not bucket:
        raise ValueError(f"{uri}: not an S3 address")
    return bucket, key


def object_file(context: StageContext, uri: str) -> Path:
    """Return a file that holds the bytes of an object.

    Raises:
        FileNotFoundError: there is no such object.
    """
    found = s3.local_path(context, *split_uri(uri))
    if found is None:
        raise FileNotFoundError(f"{uri}: there is no such object")
    return found


class StageFileIO(FileIO):
    """pyiceberg's door to the objects of this embedded AWS."""

    def __init__(self, properties: Properties = EMPTY_DICT) -> None:
        super().__init__(properties)
        self._context = StageContext(properties[ENDPOINT], Path(properties[STATE_DIR]))

    def new_input(self, location: str) -> "_StoredFile":
        """Return an object to read."""
        return _StoredFile(location, self._context)

    def new_output(self, location: str) -> "_NewFile":
        """Return an object to write."""
        return _NewFile(location, self._context)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete an object."""
        uri = location if isinstance(location, str) else location.location
        bucket, key = split_uri(uri)
        stage_client("s3", self._context.endpoint_url).delete_object(Bucket=bucket, Key=key)


class _StoredFile(InputFile):
    def __init__(self, location: str, context: StageContext) -> None:
        super().__init__(location)
        self._context = context

    def __len__(self) -> int:
        return object_file(self._context, self.location).stat().st_size

    def exists(self) -> bool:
        try:
            object_file(self._context, self.location)
        except (FileNotFoundError, LookupError):
            return False
        return True

    def open(self, seekable: bool = True) -> InputStream:
        del seekable
        return object_file(self._context, self.location).open("rb")


class _NewFile(OutputFile):
    def __init__(self, location: str, context: StageContext) -> None:
        super().__init__(location)
        self._context = context

    def __len__(self) -> int:
        return len(self.to_input_file())

    def exists(self) -> bool:
        return self.to_input_file().exists()

    def to_input_file(self) -> _StoredFile:
        return _StoredFile(self.location, self._context)

    def create(self, overwrite: bool = False) -> OutputStream:
        if not overwrite and self.exists():
            raise FileExistsError(f"{self.location}: there is such an object already")
        return _Upload(self.location, self._context)


class _Upload(io.BytesIO):
    """Collects a metadata file, and puts it into S3 when it is closed."""

    def __init__(self, location: str, context: StageContext) -> None:
        super().__init__()
        self._location = location
        self._client: Any = stage_client("s3", context.endpoint_url)

    def close(self) -> None:
        if not self.closed:
            bucket, key = split_uri(self._location)
            self._client.put_object(Bucket=bucket, Key=key, Body=self.getvalue())
        super().close()
