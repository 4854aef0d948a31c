"""What does an active-learning experiment on real images cost, beside a library that forwards all?

    python scripts/benchmark_experiment.py [--quick] [--only PART ...] [--json FILE] [--write]

`study`: `alvision compare` on ELPV, 8 strategies over 5 seeds and 15 rounds, two runs at a time,
once with an empty cache and once with a filled one. `baal`: one run of the same protocol in full
(20 labels to start from, 20 a round, BALD over 20 passes, half of the modules held out), and Baal
on 2 rounds over 256 images of its pool, from the same first labels, with the same packaged
backbone frozen, head, optimiser, steps and number of passes, in its fastest mode, which repeats
neither images nor convolutions. Its seconds are scaled by image: training by labelled image and
step, the pool and the held-out part by image, each to the sum over the rounds of the full run. On
the common part, the 256 images, both are judged on the whole held-out part.
`--quick` changes nothing: every part runs once.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import figures
import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.utils.data import Dataset

from alvision.acquisition import bald
from alvision.cli.compose import configuration
from alvision.data.images import load
from alvision.data.splits import group_keys, simulated_split
from alvision.dataset import Sources, sources
from alvision.learner import Learner
from alvision.models.backbones import build
from alvision.models.classifier import class_weights
from alvision.seeding import generator

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
STRATEGIES = (
    "random_sampling", "margin", "entropy", "bald", "k_center", "badge", "typiclust",
    "uncertainty_herding",
)  # fmt: skip
SEEDS, ROUNDS, BATCH, PASSES = 5, 15, 20, 20
COMMON, COMMON_ROUNDS = 256, 2
WORDS = ["experiment=elpv", f"budget.initial={BATCH}", f"budget.batch={BATCH}",
         f"budget.rounds={ROUNDS}", f"model.passes={PASSES}"]  # fmt: skip
MINUTES = {"cold": 8, "warm": 6}


def alvision(*words: str, cache: Path) -> dict[str, float]:
    """Run a command in a process of its own; return wall and CPU seconds and peak memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "alvision", *words],
        env={**os.environ, "ALVISION_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "s": time.perf_counter() - began,
        "CPU-s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "MB": after.ru_maxrss / 1024,
    }


def study(quick: bool) -> list[figures.Figure]:
    name = f"ELPV study, {len(STRATEGIES)} strategies x {SEEDS} seeds x {ROUNDS} rounds, 2 cores, "
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for state, minutes in MINUTES.items():
            used = alvision(
                "compare", *WORDS, f"acquisition=[{','.join(STRATEGIES)}]", f"seeds={SEEDS}",
                "jobs=2", f"out={folder}/{state}", cache=Path(folder) / "cache",
            )  # fmt: skip
            rows.append(figures.figure(f"{name}{state} cache", "s", used["s"], 60 * minutes))
    return rows


def baal(quick: bool) -> list[figures.Figure]:
    name = "the ELPV protocol against Baal, same T and backbone, scaled by image"
    try:
        import baal  # noqa: F401
    except ImportError:
        return [figures.missing(name)]
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        run = [*WORDS, "acquisition=bald", f"out={folder}/run"]
        ours = alvision("run", *run, cache=cache)
        os.environ["ALVISION_CACHE"] = str(cache)
        mine = alone(own_rounds)
        theirs = alone(baal_rounds)
    scaled = {unit: scale(theirs["parts"], theirs["sizes"], unit) for unit in ("s", "CPU-s")}
    quality = "macro-F1 on the common part, the ELPV protocol against Baal"
    values = (quality, "macro-F1", mine["f1"], theirs["f1"], mine["f1"] / theirs["f1"], 1.0)
    return [
        figures.figure(name, "s", ours["s"], scaled["s"], 100.0),
        figures.figure(name, "CPU-s", ours["CPU-s"], scaled["CPU-s"], figures.NO_TARGET),
        figures.figure(
            "the ELPV protocol against Baal, peak memory (Baal: of the part)", "MB", ours["MB"],
            theirs["MB"], figures.NO_TARGET,
        ),
        dict(zip(figures.COLUMNS, values, strict=True)),
    ]  # fmt: skip


def scale(parts: Mapping[str, Any], sizes: Mapping[str, int], unit: str) -> float:
    """Scale what Baal took for a part of the protocol to the whole of it, by image.

    Args:
        parts: For each kind of work, images and what they took, by unit.
        sizes: Images in the whole pool and the whole held-out part.
        unit: `s` or `CPU-s`.

    >>> part = {"images": 10, "s": 2.0}
    >>> work = {"train": part, "pool": part, "held out": part}
    >>> scale(work, {"pool": 500, "held out": 100}, "s")
    1884.0
    """
    labelled = [BATCH * (number + 1) for number in range(ROUNDS + 1)]
    images = {
        "train": sum(labelled),
        "pool": sum(sizes["pool"] - count for count in labelled[:-1]),
        "held out": sizes["held out"] * (ROUNDS + 1),
    }
    return sum(images[kind] * part[unit] / part["images"] for kind, part in parts.items())


def alone(task: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run a task in a fresh process, which may start worker processes of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measured, task).result()


