"""Rates of the audit: shop words, their own denominators, and no favour to easy images."""

import numpy as np
import pytest

from alvision.evaluation.audit_rates import audit_rates
from alvision.evaluation.betting import Draws

ORDER = tuple(f"{place:02d}" for place in range(40))
TRUTH = {id: "worn" if place % 4 == 0 else "ok" for place, id in enumerate(ORDER)}
CALLED = TRUTH | {"00": "ok", "01": "worn", "02": "worn"}


def rates(order=ORDER, labels=TRUTH, images=400, **more):
    return audit_rates(order, Draws.uniform(images, len(order)), CALLED, labels, **more)


def test_error_escape_and_overkill_have_their_own_images():
    found = rates(defects=["worn"])
    assert [(found[name].rate, found[name].images) for name in found] == [
        (pytest.approx(3 / 40, rel=0.05), 40),
        (pytest.approx(1 / 10, rel=0.05), 10),
        (pytest.approx(2 / 30, rel=0.05), 30),
    ]
    assert all(one.low <= one.rate <= one.high for one in found.values())
    assert list(rates()) == ["error"]


def test_draws_are_read_up_to_the_first_one_without_a_label():
    open_ones = {id: label for id, label in TRUTH.items() if id != "05"}
    assert rates(labels=open_ones) == rates(order=ORDER[:5])
    assert rates(labels={}) == {}


def test_there_is_no_escape_rate_before_a_defect_is_drawn():
    assert set(rates(order=ORDER[1:4], defects=["worn"])) == {"error", "overkill"}


def test_an_unlikely_draw_stands_for_more_images():
    chance = np.full(40, 0.002)
    chance[0] = 0.008
    draws = Draws(400, chance, np.full(40, 0.002))
    found = audit_rates(ORDER, draws, CALLED, TRUTH)
    assert found["error"].rate == pytest.approx((0.25 + 2) / 39.25)


@pytest.mark.parametrize("name", ["error", "escape", "overkill"])
def test_what_people_did_not_know_widens_both_ends(name):
    labels = {id: label for id, label in TRUTH.items() if id not in ("20", "21")}
    found = rates(labels=labels, unknown=["20", "21"], defects=["worn"])[name]
    known = rates(order=[id for id in ORDER if id in labels], defects=["worn"])[name]
    assert found.images == known.images
    assert found.high > known.high
    assert found.low <= known.low
