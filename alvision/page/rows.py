"""Rows of a table on the page: their text, further columns, and whether they have an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alvision.core.records import SampleId

if TYPE_CHECKING:
    from alvision.data.manifest import Manifest

SNIPPET = 160
"""Letters of a text where there is room for a thumbnail."""


@dataclass(frozen=True)
class ShownRow:
    """What people are shown of a row.

    Attributes:
        sha256: Names its content, as the bytes of a photograph do.
        text: The text that is asked about; None: there is none.
        fields: Further columns and their cells.
        pictured: There is an image.
    """

    sha256: str
    text: str | None
    fields: tuple[tuple[str, str], ...]
    pictured: bool

    def snippet(self) -> str:
        r"""Return the beginning of the row in one line.

        >>> ShownRow("", "Pump  leaks\nsince Monday", (), False).snippet()
        'Pump leaks since Monday'
        """
        words = self.text or ", ".join(f"{name} {cell}" for name, cell in self.fields)
        line = " ".join(words.split())
        return line if len(line) <= SNIPPET else line[: SNIPPET - 1] + "…"


def shown_rows(manifest: Manifest, hashes: Mapping[SampleId, str]) -> dict[SampleId, ShownRow]:
    """Return what is shown of each row of a table; nothing where the data are photographs."""
    return {
        id: ShownRow(hashes[id], one.text, one.fields, one.pictured)
        for id, one in zip(manifest.ids, manifest.shown, strict=True)
        if one is not None
    }
