"""Well-known data sets of small images, fetched by torchvision and laid out as PNG files.

MNIST, FashionMNIST and KMNIST are read by torchvision's own classes from their IDX files. CIFAR-10
is read from its *binary* version, plain bytes: the version that torchvision reads is a pickle, and
alvision opens none. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from alvision.core.errors import UserError
from alvision.data.cache import cache_folder
from alvision.data.sources.rows import Listing, Row, absolute

if TYPE_CHECKING:
    import numpy as np

    from alvision.config.schema import DataConfig

IDX_SETS = ("MNIST", "FashionMNIST", "KMNIST")
CIFAR10 = "CIFAR10"
CIFAR10_FOLDER = "cifar-10-batches-bin"
CIFAR10_ARCHIVE = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CIFAR10_BATCHES = {
    "train": [f"data_batch_{n}.bin" for n in range(1, 6)],
    "test": ["test_batch.bin"],
}
CIFAR10_RECORD = 1 + 3 * 32 * 32


class _Part(NamedTuple):
    """The images of `train` or `test`: uint8 [N, H, W] or [N, H, W, 3], and their classes."""

    images: np.ndarray
    labels: list[str]


def torchvision_set(cfg: DataConfig) -> Listing:
    """List the images of `data.dataset`; its own test part is the test part.

    The files are looked for in `data.root`, by default a folder of the cache, and fetched if they
    are not there. The images are written once as PNG files into the cache, named by their content.

    Raises:
        UserError: An unknown data set; its files are damaged, or neither there nor to be fetched.
    """
    name = cfg.dataset
    if name not in (CIFAR10, *IDX_SETS):
        known = " | ".join((CIFAR10, *IDX_SETS))
        raise UserError(f"data=torchvision needs data.dataset={known}, and it is {name}")
    root = absolute(cfg.root) if cfg.root else cache_folder() / "datasets"
    parts = _cifar10(root) if name == CIFAR10 else _idx(str(name), root)
    folder = _laid_out(str(name), parts)
    return Listing(
        folder,
        [
            Row(id, folder / id, truth=label, split=split)
            for split, part in parts.items()
            for id, label in zip(_ids(split, part), part.labels, strict=True)
        ],
    )


def _idx(name: str, root: Path) -> dict[str, _Part]:
    import torchvision.datasets

    dataset = getattr(torchvision.datasets, name)
    where = root / name / "raw"
    needs = f"put its four IDX files ({', '.join(f for f, _ in dataset.resources)}) into {where}"
    if not all((where / Path(file).stem).exists() for file, _ in dataset.resources):
        _fetched(lambda: dataset(root, download=True), name, root, needs)
    parts = {}
    for split in ("train", "test"):
        try:
            read = dataset(root, train=split == "train")
            images = read.data.numpy()
            labels = [read.classes[number] for number in read.targets.tolist()]
            if images.ndim != 3 or images.dtype != "uint8" or len(images) != len(labels):
                raise ValueError(f"{images.dtype} {images.shape} images, {len(labels)} labels")
        except (ValueError, IndexError, AssertionError, RuntimeError, OSError, TypeError) as error:
            raise UserError(f"{where} does not hold {name}: {_line(error)}; {needs}") from None
        parts[split] = _Part(images, labels)
    return parts


def _cifar10(root: Path) -> dict[str, _Part]:
    import numpy as np
    from torchvision.datasets.utils import download_and_extract_archive

    where = root / CIFAR10_FOLDER
    needs = f"unpack the archive of its binary version, {CIFAR10_ARCHIVE}, there"
    if not where.is_dir():
        _fetched(
            lambda: download_and_extract_archive(CIFAR10_ARCHIVE, str(root), md5=CIFAR10_MD5),
            CIFAR10,
            root,
            needs,
        )
    try:
        names = (where / "batches.meta.txt").read_text(encoding="ascii").split()
        parts = {}
        for split, files in CIFAR10_BATCHES.items():
            data = b"".join((where / file).read_bytes() for file in files)
            records = np.frombuffer(data, np.uint8).reshape(-1, CIFAR10_RECORD)
            images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            parts[split] = _Part(images, [names[number] for number in records[:, 0]])
    except (OSError, ValueError, IndexError) as error:
        raise UserError(f"{where} does not hold {CIFAR10}: {_line(error)}; {needs}") from None
    return parts


def _fetched(fetch: Callable[[], object], name: str, root: Path, needs: str) -> None:
    there = root.exists()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            root.mkdir(parents=True, exist_ok=True)
            fetch()
    except (OSError, RuntimeError, ValueError) as error:
        if not there:
            shutil.rmtree(root, ignore_errors=True)
        raise UserError(
            f"{name} is not in {root} and cannot be fetched ({_line(error)}): {needs}"
        ) from None


def _laid_out(name: str, parts: dict[str, _Part]) -> Path:
    """Write the images as PNG files, once, and return their folder."""
    import numpy as np
    from PIL import Image

    digest = hashlib.sha256()
    for part in parts.values():
        digest.update(np.ascontiguousarray(part.images).tobytes())
    folder = cache_folder() / "datasets" / f"{name}-{digest.hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        for split, part in parts.items():
            (beside / split).mkdir()
            for id, pixels in zip(_ids(split, part), part.images, strict=True):
                Image.fromarray(pixels).save(beside / id, compress_level=1)
        with contextlib.suppress(OSError):  # another process was first
            os.replace(beside, folder)  # noqa: PTH105 (of a folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _ids(split: str, part: _Part) -> list[str]:
    return [f"{split}/{number:05d}.png" for number in range(len(part.labels))]


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
