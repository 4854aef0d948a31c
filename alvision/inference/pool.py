"""One decode and one trunk pass over a pool, for any number of scores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TimeRemainingColumn,
)
from rich.progress import Task as RichTask
from rich.text import Text
from torch import Tensor, nn

from alvision.core import stopping
from alvision.data import decoding
from alvision.data.images import ImageSpec, UnreadableImage, read
from alvision.data.storage.client import ChangedObject
from alvision.data.storage.stored_path import ImagePath
from alvision.data.threads import ordered_map
from alvision.inference import tiled
from alvision.inference.engine import Engine, threads
from alvision.inference.executor import Executor
from alvision.inference.predictions import Predictions, SampleId, Score
from alvision.inference.rows import Rows

Chunk = tuple[tuple[SampleId, ...], Tensor]
LogProbs = Callable[[Tensor], Tensor]
CHANGED = "the object changed since it was listed"
"""Why an object of another etag than the listed one is not used."""


def decode(
    images: Sequence[tuple[SampleId, ImagePath]],
    spec: ImageSpec,
    *,
    workers: int,
    ahead: int,
    hashes: Mapping[SampleId, str] | None = None,
) -> Iterator[tuple[SampleId, np.ndarray | str]]:
    """Decode images in order, in threads if there are several workers.

    Args:
        images: Ids and files.
        spec: The evaluation transform.
        workers: Number of threads.
        ahead: Number of images decoded before they are asked for.
        hashes: sha256 of the content that each file should have; None: any.

    Yields:
        An id and its pixels, uint8 [H,W,3], or its tiles, uint8 [rows,columns,H,W,3], or the reason
        why the file cannot be used.
    """

    def one(image: tuple[SampleId, ImagePath]) -> tuple[SampleId, np.ndarray | str]:
        return image[0], _pixels(*image, spec, hashes)

    if workers == 1:  # one more thread would only hand images over, which costs as much as reading
        for image in images:
            stopping.safe_point()
            yield one(image)
        return
    yield from ordered_map(one, images, workers=workers, ahead=ahead)


def _pixels(
    id: SampleId, path: ImagePath, spec: ImageSpec, hashes: Mapping[SampleId, str] | None
) -> np.ndarray | str:
    try:
        data = read(path)
        # What is stored under a hash must come from these very bytes.
        if hashes is not None and hashlib.sha256(data).hexdigest() != hashes[id]:
            return "the file changed while it was read"
        return decoding.decode(data, spec, path)
    except ChangedObject:
        return CHANGED
    except UnreadableImage as error:
        return str(error)


def trunk_features(
    trunk: nn.Module,
    images: Sequence[tuple[SampleId, ImagePath]],
    spec: ImageSpec,
    engine: Engine,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    set_aside: dict[SampleId, str],
    hashes: Mapping[SampleId, str] | None = None,
    executor: Executor | None = None,
) -> Iterator[Chunk]:
    """Run the trunk over images, in eval mode and batches of one size.

    Several batches are in the making at once, each decoded and run by one thread on its share of
    the cores: no core waits for another, and decoding overlaps with the network. Rows of images
    that cannot be read, and those that the last batch lacks, are blank, so that no result depends
    on how the work was split. With `spec.tiles` the rows are tiles, and each photograph's are
    pooled (`models.bags`).

    Args:
        trunk: Maps images to features [B,D]; it is moved to the engine's device.
        images: Ids and files.
        spec: The evaluation transform.
        engine: Device, precision, batch size and threads.
        mean: The trunk's mean of each channel.
        std: The trunk's deviation of each channel.
        set_aside: Receives the images that cannot be read, and the reason.
        hashes: sha256 of the content that each file should have; None: any.
        executor: The trunk made ready already; None: it is made ready here.

    Yields:
        Ids and their features [b,D], float32 on the CPU.

    Raises:
        UserError: The engine cannot run this trunk.
    """
    if not images:
        return
    size, streams, cores = engine.batch_size, engine.streams, engine.share
    shape = spec.shape

    def run(batch: Sequence[tuple[SampleId, ImagePath]]) -> tuple[list[str | None], Tensor | None]:
        torch.set_num_threads(cores)  # this thread's own number
        pixels = np.zeros((size, *shape, 3), np.uint8)
        reasons: list[str | None] = []
        for row, (_, decoded) in enumerate(
            decode(batch, spec, workers=cores, ahead=2 * cores, hashes=hashes)
        ):
            reasons.append(decoded if isinstance(decoded, str) else None)
            if not isinstance(decoded, str):
                pixels[row] = decoded
        read = [row for row, reason in enumerate(reasons) if reason is None]
        return reasons, ready(torch.from_numpy(pixels))[read] if read else None

    def run_bags(
        batch: Sequence[tuple[SampleId, ImagePath]],
    ) -> tuple[list[str | None], Tensor | None]:
        torch.set_num_threads(cores)
        found = [one for _, one in decode(batch, spec, workers=1, ahead=1, hashes=hashes)]
        reasons = [one if isinstance(one, str) else None for one in found]
        bags = [one for one in found if not isinstance(one, str)]
        return reasons, tiled.pooled(ready, bags) if bags else None

    with threads(cores), progress_bar(len(images), engine.progress) as advance:
        ready = executor or Executor(trunk, engine, mean=mean, std=std, shape=shape)
        batches = [images[start : start + size] for start in range(0, len(images), size)]
        if spec.tiles is not None:
            batches = tiled.regrouped(batches, spec, ready.rows)
        work = run if spec.tiles is None else run_bags
        found = ordered_map(work, batches, workers=streams, ahead=streams + 1)
        for batch, (reasons, features) in zip(batches, found, strict=True):
            advance(len(batch))
            good = []
            for (id, _), reason in zip(batch, reasons, strict=True):
                if reason is None:
                    good.append(id)
                else:
                    set_aside[id] = reason
            if features is not None:
                yield tuple(good), features


def collect(
    chunks: Iterable[Chunk],
    *,
    needs: Collection[str],
    log_probs: LogProbs | None = None,
    score: Score | None = None,
    count: int,
    folder: Path | None = None,
) -> Predictions:
    """Turn features into what is needed, chunk by chunk; what is not needed is not kept.

    With a score alone the memory is O(N) whatever K, C and D are.

    Args:
        chunks: Ids and features, [b,D] or, of a trunk that is sampled, [b,1+K,D]: those of the
            whole network first.
        needs: Any of `features`, `log_probs`, `scores`.
        log_probs: Maps such features to log-probabilities [b,K,C].
        score: What `scores` are; higher = more worth labelling.
        count: Most images that will come.
        folder: Put features and log-probabilities into memory maps here, as fp16.

    Raises:
        ValueError: Scores or log-probabilities are needed, but the function is not there.
    """
    ids: list[SampleId] = []
    kept = {
        field: Rows(count, None if field == "scores" else folder)
        for field in _FIELDS
        if field in needs
    }
    if "scores" in kept and score is None:
        raise ValueError("scores are needed, but there is no score")
    if log_probs is None and ("scores" in kept or "log_probs" in kept):
        raise ValueError("log-probabilities are needed, but there is no function that gives them")
    for names, features in chunks:
        ids.extend(names)
        if "features" in kept:
            kept["features"].add(features if features.ndim == 2 else features[:, 0])
        if log_probs is None or kept.keys() <= {"features"}:
            continue
        with torch.inference_mode():
            values = log_probs(features)
        if "log_probs" in kept:
            kept["log_probs"].add(values)
        if score is not None and "scores" in kept:
            kept["scores"].add(score(values.clone()))
    joined: dict[str, Any] = {field: rows.values for field, rows in kept.items()}
    return Predictions(tuple(ids), **joined)


_FIELDS = ("features", "log_probs", "scores")


class _Rate(ProgressColumn):
    def render(self, task: RichTask) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f} images/s")


@contextmanager
def progress_bar(total: int, enabled: bool) -> Iterator[Callable[[int], None]]:
    """Show images done, images/s and time left, on a terminal only; yields what advances it."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    bar = Progress(
        "reading images", *columns, console=console, transient=True,
        disable=not (enabled and console.is_terminal),
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)
