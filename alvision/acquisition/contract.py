"""Declare which fields a strategy reads and which properties it has, and read that back."""

from __future__ import annotations

import functools
import inspect
import math
import types
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import torch

FIELDS = frozenset({"scores", "log_probs", "features", "labels", "defects", "passes", "novelty"})
"""Fields that a strategy can read. `passes`: the log_probs of several stochastic passes (K >= 2).
`labels` and `defects` (which classes are defects) are there for labelled images only, `novelty`
(how strange an image is among the others) for the pool only."""

PROPERTIES = frozenset({"uncertainty", "disagreement", "deterministic", "sampled", "distance"})
"""Properties that a strategy can promise; `conformance.check` tests them.

uncertainty: a coin flip outranks certainty. disagreement: passes that disagree outrank passes that
agree, and a coin flip in all passes scores 0. deterministic: the same rows whatever the generator,
permutation equivariant; of rows that it values alike the lowest. (The loop and `Asker` hand the
rows over in an order that the seed draws, so that no folder comes first.) sampled: drawn with the
generator, equal in distribution under permutation. distance: each pick's score is its distance to
the nearest labelled or earlier picked row.
"""

Strategy = TypeVar("Strategy", bound=Callable[..., Any])


def needs(*fields: str) -> Callable[[Strategy], Strategy]:
    """Declare which fields of `Predictions` a score or select reads; inference computes just those.

    Raises:
        ValueError: A name that is no field.

    >>> @needs("log_probs")
    ... def certainty(log_probs):
    ...     return log_probs.mean(1).amax(1)
    >>> sorted(needs_of(certainty))
    ['log_probs']

    A score that is declared so takes numpy arrays and nested lists too, and then returns an array.

    >>> import numpy
    >>> certainty(numpy.zeros((2, 1, 1)))
    array([0., 0.])
    """
    declare = _declare("needs", fields, FIELDS)

    def declared(strategy: Strategy) -> Strategy:
        return declare(_for_arrays(strategy) if _is_score(strategy) else strategy)

    return declared


def _is_score(strategy: Callable[..., Any]) -> bool:
    if not isinstance(strategy, types.FunctionType):
        return False
    return "pool" not in strategy.__code__.co_varnames[: strategy.__code__.co_argcount]


