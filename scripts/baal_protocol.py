"""The ELPV protocol's common part: 2 rounds over 256 images, with Baal and with alvision."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from alvision.acquisition import bald
from alvision.config.compose import configuration
from alvision.core.seeding import generator
from alvision.data.images import load
from alvision.data.splits import simulated_split
from alvision.dataset.dataset import DataSet
from alvision.models.backbones import build
from alvision.training import Learner
from alvision.training.classifier import class_weights

ROUNDS, BATCH, PASSES = 15, 20, 20
COMMON, COMMON_ROUNDS = 256, 2
WORDS = ["experiment=elpv", f"budget.initial={BATCH}", f"budget.batch={BATCH}",
         f"budget.rounds={ROUNDS}", f"model.passes={PASSES}"]  # fmt: skip


def common(
    seed: int = 0,
) -> tuple[Any, DataSet, dict[str, str], list[str], list[str], tuple[str, ...]]:
    """Return the configuration, its data, the truth, 256 images of the pool and all held out."""
    config = configuration([*WORDS, "acquisition=bald"])
    data = DataSet.open(config)
    split = simulated_split(
        data.manifest, data.groups, seed=seed, share=config.audit.share, fold=config.data.fold
    )
    truth = {i: str(t) for i, t in zip(data.manifest.ids, data.manifest.truth, strict=True)}
    order = torch.randperm(len(split.pool), generator=generator(seed, "common")).tolist()
    part = [split.pool[row] for row in order[:COMMON]]
    return config, data, truth, part, list(split.pool), split.held_out


def learner_of(seed: int, *words: str) -> Learner:
    config = configuration([*WORDS, "acquisition=bald", *words])
    data = DataSet.open(config)
    return Learner(
        data.manifest, data.hashes, data.classes, config.data, config.model, config.trainer, seed,
        data.groups, pool=data.split.pool,
    )  # fmt: skip


def own_quality(seed: int) -> float:
    """Return the macro-F1 after the common part."""
    _, _, truth, part, _, held_out = common(seed)
    learner = learner_of(seed)
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
    return float(f1_score([truth[id] for id in said.ids], called, average="macro"))


def baal_quality(seed: int) -> float:
    """Return Baal's macro-F1 after the common part."""
    from baal.active import ActiveLearningDataset
    from baal.active.heuristics import BALD
    from baal.bayesian.dropout import MCDropoutModule
    from baal.modelwrapper import ModelWrapper, TrainingArgs

    quiet()
    config, data, truth, part, _, held_out = common(seed)
    features = learner_of(0, "model.features=final", "trainer.precision=32-true").features

    def examples(ids: Sequence[str]) -> TensorDataset:
        targets = torch.tensor([data.classes.index(truth[id]) for id in ids])
        return TensorDataset(features.initial(ids)[1], targets)

    judged = examples(held_out)
    dataset = ActiveLearningDataset(examples(part))
    dataset.label(list(range(BATCH)))
    torch.manual_seed(seed)

    def fitted() -> Any:
        classes = len(data.classes)
        head = nn.Sequential(nn.Dropout(config.model.dropout), nn.Linear(features.width, classes))
        seen = torch.tensor([int(target) for _, target in dataset])
        arguments = TrainingArgs(
            optimizer=torch.optim.AdamW(
                head.parameters(), lr=config.trainer.head_learning_rate,
                weight_decay=config.trainer.weight_decay,
            ),
            batch_size=max(32, len(dataset)), epoch=config.trainer.head_steps, use_cuda=False,
            workers=0, criterion=nn.CrossEntropyLoss(weight=class_weights(seen, classes)),
        )  # fmt: skip
        wrapper = ModelWrapper(MCDropoutModule(head), arguments)
        wrapper.train_on_dataset(dataset)
        wrapper.eval()
        return wrapper

    for _ in range(COMMON_ROUNDS):
        found = fitted().predict_on_dataset(dataset.pool, PASSES, verbose=False)
        dataset.label(np.asarray(BALD()(found))[:BATCH].tolist())
    found = fitted().predict_on_dataset(judged, PASSES, verbose=False)
    called = torch.from_numpy(found).softmax(1).mean(-1).argmax(1)
    return float(f1_score(judged.tensors[1], called, average="macro"))


def quiet() -> None:
    """Silence Baal."""
    import logging
    import warnings

    import structlog

    warnings.filterwarnings("ignore", module="baal")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


class Photographs(Dataset[tuple[Tensor, int]]):
    """Images as normalised tensors with their classes, decoded in the worker."""

    def __init__(self, data: DataSet, ids: Sequence[str], truth: Mapping[str, str]) -> None:
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
    from baal.active import ActiveLearningDataset
    from baal.active.heuristics import BALD
    from baal.bayesian.caching_utils import MCCachingModule
    from baal.bayesian.dropout import MCDropoutModule
    from baal.modelwrapper import ModelWrapper, TrainingArgs

    quiet()
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
    timed("held out", len(judged), lambda: predict(trained, judged, 1))
    sizes = {"pool": len(pool), "held out": len(held_out)}
    return {"parts": took, "sizes": sizes}