def measured(task: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    result = task()
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peak = max(children, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return {**result, "MB": peak / 1024}


def common() -> tuple[Any, Sources, dict[str, str], list[str], list[str], tuple[str, ...]]:
    """Return the configuration, its data, the truth, 256 images of the pool and all held out."""
    config = configuration([*WORDS, "acquisition=bald"])
    data = sources(config)
    groups = group_keys(data.manifest, data.hashes)
    split = simulated_split(
        data.manifest, groups, seed=0, share=config.audit.share, fold=config.data.fold
    )
    truth = {i: str(t) for i, t in zip(data.manifest.ids, data.manifest.truth, strict=True)}
    order = torch.randperm(len(split.pool), generator=generator(0, "common")).tolist()
    part = [split.pool[row] for row in order[:COMMON]]
    return config, data, truth, part, list(split.pool), split.held_out


def own_rounds() -> dict[str, Any]:
    config, data, truth, part, _, held_out = common()
    groups = group_keys(data.manifest, data.hashes)
    learner = Learner(
        data.manifest, data.hashes, data.classes, config.data, config.model, config.trainer, 0,
        groups,
    )  # fmt: skip
    known = part[:BATCH]
    for number in range(COMMON_ROUNDS):
        model = learner.fit({id: truth[id] for id in known}, round=number)
        left = [id for id in part if id not in set(known)]
        seen = learner.infer(model, left, needs={"scores"}, score=bald, round=number)
        assert seen.scores is not None
        best = seen.scores.argsort(descending=True, stable=True)[:BATCH].tolist()
        known = known + [seen.ids[row] for row in best]
    model = learner.fit({id: truth[id] for id in known}, round=COMMON_ROUNDS)
    said = learner.predict(model, held_out)
    called = [said.classes[column] for column in said.values.argmax(1)]
    return {"f1": f1_score([truth[id] for id in said.ids], called, average="macro")}


class Photographs(Dataset[tuple[Tensor, int]]):
    """Images as normalised tensors with their classes, decoded in the worker."""

    def __init__(self, data: Sources, ids: Sequence[str], truth: Mapping[str, str]) -> None:
        self.data, self.ids, self.truth = data, list(ids), truth

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        id = self.ids[row]
        pixels = torch.from_numpy(load(self.data.manifest.path(id), self.data.spec))
        image = pixels.permute(2, 0, 1).contiguous().float() / 255
        return (image - 0.5) / 0.5, self.data.classes.index(self.truth[id])


class Frozen(nn.Module):
    """A trunk that never trains, whatever its owner does."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk.requires_grad_(False)

    def train(self, mode: bool = True) -> Frozen:
        """Stay in eval mode."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """Return features [B,D] without a gradient."""
        with torch.no_grad():
            return self.trunk(images)


def baal_rounds() -> dict[str, Any]:
    import logging

    import structlog
    from baal.active import ActiveLearningDataset
    from baal.active.heuristics import BALD
    from baal.bayesian.caching_utils import MCCachingModule
    from baal.bayesian.dropout import MCDropoutModule
    from baal.modelwrapper import ModelWrapper, TrainingArgs

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    config, data, truth, part, pool, held_out = common()
    backbone = build(config.model.backbone, config.model.weights)
    steps = config.trainer.head_steps
    labels = torch.tensor([data.classes.index(truth[id]) for id in part])
    dataset = ActiveLearningDataset(Photographs(data, part, truth))
    dataset.label(list(range(BATCH)))
    took: dict[str, Any] = {
        kind: {"images": 0, "s": 0.0, "CPU-s": 0.0} for kind in ("train", "pool", "held out")
    }

    def timed(kind: str, images: int, task: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), sum(os.times()[:4])
        result = task()
        took[kind]["images"] += images
        took[kind]["s"] += time.perf_counter() - wall
        took[kind]["CPU-s"] += sum(os.times()[:4]) - cpu
        return result

    def fitted() -> Any:
        torch.manual_seed(0)
        head = nn.Sequential(
            nn.Dropout(config.model.dropout), nn.Linear(backbone.width, len(data.classes))
        )
        model = MCDropoutModule(nn.Sequential(Frozen(backbone.trunk), head))
        optimiser = torch.optim.AdamW(
            head.parameters(), lr=config.trainer.head_learning_rate,
            weight_decay=config.trainer.weight_decay,
        )  # fmt: skip
        seen = labels[torch.from_numpy(dataset.labelled)]
        arguments = TrainingArgs(
            optimizer=optimiser, batch_size=max(32, len(dataset)), epoch=steps, use_cuda=False,
            workers=0, replicate_in_memory=False,
            criterion=nn.CrossEntropyLoss(weight=class_weights(seen, len(data.classes))),
        )  # fmt: skip
        wrapper = ModelWrapper(model, arguments)
        timed("train", len(dataset), lambda: wrapper.train_on_dataset(dataset))
        return model, arguments

    def predict(trained: Any, images: Dataset[Any], passes: int) -> np.ndarray:
        model, arguments = trained
        arguments.batch_size, arguments.workers = 32, torch.get_num_threads()
        with MCCachingModule(model) as cached:
            wrapper = ModelWrapper(cached.eval(), arguments)
            return wrapper.predict_on_dataset(images, passes, verbose=False)

    for _ in range(COMMON_ROUNDS):
        trained = fitted()
        found = timed("pool", len(dataset.pool), lambda t=trained: predict(t, dataset.pool, PASSES))
        dataset.label(np.asarray(BALD()(found))[:BATCH].tolist())
    judged = Photographs(data, held_out, truth)
    trained = fitted()
    found = timed("held out", len(judged), lambda: predict(trained, judged, 1))
    expected = [data.classes.index(truth[id]) for id in held_out]
    f1 = f1_score(expected, found.mean(-1).argmax(1), average="macro")
    sizes = {"pool": len(pool), "held out": len(held_out)}
    return {"f1": f1, "parts": took, "sizes": sizes}


if __name__ == "__main__":
    figures.main(__doc__, {"study": study, "baal": baal}, (PAGE, "experiment"))
