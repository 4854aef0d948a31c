"""Fit, predict, infer: what the loop asks of deep learning."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from alvision.anomaly.joined import Joined, join
from alvision.anomaly.novelty import Novelty
from alvision.config.checks import validate_training
from alvision.core import seeding
from alvision.core.errors import UserError
from alvision.data.cache import maps_folder
from alvision.data.images import ImageSpec
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.inference import engine, pool
from alvision.inference.features import Features
from alvision.inference.predictions import Predictions, SampleId, Score
from alvision.models.backbones import Backbone
from alvision.models.patches import PROGRAM as PATCHES
from alvision.models.sampling import stochastic
from alvision.training import checkpoint, contest, cross_validation
from alvision.training.checkpoint import Model
from alvision.training.contest import Contest, Say
from alvision.training.fitter import Fitter
from alvision.training.initial import initial_backbone, initial_head
from alvision.training.joining import log_odds, with_novelty
from alvision.training.sampled_networks import log_probs_of, trunk_of
from alvision.training.warm_up import warm_up

if TYPE_CHECKING:
    from alvision.config.schema import DataConfig, ModelConfig, TrainerConfig
    from alvision.data.manifest import Manifest

KINDS = {
    "frozen": ("frozen",),
    "finetune": ("finetune",),
    "auto": ("frozen", "finetune", "mean"),
}
"""The kinds of models that each way of training leaves."""


class Learner:
    """Learns from labels, and says what it thinks of images.

    Args:
        manifest: The images, or their embeddings.
        hashes: sha256 of each image's bytes; an image without one cannot be opened.
        classes: All classes by name, in the configuration's order.
        data: The evaluation transform.
        model: The network.
        trainer: How it is trained and run.
        seed: The run's seed; every (seed, round, purpose) has randomness of its own.
        groups: The group of each image of the manifest; early stopping keeps them whole.
        pool: The images that features are standardised by: all that may be looked at, and none that
            is held out.
        statistics: The file that keeps what they are standardised by; None: it is kept nowhere.
        progress: Show a progress bar on a terminal.

    Raises:
        UserError: A setting makes no sense or cannot be had here, before any work.
    """

    def __init__(
        self,
        manifest: Manifest,
        hashes: Mapping[SampleId, str],
        classes: Sequence[str],
        data: DataConfig,
        model: ModelConfig,
        trainer: TrainerConfig,
        seed: int,
        groups: Sequence[str],
        *,
        pool: Sequence[SampleId],
        statistics: Path | None = None,
        progress: bool = False,
        defects: Sequence[str] = (),
    ) -> None:
        tiles = data.image.tiles is not None
        validate_training(model, trainer, images=manifest.features is None, tiles=tiles)
        self.classes = tuple(classes)
        self.defects = tuple(defects)
        self.model = model
        self.trainer = trainer
        self.seed = seed
        self.engine = engine.choose(trainer, model.engine, progress=progress)
        self.backbone: Backbone | None = None
        spec = ImageSpec.from_config(data.image)
        if manifest.features is None:
            self.backbone = initial_backbone(model, seed, spec.shape)
        self.features = Features(
            manifest, hashes, spec, self.engine, self.backbone, pool, statistics
        )
        of_image = dict(zip(manifest.ids, groups, strict=True))
        fitter = Fitter(model, trainer, self.classes, seed, self.features, of_image)
        if model.init is not None:
            start = initial_head(model.init, self.classes, fitter.head_arguments)
            fitter = replace(fitter, start=start)
        self.fitter = fitter
        self._novelty: Novelty | None = None

    @property
    def set_aside(self) -> dict[SampleId, str]:
        """Return the images that cannot be read, and the reason."""
        return self.features.set_aside

    @property
    def novelty(self) -> Novelty | None:
        """Return the memory of patches, where the run reads one."""
        return self._novelty

    @property
    def passes(self) -> int:
        """Return K, the passes of every inference or the members of an ensemble; else 1."""
        return self.model.passes if self._stochastic else 1

    def check(self, needs: Collection[str]) -> None:
        """Refuse what cannot be given here, before any work.

        Args:
            needs: Fields that a strategy reads, e.g. {"scores", "passes"}.

        Raises:
            UserError: Several passes are needed, and the network has only one; or it is needed
                which classes are defects, and none is named.
        """
        if "defects" in needs and not self.defects:
            raise UserError(
                "this acquisition looks for defects: say which classes are, defects=[...]"
            )
        if "passes" in needs and self.passes < 2:
            raise UserError(
                "this acquisition compares several passes, and the network has only one: set "
                "model.head=dropout, model.dropout=0.2 (or model.head=ensemble) and model.passes=20"
            )

    def read_novelty(self, path: Path | None) -> None:
        """Read how strange images are in the same pass as their features; before any image is read.

        Args:
            path: The file that keeps it; None: it is kept nowhere.

        Raises:
            UserError: It cannot be read of this data or this network.
        """
        features = self.features
        features.read_patches(str(self.model.backbone))
        assert self.backbone is not None
        self._novelty = Novelty(
            lambda digests: features.patches.of(digests),
            [features.hashes[id] for id in features.standard_of if id in features.hashes],
            f"{self.backbone.fingerprint} {PATCHES}",
            features.patch_grid,
            path,
        )

    def fit(self, labels: Mapping[SampleId, str], *, round: int) -> Model:
        """Train a fresh model on labelled images; the same seed, round and labels, the same bytes.

        Args:
            labels: Class names by id; images that cannot be read are left out.
            round: Its number, which the randomness depends on.

        Returns:
            The model; the uniform, unfitted one if fewer than two classes are labelled. Where
            `read_novelty` was asked for and defects are named, novelty is part of it.

        Raises:
            UserError: A label is no class of the run.
        """
        unknown = sorted(set(labels.values()) - set(self.classes))
        if unknown:
            raise UserError(f"the labels name {unknown[0]!r}, which is not in classes")
        model = Model(self.classes, False)
        if len(set(labels.values())) > 1:
            targets = {id: self.classes.index(labels[id]) for id in sorted(labels)}
            model = self.fitter.fit(targets, round)
        return replace(model, joined=self._join(model, labels))

    def _join(self, model: Model, labels: Mapping[SampleId, str]) -> Joined | None:
        """Join a new model with novelty; None where none is read, or no class is good or bad."""
        bad = np.isin(self.classes, self.defects)
        if self._novelty is None or not bad.any() or bad.all():
            return None
        ids, logits = self.logits(model, list(self.features.standard_of))
        strange = self._novelty.scores([self.features.hashes[id] for id in ids])
        defects = sum(label in self.defects for label in labels.values()) if model.fitted else 0
        return join(log_odds(logits, bad).numpy(), strange.double().numpy(), defects)

    def compete(
        self, labels: Mapping[SampleId, str], *, round: int, say: Say = lambda line: None
    ) -> tuple[Model, Contest]:
        """Train the kind of network that is best on the labelled images; see `contest.compete`."""
        return contest.compete(self.fitter, labels, round=round, say=say)

    def save(self, model: Model, path: Path) -> None:
        """Write a model; equal models give equal bytes."""
        # Of a model that is not fitted nothing is known but what was to be trained.
        kind = model.kind if model.fitted or self.fitter.frozen else self.model.training
        about = {
            "model": {"backbone": self.model.backbone, "training": kind},
            "head": self.fitter.head_arguments,
            "image": self.features.spec.to_dict(),
            "mean": list(self.backbone.mean) if self.backbone else None,
            "std": list(self.backbone.std) if self.backbone else None,
            "precision": self.engine.precision,
            "trunk": self.features.fingerprint if kind == "frozen" else None,
        }
        checkpoint.write(model, path, about)

    def read_as(self, path: Path) -> None:
        """Read images as a model in a file was trained to; before any image is read."""
        self.features.spec = ImageSpec.from_dict(checkpoint.read(path)["image"])

    def load(self, path: Path) -> Model:
        """Read a model that `save` wrote.

        Raises:
            UserError: The file is damaged, or belongs to another network.
        """
        content = checkpoint.read(path)
        kind = content["model"]["training"]
        known = KINDS[self.model.training]
        if kind not in known or content["trunk"] not in (None, self.features.fingerprint):
            raise UserError(
                f"{path} belongs to another network than model.backbone={self.model.backbone} with "
                "these weights; use the weights it was trained with, or another out="
            )
        return checkpoint.restore(content, None if kind == "frozen" else self.fitter.new_trunk())

    def predict(self, model: Model, ids: Sequence[SampleId]) -> ClassProbabilities:
        """Say how probable each class of the model is: without dropout, or the mean of its members.

        Args:
            model: What `fit` or `load` gave.
            ids: Images; those that cannot be read are left out.
        """
        readable, logits = self.logits(model, ids)
        hashes = tuple(map(self.features.hashes.get, readable))
        return ClassProbabilities(readable, model.classes, logits.softmax(dim=-1).numpy(), hashes)

    def logits(
        self, model: Model, ids: Sequence[SampleId]
    ) -> tuple[tuple[SampleId, ...], Float[Tensor, "n c"]]:
        """Return the images that can be read, and the logits whose softmax `predict` gives."""

        def outputs(features: Tensor) -> Tensor:
            if model.module is None:
                return torch.zeros(len(features), 1, len(model.classes))
            return model.module.eval().head.to(features.device)(features)[:, None]

        result = pool.collect(
            self.features.chunks(trunk_of(model, 1, 0), ids),
            needs={"log_probs"},
            log_probs=outputs,
            count=len(ids),
        )
        if result.log_probs is None:
            return result.ids, torch.zeros(0, len(model.classes))
        logits = result.log_probs[:, 0]
        if model.joined is None or self._novelty is None:
            return result.ids, logits
        novelty = self._novelty.scores([self.features.hashes[id] for id in result.ids])
        bad = np.isin(model.classes, self.defects)
        return result.ids, with_novelty(logits, novelty, model.joined, bad)

    def infer(
        self,
        model: Model | None,
        ids: Sequence[SampleId],
        *,
        needs: Collection[str],
        score: Score | None = None,
        round: int,
        labels: Mapping[SampleId, str] | None = None,
    ) -> Predictions:
        """Compute what a strategy reads, and no more, in one pass over the images.

        Args:
            model: What `fit` or `load` gave; None or an unfitted one is uniform, and its features
                are those of the initial trunk.
            ids: Images; those that cannot be read are left out.
            needs: Any of `scores`, `log_probs`, `features`, `labels`, `passes`, `novelty`; for the
                last, `read_novelty` comes before.
            score: What `scores` are; it is computed chunk by chunk and K passes are not kept.
            round: Its number; the K networks depend on it, and are the same in every call.
            labels: Class names by id, for `labels`.

        Returns:
            The readable images in the order asked for; log_probs [N,K,C] over the run's classes,
            -inf for a class that the model was not trained with.
        """
        self.check(needs)
        computed = {"scores", "log_probs", "features"} & set(needs)
        if computed:
            seed = seeding.derive(self.seed, round, "passes")
            trunk = trunk_of(model, 1 if computed == {"features"} else self.passes, seed)
            log_probs = log_probs_of(model, self.classes, self.passes, seed)
            chunks = self.features.chunks(trunk, ids)
            folder = maps_folder() if self.trainer.memory_map else None
            found = pool.collect(
                chunks, needs=computed, log_probs=log_probs, score=score,
                count=len(ids), folder=folder,
            )  # fmt: skip
        else:
            found = Predictions(tuple(self.features.readable(ids)))
        targets, defects = None, None
        if labels is not None and "labels" in needs:
            targets = torch.tensor([self.classes.index(labels[id]) for id in found.ids]).long()
        if labels is not None and "defects" in needs:
            defects = tuple(self.classes.index(name) for name in self.defects)
        novelty = None
        if self._novelty is not None and "novelty" in needs:
            novelty = self._novelty.scores([self.features.hashes[id] for id in found.ids])
        return replace(found, labels=targets, defects=defects, novelty=novelty)

    def cross_predict(self, labels: Mapping[SampleId, str], *, round: int) -> ClassProbabilities:
        """Predict labelled images out of sample; see `cross_validation.cross_predict`."""
        return cross_validation.cross_predict(self.fitter, labels, round=round)

    def warm_up(self) -> None:
        """Run a round's work on blank images, so that the memory that it takes is known."""
        warm_up(self.fitter)

    @cached_property
    def _stochastic(self) -> bool:
        trained = None if self.fitter.frozen or self.backbone is None else self.backbone.trunk
        sampled_trunk = trained is not None and bool(stochastic(trained))
        if not isinstance(self.model.head, str):
            return sampled_trunk or self.fitter.new_head().stochastic
        if self.model.head != "dropout":
            return self.model.head == "ensemble"
        return self.model.dropout > 0 or sampled_trunk
