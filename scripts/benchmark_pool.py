"""How fast is the pass over a pool of photographs, against what the machine can do and its peers?

    python scripts/benchmark_pool.py [--quick] [--only PART ...] [--json FILE] [--write]

The machine's bound is measured in the same run: the CPU-seconds of decoding and of the bare network
on pixels in memory, with all cores at work, over the number of cores. The plain loop is a
DataLoader with worker processes, NCHW and fp32, with the reference decoder. Baal predicts with
20 passes over the first 64 of the images, in each of its modes; so do we. The weights are random,
and features are compared before a figure is told. Tasks take turns and the best counts; `--quick`
takes one turn. A second run reads hashes and features from the cache, in the same process. Baal is
in the extra `bench`, with Jupyter; `pip install --no-deps baal==2.1.0 "structlog<23"` is enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import figures
import numpy as np
import torch
from pool_task import (
    BATCH,
    CLASSES,
    CORES,
    FEW,
    PAGE,
    PASSES,
    POOL,
    SIZE,
    SPEC,
    Plain,
    engine,
    networks,
    own_pass,
    photographs,
    plain_pass,
)
from torch import Tensor, nn

from alvision.acquisition import entropy
from alvision.config import DataConfig
from alvision.data.decoding import decode
from alvision.data.hashes import content_hashes
from alvision.data.images import load
from alvision.data.manifest import build as build_manifest
from alvision.inference.engine import threads
from alvision.inference.executor import Executor
from alvision.inference.features import Features
from alvision.inference.pool import collect
from alvision.models.heads import Head


def bound(paths: list[Path], executor: Executor) -> float:
    """Return the images/s of the machine if nothing but decoding and the bare network cost."""
    pixels = torch.from_numpy(np.stack([load(path, SPEC) for path in paths[:BATCH]]))
    contents = [path.read_bytes() for path in paths[: 4 * BATCH]]

    def decoded(_: int) -> int:
        for content, path in zip(contents, paths, strict=False):
            decode(content, SPEC, path)
        return len(contents)

    def forward(_: int) -> int:
        for _ in range(4):
            executor(pixels)
        return 4 * BATCH

    seconds = 0.0
    with threads(1), ThreadPoolExecutor(CORES) as pool:
        for work in (decoded, forward):
            list(pool.map(work, range(CORES)))
            began = time.process_time()
            images = sum(pool.map(work, range(CORES)))
            seconds += (time.process_time() - began) / images
    return CORES / seconds


def best(turns: int, tasks: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the fewest seconds of each task."""
    fewest = dict.fromkeys(tasks, float("inf"))
    for _ in range(turns):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            fewest[name] = min(fewest[name], time.perf_counter() - began)
    return fewest


def throughput(quick: bool) -> list[figures.Figure]:
    own, plain = networks()
    with photographs() as paths:
        mine, theirs = (
            own_pass(paths[:BATCH], own, 1, field="features"),
            plain_pass(paths[:BATCH], plain),
        )
        error = float((mine - theirs).norm() / theirs.norm())
        assert error < 0.1, f"the features differ by {error:.0%}"  # bf16 alone moves them so far
        with threads(1):
            executor = Executor(own.trunk, engine(), mean=own.mean, std=own.std, shape=(SIZE, SIZE))
        turns = 1 if quick else 3
        found = best(
            turns,
            {
                "own": lambda: own_pass(paths, own, 1),
                "passes": lambda: own_pass(paths, own, PASSES),
                "plain": lambda: plain_pass(paths, plain),
            },
        )
        limit = max(bound(paths, executor) for _ in range(turns))
    rate = POOL / found["own"]
    return [
        figures.figure(
            "pool inference, K=1, first time, against the machine's bound",
            "images/s", rate, limit, 0.85,
        ),
        figures.figure(
            "pool inference against NCHW fp32 in a plain DataLoader loop",
            "images/s", rate, POOL / found["plain"], 5.0,
        ),
        figures.figure(
            "K=20 against K=1, dropout head", "images/s", POOL / found["passes"], rate, 1 / 1.1
        ),
    ]  # fmt: skip


