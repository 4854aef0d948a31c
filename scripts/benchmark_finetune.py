"""Compare a finetune round with a plain PyTorch loop over the same steps, in one run.

    python scripts/benchmark_finetune.py --json finetune.json
    python scripts/benchmark_finetune.py --quick

Both train the packaged EfficientNet-Lite0 on the same generated images for the same number of steps
of the same batch size, in the run's precision and channels_last. The loop is what one writes by
hand: autocast, AdamW over all parameters, one cycle, no augmentation. alvision also augments, keeps
an average, and freezes the lowest layers. `ratio` is theirs / ours in processor seconds; the target
is 1 / 1.3.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from alvision.config.schema import DataConfig, ImageConfig, ModelConfig, TrainerConfig
from alvision.core import seeding
from alvision.data.hashes import content_hashes
from alvision.data.manifest import build
from alvision.inference.statistics import unchanged
from alvision.models.normalised import normalise
from alvision.training import Learner
from alvision.training.datamodule import Examples

BATCH, CLASSES = 32, ("ok", "worn")


def ours(learner: Learner, examples: Examples) -> float:
    """Return the processor seconds of alvision's steps."""
    begun = time.process_time()
    seed_of = partial(seeding.derive, 0)
    learner.fitter.fit_pixels(examples, None, seed_of, unchanged(learner.features.width))
    return time.process_time() - begun


def theirs(learner: Learner, examples: Examples, steps: int) -> float:
    """Return the processor seconds of the same steps in a plain loop."""
    backbone = learner.backbone
    assert backbone is not None
    trunk = learner.fitter.new_trunk().train().to(memory_format=torch.channels_last)
    head = torch.nn.Linear(backbone.width, len(CLASSES))
    parameters = [*trunk.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-4, total_steps=steps)
    rng = np.random.default_rng(0)
    begun = time.process_time()
    for _ in range(steps):
        rows = rng.permutation(len(examples))[:BATCH]
        pixels = torch.from_numpy(np.stack([examples.images[row] for row in rows]))
        with torch.autocast("cpu", torch.bfloat16, enabled=learner.engine.precision != "32-true"):
            logits = head(trunk(normalise(pixels, backbone.mean, backbone.std)))
        targets = torch.tensor([examples.targets[row] for row in rows])
        optimizer.zero_grad()
        functional.cross_entropy(logits.float(), targets).backward()
        optimizer.step()
        schedule.step()
    return time.process_time() - begun


def benchmark(folder: Path, size: int, epochs: int) -> dict[str, object]:
    """Return the row of both, each run twice in turn; the faster counts."""
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (folder / name).mkdir()
        for number in range(5 * BATCH):
            pixels = rng.integers(0, 256, (size, size, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    data = DataConfig(kind="class_folders", root=str(folder), image=ImageConfig(size=size))
    manifest = build(data)
    model = ModelConfig(features="multilevel", training="finetune")
    trainer = TrainerConfig(accelerator="cpu", epochs=epochs, batch_size=BATCH)
    learner = Learner(
        manifest, content_hashes(manifest), CLASSES, data, model, replace(trainer), 0,
        manifest.ids, pool=manifest.ids,
    )  # fmt: skip
    pixels = learner.features.decode(manifest.ids)
    targets = [CLASSES.index(id.split("/")[0]) for id in pixels]
    examples, steps = Examples(list(pixels.values()), targets), epochs * 10
    found = [(ours(learner, examples), theirs(learner, examples, steps)) for _ in range(2)]
    mine, other = (min(times) for times in zip(*found, strict=True))
    return {
        "name": f"finetune, {steps} steps of {BATCH} images of {size} pixels",
        "unit": "processor seconds", "ours": round(mine, 2), "theirs": round(other, 2),
        "ratio": round(other / mine, 2), "target": round(1 / 1.3, 2),
    }  # fmt: skip


def main() -> None:
    """Print the row, and write it where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small images, one epoch")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        rows = [benchmark(Path(folder), *((96, 1) if asked.quick else (224, 2)))]
    print(json.dumps(rows, indent=2))
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
