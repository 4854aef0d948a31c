"""Measure how a strip should come into the network's frame: macro-F1 by fit, of one price each.

    python scripts/measure_image_shape.py [--sets cells drawn steel] [--steel XSDD_FOLDER]

The photographs are strips of 1:4, made here: four ELPV cells of a module side by side (defective if
one of them is), strips cut out of X-SDD's steel, and ELPV cells without a defect on which small
defects are drawn at random places. Each arm sees as many pixels: a square of side S, or a frame of
S/2 x 2S. Labels are drawn at random, half of the images are held out, and a head is trained as in a
run. The table goes to standard output; differences are paired by seed, with their 95 % interval.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy import stats
from sklearn.metrics import f1_score

from alvision.config.compose import configuration
from alvision.config.schema import DataConfig
from alvision.core.seeding import generator
from alvision.data.sources.elpv import elpv
from alvision.data.splits import simulated_split
from alvision.dataset.dataset import DataSet
from alvision.training import Learner

LABELS = (60, 200)
DRAWN = 900


def cells(folder: Path) -> None:
    """Write four neighbouring cells side by side, with their module."""
    rows = elpv(DataConfig(kind="elpv")).rows
    parts = [rows[start : start + 4] for start in range(0, len(rows) - 3, 4)]
    table = []
    for part in parts:
        strip = np.hstack([np.asarray(Image.open(row.path).convert("L")) for row in part])
        bad = any(row.truth == "defective" for row in part)
        table.append((strip, "defective" if bad else "functional", part[0].group))
    write(folder, table)


def steel(folder: Path, root: Path) -> None:
    """Write a strip of each X-SDD image, at a random height."""
    rng = np.random.default_rng(0)
    table = []
    with (root / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            pixels = np.asarray(Image.open(root / row["path"]).convert("L"))
            top = rng.integers(0, pixels.shape[0] - pixels.shape[1] // 4 + 1)
            strip = pixels[top : top + pixels.shape[1] // 4]
            table.append((strip, row["label"], str(len(table))))
    write(folder, table)


def drawn(folder: Path) -> None:
    """Write strips of cells without a defect, with a dot, a scratch or an open ring on most."""
    rng = np.random.default_rng(0)
    rows = [row for row in elpv(DataConfig(kind="elpv")).rows if row.truth == "functional"]
    table = []
    for number in range(DRAWN):
        pair = [rows[i] for i in rng.integers(0, len(rows), 2)]
        pixels = np.hstack([np.asarray(Image.open(row.path).convert("L")) for row in pair])
        image = Image.fromarray(pixels[75:225])
        label = ("good", "dot", "scratch", "ring")[number % 4]
        x, y = rng.integers(20, 580), rng.integers(20, 130)
        shade, draw = int(rng.integers(0, 40)), ImageDraw.Draw(image)
        if label == "dot":
            draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=shade)
        elif label == "scratch":
            angle = rng.uniform(0, np.pi)
            dx, dy = 16 * np.cos(angle), 16 * np.sin(angle)
            draw.line((x - dx, y - dy, x + dx, y + dy), fill=shade, width=4)
        elif label == "ring":
            draw.ellipse((x - 10, y - 10, x + 10, y + 10), outline=shade, width=4)
        table.append((np.asarray(image), label, str(number)))
    write(folder, table)


def write(folder: Path, table: list[tuple[np.ndarray, str, str]]) -> None:
    """Write strips and the table that names their class and group."""
    folder.mkdir()
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group"])
        for number, (strip, label, group) in enumerate(table):
            Image.fromarray(strip).save(folder / f"{number:04d}.png")
            writer.writerow([f"{number:04d}.png", label, group])


def scores(root: Path, image: dict[str, object], seeds: int) -> np.ndarray:
    """Return macro-F1 on the held-out images, [seeds, labels]."""
    words = ["data=csv", f"data.root={root}", f"data.file={root / 'labels.csv'}"]
    config = configuration([*words, "data.group_by=column", "acquisition=margin"])
    config = replace(config, data=replace(config.data, image=replace(config.data.image, **image)))
    data = DataSet.open(config)
    manifest = data.manifest
    truth = {id: t for id, t in zip(manifest.ids, manifest.truth, strict=True) if t}
    found = []
    for seed in range(seeds):
        split = simulated_split(manifest, data.groups, seed=seed, share=0.5, fold=None)
        learner = Learner(
            manifest, data.hashes, data.classes, config.data, config.model, config.trainer, seed,
            data.groups, pool=split.pool,
        )  # fmt: skip
        order = torch.randperm(len(split.pool), generator=generator(seed, "order")).tolist()
        row = []
        for labels in LABELS:
            known = {split.pool[i]: truth[split.pool[i]] for i in order[:labels]}
            model = learner.fit(known, round=labels)
            said = learner.predict(model, [id for id in split.held_out if id in truth])
            called = [said.classes[column] for column in said.values.argmax(1)]
            row.append(f1_score([truth[id] for id in said.ids], called, average="macro"))
        found.append(row)
    return np.array(found)


def measure(names: list[str], steel_root: Path | None, side: int, seeds: int) -> None:
    """Print the table."""
    arms = {
        f"{side}, squash": {"size": side},
        f"{side}, letterbox": {"size": side, "fit": "letterbox"},
        f"{side}, crop": {"size": side, "fit": "crop"},
        f"[{side // 2},{2 * side}]": {"size": [side // 2, 2 * side]},
    }
    heads = (f"{n} labels | against squash" for n in LABELS)
    print(f"| strips | size, fit | {' | '.join(heads)} |")
    print("| --- | --- |" + " ---: |" * 2 * len(LABELS), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        sets = {"cells": cells, "drawn": drawn, "steel": partial(steel, root=steel_root)}
        for name in names:
            sets[name](Path(folder) / name)
            base = None
            for arm, image in arms.items():
                found = scores(Path(folder) / name, image, seeds)
                base = found if base is None else base
                columns = []
                for values, against in zip(found.T, base.T, strict=True):
                    gain = values - against
                    half = stats.t.ppf(0.975, len(gain) - 1) * stats.sem(gain)
                    beside = "" if found is base else f"{gain.mean():+.3f} ± {half:.3f}"
                    columns.append(f"{values.mean():.3f} | {beside}")
                print(f"| {name} | {arm} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steel", type=Path, help="a checkout of X-SDD")
    parser.add_argument("--sets", nargs="+", default=["cells", "drawn"])
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=12)
    arguments = parser.parse_args()
    measure(arguments.sets, arguments.steel, arguments.side, arguments.seeds)