def baal(quick: bool) -> list[figures.Figure]:
    label = "K=20 against Baal's MC dropout over the same images: its {} mode"
    try:
        import structlog
        from baal.bayesian.caching_utils import MCCachingModule
        from baal.bayesian.dropout import MCDropoutModule
        from baal.modelwrapper import ModelWrapper, TrainingArgs
    except ImportError:
        return [figures.missing(label.format(mode)) for mode in ("fastest", "default")]
    import logging

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    own, plain = networks()

    def predict(paths: list[Path], *, replicate: bool, caching: bool) -> None:
        head = nn.Sequential(nn.Dropout(0.2), nn.Linear(plain.width, CLASSES))
        with MCDropoutModule(nn.Sequential(plain.trunk, head)) as model:
            model.eval()
            arguments = TrainingArgs(
                batch_size=BATCH, use_cuda=False, workers=CORES, replicate_in_memory=replicate
            )
            data = Plain(paths, plain)
            if not caching:
                ModelWrapper(model, arguments).predict_on_dataset(data, PASSES, verbose=False)
                return
            with MCCachingModule(model) as cached:
                ModelWrapper(cached.eval(), arguments).predict_on_dataset(
                    data, PASSES, verbose=False
                )

    with photographs() as paths:
        few = paths[:FEW]
        own_pass(few[:BATCH], own, PASSES)
        mine = best(1 if quick else 3, {"own": lambda: own_pass(few, own, PASSES)})["own"]
        theirs = best(
            1,
            {
                "one by one": lambda: predict(few, replicate=False, caching=False),
                "caching": lambda: predict(few, replicate=False, caching=True),
                "default": lambda: predict(few, replicate=True, caching=False),
            },
        )
    fastest = min(theirs["one by one"], theirs["caching"])
    return [
        figures.figure(label.format("fastest"), "images/s", FEW / mine, FEW / fastest, 40.0),
        figures.figure(
            label.format("default"), "images/s", FEW / mine, FEW / theirs["default"], 120.0
        ),
    ]


def second_run(quick: bool) -> list[figures.Figure]:
    own, _ = networks()
    head = Head(own.width, CLASSES)
    masks = head.masks(PASSES, torch.Generator().manual_seed(0))
    with photographs() as paths:
        time.sleep(2.1)  # a file must be as old as that for its hash to be remembered

        def run() -> Tensor:
            manifest = build_manifest(DataConfig(kind="folder", root=str(paths[0].parent)))
            features = Features(manifest, content_hashes(manifest), SPEC, engine(), own)
            chunks = features.chunks(None, manifest.ids)
            scores = collect(
                chunks, needs={"scores"}, log_probs=lambda f: head.passes(f, masks), score=entropy,
                count=len(manifest),
            ).scores  # fmt: skip
            assert scores is not None
            return scores

        first = best(1, {"run": run})["run"]
        again = best(1 if quick else 3, {"run": run})["run"]
    name = "a second run over an unchanged pool, frozen trunk"
    return [figures.figure(name, "s", again, first, 100.0)]


def engines(quick: bool) -> list[figures.Figure]:
    """Tell what each engine brings, and from which size of a pool it pays."""
    own, _ = networks()
    rows = []
    with photographs() as paths:
        eager = best(1 if quick else 3, {"run": lambda: own_pass(paths, own, 1)})["run"]
        for kind in ("compile", "openvino"):
            try:
                began = time.perf_counter()
                with threads(1):
                    Executor(
                        own.trunk, engine(kind), mean=own.mean, std=own.std, shape=(SIZE, SIZE)
                    )
                prepared = time.perf_counter() - began
                whole = best(
                    1 if quick else 3, {"run": lambda kind=kind: own_pass(paths, own, 1, kind)}
                )["run"]
            except (ImportError, RuntimeError) as error:
                print(f"{kind}: {error}")
                continue
            # The later passes prepare again, from what the first left on the disk.
            with threads(1):
                began = time.perf_counter()
                Executor(own.trunk, engine(kind), mean=own.mean, std=own.std, shape=(SIZE, SIZE))
                warm = time.perf_counter() - began
            spent = max(1e-9, whole - warm)
            saved = eager / POOL - spent / POOL
            name = f"model.engine={kind}"
            rate = POOL / spent
            rows += [
                figures.figure(f"{name} against eager", "images/s", rate, POOL / eager, 0.0),
                figures.figure(
                    f"{name}: pool from which it pays, against this one", "images",
                    prepared / saved if saved > 0 else float("inf"), POOL, 0.0,
                ),
            ]  # fmt: skip
    return rows


if __name__ == "__main__":
    figures.main(
        __doc__,
        {"throughput": throughput, "baal": baal, "second": second_run, "engines": engines},
        (PAGE, "pool"),
    )
