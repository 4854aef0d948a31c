import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.deploy.threshold.bands import cost_band, human_band

SCORES = st.lists(st.sampled_from([0.1, 0.2, 0.4, 0.5, 0.8]), min_size=1, max_size=20)
SHARE = st.floats(0, 1)


@given(SCORES, SCORES, SHARE, SHARE)
def test_a_band_never_asks_for_more_than_there_is_time(defects, good, human, share):
    band = human_band(defects, good, 0.3, human=human, defect_share=share)
    assert band.human <= human + 1e-9
    assert band.low <= band.high
    looked_at = [np.mean([band.low <= one < band.high for one in own]) for own in (defects, good)]
    assert band.human == pytest.approx(share * looked_at[0] + (1 - share) * looked_at[1])


@given(SCORES, SCORES, st.floats(0, 0.99))
def test_free_looks_reject_nothing_unseen_and_dear_ones_everything(defects, good, share):
    free = cost_band(defects, good, 0.3, look=0, scrap=1, defect_share=share)
    assert not any(score >= free.high for score in good)
    assert cost_band(defects, good, 0.3, look=9, scrap=0, defect_share=share).human == 0


def test_costs_are_weighed_at_the_share_of_the_line_and_not_at_that_of_the_seal():
    rng = np.random.default_rng(0)
    drawer = rng.uniform(0.5, 1, 150)
    good = np.concatenate([rng.uniform(0, 0.4, 180), rng.uniform(0.5, 0.9, 20)])

    def cost(high):
        looked_at = [((own >= 0.5) & (own < high)).mean() for own in (drawer, good)]
        return 0.01 * looked_at[0] + 0.99 * (looked_at[1] + 5 * (good >= high).mean())

    band = cost_band(drawer, good, 0.5, look=1, scrap=5, defect_share=0.01)
    best = min(cost(high) for high in [0.5, *drawer, *good, np.inf])
    assert cost(band.high) == pytest.approx(best)
    assert band.human == pytest.approx(cost(band.high) - 0.99 * 5 * (good >= band.high).mean())
    as_sealed = cost_band(drawer, good, 0.5, look=1, scrap=5, defect_share=150 / 350)
    assert cost(as_sealed.high) > 2 * best, "the mix of a drawer is two times dearer on the line"


def test_a_share_is_a_share():
    with pytest.raises(ValueError, match=r"defect_share=1\.2 must be a share"):
        cost_band([0.9], [0.1], 0.5, look=1, scrap=1, defect_share=1.2)


def test_without_good_parts_only_defects_are_looked_at():
    band = human_band([0.5, 0.9], [], 0.4, human=1.0, defect_share=0.1)
    assert band.human == pytest.approx(0.1)