def _for_arrays(score: Strategy) -> Strategy:
    """Let a score take numpy arrays and nested lists; tensors go straight through."""

    @functools.wraps(score)
    def either(log_probs: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(log_probs, list | tuple):
            log_probs = _of_lists(log_probs)
        if isinstance(log_probs, np.ndarray):
            return score(torch.from_numpy(log_probs), *args, **kwargs).numpy()
        return score(log_probs, *args, **kwargs)

    return either  # type: ignore[return-value]


def _of_lists(values: list[Any] | tuple[Any, ...]) -> np.ndarray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError("log_probs: nested lists must hold numbers, in rows alike") from error


def properties(*names: str) -> Callable[[Strategy], Strategy]:
    """Declare which of `PROPERTIES` a score or select has.

    Raises:
        ValueError: A name that is no property.
    """
    return _declare("properties", names, PROPERTIES)


def needs_of(acquire: Callable[..., Any]) -> frozenset[str]:
    """Return what a score or select reads, seen through partials, its score and `parts_of` it.

    A select that reads `pool.scores` is content with its score's result, so that the score's
    log_probs need not be kept; the several passes that it asks for are still needed. Where the
    parts of a mixture have different scores none can be fused into the pass, and the log_probs are
    read instead.

    Raises:
        ValueError: It, its score or a part declares nothing; or a mixture's weights do not fit.

    >>> from alvision.acquisition import bald, top_k
    >>> sorted(needs_of(functools.partial(top_k, score=functools.partial(bald))))
    ['passes', 'scores']
    """
    return _needs(acquire, fused=len(scores_inside(acquire)) <= 1)


def _needs(acquire: Callable[..., Any], fused: bool) -> frozenset[str]:
    function = _innermost(acquire)
    if not hasattr(function, "needs"):
        raise ValueError(
            f"{name_of(acquire)} does not declare what it reads: "
            'put @needs(...) above it, for example @needs("log_probs")'
        )
    fields: frozenset[str] = function.needs
    score = _argument(acquire, "score")
    if score is not None:
        read = _needs(score, fused)
        if "scores" in fields and fused:
            read -= {"log_probs"}
        elif "scores" in fields:
            fields -= {"scores"}
        fields |= read
    return fields.union(*(_needs(part, fused) for part in parts_of(acquire).values()))


def properties_of(acquire: Callable[..., Any]) -> frozenset[str]:
    """Return the declared properties of a select and of the score inside it.

    A select that draws is not deterministic, whatever its score is. Of what its parts promise a
    mixture or wrapper keeps that it is deterministic, if all of them are, or else
    sampled, if one of them is.

    >>> from alvision.acquisition import entropy, top_k
    >>> sorted(properties_of(functools.partial(top_k, score=entropy)))
    ['deterministic', 'uncertainty']
    """
    own: frozenset[str] = getattr(_innermost(acquire), "properties", frozenset())
    score = _argument(acquire, "score")
    parts = [properties_of(part) for part in parts_of(acquire).values()]
    if parts and all("deterministic" in part for part in parts):
        own |= {"deterministic"}
    elif any("sampled" in part for part in parts):
        own |= {"sampled"}
    if score is None:
        return own
    return own | properties_of(score) - ({"deterministic"} if "sampled" in own else set())


def parts_of(acquire: Callable[..., Any]) -> Mapping[str, Callable[..., Any]]:
    """Return the strategies that a mixture (`parts`) or a wrapper (`strategy`) was given, by name.

    Raises:
        ValueError: A mixture's weights do not fit its parts.

    >>> from alvision.acquisition import class_balanced, random_sampling
    >>> list(parts_of(functools.partial(class_balanced, strategy=random_sampling)))
    ['strategy']
    """
    strategy = _argument(acquire, "strategy")
    if strategy is not None:
        return {"strategy": strategy}
    parts: Mapping[str, Callable[..., Any]] | None = _argument(acquire, "parts")
    if parts is None:
        return {}
    check_weights(parts, _argument(acquire, "weights") or {})
    return parts


def check_weights(parts: Mapping[str, Any], weights: Mapping[str, float | int]) -> None:
    """Check that each part of a mixture has a weight that can be one.

    Raises:
        ValueError: Names differ, a weight is no number of 0 or more, all are 0, or a part is called
            `audit`, as the rows are that no strategy picks.
    """
    if set(parts) != set(weights) or not parts or "audit" in parts:
        raise ValueError(
            f"weights for {', '.join(weights) or 'nothing'}, parts {', '.join(parts) or 'missing'}:"
            " each part needs one weight, and none may be called audit"
        )
    good = all(isinstance(w, int | float) and 0 <= w < math.inf for w in weights.values())
    if not good or not any(weights.values()):
        given = ", ".join(f"{name} {weight}" for name, weight in weights.items())
        raise ValueError(f"weights {given}: they must be 0 or more, and not all 0")


def score_of(acquire: Callable[..., Any]) -> Callable[..., Any] | None:
    """Return the score that can be fused into the pass, or None.

    It is the `score` that a select was given (or has by default), or the one that all parts of a
    mixture share which have any.
    """
    scores = scores_inside(acquire)
    return scores[0] if len(scores) == 1 else None


def scores_inside(acquire: Callable[..., Any]) -> list[Callable[..., Any]]:
    """Return the different scores inside a strategy: its own, or those of its parts."""
    own = _argument(acquire, "score")
    found = [] if own is None else [own]
    for part in parts_of(acquire).values():
        found += scores_inside(part)
    different: dict[Any, Callable[..., Any]] = {}
    for score in found:
        bound = getattr(score, "args", ()), sorted(getattr(score, "keywords", {}).items())
        different.setdefault((_innermost(score), repr(bound)), score)
    return list(different.values())


def _argument(acquire: Callable[..., Any], name: str) -> Any:
    """Return an argument that a strategy was given (or has by default), or None."""
    while isinstance(acquire, functools.partial):
        if name in acquire.keywords:
            return acquire.keywords[name]
        acquire = acquire.func
    read = _defaults if isinstance(acquire, types.FunctionType) else _defaults.__wrapped__
    return read(acquire).get(name)


@functools.lru_cache(maxsize=256)
def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}


def name_of(acquire: Callable[..., Any]) -> str:
    """Return a strategy's name for messages.

    >>> from alvision.acquisition import entropy, top_k
    >>> name_of(functools.partial(top_k, score=entropy))
    'top_k(score=entropy)'
    """
    function = _innermost(acquire)
    name = getattr(function, "__name__", type(function).__name__)
    inside = dict(parts_of(acquire))
    if (score := _argument(acquire, "score")) is not None:
        inside["score"] = score
    arguments = ", ".join(f"{argument}={name_of(part)}" for argument, part in inside.items())
    return f"{name}({arguments})" if arguments else name


def _innermost(acquire: Callable[..., Any]) -> Any:
    while isinstance(acquire, functools.partial):
        acquire = acquire.func
    return acquire


def _declare(
    attribute: str, names: tuple[str, ...], known: frozenset[str]
) -> Callable[[Strategy], Strategy]:
    unknown = sorted(set(names) - known)
    if unknown:
        raise ValueError(f"{attribute}: {', '.join(unknown)} is none of {', '.join(sorted(known))}")

    def declare(strategy: Strategy) -> Strategy:
        setattr(strategy, attribute, frozenset(names))
        return strategy

    return declare
