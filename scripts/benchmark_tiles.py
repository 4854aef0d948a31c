"""Measure how many large photographs a second the pool pass reads in tiles, by megapixel.

    python scripts/benchmark_tiles.py [--quick] [--json FILE] [--write]

Ours is the pass with `data.image.tiles=auto` and tiles of 224 pixels: reading, decoding, cutting,
the network of the benchmark of the pool pass in the precision of this processor, and pooling.
Theirs is the network alone over as many tiles, which lie in memory already: the bound. Weights are
random. The two take turns and the best counts; `--quick` takes one turn and fewer photographs.
"""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path

import figures
import torch
from make_scratches import photograph
from PIL import Image
from pool_task import BATCH, CORES, CPU, NAME, PAGE, SIZE

from alvision.data.image_spec import ImageSpec
from alvision.data.tiles import layout
from alvision.inference.engine import Engine, resolve_precision, threads
from alvision.inference.executor import Executor
from alvision.inference.pool import trunk_features
from alvision.models.backbones import build

SPEC = ImageSpec(SIZE, tiles="auto")
SIZES = ((1160, 870), (2310, 1730), (4000, 3000))
TILES = 1200
"""About so many tiles are run for each size."""


def write(folder: Path, size: tuple[int, int], count: int) -> list[tuple[str, Path]]:
    found = []
    for number in range(count):
        path = folder / f"{size[0]}-{number}.jpg"
        Image.fromarray(photograph(0, number, size, (12, 2), 60.0)[0]).save(path, quality=92)
        found.append((path.name, path))
    return found


def throughput(quick: bool) -> list[figures.Figure]:
    torch.manual_seed(0)
    backbone = build(f"timm:{NAME}", weights=None, features="multilevel")
    engine = Engine(CPU, resolve_precision("auto", CPU), BATCH, CORES)
    normal = {"mean": backbone.mean, "std": backbone.std}
    executor = Executor(backbone.trunk, engine, shape=(SIZE, SIZE), **normal)

    def one_stream(part: torch.Tensor) -> torch.Tensor:
        torch.set_num_threads(engine.share)  # this thread's own number
        return executor(part)

    found = []
    with tempfile.TemporaryDirectory() as name:
        os.environ["ALVISION_CACHE"] = name
        for size in SIZES:
            tiles = prod(layout(size, (SIZE, SIZE), None)[1])
            count = max(2, round((TILES / 8 if quick else TILES) / tiles))
            images = write(Path(name), size, count)
            noise = torch.randint(0, 256, (64, SIZE, SIZE, 3), dtype=torch.uint8)

            def ours(images: list[tuple[str, Path]] = images) -> None:
                chunks = trunk_features(
                    backbone.trunk, images, SPEC, engine, set_aside={}, executor=executor, **normal
                )
                assert sum(len(ids) for ids, _ in chunks) == len(images)

            def network(count: int = count * tiles, noise: torch.Tensor = noise) -> None:
                parts = [noise[: count - start] for start in range(0, count, len(noise))]
                with threads(engine.share), ThreadPoolExecutor(engine.streams) as workers:
                    list(workers.map(one_stream, parts))

            best = figures.best(1 if quick else 3, {"ours": ours, "network": network})
            name_of = f"{prod(size) / 1e6:.0f} megapixels, {tiles} tiles, against the network alone"
            rates = (count / best["ours"], count / best["network"])
            found.append(figures.figure(name_of, "images/s", *rates, figures.NO_TARGET))
    return found


if __name__ == "__main__":
    figures.main(__doc__, {"throughput": throughput}, (PAGE, "tiles"))
