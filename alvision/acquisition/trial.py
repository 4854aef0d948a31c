"""A strategy on trial: made-up pools for it, and what must hold whenever it picks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from alvision.acquisition.contract import name_of, needs_of, properties_of, score_of
from alvision.inference.predictions import Acquire, Pick, Predictions, Score

_WIDTH = 5


class ConformanceError(AssertionError):
    """A strategy breaks a property; the message names it and gives a small example."""


@dataclass(frozen=True)
class Trial:
    """A strategy and what it declares; `pick` runs it and checks the result.

    Attributes:
        acquire: The select.
        needs: What it reads.
        properties: What it promises.
        score: The score inside it, if any.
    """

    acquire: Acquire
    needs: frozenset[str]
    properties: frozenset[str]
    score: Score | None

    @classmethod
    def of(cls, acquire: Acquire) -> Trial:
        """Read a strategy's declarations."""
        return cls(acquire, needs_of(acquire), properties_of(acquire), score_of(acquire))

    def fail(self, broken: str, example: str) -> ConformanceError:
        """Return the error that names the broken property and an example."""
        return ConformanceError(f"{name_of(self.acquire)} breaks '{broken}': {example}")

    def predictions(self, log_probs: Tensor, features: Tensor | None = None) -> Predictions:
        """Fill the declared fields only, as inference does."""
        n = len(log_probs)
        given: dict[str, Any] = {}
        if "scores" in self.needs:
            given["scores"] = self.scores(log_probs)
        if "log_probs" in self.needs or ("passes" in self.needs and "scores" not in self.needs):
            given["log_probs"] = log_probs
        if "features" in self.needs:
            given["features"] = normal(n, _WIDTH, seed=n) if features is None else features
        if "labels" in self.needs:
            given["labels"] = torch.zeros(n, dtype=torch.int64)
        return Predictions(tuple(f"{row}.png" for row in range(n)), **given)

    def scores(self, log_probs: Tensor) -> Tensor:
        """Return what the score inside gives, checked; any numbers where there is none."""
        if self.score is None:
            return normal(len(log_probs), 1, seed=1)[:, 0]
        before = log_probs.clone()
        try:
            scores = self.score(log_probs)
        except Exception as error:
            raise self.fail("works on any pool", f"{error!r} on {show(log_probs)}") from error
        if not torch.equal(log_probs, before):
            raise self.fail("inputs are not mutated", f"the score changed {show(before)}")
        if scores.shape != (len(log_probs),) or not scores.isfinite().all():
            raise self.fail(
                "one finite score a row", f"score {scores.tolist()} of {show(log_probs)}"
            )
        return scores

    def random(self, n: int, *, passes: int = 4, classes: int = 3, seed: int = 0) -> Predictions:
        """Make up n rows without ties."""
        logits = 2 * normal(n, passes * classes, seed=seed).view(n, passes, classes)
        return self.predictions(logits.log_softmax(-1), normal(n, _WIDTH, seed=seed + 1))

    def pick(self, pool: Predictions, labelled: Predictions, n: int, seed: int = 0) -> Pick:
        """Run the strategy and check what holds for every single pick."""
        where = f"n = {n} of {len(pool)} rows with {len(labelled)} labelled"
        before = [(part, _copy(part)) for part in (pool, labelled)]
        state = torch.get_rng_state()
        try:
            pick = self.acquire(pool, labelled, n=n, rng=torch.Generator().manual_seed(seed))
        except Exception as error:
            raise self.fail(
                "works on any pool, reading the declared fields only",
                f"{error!r} for {where}; declared: {', '.join(sorted(self.needs)) or 'nothing'}",
            ) from error
        if not torch.equal(state, torch.get_rng_state()):
            raise self.fail("the global random state is untouched", where)
        for part, copy in before:
            for name, values in copy.items():
                if not torch.equal(getattr(part, name), values):
                    raise self.fail("inputs are not mutated", f"{name} changed for {where}")
        rows = pick.rows.tolist()
        if pick.rows.is_floating_point() or len(rows) != n or len(set(rows)) != n:
            raise self.fail("n unique rows", f"rows {rows} for {where}")
        if any(not 0 <= row < len(pool) for row in rows):
            raise self.fail("rows are in range", f"rows {rows} for {where}")
        if pick.scores.shape != (n,) or not pick.scores.isfinite().all():
            raise self.fail("one finite score a pick", f"scores {pick.scores.tolist()} for {where}")
        if pick.slots is not None and len(pick.slots) != n:
            raise self.fail("one slot a pick", f"slots {pick.slots} for {where}")
        chances = pick.propensity
        if chances is not None and (
            chances.shape != (n,) or not ((chances > 0) & (chances <= 1)).all()
        ):
            raise self.fail("a propensity is in (0, 1]", f"{chances.tolist()} for {where}")
        return pick


def normal(n: int, width: int, seed: int = 0) -> Tensor:
    """Draw standard normal numbers [n, width]."""
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def _tensors(predictions: Predictions) -> dict[str, Tensor]:
    values = {f.name: getattr(predictions, f.name) for f in fields(predictions)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def _copy(predictions: Predictions) -> dict[str, Tensor]:
    return {name: values.clone() for name, values in _tensors(predictions).items()}


def take(predictions: Predictions, rows: Tensor) -> Predictions:
    """Return some rows of all fields."""
    ids = tuple(predictions.ids[row] for row in rows.tolist())
    return Predictions(ids, **{n: values[rows] for n, values in _tensors(predictions).items()})


def show(log_probs: Tensor) -> str:
    """Write probabilities [N, K, C] short; [N, C] where all passes are alike."""
    p = log_probs.exp()
    shown = p[:, 0] if bool((p == p[:, :1]).all()) else p
    return f"probabilities {[[_rounded(v) for v in row] for row in shown.tolist()]}"


def _rounded(value: Any) -> Any:
    return [_rounded(v) for v in value] if isinstance(value, list) else round(value, 2)
