"""Measure the pass over a pool of photographs against the limit of the machine and against peers.

    python scripts/benchmark_pool.py [--quick] [--only PART ...] [--json FILE] [--write]

The machine's bound is measured in the same run: the CPU-seconds of decoding and of the bare network
on pixels in memory, with all cores at work, over the number of cores. The plain loop is a
DataLoader with worker processes, NCHW and fp32, with the reference decoder. Baal predicts with
20 passes over the first 64 of the images, in each of its modes and a process of its own; so do we.
Models are built, and our trunk is made ready, before the clock runs. The weights are random, and
features are compared before any figure. Tasks take turns and the best counts; `--quick` takes
one turn. A second run reads hashes and features from the cache, in the same process. Baal is in the
extra `bench`, with Jupyter; `pip install --no-deps baal==2.1.0 "structlog<23"` is enough.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib.util import find_spec
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
    SPEC,
    Plain,
    engine,
    networks,
    own_pass,
    photographs,
    plain_pass,
    prepared,
)
from torch import Tensor, nn

from alvision.acquisition import entropy
from alvision.config.schema import DataConfig
from alvision.core.errors import UserError
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


def plain_seconds(paths: list[Path]) -> float:
    """Return how long the plain loop takes."""
    _, plain = networks()
    plain_pass(paths[:BATCH], plain)
    began = time.perf_counter()
    plain_pass(paths, plain)
    return time.perf_counter() - began


def throughput(quick: bool) -> list[figures.Figure]:
    own, plain = networks()
    with photographs() as paths:
        mine, theirs = (
            own_pass(paths[:BATCH], own, 1, field="features"),
            plain_pass(paths[:BATCH], plain),
        )
        error = float((mine - theirs).norm() / theirs.norm())
        assert error < 0.1, f"the features differ by {error:.0%}"  # bf16 alone moves them so far
        executor = prepared(own, "eager")
        turns = 1 if quick else 3
        found = figures.best(
            turns,
            {
                "own": lambda: own_pass(paths, own, 1, executor=executor),
                "passes": lambda: own_pass(paths, own, PASSES, executor=executor),
            },
        )
        found["plain"] = min(alone(plain_seconds, paths) for _ in range(turns))
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


def alone(work: Callable[..., float], *words: object) -> float:
    """Run a peer's work in a process of its own, which nothing of ours has tuned."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *words).result()


def baal_seconds(paths: list[Path], replicate: bool, caching: bool) -> float:
    """Return how long Baal takes for 20 passes over images."""
    import logging

    import structlog
    from baal.bayesian.caching_utils import MCCachingModule
    from baal.bayesian.dropout import MCDropoutModule
    from baal.modelwrapper import ModelWrapper, TrainingArgs

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    _, plain = networks()
    head = nn.Sequential(nn.Dropout(0.2), nn.Linear(plain.width, CLASSES))
    arguments = TrainingArgs(
        batch_size=BATCH, use_cuda=False, workers=CORES, replicate_in_memory=replicate
    )
    data = Plain(paths, plain)
    plain_pass(paths[:BATCH], plain)
    began = time.perf_counter()
    with MCDropoutModule(nn.Sequential(plain.trunk, head)) as model:
        model.eval()
        if caching:
            with MCCachingModule(model) as cached:
                ModelWrapper(cached.eval(), arguments).predict_on_dataset(
                    data, PASSES, verbose=False
                )
        else:
            ModelWrapper(model, arguments).predict_on_dataset(data, PASSES, verbose=False)
    return time.perf_counter() - began


def baal(quick: bool) -> list[figures.Figure]:
    label = "K=20 against Baal's MC dropout over the same images: its {} mode"
    if not find_spec("baal"):
        return [figures.missing(label.format(mode)) for mode in ("fastest", "default")]
    own, _ = networks()
    ready = prepared(own, "eager")
    with photographs() as paths:
        few = paths[:FEW]
        run = {"own": lambda: own_pass(few, own, PASSES, executor=ready)}
        own_pass(few, own, PASSES, executor=ready)
        rate = FEW / figures.best(1 if quick else 5, run)["own"]
        fastest = min(alone(baal_seconds, few, False, caching) for caching in (False, True))
        default = alone(baal_seconds, few, True, False)
    return [
        figures.figure(label.format(mode), "images/s", rate, FEW / seconds, target)
        for mode, seconds, target in (("fastest", fastest, 40.0), ("default", default, 120.0))
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

        first = figures.best(1, {"run": run})["run"]
        again = figures.best(1 if quick else 3, {"run": run})["run"]
    name = "a second run over an unchanged pool, frozen trunk"
    return [figures.figure(name, "s", again, first, 100.0)]


def engines(quick: bool) -> list[figures.Figure]:
    """Tell what each engine brings, and from which size of a pool it pays."""
    own, _ = networks()
    rows = []
    turns = 1 if quick else 3
    with photographs() as paths:

        def seconds(ready: Executor) -> float:
            own_pass(paths[: 2 * BATCH], own, 1, executor=ready)
            tasks = {"run": lambda: own_pass(paths, own, 1, executor=ready)}
            return figures.best(turns, tasks)["run"]

        eager = seconds(prepared(own, "eager"))
        for kind in ("compile", "openvino"):
            try:
                began = time.perf_counter()
                ready = prepared(own, kind)
                cost = time.perf_counter() - began
            except (ImportError, UserError) as error:
                print(f"{kind}: {error}")
                continue
            spent = seconds(ready)
            saved = (eager - spent) / POOL
            name = f"model.engine={kind}"
            rate = POOL / spent
            rows += [
                figures.figure(f"{name} against eager", "images/s", rate, POOL / eager, 0.0),
                figures.figure(
                    f"{name}: pool from which it pays, against this one", "images",
                    cost / saved if saved > 0 else float("inf"), POOL, 0.0,
                ),
            ]  # fmt: skip
    return rows


if __name__ == "__main__":
    figures.main(
        __doc__,
        {"throughput": throughput, "baal": baal, "second": second_run, "engines": engines},
        (PAGE, "pool"),
    )
