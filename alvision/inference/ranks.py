"""A pass over the pool by several processes, each with a device and a part of the images."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import multiprocessing, nn

from alvision.core import stopping
from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically
from alvision.data.images import ImageSpec
from alvision.data.storage.stored_path import ImagePath
from alvision.inference import pool
from alvision.inference.engine import Engine
from alvision.inference.predictions import SampleId

BATCHES_A_SHARD = 8
"""Batches that a rank hands over at once."""

Image = tuple[SampleId, ImagePath]


def trunk_features(
    trunk: nn.Module,
    images: Sequence[Image],
    spec: ImageSpec,
    engine: Engine,
    *,
    set_aside: dict[SampleId, str],
    **options: Any,
) -> Iterator[pool.Chunk]:
    """Run the trunk over images like `pool.trunk_features`, on as many ranks as the engine has.

    The images are dealt out shard by shard, in whole batches. Each rank writes the ids and the
    features of a shard to a file, and this process gives them on in the order of the images while
    the ranks go on.

    Args:
        trunk: Maps images to features.
        images: Ids and files.
        spec: The evaluation transform.
        engine: Its `devices` is the number of ranks; 1: this process.
        set_aside: Receives the images that cannot be read, and the reason.
        options: Further arguments of `pool.trunk_features`.

    Raises:
        UserError: A rank says so, or has died.
    """
    rows = engine.batch_size * BATCHES_A_SHARD
    ranks = min(engine.devices, -(-len(images) // engine.batch_size))
    if ranks < 2:
        one = replace(engine, devices=1)
        yield from pool.trunk_features(trunk, images, spec, one, set_aside=set_aside, **options)
        return
    rows = min(rows, engine.batch_size * -(-len(images) // (engine.batch_size * ranks)))
    shards = [images[start : start + rows] for start in range(0, len(images), rows)]
    # Spawned, not forked: after threads have started, a fork can hang.
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="alvision-") as name:
        folder = Path(name)
        work = (ranks, trunk.cpu(), shards, spec, engine, options, folder)
        processes = [
            context.Process(target=_run, args=(rank, *work), daemon=True) for rank in range(ranks)
        ]
        try:
            for process in processes:
                process.start()
            with pool.progress_bar(len(images), engine.progress) as advance:
                for number, shard in enumerate(shards):
                    rank = number % ranks
                    ids, features = _read(folder, number, processes[rank], set_aside)
                    advance(len(shard))
                    for start in range(0, len(ids), engine.batch_size):
                        stop = start + engine.batch_size
                        yield tuple(ids[start:stop]), features[start:stop]
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()


def _run(
    rank: int,
    ranks: int,
    trunk: nn.Module,
    shards: Sequence[Sequence[Image]],
    spec: ImageSpec,
    engine: Engine,
    options: dict[str, Any],
    folder: Path,
) -> None:
    """Do every shard whose turn is this rank's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its ranks itself
    stopping.end_with_parent()
    device = engine.device
    if device.type == "cuda":
        device = torch.device("cuda", rank)
    else:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // ranks))
    own = replace(engine, device=device, devices=1, progress=False)
    numbers = list(range(rank, len(shards), ranks))
    shard_of = {id: number for number in numbers for id, _ in shards[number]}
    images = [image for number in numbers for image in shards[number]]
    set_aside: dict[SampleId, str] = {}
    ids: list[SampleId] = []
    parts: list[torch.Tensor] = []
    try:
        chunks = pool.trunk_features(trunk, images, spec, own, set_aside=set_aside, **options)
        for names, features in chunks:
            while shard_of[names[0]] > numbers[0]:
                _write(folder, numbers.pop(0), ids, parts, set_aside)
                ids, parts = [], []
            ids.extend(names)
            parts.append(features)
        while numbers:
            _write(folder, numbers.pop(0), ids, parts, set_aside)
            ids, parts = [], []
    except UserError as error:
        (folder / f"error-{os.getpid()}").write_text(str(error), encoding="utf-8")


def _write(
    folder: Path,
    number: int,
    ids: Sequence[SampleId],
    parts: Sequence[torch.Tensor],
    set_aside: dict[SampleId, str],
) -> None:
    features = torch.cat(list(parts)).numpy() if parts else np.zeros((0, 0), np.float32)
    arrays: dict[str, Any] = {
        "ids": np.array(ids, dtype=np.str_),
        "features": features,
        "aside": np.array(list(set_aside), dtype=np.str_),
        "reasons": np.array(list(set_aside.values()), dtype=np.str_),
    }

    def save(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **arrays)

    write_atomically(folder / f"{number:06d}.npz", save)


def _read(
    folder: Path, number: int, process: BaseProcess, set_aside: dict[SampleId, str]
) -> tuple[list[SampleId], torch.Tensor]:
    path = folder / f"{number:06d}.npz"
    while not path.exists():
        if not process.is_alive() and not path.exists():
            reason = folder / f"error-{process.pid}"
            raise UserError(
                reason.read_text(encoding="utf-8")
                if reason.exists()
                else f"a process of trainer.devices ended (status {process.exitcode}); out of "
                "memory? lower trainer.devices or trainer.batch_size"
            )
        stopping.wait(0.02)
    with np.load(path, allow_pickle=False) as arrays:
        ids, features = arrays["ids"].tolist(), torch.from_numpy(arrays["features"])
        set_aside.update(zip(arrays["aside"].tolist(), arrays["reasons"].tolist(), strict=True))
    path.unlink()
    return ids, features
