"""Say why each picked image was chosen, in words and from its own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from jaxtyping import Float
from torch import Tensor

from alvision.inference.predictions import Predictions


def reasons(
    picked: Predictions,
    scores: Sequence[float],
    *,
    needs: frozenset[str],
    slot: str,
    classes: Sequence[str],
    properties: frozenset[str] | None = None,
) -> list[str]:
    """Say why each row was picked, claiming nothing that the strategy did not read.

    Args:
        picked: The picked rows only, in the order of choice.
        scores: The value that each row was chosen for.
        needs: What the strategy reads, from `acquisition.needs_of`.
        slot: Who chose the rows; `audit` rows are drawn at random whatever the strategy.
        classes: Class names, in the order of log_probs.
        properties: What the strategy promises, from `acquisition.properties_of`; then scores are
            called distances only where it promises that they are. None: not known; a strategy that
            reads features alone is taken to go by distance, as `k_center` does.

    Returns:
        One sentence a row, without a full stop.

    Raises:
        ValueError: Scores or classes do not match the predictions.

    >>> import torch
    >>> log_probs = torch.tensor([[[0.52, 0.45, 0.03]]]).log()
    >>> picked = Predictions(("a.png",), log_probs=log_probs)
    >>> needs, classes = frozenset({"scores"}), ["ok", "worn", "bent"]
    >>> reasons(picked, [0.93], needs=needs, slot="acquisition", classes=classes)
    ['between ok (0.52) and worn (0.45)']
    """
    if len(scores) != len(picked):
        raise ValueError(f"scores: {len(scores)} of them for {len(picked)} picked rows")
    if slot == "audit":
        return ["drawn at random for the audit"] * len(picked)
    if not needs:
        return ["drawn at random"] * len(picked)
    if "novelty" in needs:
        return [f"unlike the other photographs: novelty {score:.3g}" for score in scores]
    if "defects" in needs and "log_probs" in needs:
        return [f"near the limit between good and defective: {score:.2f}" for score in scores]
    if "defects" in needs:
        return [f"like the defects found so far: chance {score:.2f}" for score in scores]
    by_distance = needs == {"features"} if properties is None else "distance" in properties
    if by_distance:
        return _distances(scores)
    if picked.log_probs is None or not needs & {"scores", "log_probs", "passes"}:
        source = " on its features" if needs == {"features"} else ""
        return [f"score {score:.3g}{source}" for score in scores]
    if picked.log_probs.shape[-1] != len(classes):
        raise ValueError(
            f"classes: {len(classes)} names for log_probs {list(picked.log_probs.shape)}"
        )
    explain = _passes if "passes" in needs else _between
    return [explain(p, classes) for p in picked.log_probs.float().exp()]


def _between(p: Float[Tensor, "k c"], classes: Sequence[str]) -> str:
    values, order = p.mean(0).sort(descending=True, stable=True)
    named = [f"{classes[c]} ({v:.2f})" for v, c in zip(values, order.tolist(), strict=True)]
    if len(named) == 1:
        return f"most likely {named[0]}"
    first, second = named[:2]
    if values[1] < 0.1:
        return f"most likely {first}, then {second}"
    return f"between {first} and {second}"


def _passes(p: Float[Tensor, "k c"], classes: Sequence[str]) -> str:
    votes = p.argmax(1).bincount(minlength=len(classes))
    counts, order = votes.sort(descending=True, stable=True)
    voted = [(classes[c], v) for v, c in zip(counts.tolist(), order.tolist(), strict=True) if v]
    winner, count = voted[0]
    if count == len(p):
        low, high = (f"{value:.2f}" for value in p[:, order[0]].aminmax())
        spread = low if low == high else f"{low} to {high}"
        return f"{winner} in all {len(p)} passes, with probability {spread}"
    others = [f"{name} in {times}" for name, times in voted[1:3]]
    named = ", ".join([f"{winner} in {count} of {len(p)} passes", *others])
    return f"the model disagrees with itself: {named}"


def _distances(scores: Sequence[float]) -> list[str]:
    typical = median([score for score in scores if score > 0] or [0.0])
    # Distances to the nearest chosen row shrink, so a first 0 before others is no distance: it is
    # the start of a traversal that had nothing labelled to be far from.
    started = len(scores) > 1 and scores[0] == 0 and typical > 0
    earlier = "picked" if started else "labelled or picked"
    words = []
    for i, score in enumerate(scores):
        if i == 0 and started:
            words.append("a typical image to start from: nothing is labelled yet")
        elif i == 0 and score == 0:
            words.append("the first choice: nothing differs more from what is labelled")
        elif score == 0:
            words.append(f"same features as an image {earlier} before it: nothing else is left")
        else:
            what = "anything labelled yet" if i == 0 else f"anything {earlier} before it"
            words.append(
                f"unlike {what}: distance {score:.3g}, {score / typical:.1f} x the batch's median"
            )
    return words
