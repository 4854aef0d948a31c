"""Check what a strategy does with wrong input, and with input of another precision."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from alvision.acquisition.testing.trial import Trial, tensors, with_fields
from alvision.inference.predictions import Acquire, Predictions

_N, _M = 9, 4
# Of a mixture with small shares every part then has something to choose.
_ASKED = 8


def check_input(acquire: Acquire) -> None:
    """Check that bad input gets a ValueError that names the argument, its shape and the rows.

    Bad are: n < 0 or larger than the pool, an empty pool, a declared field that is missing, NaN or
    infinite features, novelty or scores, log-probabilities that do not sum to one, a single pass
    where passes are compared, labelled features of another width, a label that is no class, and no
    labelled image where labels are read. Fields that a strategy leaves alone may hold anything.
    And good is half precision, which is computed in fp32: the same rows as of the same numbers in
    fp32 where only features are read.

    Args:
        acquire: A select, with everything but pool, labelled, n and rng bound by a partial.

    Raises:
        ConformanceError: The first bad input that it takes, or refuses without naming it.
        ValueError: It does not declare what it reads.

    >>> from alvision.acquisition import k_center
    >>> check_input(k_center)
    """
    case = Trial.of(acquire)
    _counts(case)
    _missing(case)
    _pool_values(case)
    _labelled_values(case)
    _precision(case)


def _counts(case: Trial) -> None:
    pool, labelled = case.random(_N), case.known(_M)
    for n in (-1, _N + 1):
        _refused(case, pool, labelled, n, (f"n = {n}", str(_N)))
    _refused(case, case.random(0), labelled, 1, ("n = 1", "empty"))


def _missing(case: Trial) -> None:
    pool, labelled = case.random(_N), case.known(_M)
    for name in tensors(pool):
        spared = name == "scores" and pool.log_probs is not None  # computed from these instead
        named = (f"pool.{name} is missing",)
        _refused(case, with_fields(pool, **{name: None}), labelled, _ASKED, named, spared)
    if "labels" in case.needs:
        unnamed = with_fields(labelled, labels=None)
        _refused(case, pool, unnamed, _ASKED, ("labelled.labels is missing",))
        _refused(case, pool, Predictions(()), _ASKED, ("labelled [0]",), or_works=True)
    if "features" in case.needs:
        plain = with_fields(labelled, features=None)
        _refused(case, pool, plain, _ASKED, ("labelled.features is missing",), or_works=True)


def _pool_values(case: Trial) -> None:
    pool, labelled = case.random(_N), case.known(_M)
    for bad in (torch.nan, torch.inf):
        for name in {"features", "novelty", "scores"} & tensors(pool).keys():
            values = _spoil(getattr(pool, name), bad, [3])
            named = (f"pool.{name} {list(values.shape)}", "row 3")
            _refused(case, with_fields(pool, **{name: values}), labelled, _ASKED, named)
    log_probs, score = case.log_probs(_N), case.score
    for bad in (0.0, torch.nan, torch.inf):
        values = _spoil(log_probs, bad, [4, 7])
        named = (f"log_probs {list(values.shape)}", "rows 4, 7")
        if pool.log_probs is not None:
            _refused(case, with_fields(pool, log_probs=values), labelled, _ASKED, named)
        if score is not None:
            _names(case, partial(score, values), named, "a score of bad rows")
    if "passes" in case.needs:
        single, few = log_probs[:, :1], (f"log_probs {[_N, 1, 3]}", "K >= 2")
        if pool.log_probs is not None:
            _refused(case, with_fields(pool, log_probs=single), labelled, _ASKED, few)
        if score is not None:
            _names(case, partial(score, single), few, "a score of a single pass")


def _labelled_values(case: Trial) -> None:
    pool, labelled = case.random(_N), case.known(_M)
    if "labels" in case.needs and labelled.labels is not None:
        labels = labelled.labels.index_fill(0, torch.tensor([1]), -1)
        wrong = with_fields(labelled, labels=labels)
        _refused(case, pool, wrong, _ASKED, (f"labelled.labels {[_M]}", "row 1"))
    if labelled.features is None or _works(case, pool, with_fields(labelled, features=None)):
        return
    for bad in (torch.nan, torch.inf):
        values = _spoil(labelled.features, bad, [2])
        named = (f"labelled.features {list(values.shape)}", "row 2")
        _refused(case, pool, with_fields(labelled, features=values), _ASKED, named)
    narrow = labelled.features[:, 1:]
    differs = (f"labelled.features {list(narrow.shape)}", "pool.features", "width")
    _refused(case, pool, with_fields(labelled, features=narrow), _ASKED, differs)


def _precision(case: Trial) -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        pool, labelled = (_cast(part, dtype) for part in (case.random(_N), case.known(_M)))
        pick = case.pick(pool, labelled, 4)
        if case.needs & {"features"} and pick.scores.dtype in (torch.float16, torch.bfloat16):
            raise case.fail("half precision is computed in fp32", f"scores of {pick.scores.dtype}")
        if case.needs - {"labels"} == {"features"} and dtype != torch.float64:
            wide, known = (_cast(part, torch.float32) for part in (pool, labelled))
            rows = case.pick(wide, known, 4).rows.tolist()
            if pick.rows.tolist() != rows:
                raise case.fail(
                    "half precision is computed in fp32",
                    f"{dtype}: {pick.rows.tolist()}, the same numbers in fp32: {rows}",
                )


def _works(case: Trial, pool: Predictions, labelled: Predictions) -> bool:
    try:
        case.acquire(pool, labelled, n=_ASKED, rng=torch.Generator().manual_seed(0))
    except ValueError:
        return False
    return True


def _refused(
    case: Trial,
    pool: Predictions,
    labelled: Predictions,
    n: int,
    named: tuple[str, ...],
    or_works: bool = False,
) -> None:
    def pick() -> None:
        case.acquire(pool, labelled, n=n, rng=torch.Generator().manual_seed(0))

    what = f"n = {n}, {_about('pool', pool)}, {_about('labelled', labelled)}"
    _names(case, pick, named, what, or_works)


def _names(
    case: Trial, call: Callable[[], Any], named: tuple[str, ...], what: str, or_works: bool = False
) -> None:
    try:
        call()
    except ValueError as error:
        if all(part in str(error) for part in named):
            return
        got = f"ValueError({str(error)!r})"
    except Exception as error:
        got = repr(error)
    else:
        if or_works:
            return
        got = "no error"
    wanted = ", ".join(map(repr, named))
    raise case.fail(
        "bad input gets a ValueError that names it",
        f"{got} for {what}; wanted: {wanted} (acquisition.ops has validators that say so)",
    )


def _spoil(values: Tensor, bad: float, rows: list[int]) -> Tensor:
    values = values.clone()
    values[rows] = bad
    return values


def _cast(predictions: Predictions, dtype: torch.dtype) -> Predictions:
    moved = {
        name: values.to(dtype)
        for name, values in tensors(predictions).items()
        if values.is_floating_point()
    }
    return with_fields(predictions, **moved)


def _about(argument: str, predictions: Predictions) -> str:
    shapes = {name: list(values.shape) for name, values in tensors(predictions).items()}
    fields = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    return f"{argument} of {len(predictions)} ({fields or 'no fields'})"
