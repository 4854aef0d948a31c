"""Measure what pooling tiles is worth, on photographs with one small defect: macro-F1.

    python scripts/make_scratches.py --out /tmp/scratches --images 192
    python scripts/measure_tiles.py --keep /tmp/scratches/kept data=csv data.root=/tmp/scratches \
        data.file=labels.csv

Each way is given the same splits, labels at random and heads: half of the photographs are held
out, `--labels` of the rest are labelled. The first rows are whole photographs at `data.image.size`
and at `--large`. The features of each photograph's tiles are pooled in every way at once and kept
in `--keep`, so that a second call goes on where the first ended. The table has the mean over
`--seeds` draws, its 95 % interval (Student's t) and the worst draw.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from scipy import stats
from sklearn.metrics import f1_score
from torch import Tensor

from alvision.config.compose import configuration
from alvision.config.schema import RunConfig
from alvision.core.seeding import generator
from alvision.data.decoding import decode
from alvision.data.manifest import Manifest
from alvision.data.splits import simulated_split
from alvision.dataset.dataset import DataSet
from alvision.models import bags
from alvision.training import Learner

K = 4
"""Tiles of top-k pooling."""


def _top(tiles: Tensor) -> Tensor:
    return tiles.topk(min(K, len(tiles)), dim=0).values.mean(0)


POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "tiles, mean": lambda tiles: tiles.mean(0),
    "tiles, maximum": lambda tiles: tiles.amax(0),
    f"tiles, mean of the top {K}": _top,
    "tiles, mean, maximum and top": lambda tiles: torch.cat(
        [tiles.mean(0), tiles.amax(0), _top(tiles)]
    ),
    "tiles, standing out": lambda tiles: bags.pool(tiles)[0].chunk(bags.PARTS)[1],
    "tiles, mean and standing out": lambda tiles: torch.cat(
        [tiles.mean(0), bags.pool(tiles)[0].chunk(bags.PARTS)[1]]
    ),
    "tiles, maximum and standing out (default)": lambda tiles: bags.pool(tiles)[0],
}


def learner_of(data: DataSet, config: RunConfig, seed: int, manifest: Manifest) -> Learner:
    split = simulated_split(data.manifest, data.groups, seed=seed, share=0.5, fold=None)
    return Learner(
        manifest, data.hashes, data.classes, config.data, config.model, config.trainer, seed,
        data.groups, pool=split.pool, progress=True,
    )  # fmt: skip


def pooled(data: DataSet, config: RunConfig, keep: Path) -> dict[str, np.ndarray]:
    """Return the features [N,E] of every photograph in every way."""
    keep.mkdir(parents=True, exist_ok=True)
    features = learner_of(data, config, 0, data.manifest).features
    rows: dict[str, list[np.ndarray]] = {name: [] for name in POOLS}
    for id in track(data.manifest.ids, "tiles"):
        file = keep / f"{data.hashes[id]}.npz"
        if not file.exists():
            path = data.manifest.path(id)
            tiles = features.tiles(decode(path.read_bytes(), features.spec, path))
            beside = file.with_suffix(".part.npz")
            np.savez(beside, *(pool(tiles).numpy() for pool in POOLS.values()))
            beside.replace(file)
        with np.load(file, allow_pickle=False) as kept:
            for number, name in enumerate(POOLS):
                rows[name].append(kept[f"arr_{number}"])
    return {name: np.stack(found) for name, found in rows.items()}


def score(data: DataSet, learner: Learner, seed: int, labels: int) -> float:
    """Return macro-F1 on the held-out half after so many random labels."""
    truth = dict(zip(data.manifest.ids, data.manifest.truth, strict=True))
    split = simulated_split(data.manifest, data.groups, seed=seed, share=0.5, fold=None)
    order = torch.randperm(len(split.pool), generator=generator(seed, "order")).tolist()
    known = [split.pool[row] for row in order[:labels]]
    model = learner.fit({id: str(truth[id]) for id in known}, round=0)
    said = learner.predict(model, split.held_out)
    called = [said.classes[column] for column in said.values.argmax(1)]
    return float(f1_score([truth[id] for id in said.ids], called, average="macro"))


def row(name: str, scores: list[float]) -> str:
    """Write a line of the table.

    >>> row("tiles", [0.9, 0.9, 0.9])
    '| tiles | 0.900 | 0.900 to 0.900 | 0.900 |'
    """
    found = np.array(scores)
    half = stats.t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / len(found) ** 0.5
    low, high = found.mean() - half, found.mean() + half
    return f"| {name} | {found.mean():.3f} | {low:.3f} to {high:.3f} | {found.min():.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, required=True, help="folder for pooled features")
    parser.add_argument("--labels", type=int, default=96)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--large", type=int, default=1120, help="0: leave that row out")
    parser.add_argument("words", nargs="+", help="configuration, as for `alvision run`")
    options = parser.parse_args()
    config = configuration(options.words)
    data = DataSet.open(config)
    print("| features | macro-F1 | 95 % interval | worst |\n| --- " + "| ---: " * 3 + "|")

    def show(name: str, config: RunConfig, manifest: Manifest) -> None:
        seeds = range(options.seeds)
        learners = (learner_of(data, config, seed, manifest) for seed in seeds)
        found = [score(data, one, seed, options.labels) for seed, one in enumerate(learners)]
        print(row(name, found), flush=True)

    def read(**values: object) -> RunConfig:
        image = replace(config.data.image, **values)  # type: ignore[arg-type]
        return replace(config, data=replace(config.data, image=image))

    for size in (config.data.image.size, options.large):
        if size:
            show(f"whole, {size} pixels", read(size=size, tiles=None), data.manifest)
    tiled = read(tiles=config.data.image.tiles or "auto")
    for name, features in pooled(data, tiled, options.keep).items():
        manifest = replace(data.manifest, features=features)
        show(name, read(tiles=None), manifest)


if __name__ == "__main__":
    main()
