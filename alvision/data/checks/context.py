"""The data set as every check sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from alvision.core.records import SampleId
from alvision.data.checks.findings import NotApplicable

if TYPE_CHECKING:
    from alvision.data.checks.scan import Scan
    from alvision.data.manifest import Manifest


@dataclass(frozen=True)
class CheckContext:
    """Hold a data set after each image was read once.

    Attributes:
        manifest: The images.
        hashes: sha256 of each image's bytes.
        groups: The group of each row of the manifest, exact duplicates joined.
        scan: What the pass over the images gave.
        classes: The configured classes; None where the configuration names none.
        seed: Of the folds.
        left_out: How many images have a class that is kept from the checks.
    """

    manifest: Manifest
    hashes: Mapping[SampleId, str]
    groups: tuple[str, ...]
    scan: Scan
    classes: tuple[str, ...] | None
    seed: int
    left_out: int = 0

    def id(self, position: int) -> SampleId:
        """Return the id of the image at a position of the scan."""
        return self.manifest.ids[self.scan.rows[position]]

    def label(self, position: int) -> str | None:
        """Return the class of the image at a position of the scan, where it is known."""
        return self.manifest.truth[self.scan.rows[position]]

    def group(self, position: int) -> str:
        """Return the group of the image at a position of the scan."""
        return self.groups[self.scan.rows[position]]

    @cached_property
    def has_groups(self) -> bool:
        """Tell whether the data set names groups."""
        return any(self.manifest.groups)

    @cached_property
    def labelled(self) -> tuple[int, ...]:
        """Return the positions of the scan whose class is known.

        Raises:
            NotApplicable: If none is.
        """
        known = tuple(p for p in range(len(self.scan.rows)) if self.label(p) is not None)
        if not known:
            raise NotApplicable("no class is known yet")
        return known

    def need_files(self) -> None:
        """Raise NotApplicable if the data has no files to check."""
        if self.manifest.features is not None:
            raise NotApplicable("embeddings have no image files")
        if not self.scan.files:
            raise NotApplicable("no image can be read")
