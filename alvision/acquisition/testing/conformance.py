"""Check a strategy of your own: `conformance.check(acquire)`.

`check_input(acquire)` asks what bad input gets; a strategy that takes its fields through
`acquisition.ops` has it for nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from alvision.acquisition.testing.bad_input import check_input as check_input
from alvision.acquisition.testing.trial import WIDTH, Trial, normal, show, take
from alvision.acquisition.testing.trial import ConformanceError as ConformanceError
from alvision.inference.predictions import Acquire


def check(acquire: Acquire) -> None:
    """Check a strategy on small made-up pools; takes well under a second.

    Every strategy: n unique rows in range, also for n = 0 and n = the whole pool; no more than the
    pool holds; the same generator gives the same pick; finite on one-hot rows, copies and features
    of 0, for 2 classes as for 100, with labels of one class; only declared fields are read, and no
    label of the pool, for nobody knows it; inputs and the global random state are untouched; a
    score is row-independent. Declared with `@properties`: see `contract.PROPERTIES`.

    `check_input` asks the rest: what bad input gets, and half precision.

    Args:
        acquire: A select, with everything but pool, labelled, n and rng bound by a partial.

    Raises:
        ConformanceError: The first property that it breaks, with an example.
        ValueError: It does not declare what it reads.

    >>> from functools import partial
    >>> from alvision.acquisition import entropy, top_k
    >>> check(partial(top_k, score=entropy))
    """
    case = Trial.of(acquire)
    _any_size(case)
    _same_generator(case)
    _one_hot(case)
    _degenerate(case)
    if case.score is not None:
        _row_independent(case)
    if "uncertainty" in case.properties:
        _uncertainty(case)
    if "disagreement" in case.properties:
        _disagreement(case)
    if "deterministic" in case.properties:
        _deterministic(case)
    if "sampled" in case.properties:
        _sampled(case)
    if "distance" in case.properties:
        _distance(case)


def _any_size(case: Trial) -> None:
    sizes = [(0, 0, 0), (1, 1, 0), (1, 1, 1), (3, 0, 2), (3, 3, 0), (7, 3, 5), (41, 41, 9)]
    for total, n, known in sizes:
        for classes, passes in ((2, 2), (3, 4), *([] if "passes" in case.needs else [(3, 1)])):
            case.pick(
                case.random(total, classes=classes, passes=passes),
                case.known(known, classes=classes, passes=passes),
                n,
            )
    pool, labelled = case.random(3), case.known(0)
    for n in (-1, 4):
        try:
            pick = case.acquire(pool, labelled, n=n, rng=torch.Generator())
        except Exception:
            continue
        raise case.fail("refuses n outside 0 to the pool's size", f"n = {n} of 3 gives {pick.rows}")


def _same_generator(case: Trial) -> None:
    pool, labelled = case.random(30), case.known(4)
    first, second = (case.pick(pool, labelled, 10).rows.tolist() for _ in range(2))
    if first != second:
        raise case.fail("the same generator gives the same pick", f"{first}, then {second}")


def _one_hot(case: Trial) -> None:
    rows = torch.eye(3)[[0, 1, 2, 0, 0, 1]][:, None].repeat(1, 4, 1)
    rows[4, :2] = torch.eye(3)[2]
    pool = case.pool(rows.log())
    for n in range(1, len(pool) + 1):
        case.pick(pool, case.labelled(rows[:2].log()), n)


def _degenerate(case: Trial) -> None:
    pool = case.random(4)
    copies, alike = (take(pool, torch.tensor(rows)) for rows in ([0, 1, 2, 3] * 3, [0] * 12))
    blank = case.pool(torch.zeros(12, 4, 3).log_softmax(-1), torch.zeros(12, WIDTH))
    zeros = torch.zeros(2, 4, 3).log_softmax(-1)
    one_class = case.labelled(zeros, torch.zeros(2, WIDTH), classes=1)
    for some in (copies, alike, blank):
        for labelled in (case.known(0), case.known(3), one_class):
            for n in (5, 12):
                case.pick(some, labelled, n)
    case.pick(case.random(20, classes=100, passes=2), case.known(7, classes=100, passes=2), 9)


def _row_independent(case: Trial) -> None:
    log_probs = (2 * normal(12, 12).view(12, 4, 3)).log_softmax(-1)
    whole = case.scores(log_probs)
    apart = torch.cat([case.scores(row) for row in log_probs.split(1)])
    if not torch.allclose(whole, apart, rtol=1e-4, atol=1e-5):
        row = int((whole - apart).abs().argmax())
        raise case.fail(
            "a score is row-independent",
            f"row {row} scores {whole[row]:.4f} among others and {apart[row]:.4f} alone: "
            f"{show(log_probs[row : row + 1])}",
        )


def _uncertainty(case: Trial) -> None:
    for classes in (2, 4):
        certain = [0.0, 1.0] + [0.0] * (classes - 2)
        for flip in (0, 2, 4):
            p = torch.tensor([certain] * 5)
            p[flip, :2] = 0.5
            _outranks(case, p[:, None].repeat(1, 4, 1), flip, "a coin flip outranks certainty")
    p = torch.tensor([[0.95, 0.05], [0.2, 0.8], [0.6, 0.4], [0.9, 0.1]])
    _outranks(case, p[:, None].repeat(1, 4, 1), 2, "a coin flip outranks certainty")


def _disagreement(case: Trial) -> None:
    agree, flip = [[0.9, 0.1]] * 4, [[0.5, 0.5]] * 4
    disagree = [[1.0, 0.0], [0.0, 1.0]] * 2
    for best in (0, 2, 4):
        rows = [flip, agree, [[1.0, 0.0]] * 4, flip]
        rows.insert(best, disagree)
        broken = "passes that disagree outrank passes that agree"
        _outranks(case, torch.tensor(rows), best, broken)
    p = torch.tensor([flip, disagree])
    pick = case.pick(case.pool(p.log()), case.known(0, classes=2), 2)
    score = float(pick.scores[pick.rows == 0])
    if "deterministic" in case.properties and abs(score) > 1e-5:
        raise case.fail("a coin flip in all passes scores 0", f"{score:.4f} for {show(p.log())}")


def _outranks(case: Trial, p: Tensor, best: int, broken: str) -> None:
    features = normal(1, WIDTH).repeat(len(p), 1)
    pool, labelled = case.pool(p.log(), features), case.known(0, classes=p.shape[-1])
    if case.score is not None:
        scores = case.scores(p.log())
        if not (scores[best] > scores[torch.arange(len(p)) != best]).all():
            raise case.fail(
                broken, f"scores {[round(s, 4) for s in scores.tolist()]} for {show(p.log())}"
            )
    if "deterministic" in case.properties:
        row = int(case.pick(pool, labelled, 1).rows)
        if row != best:
            raise case.fail(broken, f"n = 1 picks row {row}, not {best}, of {show(p.log())}")
    elif "sampled" in case.properties:
        drawn = torch.zeros(len(p))
        for seed in range(40):
            drawn[case.pick(pool, labelled, 1, seed).rows] += 1
        if drawn.argmax() != best:
            raise case.fail(
                broken, f"n = 1 draws the rows {drawn.int().tolist()} times of {show(p.log())}"
            )


def _deterministic(case: Trial) -> None:
    for total, known in ((3, 0), (3, 2), (8, 0), (8, 3), (30, 4)):
        pool, labelled = case.random(total), case.known(known)
        pick = case.pick(pool, labelled, total // 2)
        if pick.propensity is not None:
            raise case.fail("a deterministic pick has no propensity", str(pick.propensity.tolist()))
        rows = pick.rows.tolist()
        other = case.pick(pool, labelled, total // 2, seed=1).rows.tolist()
        if rows != other:
            raise case.fail("deterministic: any generator", f"{rows}, with another {other}")
        order = torch.randperm(total, generator=torch.Generator().manual_seed(total))
        moved = order[case.pick(take(pool, order), labelled, total // 2).rows].tolist()
        if rows != moved:
            raise case.fail(
                "deterministic: permutation equivariant",
                f"picks {rows} of {total} rows with {known} labelled, but {moved} when the rows "
                f"come in the order {order.tolist()}",
            )
    alike = take(case.random(1), torch.zeros(7, dtype=torch.int64))
    rows = case.pick(alike, case.known(0), 3).rows.tolist()
    if sorted(rows) != [0, 1, 2]:
        raise case.fail("ties go to the lowest row", f"picks {rows} of 7 equal rows")


def _sampled(case: Trial) -> None:
    total, n, runs = 6, 2, 200
    pool, labelled = case.random(total), case.known(2)
    order = torch.arange(total).flip(0)
    turned = take(pool, order)
    straight, reverse = torch.zeros(total), torch.zeros(total)
    for seed in range(runs):
        straight[case.pick(pool, labelled, n, seed).rows] += 1
        reverse[order[case.pick(turned, labelled, n, seed).rows]] += 1
    if (straight > 0).sum() == n:
        raise case.fail("sampled: draws with its generator", f"the same {n} rows in {runs} draws")
    chance = (straight + reverse) / (2 * runs)
    allowed = 5 * (2 * runs * chance * (1 - chance)).clamp_min(1).sqrt()
    far = ((straight - reverse).abs() > allowed).nonzero().flatten().tolist()
    if far:
        raise case.fail(
            "sampled: equal in distribution under permutation",
            f"row {far[0]} of {total} is drawn {int(straight[far[0]])} times in {runs}, and "
            f"{int(reverse[far[0]])} times when the rows are reversed",
        )


def _distance(case: Trial) -> None:
    for known in (0, 3):
        pool, labelled = case.random(12), case.known(known)
        pick = case.pick(pool, labelled, 6)
        if pool.features is None or labelled.features is None:
            raise case.fail("distance: reads features", f"declared: {sorted(case.needs)}")
        for i in range(0 if known else 1, 6):
            chosen = torch.cat([labelled.features, pool.features[pick.rows[:i]]])
            distance = torch.cdist(pool.features[pick.rows[i]][None], chosen).min()
            if not torch.isclose(pick.scores[i], distance, rtol=1e-3):
                raise case.fail(
                    "distance: a score is the distance to the nearest labelled or earlier pick",
                    f"pick {i} scores {pick.scores[i]:.4f}, its distance is {distance:.4f}",
                )
