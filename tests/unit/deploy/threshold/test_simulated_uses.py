"""Simulated deployments: whoever uses the sealed images again and again, and keeps the best."""

import numpy as np
import pytest
from scipy.stats import norm

from alvision.deploy.threshold.binomial import allowed_misses, defects_needed
from alvision.deploy.threshold.look_log import plan_use, scored_as_good

DEPLOYMENTS = 2000
ESCAPE, DOUBT = 0.05, 0.05


def noise(level):
    """Return three standard errors of a share over all deployments."""
    return 3 * (level * (1 - level) / DEPLOYMENTS) ** 0.5


def asked_in_turn(requests, good=()):
    """Return the uses that follow from (model, defects) one after the other."""
    uses = []
    for model, defects in requests:
        use = plan_use(
            uses,
            model=model,
            question="5 %",
            defects=defects,
            good=dict.fromkeys(good, "good"),
            doubt=DOUBT,
            enough=lambda contents, groups=defects: (
                len({groups[content] for content in contents})
                >= defects_needed(escape=ESCAPE, confidence=1 - DOUBT)
            ),
        )
        uses += [use] if use not in uses else []
    return uses


def thresholds(scores, doubt):
    """Return the threshold of each deployment by the scores of its defects, [D, N] -> [D]."""
    misses = allowed_misses(scores.shape[1], escape=ESCAPE, confidence=1 - doubt)
    return np.sort(scores, axis=1)[:, misses]


def check(escapes, uses):
    """Compare the escape rates of D deployments [U, D] with what the uses may leave in doubt."""
    broken = escapes > ESCAPE
    for own, use in zip(broken, uses, strict=True):
        assert own.mean() <= use.doubt + noise(use.doubt)
    together = sum(use.doubt for use in uses)
    assert together < 2 * DOUBT
    print("any", broken.any(axis=0).mean(), "of", together, broken.mean(axis=1))
    assert broken.any(axis=0).mean() <= together + noise(together)


def test_a_question_that_is_asked_again_as_the_seal_grows():
    rng = np.random.default_rng(0)
    counts = (59, 93, 124, 153, 181)
    sealed = [f"{i}.png" for i in range(counts[-1])]
    uses = asked_in_turn([("m", {name: name for name in sealed[:count]}) for count in counts])
    assert [use.doubt for use in uses] == [DOUBT / 2**k for k in range(len(counts))]
    # Scores are uniform, so a threshold is the true escape rate.
    scores = rng.uniform(size=(DEPLOYMENTS, counts[-1]))
    escapes = [
        thresholds(scores[:, :count], use.doubt) for count, use in zip(counts, uses, strict=True)
    ]
    check(np.array(escapes), uses)
    free = [thresholds(scores[:, :count], DOUBT) for count in counts]
    print('free',(np.max(free, axis=0) > ESCAPE).mean())
    assert (np.max(free, axis=0) > ESCAPE).mean() > DOUBT + noise(DOUBT), "free uses would break the promise"


def test_several_models_in_a_row_on_new_photographs_of_the_same_lots():
    rng = np.random.default_rng(1)
    lots, models = 153, 6
    sealed, requests = {}, []
    for month in range(models):
        sealed |= {f"lot {lot}, {month}.png": f"lot {lot}" for lot in range(lots)}
        requests.append((f"model {month}", dict(sealed)))
    uses = asked_in_turn(requests)
    assert [use.doubt for use in uses] == [DOUBT / 2**k for k in range(models)]
    # One defect of each lot counts; the lots are equally hard for every model, or nearly so.
    hardness = rng.normal(size=(DEPLOYMENTS, lots))
    views = [
        norm.cdf(0.5**0.5 * hardness + 0.5**0.5 * rng.normal(size=hardness.shape)) for _ in uses
    ]
    check(np.array([thresholds(v, u.doubt) for v, u in zip(views, uses, strict=True)]), uses)
    free = np.array([thresholds(view, DOUBT) for view in views])
    print('free',(np.max(free, axis=0) > ESCAPE).mean())
    assert (free.max(axis=0) > ESCAPE).mean() > DOUBT + noise(DOUBT), "free uses would break the promise"


def test_the_best_of_twelve_temperatures():
    rng = np.random.default_rng(2)
    sealed = {f"{i}.png": f"{i}.png" for i in range(361)}
    temperatures = np.geomspace(0.2, 5, 12)
    uses = asked_in_turn([(f"T {t}", sealed) for t in temperatures])
    assert len(uses) == len(temperatures)
    # One good class and nine kinds of defect: the temperature changes the order of the scores.
    def logits(*shape):
        drawn = rng.normal(size=(*shape, 10)).astype(np.float32) * 2
        drawn[..., 1] += 4
        return drawn

    def score(drawn, temperature):
        scaled = drawn / np.float32(temperature)
        scaled -= scaled.max(axis=-1, keepdims=True)
        likely = np.exp(scaled)
        return 1 - likely[..., 0] / likely.sum(axis=-1)

    parts, population = logits(DEPLOYMENTS, len(sealed)), logits(200_000)

    def escapes(doubts):
        found = []
        for temperature, doubt in zip(temperatures, doubts, strict=True):
            cuts = thresholds(score(parts, temperature), doubt)
            known = np.sort(score(population, temperature))
            found.append(np.searchsorted(known, cuts) / len(known))
        return np.array(found)

    check(escapes([use.doubt for use in uses]), uses)
    free = escapes([DOUBT] * len(temperatures))
    print((free.max(axis=0) > ESCAPE).mean())
