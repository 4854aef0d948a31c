import dataclasses

import numpy as np
import pytest

from alvision.core.records import SECONDS_PER_LABEL
from alvision.study.per_class import Details
from alvision.study.summary import summarise
from tests.unit.study.builder import study


def with_seconds(found, **each):
    """Let an answer of each acquisition take so many seconds."""
    seconds = {name: each[name] * found.answers for name in found.acquisitions}
    empty = np.zeros((len(found.seeds), 1))
    return dataclasses.replace(found, details=Details(("ok",), empty, {}, {}, seconds))


def test_minutes_follow_the_seconds_of_the_answers():
    found = with_seconds(study({"margin": 0.04}), random_sampling=3, margin=6)
    comparison = summarise(found)
    random, margin = comparison.costs
    assert random.minutes.value == pytest.approx(260 * 3 / 60)
    assert (random.seconds_an_answer, margin.seconds_an_answer) == (3, 6)
    assert random.minutes_to_target == pytest.approx(comparison.rows[0].labels_to_target / 20)
    # Twice the time an answer: half the gain in labels.
    assert margin.ratio.value == pytest.approx(comparison.rows[1].ratio.value / 2)
    assert random.ratio is None


def test_runs_that_know_no_seconds_are_counted_at_a_stated_rate():
    comparison = summarise(study({"margin": 0.04}))
    assert all(row.seconds_an_answer == SECONDS_PER_LABEL for row in comparison.costs)
    assert comparison.costs[1].ratio.value == pytest.approx(comparison.rows[1].ratio.value)


def test_a_seed_that_never_gets_there_makes_the_ratio_a_bound():
    found = study({"margin": 0.06})
    target = found.values["random_sampling"].max(axis=1) + 0.01
    comparison = summarise(dataclasses.replace(found, target=target))
    assert comparison.costs[0].minutes_to_target is None
    assert comparison.costs[1].ratio.bound == "at least"
