"""Measure where each millisecond of the pool pass goes.

    python scripts/profile_pool.py [--quick] [--write]

CPU-milliseconds an image of every step, each alone on one thread, over photographs of 640 x 480,
beside those of the whole pass on all cores. CPU time varies less than wall time when others work,
but it does vary.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pool_task as pool
import torch
from blocks import rewrite

from alvision.data.decoding import decode
from alvision.data.images import load, read
from alvision.inference.engine import threads
from alvision.inference.executor import Executor
from alvision.models.normalised import normalise


def cpu_ms(work: Callable[[], object], images: int, turns: int) -> float:
    """Return the fewest CPU-milliseconds an image."""
    work()
    fewest = float("inf")
    for _ in range(turns):
        began = time.process_time()
        work()
        fewest = min(fewest, time.process_time() - began)
    return 1000 * fewest / images


def steps(turns: int) -> dict[str, float]:
    own, _ = pool.networks()
    batch = pool.BATCH
    with pool.photographs() as paths, threads(1):
        few = paths[:batch]
        contents = [path.read_bytes() for path in few]
        pixels = torch.from_numpy(np.stack([load(path, pool.SPEC) for path in few]))
        run = Executor(
            own.trunk, pool.engine(), mean=own.mean, std=own.std, shape=(pool.SIZE, pool.SIZE)
        )
        found = {
            "read the file": cpu_ms(lambda: [read(path) for path in few], batch, turns),
            "sha256 of its bytes": cpu_ms(
                lambda: [hashlib.sha256(content).digest() for content in contents], batch, turns
            ),
            "decode and resize": cpu_ms(
                lambda: [decode(c, pool.SPEC, p) for c, p in zip(contents, few, strict=True)],
                batch, turns,
            ),
            "(the reference `load`, for comparison)": cpu_ms(
                lambda: [load(path, pool.SPEC) for path in few], batch, turns
            ),
            "normalise": cpu_ms(lambda: normalise(pixels, own.mean, own.std), batch, turns),
            "normalise and network": cpu_ms(lambda: run(pixels), batch, turns),
        }  # fmt: skip
        count = 4 * batch
        with threads(pool.CORES):
            found["the whole pass, K=1"] = cpu_ms(
                lambda: pool.own_pass(paths[:count], own, 1), count, turns
            )
            found["the whole pass, K=20"] = cpu_ms(
                lambda: pool.own_pass(paths[:count], own, pool.PASSES), count, turns
            )
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one turn in place of five")
    parser.add_argument("--write", action="store_true", help=f"put the table into {pool.PAGE.name}")
    arguments = parser.parse_args()
    lines = ["| step | CPU-ms an image |", "| --- | ---: |"]
    lines += [f"| {step} | {ms:.2f} |" for step, ms in steps(1 if arguments.quick else 5).items()]
    print("\n".join(lines))
    if arguments.write:
        rewrite(Path(pool.PAGE), "profile", "\n".join(lines))
