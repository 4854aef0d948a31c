"""The scan of a pool: one pure function of a shard, from the rows of a manifest to a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from alvision.core.errors import UserError
from alvision.data.storage.ahead import ahead
from alvision.data.storage.stored_path import ImagePath
from alvision.inference.pool import CHANGED

if TYPE_CHECKING:
    import pyarrow

OK, UNREADABLE, CHANGED_STATUS = "ok", "unreadable", "changed"
"""What became of a row."""
WINDOW = 128
"""Objects that are on their way, or here and not decoded yet."""

Reader = Callable[
    [Sequence[tuple[str, ImagePath]], dict[str, str]],
    Iterator[tuple[tuple[str, ...], Tensor, Tensor]],
]
"""Gives ids, features [b,D] and probabilities [b,C] of images, and sets aside the others."""


def scan(
    images: Sequence[tuple[str, ImagePath]],
    read: Reader,
    classes: Sequence[str],
    *,
    project: int = 0,
) -> pyarrow.Table:
    """Return a row for each image, in their order, whatever became of it.

    Its columns: `id`, `status` (`ok`, `unreadable`, `changed`), `error`, `features` in 16 bits and
    `probabilities`, whose classes stand in the table's own notes. Features and probabilities are
    null where an image cannot be used.

    Args:
        images: Ids, and where they lie.
        read: Runs the model.
        classes: The model's classes.
        project: Dimensions that features are projected to by fixed random directions; 0: none.

    Raises:
        UserError: An id comes twice, or the storage refuses.
    """
    import pyarrow

    row_of = {id: row for row, (id, _) in enumerate(images)}
    if len(row_of) < len(images):
        often = Counter(id for id, _ in images).most_common(1)[0][0]
        raise UserError(f"the manifest lists the id {often!r} more than once: give each its own")
    aside: dict[str, str] = {}
    features: np.ndarray | None = None
    probabilities = np.zeros((len(images), len(classes)), np.float32)
    good = np.zeros(len(images), bool)
    with ahead(images, WINDOW) as coming:
        for ids, values, chances in read(coming, aside):
            found = values if not project else values @ directions(values.shape[1], project)
            if features is None:
                features = np.zeros((len(images), found.shape[1]), np.float16)
            rows = [row_of[id] for id in ids]
            features[rows] = found.numpy().astype(np.float16)
            probabilities[rows] = chances.numpy()
            good[rows] = True
    errors = [aside.get(id) for id, _ in images]
    status = [
        OK if fine else CHANGED_STATUS if error == CHANGED else UNREADABLE
        for fine, error in zip(good, errors, strict=True)
    ]
    return pyarrow.table(
        {
            "id": pyarrow.array([id for id, _ in images], pyarrow.string()),
            "status": pyarrow.array(status, pyarrow.string()),
            "error": pyarrow.array(errors, pyarrow.string()),
            "features": _vectors(np.zeros((len(images), project or 1), np.float16)
                                 if features is None else features, good),
            "probabilities": _vectors(probabilities, good),
        },
        metadata={"classes": "\n".join(classes)},
    )  # fmt: skip


@lru_cache(maxsize=4)
def directions(width: int, project: int) -> Tensor:
    """Return fixed random directions [D,P] that keep distances about as they are.

    Gaussian, with variance 1/P (Johnson and Lindenstrauss; doi 10.1006/jcss.2003.0025, section 1).
    """
    generator = torch.Generator().manual_seed(0)
    return torch.randn(width, project, generator=generator) / project**0.5


def _vectors(values: np.ndarray, good: np.ndarray) -> pyarrow.Array:
    import pyarrow

    flat = pyarrow.array(values.reshape(-1))
    return pyarrow.FixedSizeListArray.from_arrays(flat, values.shape[1], mask=pyarrow.array(~good))
