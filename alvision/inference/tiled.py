"""Photographs as bags of tiles in the pool pass: batches of tiles, features of photographs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from alvision.core.errors import UserError
from alvision.data.image_spec import ImageSpec
from alvision.data.storage.stored_path import ImagePath
from alvision.data.tile_sizes import bytes_of, first_count, largest, tiles_of
from alvision.inference.engine import Engine
from alvision.inference.memory import available
from alvision.models import bags


def pooled(run: Callable[[Tensor], Tensor], photographs: Sequence[np.ndarray]) -> Tensor:
    """Return the features of photographs, [b,E].

    Args:
        run: Gives the features of any number of tiles, see `executor.Executor`.
        photographs: Bags of tiles, uint8 [rows,columns,h,w,3] each.
    """
    flat = [one.reshape(-1, *one.shape[2:]) for one in photographs]
    # One photograph, the usual case, is not copied.
    features = run(torch.from_numpy(flat[0] if len(flat) == 1 else np.concatenate(flat)))
    return torch.cat([bags.pool(part) for part in features.split([len(one) for one in flat])])


def regrouped(
    batches: Sequence[Sequence[tuple[str, ImagePath]]], spec: ImageSpec, rows: int
) -> list[Sequence[tuple[str, ImagePath]]]:
    """Split batches into so many photographs that their tiles fill about one batch of tiles.

    So memory holds one photograph a thread where photographs are large, and where they are small a
    device still gets full batches.

    Args:
        batches: Ids and files.
        spec: The evaluation transform.
        rows: Tiles that run together.
    """
    tiles = first_count((path for batch in batches for _, path in batch), spec)
    together = max(1, rows // (tiles or rows))
    return [
        batch[start : start + together]
        for batch in batches
        for start in range(0, len(batch), together)
    ]


def bytes_at_once(paths: Sequence[ImagePath], spec: ImageSpec, engine: Engine) -> int:
    """Return the bytes of the photographs that are in the making at once, one a stream.

    Raises:
        UserError: This computer has not so much memory.
    """
    size = largest(paths, spec)
    if size is None:
        return 0
    one, free = bytes_of(size, spec), available()
    if free is not None and engine.streams * one > free:
        raise UserError(
            f"data.image.tiles={spec.tiles}: a photograph of {size[0]} x {size[1]} pixels with its "
            f"{tiles_of(size, spec)} tiles takes {one / 1e9:.2f} GB in each of {engine.streams} "
            f"threads, and {free / 1e9:.2f} GB are free: set a number, such as data.image.tiles="
            f"{max(1, (tiles_of(size, spec) or 2) // 4)}, or trainer.num_workers=1"
        )
    return engine.streams * one
