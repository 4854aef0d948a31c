"""A learner that learns nothing, and the files of its rounds: the loop without a network."""

import ast
from collections.abc import Callable
from functools import partial

import torch

from alvision.acquisition import random_sampling
from alvision.core.seeding import derive, generator
from alvision.inference.predictions import Predictions
from alvision.loop.experiment import Budget, Experiment, Strategy
from alvision.oracles.simulated import SimulatedOracle
from alvision.run_folder.round_files import AnswersFile, MetricsFile, QueryFile

IDS = tuple(f"{i:02d}.png" for i in range(20))
HELD_OUT = ("x0.png", "x1.png", "x2.png", "x3.png")
TRUTH = {id: ("ok", "worn")[i % 2] for i, id in enumerate((*IDS, *HELD_OUT))}
HASHES = {id: f"sha of {id}" for id in TRUTH}


class Model:
    def __init__(self, labels):
        self.labels = dict(labels)
        self.fitted = len(set(self.labels.values())) > 1


class FakeLearner:
    """Learns nothing, reads everything but the ids in `broken`."""

    def __init__(self, broken=(), while_training: Callable[[], None] = lambda: None):
        self.set_aside = {}
        self.broken = broken
        self.while_training = while_training
        self.asked = []

    def fit(self, labels, *, round):
        self.while_training()
        return Model(labels)

    def predict(self, model, ids):
        return tuple(ids)

    def infer(self, model, ids, *, needs, round, score=None, labels=None):
        self.asked.append((round, needs))
        readable = tuple(i for i in ids if not (needs & {"log_probs", "features"} and self._bad(i)))
        return Predictions(
            readable, torch.full((len(readable), 1, 2), 0.5).log() if needs else None
        )

    def _bad(self, id):
        if id in self.broken:
            self.set_aside[id] = "broken"
        return id in self.broken


class ModelFile:
    def write(self, model, path):
        path.write_text(repr(model.labels))

    def read(self, path):
        return Model(ast.literal_eval(path.read_text()))


class IdsFile:
    def write(self, ids, path):
        path.write_text("\n".join(ids))

    def read(self, path):
        return Ids(path.read_text().split("\n"))


class Ids:
    def __init__(self, ids):
        self.ids = tuple(ids)


CODECS = {
    "query.csv": QueryFile(),
    "answers.csv": AnswersFile(),
    "model.ckpt": ModelFile(),
    "predictions.parquet": IdsFile(),
    "metrics.json": MetricsFile(),
}


def experiment(root, store, **changes):
    """Return a run of 20 images and three rounds, drawn at random, in milliseconds."""
    strategy = Strategy("random_sampling", random_sampling, frozenset())
    settings = {
        "root": root,
        "classes": ("ok", "worn"),
        "candidates": IDS,
        "evaluation_ids": HELD_OUT,
        "audit_order": (),
        "hashes": HASHES,
        "labels": store,
        "oracle": SimulatedOracle(TRUTH, "run"),
        "learner": FakeLearner(),
        "acquisition": strategy,
        "cold_start": strategy,
        "budget": Budget(initial=4, batch=3, rounds=3),
        "generator": partial(generator, 0),
        "order": partial(derive, 0, "order"),
        "explain": lambda picked, scores, **_: ["drawn at random"] * len(scores),
        "evaluate": lambda predictions, labels: {"known": len(labels)},
        "publish": lambda rnd: None,
        "codecs": CODECS,
        "truth": TRUTH,
    }
    return Experiment(**(settings | changes))
