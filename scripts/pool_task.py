"""Make what the benchmarks of the pool pass work on: photographs, two networks, and the passes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from alvision.acquisition import entropy
from alvision.data.images import ImageSpec, load
from alvision.inference.engine import Engine, resolve_precision, threads
from alvision.inference.executor import Executor
from alvision.inference.pool import collect, trunk_features
from alvision.models.backbones import Backbone, build
from alvision.models.heads import Head

NAME, SIZE, CLASSES, BATCH, PASSES = "tf_efficientnet_lite0", 224, 6, 32, 20
POOL, FEW = 512, 64
CPU, SPEC = torch.device("cpu"), ImageSpec(SIZE)
CORES = torch.get_num_threads()
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def write_images(folder: Path, count: int) -> list[Path]:
    """Write photographs of 640 x 480: smooth shades and some grain."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(count):
        shades = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize((640, 480))
        grain = rng.integers(-8, 9, (480, 640, 1))
        pixels = np.clip(np.asarray(shades) + grain, 0, 255).astype(np.uint8)
        paths.append(folder / f"{i:04}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=90)
    return paths


@contextmanager
def photographs() -> Iterator[list[Path]]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ALVISION_CACHE"] = str(Path(folder) / "cache")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(folder) / "compiled")
        (Path(folder) / "pool").mkdir()
        yield write_images(Path(folder) / "pool", POOL)


class Plain(Dataset[tuple[Tensor, int]]):
    """The images as tensors, scaled in the worker, and a target that nobody reads."""

    def __init__(self, paths: list[Path], backbone: Backbone) -> None:
        self.paths = paths
        self.mean, self.std = (
            torch.tensor(v)[:, None, None] for v in (backbone.mean, backbone.std)
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        pixels = torch.from_numpy(load(self.paths[row], SPEC))
        image = pixels.permute(2, 0, 1).contiguous().float() / 255
        return (image - self.mean) / self.std, 0


def plain_pass(paths: list[Path], backbone: Backbone) -> Tensor:
    loader = DataLoader(Plain(paths, backbone), batch_size=BATCH, num_workers=CORES)
    with torch.inference_mode():
        return torch.cat([backbone.trunk(images) for images, _ in loader])


def engine(kind: str = "eager") -> Engine:
    return Engine(CPU, resolve_precision("auto", CPU), BATCH, CORES, kind=kind)


def prepared(backbone: Backbone, kind: str) -> Executor:
    """Return the trunk on an engine, as a run makes it ready once."""
    with threads(1):
        return Executor(
            backbone.trunk, engine(kind), mean=backbone.mean, std=backbone.std, shape=(SIZE, SIZE)
        )


def own_pass(
    paths: list[Path],
    backbone: Backbone,
    passes: int,
    field: str = "scores",
    executor: Executor | None = None,
) -> Tensor:
    """Run the pool pass; without an executor the trunk is made ready first."""
    head = Head(backbone.width, CLASSES)
    masks = head.masks(passes, torch.Generator().manual_seed(0))
    images, on = [(path.name, path) for path in paths], executor.engine if executor else engine()
    chunks = trunk_features(
        backbone.trunk, images, SPEC, on,
        mean=backbone.mean, std=backbone.std, set_aside={}, executor=executor,
    )  # fmt: skip
    pool = collect(
        chunks, needs={field}, log_probs=lambda f: head.passes(f, masks), score=entropy,
        count=len(paths),
    )  # fmt: skip
    result: Tensor = getattr(pool, field)
    return result


def networks() -> tuple[Backbone, Backbone]:
    """Return a trunk twice: ours is changed to channels_last, theirs is not."""
    torch.manual_seed(0)
    own, plain = build(NAME, None), build(NAME, None)
    plain.trunk.load_state_dict(own.trunk.state_dict())
    return own, plain
