import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.integrate import trapezoid

from alvision.evaluation.localisation import (
    Marked,
    aupro,
    hits,
    hits_at,
    pixel_auroc,
    rectangles,
)


def drawn(seed, photographs=3, side=12, levels=None):
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(photographs, side, side))
    if levels:
        maps = np.floor(maps * levels)
    masks = np.zeros((photographs, side, side), bool)
    masks[0, 2:4, 3:6] = masks[0, 8, 8] = masks[1, 5:9, 0:3] = True
    return list(maps + 2 * masks * rng.random(maps.shape)), list(masks)


def by_thresholds(maps, masks, limit):
    """AUPRO as the paper says it: a curve over all thresholds, region by region."""
    good = np.concatenate([m[~k] for m, k in zip(maps, masks, strict=True)])
    points = [(0.0, 0.0)]
    for threshold in sorted({v for m in maps for v in m.ravel()}, reverse=True):
        overlaps = []
        for found, mask in zip(maps, masks, strict=True):
            areas, count = ndimage.label(mask, np.ones((3, 3)))
            overlaps += [(found[areas == n] >= threshold).mean() for n in range(1, count + 1)]
        points.append(((good >= threshold).mean(), np.mean(overlaps)))
    x, y = map(np.array, zip(*points, strict=True))
    # The curve is cut at the limit: many narrow trapezoids come as near as one likes.
    at = np.sort(np.append(x[x < limit], np.linspace(0, limit, 20_001)))
    return trapezoid(np.interp(at, x, y), at) / limit


@settings(max_examples=8)
@given(st.integers(0, 1000), st.sampled_from([None, 2]), st.sampled_from([0.05, 0.3, 1.0]))
def test_aupro_is_what_all_thresholds_give_by_hand(seed, levels, limit):
    maps, masks = drawn(seed, levels=levels)
    assert aupro(maps, masks, limit) == pytest.approx(by_thresholds(maps, masks, limit), abs=2e-3)


def test_a_small_defect_counts_as_a_large_one():
    mask = np.zeros((1, 100), bool)
    mask[0, :10] = mask[0, 50] = True
    only_large = np.where(np.arange(100) < 10, 1.0, 0.0)[None]
    # Half of the defects at once; the other half comes with all the good pixels.
    assert aupro([only_large], [mask]) == pytest.approx(0.5 + 0.5 * 0.3 / 2)
    assert aupro([mask.astype(float)], [mask]) == 1.0


@settings(max_examples=8)
@given(st.integers(0, 1000), st.sampled_from([None, 2]))
def test_pixel_auroc_is_the_share_of_pairs_in_order(seed, levels):
    maps, masks = drawn(seed, levels=levels)
    bad = np.concatenate([m[k] for m, k in zip(maps, masks, strict=True)])[:, None]
    good = np.concatenate([m[~k] for m, k in zip(maps, masks, strict=True)])[None]
    expected = ((bad > good) + 0.5 * (bad == good)).mean()
    assert pixel_auroc(maps, masks) == pytest.approx(expected)


@pytest.mark.parametrize("measure", [aupro, pixel_auroc])
@pytest.mark.parametrize("fill", [False, True])
def test_what_cannot_be_compared_is_refused(measure, fill):
    with pytest.raises(ValueError, match="are needed"):
        measure([np.zeros((2, 2))], [np.full((2, 2), fill)])


DEFECTIVE = Marked([(10, 10, 10, 10), (50, 50, 4, 4)], [3.0, 1.0], [(12, 12, 4, 4)])
GOOD = Marked([(0, 0, 5, 5)], [2.0], [])


def test_a_box_hits_when_one_of_the_two_holds_the_middle_of_the_other():
    found = hits([DEFECTIVE, GOOD], 1.0)
    assert (found.hit, found.false_boxes) == (1.0, 1.0)
    beside = Marked([(17, 12, 4, 4)], [3.0], [(12, 12, 4, 4)])
    assert hits([beside], 0.0).hit == 0.0
    small = Marked([(15, 15, 1, 1)], [3.0], [(12, 12, 4, 4)])
    assert hits([small], 0.0).hit == 1.0
    with pytest.raises(ValueError, match="no defect"):
        hits([GOOD], 0.0)


def test_the_threshold_is_the_lowest_that_keeps_the_false_boxes_few():
    assert hits_at([DEFECTIVE, GOOD], 0.5).threshold == 2.0
    assert hits_at([DEFECTIVE, GOOD], 0.0).threshold == 3.0
    nothing = hits_at([Marked([], [], [(0, 0, 1, 1)]), GOOD], 0.0)
    assert (nothing.hit, nothing.threshold) == (0.0, np.inf)


def test_each_defect_of_a_mask_has_its_box():
    _, masks = drawn(0)
    assert rectangles(masks[0]) == [(3, 2, 3, 2), (8, 8, 1, 1)]
    assert rectangles(masks[2]) == []
