"""The model of one round, read back for a notebook: classes, a network, and `predict`."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from alvision.core.errors import UserError
from alvision.data import decoding
from alvision.data.image_spec import ImageSpec
from alvision.data.images import UnreadableImage, read
from alvision.data.storage.stored_path import ImagePath
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.inference import engine, pool, tiled
from alvision.inference.executor import Executor
from alvision.models import bags
from alvision.models.backbones import Backbone
from alvision.models.normalised import Normalised
from alvision.run_folder.initial_model import as_kept
from alvision.run_folder.load import load_run
from alvision.training import checkpoint
from alvision.training.checkpoint import Model
from alvision.training.initial import initial_backbone


@dataclass(frozen=True)
class TrainedModel:
    """A trained model that needs neither the run's images nor its labels.

    Attributes:
        classes: The class of each output, by name.
        fitted: False if fewer than two classes were labelled; `predict` is uniform then.
        spec: How an image becomes the array that the network sees.
    """

    classes: tuple[str, ...]
    fitted: bool
    spec: ImageSpec
    _model: Model = field(repr=False)
    _backbone: Backbone | None = field(repr=False)
    _engine: engine.Engine = field(repr=False)

    @cached_property
    def module(self) -> nn.Module:
        """Return the network: pixels uint8 [B,H,W,3] to logits [B,C], or features to logits.

        It is a copy, in eval mode and on the CPU; `spec.shape` is the images' height and width.
        With `data.image.tiles` the pixels are photographs, [B,rows,columns,H,W,3].

        Raises:
            UserError: The model is not fitted, so there is no network.
        """
        if self._model.module is None:
            raise UserError("fewer than two classes were labelled, so there is no network yet")
        head = copy.deepcopy(self._model.module.head).cpu()
        if self._backbone is None:
            return head.eval()
        trunk = copy.deepcopy(self._trunk).cpu()
        network: nn.Module = Normalised(trunk, self._backbone.mean, self._backbone.std)
        if self.spec.tiles is not None:
            network = bags.Bags(network)
        return nn.Sequential(network, head).eval()

    def predict(self, images: Any) -> ClassProbabilities:
        """Say how probable each class is, as the run's own predictions do.

        Args:
            images: Paths, or Pillow images, or arrays [H,W,3] or [H,W], or one of these; for a run
                on embeddings an array [N,D].

        Returns:
            Probabilities [N,C]; ids are the paths, or the numbers of images in memory.

        Raises:
            UserError: An image cannot be read.
        """
        given = [images] if self._is_single(images) else list(images)
        ids = [str(one) if isinstance(one, str | Path) else str(n) for n, one in enumerate(given)]
        if self._model.module is None:
            values = np.full((len(given), len(self.classes)), 1 / len(self.classes))
            return ClassProbabilities(tuple(ids), self.classes, values)
        parts = []
        with torch.inference_mode():
            for features in self._features(given):
                parts.append(self._model.module.head(features).softmax(dim=-1).numpy())
        shape = (0, len(self.classes))
        return ClassProbabilities(
            tuple(ids), self.classes, np.concatenate(parts) if parts else np.zeros(shape)
        )

    def scan(
        self, images: Sequence[tuple[str, ImagePath]], set_aside: dict[str, str]
    ) -> Iterator[tuple[tuple[str, ...], Tensor, Tensor]]:
        """Yield ids, their features [b,D] and the probability of each class [b,C], batch by batch.

        Args:
            images: Ids, and where they lie.
            set_aside: Receives the images that cannot be read, and the reason.

        Raises:
            UserError: The model was trained on embeddings, or is not fitted.
        """
        if self._backbone is None or self._model.module is None:
            raise UserError("a scan needs a fitted model of images")
        head = self._model.module.head
        for ids, features in pool.trunk_features(
            self._trunk, images, self.spec, self._engine,
            mean=self._backbone.mean, std=self._backbone.std, set_aside=set_aside,
            executor=self._executor,
        ):  # fmt: skip
            with torch.inference_mode():
                yield ids, features, head(features).softmax(dim=-1)

    @property
    def key(self) -> list[object]:
        """Return what features depend on beside the image: trunk, transform and engine."""
        trunk = None if self._backbone is None else self._backbone.fingerprint
        return [trunk, self.spec.to_dict(), self._engine.key]

    def _is_single(self, images: Any) -> bool:
        if isinstance(images, str | Path | Image.Image):
            return True
        if self._backbone is None or not isinstance(images, np.ndarray):
            return False
        return images.ndim == 2 or (images.ndim == 3 and images.shape[-1] in (3, 4))

    @property
    def _trunk(self) -> nn.Module:
        assert self._backbone is not None and self._model.module is not None
        own = self._model.module.trunk
        return self._backbone.trunk if isinstance(own, nn.Identity) else own

    @cached_property
    def _executor(self) -> Executor:
        assert self._backbone is not None
        return Executor(
            copy.deepcopy(self._trunk),
            self._engine,
            mean=self._backbone.mean,
            std=self._backbone.std,
            shape=self.spec.shape,
        )

    def _features(self, images: Sequence[Any]) -> Iterator[Tensor]:
        if self._backbone is None:
            yield torch.from_numpy(np.asarray(images, np.float32))
            return
        if self.spec.tiles is not None:
            for image in images:
                yield tiled.pooled(self._executor, [_decoded(image, self.spec)])
            return
        rows = self._engine.batch_size
        for start in range(0, len(images), rows):
            pixels = np.zeros((rows, *self.spec.shape, 3), np.uint8)
            batch = images[start : start + rows]
            for row, image in enumerate(batch):
                pixels[row] = _decoded(image, self.spec)
            # A full batch, blank rows included: results must not depend on how the work is split.
            yield self._executor(torch.from_numpy(pixels))[: len(batch)]


def load(root: Path, round: int) -> TrainedModel:
    """Read back the model of a round; a frozen trunk is rebuilt and must have the same hash.

    Raises:
        UserError: There is no such round, or the trunk's weights are not those of then.
    """
    if isinstance(round, bool) or not isinstance(round, Integral):
        raise UserError(f"round {round!r}: it must be a whole number, such as 1")
    path = root / "rounds" / f"{round:03d}" / "model.ckpt"
    config, _, _ = load_run(root)
    if not path.exists():
        there = sorted(int(file.parent.name) for file in root.glob("rounds/*/model.ckpt"))
        raise UserError(f"{root} has no model of round {round}; it has {there or 'none yet'}")
    content = checkpoint.read(path)
    frozen = content["model"]["training"] == "frozen"
    spec = ImageSpec.from_dict(content["image"])
    backbone = None
    if content["mean"] is not None:
        backbone = initial_backbone(as_kept(config.model, root), config.seed, spec.shape)
    if frozen and backbone is not None and content["trunk"] != backbone.fingerprint:
        raise UserError(
            f"{path} was trained on the features of other weights than those of model.backbone="
            f"{config.model.backbone} here; use the weights that it was trained with"
        )
    whole = backbone is not None and not frozen
    model = checkpoint.restore(
        content, copy.deepcopy(backbone.trunk) if whole and backbone else None
    )
    # Any device will do, but not another precision: it would move the numbers.
    trainer = replace(config.trainer, accelerator="auto", devices=1, strategy="auto")
    return TrainedModel(
        model.classes,
        model.fitted,
        spec,
        model,
        backbone,
        engine.choose(replace(trainer, precision=content["precision"])),
    )


def _decoded(image: Any, spec: ImageSpec) -> np.ndarray:
    """Decode a file, or what is in memory, by the same transform."""
    try:
        if isinstance(image, str | Path):
            return decoding.decode(read(Path(image)), spec, Path(image))
        picture = image if isinstance(image, Image.Image) else Image.fromarray(_pixels(image))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", compress_level=0)  # lossless, so nothing but time is lost
        return decoding.decode(buffer.getvalue(), spec, Path("image.png"))
    except (UnreadableImage, TypeError, ValueError) as error:
        named = str(image) if isinstance(image, str | Path) else "this image"
        raise UserError(f"{named} cannot be used: {error}") from error


def _pixels(image: Any) -> np.ndarray:
    array = np.asarray(image)
    if array.dtype.kind not in "biu" or array.dtype.itemsize > 4:
        raise TypeError(f"the array is {array.dtype}; uint8 expected")
    return array
