"""One decode and one trunk pass over a pool, for any number of scores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
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

from alvision.data.images import ImageSpec, UnreadableImage, load
from alvision.data.threads import ordered_map
from alvision.inference.engine import Engine
from alvision.inference.predictions import Predictions, SampleId, Score

Chunk = tuple[tuple[SampleId, ...], Tensor]
LogProbs = Callable[[Tensor], Tensor]


def decode(
    images: Sequence[tuple[SampleId, Path]], spec: ImageSpec, *, workers: int, ahead: int
) -> Iterator[tuple[SampleId, np.ndarray | str]]:
    """Decode images in threads, in order.

    Args:
        images: Ids and files.
        spec: The evaluation transform.
        workers: Number of threads.
        ahead: Number of images decoded before they are asked for.

    Yields:
        An id and its pixels, uint8 [H,W,3], or the reason why the file cannot be read.
    """

    def one(image: tuple[SampleId, Path]) -> tuple[SampleId, np.ndarray | str]:
        try:
            return image[0], load(image[1], spec)
        except UnreadableImage as error:
            return image[0], str(error)

    yield from ordered_map(one, images, workers=workers, ahead=ahead)


def normalise(
    pixels: UInt8[Tensor, "b h w 3"], mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "b 3 h w"]:
    """Scale pixels to 0..1, then to the mean and deviation that the trunk was trained with."""
    images = pixels.permute(0, 3, 1, 2).float() / 255
    shift = torch.tensor(mean, device=pixels.device)[:, None, None]
    scale = torch.tensor(std, device=pixels.device)[:, None, None]
    return ((images - shift) / scale).contiguous(memory_format=torch.channels_last)


def trunk_features(
    trunk: nn.Module,
    images: Sequence[tuple[SampleId, Path]],
    spec: ImageSpec,
    engine: Engine,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    set_aside: dict[SampleId, str],
) -> Iterator[Chunk]:
    """Run the trunk over images, in eval mode and batches of one size.

    The last batch is filled up with blank images, so that no result depends on how the work was
    split.

    Args:
        trunk: Maps images to features [B,D]; it is moved to the engine's device.
        images: Ids and files.
        spec: The evaluation transform.
        engine: Device, precision, batch size and threads.
        mean: The trunk's mean of each channel.
        std: The trunk's deviation of each channel.
        set_aside: Receives the images that cannot be read, and the reason.

    Yields:
        Ids and their features [b,D], float32 on the CPU.
    """
    trunk.eval().to(engine.device).to(memory_format=torch.channels_last)

    def run(ids: list[SampleId], pixels: list[np.ndarray]) -> Chunk:
        batch = np.zeros((engine.batch_size, *pixels[0].shape), np.uint8)
        batch[: len(pixels)] = pixels
        inputs = normalise(torch.from_numpy(batch).to(engine.device), mean, std)
        with torch.inference_mode(), engine.autocast:
            features = trunk(inputs)[: len(pixels)]
        return tuple(ids), features.float().cpu().clone()

    ids: list[SampleId] = []
    pixels: list[np.ndarray] = []
    ahead = 2 * engine.batch_size
    with progress_bar(len(images), engine.progress) as advance:
        for id, decoded in decode(images, spec, workers=engine.workers, ahead=ahead):
            advance()
            if isinstance(decoded, str):
                set_aside[id] = decoded
                continue
            ids.append(id)
            pixels.append(decoded)
            if len(ids) == engine.batch_size:
                yield run(ids, pixels)
                ids, pixels = [], []
        if ids:
            yield run(ids, pixels)


def collect(
    chunks: Iterable[Chunk],
    *,
    needs: Collection[str],
    log_probs: LogProbs | None = None,
    score: Score | None = None,
) -> Predictions:
    """Turn features into what is needed, chunk by chunk; what is not needed is not kept.

    With a score alone the memory is O(N) whatever K, C and D are.

    Args:
        chunks: Ids and features, [b,D] or, of a trunk that is sampled, [b,1+K,D]: those of the
            whole network first.
        needs: Any of `features`, `log_probs`, `scores`.
        log_probs: Maps such features to log-probabilities [b,K,C].
        score: What `scores` are; higher = more worth labelling.

    Raises:
        ValueError: Scores or log-probabilities are needed, but the function is not there.
    """
    ids: list[SampleId] = []
    kept: dict[str, list[Tensor]] = {field: [] for field in _FIELDS if field in needs}
    if "scores" in kept and score is None:
        raise ValueError("scores are needed, but there is no score")
    if log_probs is None and ("scores" in kept or "log_probs" in kept):
        raise ValueError("log-probabilities are needed, but there is no function that gives them")
    for names, features in chunks:
        ids.extend(names)
        if "features" in kept:
            kept["features"].append(features if features.ndim == 2 else features[:, 0].clone())
        if log_probs is None or kept.keys() <= {"features"}:
            continue
        with torch.inference_mode():
            values = log_probs(features)
        # inference_mode's tensors cannot be used in autograd later; a clone can.
        if "log_probs" in kept:
            kept["log_probs"].append(values.clone())
        if score is not None and "scores" in kept:
            kept["scores"].append(score(values.clone()))
    joined = {field: torch.cat(parts) for field, parts in kept.items() if parts}
    return Predictions(tuple(ids), **joined)


_FIELDS = ("features", "log_probs", "scores")


class _Rate(ProgressColumn):
    def render(self, task: RichTask) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f} images/s")


@contextmanager
def progress_bar(total: int, enabled: bool) -> Iterator[Callable[[], None]]:
    """Show images done, images/s and time left, on a terminal only; yields what advances it."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    bar = Progress(
        "reading images", *columns, console=console, transient=True,
        disable=not (enabled and console.is_terminal),
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)
