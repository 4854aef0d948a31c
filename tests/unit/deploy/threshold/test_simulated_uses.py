"""Simulated deployments: whoever uses the sealed images again and again, and keeps the best."""

import numpy as np
import pytest
from scipy.stats import norm

from alvision.deploy.threshold.binomial import allowed_misses, defects_needed
from alvision.deploy.threshold.cutoffs import escape_threshold
from alvision.deploy.threshold.look_log import plan_use, scored_as_good
from alvision.deploy.threshold.plan import PlannedUse
from alvision.deploy.threshold.scored_images import ScoredImages
from alvision.deploy.threshold.set_threshold import _low

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
    assert (np.max(free, axis=0) > ESCAPE).mean() > DOUBT + noise(DOUBT), (
        "free uses would break the promise"
    )


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
    assert (free.max(axis=0) > ESCAPE).mean() > DOUBT + noise(DOUBT), (
        "free uses would break the promise"
    )


@pytest.mark.slow
def test_the_best_of_twelve_temperatures():
    rng = np.random.default_rng(2)
    sealed = {f"{i}.png": f"{i}.png" for i in range(208)}
    temperatures = np.geomspace(0.2, 5, 12)
    uses = asked_in_turn([(f"temperature {t}", sealed) for t in temperatures])
    assert len(uses) == len(temperatures)

    def logits(count):
        """One good class and nine of defects; a temperature changes the order of the scores."""
        drawn = 2 * rng.normal(size=(count, 10)).astype(np.float32)
        drawn[..., 1] += 4
        return drawn

    def score(drawn, temperature):
        likely = np.exp(drawn / np.float32(temperature))
        return 1 - likely[..., 0] / likely.sum(axis=-1)

    parts, population = logits(DEPLOYMENTS * len(sealed)), logits(100_000)
    views = [score(parts, t).reshape(DEPLOYMENTS, -1) for t in temperatures]
    known = [np.sort(score(population, t)) for t in temperatures]

    def escapes(doubts):
        return np.array(
            [
                np.searchsorted(truth, thresholds(view, doubt)) / len(truth)
                for truth, view, doubt in zip(known, views, doubts, strict=True)
            ]
        )

    found = escapes([use.doubt for use in uses])
    check(found, uses)
    assert (found.max(axis=0) > ESCAPE).mean() <= DOUBT + noise(DOUBT)
    free = escapes([DOUBT] * len(temperatures))
    assert (free.max(axis=0) > ESCAPE).mean() > DOUBT + noise(DOUBT), "the best of free uses fails"


@pytest.mark.slow
def test_people_who_correct_only_what_the_model_stops():
    """A quarter of the sealed defects were called good; those that are stopped are looked at."""
    rng = np.random.default_rng(3)
    names = [f"{i}.png" for i in range(140)]
    found, naive = [], []
    for _ in range(DEPLOYMENTS):
        scores = dict(zip(names, rng.uniform(size=len(names)), strict=True))
        mistaken = {name for name in names if rng.random() < 0.25}
        labelled = {name: name for name in names if name not in mistaken}
        uses = asked_in_turn([("m", labelled)], good=mistaken)
        first = low(uses, labelled, scores)
        corrected = {name for name in mistaken if scores[name] >= first}
        defects = labelled | {name: name for name in corrected}
        uses = asked_in_turn([("m", labelled), ("m", defects)], good=mistaken)
        assert uses[1].doubt == DOUBT / 2
        found.append(low(uses, defects, scores))
        values = np.array([scores[name] for name in defects])
        naive.append(escape_threshold(values, escape=ESCAPE, confidence=1 - uses[1].doubt))
    assert np.mean(np.array(found) > ESCAPE) <= DOUBT / 2 + noise(DOUBT / 2)
    assert np.mean(np.array(naive) > ESCAPE) > DOUBT / 2 + noise(DOUBT / 2)


def low(uses, defects, scores):
    """Return the threshold of the last use, as `set_threshold` finds it."""
    corrected = frozenset(scored_as_good(uses[:-1]) & defects.keys())
    planned = PlannedUse((), defects, False, uses[:-1], 0, uses[-1], corrected, 0, 0)
    names = tuple(sorted(defects))
    values = np.array([scores[name] for name in names])
    images = ScoredImages(names, ("worn",) * len(names), values, names, names, slack=0)
    return _low(images, ESCAPE, planned)
