"""Write what the model thinks of the images that are asked for next, as files of the round."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import normalize

from alvision.core.records import Locate, Query, SampleId
from alvision.core.rounds import Round, write_atomically
from alvision.data.images import UnreadableImage
from alvision.data.pictures import upright_size
from alvision.data.storage.stored_path import ImagePath
from alvision.explain.heatmaps import class_activation, overlay, strangeness
from alvision.labels.content import located
from alvision.models import bags
from alvision.models.normalised import normalise

NEIGHBOURS = 5
_LONGEST = 400
"""Longer side of a class activation, in pixels: it knows some 7 x 7 places."""
_FULL = 1600
"""Longer side of a map of strangeness at most: the page shows no larger picture at once."""
_SILENT = frozenset({"audit", "gold", "relabel"})
"""Blind rows, and those that the model has learned: it would only repeat their label."""


class Opinions:
    """Write `opinions.json` and `heatmaps/` into a round's folder, piece by piece.

    None of it is a step of the loop: it can be made again, and nothing waits for it.

    Args:
        round_of: Gives the round of a number.
        learner: What infers.
        labels: Gives the labels that may be trained on, as they are now.
        path_of: Gives an image's file.
        locate: Finds the image of today by the id and the bytes that it had.
        hashes: The sha256 of each image.
    """

    def __init__(
        self,
        round_of: Callable[[int], Round],
        learner: Any,
        labels: Callable[[], Mapping[SampleId, str]],
        path_of: Callable[[SampleId], ImagePath],
        locate: Locate,
        hashes: Mapping[SampleId, str],
    ) -> None:
        self._round_of = round_of
        self._learner = learner
        self._labels = labels
        self._path_of = path_of
        self._locate = locate
        self._hashes = hashes

    def __call__(self, query: Query) -> Iterator[None]:
        """Work on the rows of a query, then on its ranking; yield after each piece."""
        rnd = self._round_of(query.round)
        model = rnd.previous.read("model.ckpt") if rnd.previous else None
        fitted = model is not None and model.fitted
        if not fitted and self._learner.novelty is None:
            return
        ranking = rnd.read("ranking.csv") if rnd.has("ranking.csv") else Query(query.round)
        rows = located(replace(query, rows=(*query.rows, *ranking.rows)), self._locate).rows
        ids = [row.id for row in rows if row.slot not in _SILENT]
        if not ids:
            return
        opinions, called = self._opinions(model, ids, query.round) if fitted else ({}, {})
        opinions = {id: opinions.get(id) or self._opinion(id, {}, ()) for id in ids}
        named = {*opinions, *(near for said in opinions.values() for near, _ in said["neighbours"])}
        hashes = {id: self._hashes[id] for id in sorted(named) if id in self._hashes}
        content = json.dumps({"images": opinions, "sha256": hashes}, ensure_ascii=False)
        path = rnd.folder / "opinions.json"

        def write(beside: Path) -> None:
            beside.write_text(content, encoding="utf-8")

        write_atomically(path, write)
        yield
        if self._learner.novelty is not None:
            yield from self._draw_strangeness(opinions, rnd.folder / "heatmaps")
            return
        if self._learner.backbone is None:
            return  # features without a network have no map
        tiles = self._learner.features.spec.tiles
        if self._learner.model.views != "none" and tiles is None:
            return  # the map that the network ends with may be that of a turned image
        for id, column in called.items():
            self._draw(model, id, column, rnd.folder / "heatmaps" / opinions[id]["heatmap"])
            yield

    def _opinions(
        self, model: Any, ids: list[SampleId], number: int
    ) -> tuple[dict[SampleId, dict[str, Any]], dict[SampleId, int]]:
        """Return what the page shows of each image, and the column of its most likely class."""
        infer, labels = self._learner.infer, self._labels()
        seen = infer(model, ids, needs={"log_probs", "features"}, round=number)
        near = infer(model, list(labels), needs={"features"}, round=number)
        means = seen.log_probs.exp().mean(1)
        rows = nearest(seen.features, near.features, NEIGHBOURS) if len(near) else [()] * len(seen)
        opinions, called = {}, {}
        for id, p, close in zip(seen.ids, means, rows, strict=True):
            neighbours = [near.ids[int(row)] for row in close]
            called[id] = int(p.argmax())
            probable = {
                name: round(value, 4)
                for name, value in zip(self._learner.classes, p.tolist(), strict=True)
            }
            opinions[id] = self._opinion(id, probable, [(one, labels[one]) for one in neighbours])
        return opinions, called

    def _opinion(
        self,
        id: SampleId,
        probabilities: Mapping[str, float],
        neighbours: Sequence[tuple[SampleId, str]],
    ) -> dict[str, Any]:
        return {
            "probabilities": probabilities,
            "neighbours": [list(pair) for pair in neighbours],
            "heatmap": self._heatmap_name(id),
            "strange": self._learner.novelty is not None,
        }

    def _heatmap_name(self, id: SampleId) -> str:
        """Name a map after the bytes too: another photograph may come under the same id."""
        text = f"{id}\x1f{self._hashes.get(id, '')}"
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest() + ".png"

    def _draw_strangeness(
        self, opinions: Mapping[SampleId, Mapping[str, Any]], folder: Path
    ) -> Iterator[None]:
        """Draw where images are unlike the others, with a box around each hot spot."""
        novelty, spec = self._learner.novelty, self._learner.features.spec
        for id, opinion in opinions.items():
            path = folder / opinion["heatmap"]
            size = self._size(id, _FULL, enlarge=False)
            if size is not None and not path.exists():
                for places in novelty.places([self._hashes[id]]).values():
                    picture = strangeness(places, novelty.grid, novelty.level, size, spec)
                    write_atomically(path, partial(picture.save, format="PNG"))
            yield

    def _draw(self, model: Any, id: SampleId, column: int, path: Path) -> None:
        learner = self._learner
        pixels = learner.features.decode([id])
        name = learner.classes[column]
        if path.exists() or id not in pixels or name not in model.classes:
            return
        asked = model.classes.index(name)
        if learner.features.spec.tiles is None:
            values = self._activation(model, pixels[id], asked)
        else:
            values = self._tile_heat(model, pixels[id], asked)
        if values is None:
            return
        size = self._size(id, _LONGEST, enlarge=True)
        if size is None:
            return
        picture = overlay(values, size, learner.features.spec)
        write_atomically(path, lambda beside: picture.save(beside, "PNG"))

    def _size(self, id: SampleId, longest: int, *, enlarge: bool) -> tuple[int, int] | None:
        """Return width and height of a picture that lies over an image; None: it cannot be read."""
        try:
            width, height = upright_size(self._path_of(id), self._learner.features.spec)
        except UnreadableImage:
            return None
        shrink = longest / max(width, height)
        if not enlarge:
            shrink = min(1.0, shrink)
        return max(1, round(width * shrink)), max(1, round(height * shrink))

    def _activation(self, model: Any, pixels: np.ndarray, asked: int) -> np.ndarray | None:
        """Return where the network sees a class; None where it has no map that could tell."""
        backbone, module = self._learner.backbone, model.module.eval()
        frozen = isinstance(module.trunk, nn.Identity)
        trunk = (backbone.trunk if frozen else module.trunk).eval()
        device = next(trunk.parameters()).device
        batch = torch.from_numpy(pixels)[None].to(device)
        image = normalise(batch, backbone.mean, backbone.std)
        column = torch.tensor([asked], device=device)
        try:
            maps = class_activation(trunk, module.head.to(device), image, column)
        except ValueError:  # a network of the user's own may have no feature map
            return None
        return maps[0].cpu().numpy()

    def _tile_heat(self, model: Any, pixels: np.ndarray, asked: int) -> np.ndarray:
        """Return how much each tile speaks for a class, [rows, columns]."""
        tiles = self._learner.features.tiles(pixels)
        with torch.inference_mode():
            found = bags.heat(model.module.eval().head.cpu(), tiles)[:, asked]
        return (found / found.max().clamp(min=1e-12)).reshape(pixels.shape[:2]).numpy()


def nearest(
    features: Float[Tensor, "n d"], labelled: Float[Tensor, "m d"], k: int
) -> Int[Tensor, "n j"]:
    """Return the rows of the k labelled images of the highest cosine similarity, nearest first.

    cos(x, y) = x·y / (|x| |y|); ties go to the lowest row. j = min(k, m).

    >>> nearest(torch.tensor([[1.0, 0.1]]), torch.tensor([[0.0, 1.0], [2.0, 0.0]]), 1)
    tensor([[1]])
    """
    similarity = normalize(features.float(), dim=1) @ normalize(labelled.float(), dim=1).T
    order = similarity.argsort(dim=1, descending=True, stable=True)
    return order[:, : min(k, len(labelled))]
