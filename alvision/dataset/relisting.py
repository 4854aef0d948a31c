"""Whether the files of a data set have changed since they were listed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from alvision.data.hashes import file_stamp
from alvision.dataset.dataset import DataSet

if TYPE_CHECKING:
    from alvision.core.records import SampleId


def relisted(data: DataSet) -> DataSet | None:
    """Return a data set as it is now; None if no image came, went or changed.

    Raises:
        UserError: The images are not there, as on a drive that was taken away.
    """
    if data.manifest.features is not None:
        return None  # a table is read once: its features are those of all of its rows
    now = DataSet.open(data.config)
    same = now.manifest.ids == data.manifest.ids and now.stamps == data.stamps
    return None if same else now


def has_changed(data: DataSet, ids: Iterable[SampleId]) -> bool:
    """Tell whether the file of one of these images is gone or another one by now."""
    if data.manifest.features is not None:
        return False
    for id in ids:
        stamp = file_stamp(data.manifest.path(id))
        if stamp is None or stamp != data.stamps[id]:
            return True
    return False
