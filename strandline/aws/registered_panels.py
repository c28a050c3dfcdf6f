"""A lab's own panels in the references bucket: kept once under name and version, found by both."""

from collections.abc import Iterator

from strandline.aws.objects import S3Objects
from strandline.errors import RejectedInputError
from strandline.interpretation.panels import (
    PANEL_LIMIT_BYTES,
    GenePanel,
    panel_named,
    panel_names,
    parse_panel,
    split_panel_label,
)
from strandline.journey import PANEL_PREFIX, panel_key


class Panels:
    """The panels of a stage. `references` is its references bucket."""

    def __init__(self, references: S3Objects) -> None:
        self._references = references

    def find(self, label: str) -> GenePanel:
        """Return a panel that comes with the platform by its name, a lab's own by `NAME/VERSION`.

        Raises:
            RejectedInputError: `panel_unknown`, and as `parse_panel`.
        """
        own = split_panel_label(label)
        if own is None:
            return panel_named(label)
        key = panel_key(*own)
        if not self._references.exists(key):
            raise RejectedInputError("panel_unknown", f"panel {label} is not registered: see 'strandline panel list'")
        return parse_panel(self._references.read(key, limit_bytes=PANEL_LIMIT_BYTES))

    def add(self, body: bytes) -> tuple[GenePanel, bool]:
        """Register a panel; False with it where the same was registered before.

        Raises:
            RejectedInputError: as `parse_panel`; `panel_conflict`, where name and version mean another content, or the
                name is that of a panel that comes with the platform.
        """
        panel = parse_panel(body)
        if panel.name in panel_names():
            raise RejectedInputError("panel_conflict", f"{panel.name} comes with the platform: give yours another name")
        key = panel_key(panel.name, panel.version)
        if self._references.exists(key):
            if parse_panel(self._references.read(key, limit_bytes=PANEL_LIMIT_BYTES)) != panel:
                raise RejectedInputError(
                    "panel_conflict", f"{panel.name}/{panel.version} is another choice of genes: give it a new version"
                )
            return panel, False
        self._references.write(key, body, content_type="application/json")
        return panel, True

    def listed(self) -> Iterator[GenePanel]:
        """Yield the panels that come with the platform, then the lab's own, by name and version."""
        yield from map(panel_named, panel_names())
        for found in self._references.list_current(PANEL_PREFIX):
            yield parse_panel(self._references.read(found.key, limit_bytes=PANEL_LIMIT_BYTES))
