"""Measure how well the map of a patch memory shows where small defects are, and what it costs.

    python scripts/make_parts.py OUT --images 4000 --share 0.06
    python scripts/measure_localisation.py OUT [--seeds 12] [--pool 300] [--defects 60] [--good 120]

Each seed draws a pool from the made-up parts, in which one in 300 is defective and nobody knows
which, and other parts with and without a defect. The memory is made of the pool alone. It prints a
row a seed and the means with 95 % intervals: pixel AUROC; AUPRO up to a share of .3 of the good
pixels; the share of defects that a box hits, and the false boxes a part, at the memory's own level;
the share that is hit at one false box in 20 parts. A box hits a defect where one of the two holds
the middle of the other. Last it prints how many times the pass of the features the pass with the
map takes, on one core.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import time
from pathlib import Path

import numpy as np
import torch
from make_parts import SIZE
from PIL import Image

from alvision.anomaly.hot_spots import hot_spots
from alvision.anomaly.maps import hot_level, peaks, photograph_map
from alvision.anomaly.memory import PatchMemory, fold_of
from alvision.anomaly.robust import FOLDS, build, sample
from alvision.config.schema import ModelConfig
from alvision.data.image_spec import ImageSpec
from alvision.evaluation.intervals import mean_interval
from alvision.evaluation.localisation import (
    Marked,
    aupro,
    hits,
    hits_at,
    pixel_auroc,
    rectangles,
)
from alvision.models.normalised import normalise
from alvision.models.patches import WithPatches
from alvision.training.initial import initial_backbone

FALSE_BOXES = 1 / 20
LOWER = 0.7
"""Share of the level from which boxes are drawn to find the threshold of a share of false boxes."""
BATCH = 4
SPEC = ImageSpec(SIZE)
COLUMNS = ("pixel AUROC", "AUPRO", "hit, own level", "false boxes", "hit at 1 in 20")


class Reader:
    """Runs the default network over parts, with and without patches."""

    def __init__(self) -> None:
        model = ModelConfig()
        self.backbone = initial_backbone(model, 0, SPEC.shape)
        self.trunk = WithPatches(self.backbone.trunk, str(model.backbone), SPEC.shape)
        self.plain = self.backbone.trunk.eval()

    def features(self, parts: np.ndarray) -> None:
        """Run the pass of the features alone."""
        with torch.inference_mode():
            for images in self._batches(parts):
                self.plain(images)

    def patches(self, parts: np.ndarray) -> torch.Tensor:
        """Return the patches of parts, [n,p,d]."""
        with torch.inference_mode():
            found = [self.trunk(images) for images in self._batches(parts)]
        flat = torch.cat(found)[:, self.backbone.width :].half().float()
        return flat.unflatten(1, (-1, self.trunk.width)).clone()

    def _batches(self, parts: np.ndarray):
        for start in range(0, len(parts), BATCH):
            grey = torch.from_numpy(parts[start : start + BATCH])[..., None].expand(-1, -1, -1, 3)
            yield normalise(grey.contiguous(), self.backbone.mean, self.backbone.std)


class Parts:
    """The parts of a folder, their masks, and their patches, read once.

    Args:
        folder: What `make_parts.py` wrote.
        good: Good parts that are read.
        reader: Reads their patches.
    """

    def __init__(self, folder: Path, good: int, reader: Reader) -> None:
        with (folder / "labels.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        bad = [row["path"] for row in rows if row["label"] != "good"]
        paths = bad + [row["path"] for row in rows if row["label"] == "good"][:good]
        self.bad, self.count = len(bad), len(paths)
        self.levels = np.stack([np.asarray(Image.open(folder / path)) for path in paths])
        masks = [folder / "masks" / Path(path).name for path in bad]
        self.masks = [np.asarray(Image.open(path)) > 0 for path in masks]
        self.masks += [np.zeros((SIZE, SIZE), bool)] * (self.count - self.bad)
        self.digests = [hashlib.sha256(one.tobytes()).hexdigest() for one in self.levels]
        self.patches = reader.patches(self.levels)


def measure(parts: Parts, grid: tuple[int, int], seed: int, wanted: argparse.Namespace):
    """Return one value for each of `COLUMNS`, and the memory."""
    rng = np.random.default_rng(seed)
    bad = rng.permutation(parts.bad)
    good = parts.bad + rng.permutation(parts.count - parts.bad)
    hidden = round(wanted.pool / 300)
    pool = np.concatenate([bad[:hidden], good[: wanted.pool - hidden]])
    shown = np.concatenate([bad[hidden:][: wanted.defects], good[wanted.pool :][: wanted.good]])
    names = [parts.digests[row] for row in pool]
    memory = build(sample([(names, parts.patches[pool])], len(pool)))

    def distances(rows: np.ndarray) -> np.ndarray:
        folds = [fold_of(parts.digests[row], FOLDS) for row in rows]
        return memory.distances(parts.patches[rows], folds).numpy()

    level = hot_level(peaks(distances(pool), grid))
    maps = [photograph_map(one, grid, (SIZE, SIZE), SPEC) for one in distances(shown)]
    masks = [parts.masks[row] for row in shown]
    marked = []
    for one, mask in zip(maps, masks, strict=True):
        spots = hot_spots(one, LOWER * level)
        boxes = [(spot.x, spot.y, spot.width, spot.height) for spot in spots]
        marked.append(Marked(boxes, [LOWER * spot.score for spot in spots], rectangles(mask)))
    own, few = hits(marked, 1.0), hits_at(marked, FALSE_BOXES)
    values = [pixel_auroc(maps, masks), aupro(maps, masks), own.hit, own.false_boxes, few.hit]
    return values, memory


def times_the_pass(reader: Reader, memory: PatchMemory, levels: np.ndarray) -> float:
    """Return how many times the pass of the features the pass with maps takes."""
    begun = time.process_time()
    reader.features(levels)
    plain = time.process_time() - begun
    begun = time.process_time()
    found = memory.distances(reader.patches(levels), [0] * len(levels)).numpy()
    for one in found:
        photograph_map(one, reader.trunk.grid, (SIZE, SIZE), SPEC)
    return (time.process_time() - begun) / plain


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--pool", type=int, default=300)
    parser.add_argument("--defects", type=int, default=60)
    parser.add_argument("--good", type=int, default=120)
    wanted = parser.parse_args()
    torch.set_num_threads(1)  # two cores would share one's work unevenly between the two passes
    reader = Reader()
    parts = Parts(wanted.folder, 2 * (wanted.pool + wanted.good), reader)
    print(f"| seed | {' | '.join(COLUMNS)} |")
    print(f"| --- |{' ---: |' * len(COLUMNS)}")
    rows = []
    for seed in range(wanted.seeds):
        values, memory = measure(parts, reader.trunk.grid, seed, wanted)
        rows.append(values)
        print(f"| {seed} | {' | '.join(f'{value:.3f}' for value in values)} |", flush=True)
    if len(rows) > 1:
        cells = []
        for values in zip(*rows, strict=True):
            found = mean_interval(np.array(values))
            cells.append(f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})")
        print(f"| mean (95 %) | {' | '.join(cells)} |")
    print(f"times the pass: {times_the_pass(reader, memory, parts.levels[:64]):.2f}")


if __name__ == "__main__":
    main()
