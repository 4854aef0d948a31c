"""What a strategy declares about itself: which fields it reads, and which properties it has."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

FIELDS = frozenset({"scores", "log_probs", "features", "labels", "passes"})
"""What a strategy can read. `passes`: the log_probs of several stochastic passes (K >= 2)."""

PROPERTIES = frozenset({"uncertainty", "disagreement", "deterministic", "sampled", "distance"})
"""What a strategy can promise; `conformance.check` holds it to that.

uncertainty: a coin flip outranks certainty. disagreement: passes that disagree outrank passes that
agree, and a coin flip in all passes scores 0. deterministic: the same rows whatever the generator,
permutation equivariant. sampled: drawn with the generator, equal in distribution under permutation.
distance: each pick's score is its distance to the nearest labelled or earlier picked row.
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
    """
    return _declare("needs", fields, FIELDS)


def properties(*names: str) -> Callable[[Strategy], Strategy]:
    """Declare which of `PROPERTIES` a score or select has.

    Raises:
        ValueError: A name that is no property.
    """
    return _declare("properties", names, PROPERTIES)


def needs_of(acquire: Callable[..., Any]) -> frozenset[str]:
    """Return what a score or select reads, seen through partials and its `score` argument.

    A select that reads `pool.scores` is content with its score's result, so that the score's
    log_probs need not be kept; the several passes that it asks for are still needed.

    Raises:
        ValueError: It, or its score, declares nothing.

    >>> from alvision.acquisition import bald, top_k
    >>> sorted(needs_of(functools.partial(top_k, score=functools.partial(bald))))
    ['passes', 'scores']
    """
    function = _innermost(acquire)
    if not hasattr(function, "needs"):
        raise ValueError(
            f"{name_of(acquire)} does not declare what it reads: "
            'put @needs(...) above it, for example @needs("log_probs")'
        )
    own: frozenset[str] = function.needs
    score = score_of(acquire)
    if score is None:
        return own
    return own | needs_of(score) - ({"log_probs"} if "scores" in own else set())


def properties_of(acquire: Callable[..., Any]) -> frozenset[str]:
    """Return the declared properties of a select and of the score inside it.

    >>> from alvision.acquisition import entropy, top_k
    >>> sorted(properties_of(functools.partial(top_k, score=entropy)))
    ['deterministic', 'uncertainty']
    """
    own: frozenset[str] = getattr(_innermost(acquire), "properties", frozenset())
    score = score_of(acquire)
    return own if score is None else own | properties_of(score)


def score_of(acquire: Callable[..., Any]) -> Callable[..., Any] | None:
    """Return the score that a select was given (or has by default) as `score`, or None."""
    parameter = inspect.signature(acquire).parameters.get("score")
    if parameter is None or parameter.default is parameter.empty:
        return None
    return parameter.default


def name_of(acquire: Callable[..., Any]) -> str:
    """Return a strategy's name for messages.

    >>> from alvision.acquisition import entropy, top_k
    >>> name_of(functools.partial(top_k, score=entropy))
    'top_k(score=entropy)'
    """
    function = _innermost(acquire)
    name = getattr(function, "__name__", type(function).__name__)
    score = score_of(acquire)
    return name if score is None else f"{name}(score={name_of(score)})"


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
