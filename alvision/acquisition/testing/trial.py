"""A strategy on trial: made-up pools for it, and what must hold whenever it picks."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from alvision.acquisition.contract import name_of, needs_of, properties_of, score_of
from alvision.acquisition.support.ops import take as take
from alvision.inference.predictions import Acquire, Pick, Predictions, Score

WIDTH = 5
"""Width of made-up features, D."""


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

    @property
    def fewest(self) -> int:
        """Return how many labelled images it asks for: one where it reads labels, else none."""
        return int("labels" in self.needs)

    def pool(self, log_probs: Tensor, features: Tensor | None = None) -> Predictions:
        """Fill the declared fields only, as inference does; nobody knows a pool's labels."""
        given = self._given(log_probs, features)
        if "scores" in self.needs:
            given["scores"] = self.scores(log_probs)
        if "novelty" in self.needs:
            given["novelty"] = normal(len(log_probs), 1, seed=2)[:, 0].abs()
        return _named(len(log_probs), given)

    def labelled(
        self, log_probs: Tensor, features: Tensor | None = None, classes: int | None = None
    ) -> Predictions:
        """Fill what labelled images have: labels, no scores, and what is declared.

        Args:
            log_probs: Log-probabilities [M, K, C].
            features: Features [M, D]; None: made up.
            classes: How many of the classes the labels name; None: all.
        """
        given = self._given(log_probs, features)
        if "defects" in self.needs:
            given["defects"] = (0,)
        given["labels"] = torch.arange(len(log_probs)) % (classes or log_probs.shape[-1])
        return _named(len(log_probs), given)

    def _given(self, log_probs: Tensor, features: Tensor | None) -> dict[str, Any]:
        made_up = normal(len(log_probs), WIDTH, seed=len(log_probs))
        fields = {"log_probs": log_probs, "features": made_up if features is None else features}
        return {name: values for name, values in fields.items() if name in self.needs}

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
        """Make up a pool of n rows without ties."""
        return self.pool(*_random(n, passes, classes, seed))

    def log_probs(self, n: int, *, passes: int = 4, classes: int = 3) -> Tensor:
        """Make up log-probabilities [n, passes, classes]."""
        return _random(n, passes, classes, 0)[0]

    def known(self, n: int, *, passes: int = 4, classes: int = 3, seed: int = 5) -> Predictions:
        """Make up n labelled rows, or as many as it asks for, of all classes in turn."""
        return self.labelled(*_random(max(n, self.fewest), passes, classes, seed))

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
        # In a mixture the rows of a deterministic part have none: NaN.
        none = torch.isnan(chances) if chances is not None and pick.slots else torch.tensor(False)
        if chances is not None and (
            chances.shape != (n,) or not (none | ((chances > 0) & (chances <= 1))).all()
        ):
            raise self.fail("a propensity is in (0, 1]", f"{chances.tolist()} for {where}")
        return pick


def _random(n: int, passes: int, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    logits = 2 * normal(n, passes * classes, seed=seed).view(n, passes, classes)
    return logits.log_softmax(-1), normal(n, WIDTH, seed=seed + 1)


def _named(n: int, given: dict[str, Any]) -> Predictions:
    return Predictions(tuple(f"{row}.png" for row in range(n)), **given)


def normal(n: int, width: int, seed: int = 0) -> Tensor:
    """Draw standard normal numbers [n, width]."""
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def tensors(predictions: Predictions) -> dict[str, Tensor]:
    """Return the fields that are there."""
    values = {f.name: getattr(predictions, f.name) for f in fields(predictions)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def with_fields(predictions: Predictions, **changed: Tensor | None) -> Predictions:
    """Return the same images with other fields; None takes a field away."""
    values: dict[str, Any] = {**changed}
    return replace(predictions, **values)


def _copy(predictions: Predictions) -> dict[str, Tensor]:
    return {name: values.clone() for name, values in tensors(predictions).items()}


def show(log_probs: Tensor) -> str:
    """Write probabilities [N, K, C] short; [N, C] where all passes are alike."""
    p = log_probs.exp()
    shown = p[:, 0] if bool((p == p[:, :1]).all()) else p
    return f"probabilities {[[_rounded(v) for v in row] for row in shown.tolist()]}"


def _rounded(value: Any) -> Any:
    return [_rounded(v) for v in value] if isinstance(value, list) else round(value, 2)
