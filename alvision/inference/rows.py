"""Store the rows of a pass in memory, or in a memory map in half precision."""

from __future__ import annotations

import mmap
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


class Rows:
    """A field of predictions that grows row by row, without a second copy at the end.

    Args:
        count: Most rows that there will be.
        folder: Put them into a file here, mapped into memory, as fp16; the system may then take
            the memory back whenever it needs it. The file is gone when nobody uses it any more.
    """

    def __init__(self, count: int, folder: Path | None = None) -> None:
        self.count, self.folder = count, folder
        self.filled = 0
        self._values: Tensor | None = None
        self._map: mmap.mmap | None = None

    def add(self, values: Float[Tensor, "b ..."]) -> None:
        """Append rows.

        Raises:
            OSError: The disk is too small for the file.
        """
        if self._values is None:
            self._values = self._allocate(values)
        self._values[self.filled : self.filled + len(values)] = values
        self.filled += len(values)
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    @property
    def values(self) -> Float[Tensor, "n ..."] | None:
        """Return all rows; None if there are none."""
        return None if self._values is None else self._values[: self.filled]

    def _allocate(self, values: Tensor) -> Tensor:
        shape = (self.count, *values.shape[1:])
        if self.folder is None:
            return torch.empty(shape, dtype=values.dtype)
        self.folder.mkdir(parents=True, exist_ok=True)
        size = max(1, 2 * int(np.prod(shape)))
        handle, name = tempfile.mkstemp(dir=self.folder)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, 0, size)  # a full disk fails now, not by a crash later
            else:
                os.truncate(handle, size)
            self._map = mmap.mmap(handle, size)
        finally:
            os.close(handle)
            with suppress(OSError):  # Windows keeps a file while it is mapped
                Path(name).unlink()
        return torch.frombuffer(self._map, dtype=torch.float16, count=size // 2).view(shape)
