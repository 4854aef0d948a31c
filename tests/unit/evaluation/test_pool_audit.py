"""An audit of a fixed set: what is drawn next, and what the answers say of the whole set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.evaluation.draws import LEAST_UNIFORM, UNIFORM_SHARE, uniform_share
from alvision.evaluation.pool_audit import PoolAudit
from alvision.evaluation.probabilities import ClassProbabilities

IMAGES = 300


def calls(doubtful=60):
    """Return probabilities of 300 images, all called ok; the first ones with doubt."""
    worn = np.where(np.arange(IMAGES) < doubtful, 0.4, 0.01)
    ids = tuple(f"{number}.png" for number in range(IMAGES))
    return ClassProbabilities(ids, ("ok", "worn"), np.stack([1 - worn, worn], axis=1))


def audited(wrong, n, *, step, seed=0):
    """Audit until n images are answered; the wrong ones are worn."""
    said, rng, drawn, labels = calls(), np.random.default_rng(seed), [], {}
    while len(drawn) < n:
        drawn += PoolAudit(said, drawn, labels).more(step, rng)
        labels |= {one.id: "worn" if one.id in wrong else "ok" for one in drawn}
    return PoolAudit(said, drawn, labels, defects=("worn",))


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 50)), max_size=20))
def test_the_uniform_share_falls_only_where_doubt_finds_errors(found):
    share = uniform_share(found)
    assert LEAST_UNIFORM - 1e-9 <= share <= UNIFORM_SHARE
    if all(lift <= 1 for _, lift in found):
        assert share == UNIFORM_SHARE


def test_no_image_is_drawn_twice_and_the_whole_set_ends_the_question():
    wrong = {"1.png", "2.png", "200.png"}
    audit = audited(wrong, IMAGES, step=100)
    assert len({one.id for one in audit.drawn}) == IMAGES and not audit.open
    assert not audit.more(5, np.random.default_rng(0))
    rate = audit.rates["error"]
    assert rate.low <= 3 / IMAGES <= rate.high
    assert rate.high - rate.low < 0.005
    assert audit.rates["escape"].images == 3


def test_where_doubt_finds_the_errors_more_of_it_is_drawn():
    def doubtful(wrong):
        audit = audited(wrong, 100, step=5)
        return sum(int(one.id.removesuffix(".png")) < 60 for one in audit.drawn)

    found = doubtful({f"{number}.png" for number in range(0, 60, 2)})
    assert found > doubtful(set()) + 5


def test_an_open_image_ends_the_reading():
    audit = audited(set(), 20, step=20)
    labels = {one.id: "ok" for one in audit.drawn[:12]}
    begun = PoolAudit(audit.calls, audit.drawn, labels)
    assert len(begun.open) == 8 and begun.rates["error"].images == 12
    assert not PoolAudit(audit.calls, audit.drawn, {}).rates


@pytest.mark.slow
def test_the_limits_hold_at_every_moment_in_95_of_100_audits():
    wrong = {f"{number}.png" for number in [*range(0, 20, 2), 100, 250]}
    share, runs, failed = len(wrong) / IMAGES, 200, 0
    for seed in range(runs):
        audit = audited(wrong, 120, step=10, seed=seed)
        parts = [PoolAudit(audit.calls, audit.drawn[:n], audit.labels) for n in (10, 30, 60, 120)]
        rates = [part.rates["error"] for part in parts]
        failed += not all(rate.low <= share <= rate.high for rate in rates)
    # 5 % may fail; three standard errors of 200 runs are 4.6 %.
    assert failed / runs < 0.096
