import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alvision.anomaly.hot_spots import MOST, HotSpot, coco, hot_spots, mask


def bumps(*places, shape=(60, 80), wide=4.0):
    y, x = np.mgrid[: shape[0], : shape[1]]
    found = np.zeros(shape, np.float32)
    for row, column, height in places:
        found += height * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * wide**2))
    return found


def test_two_spots_are_two_boxes_the_hottest_first():
    first, second = hot_spots(bumps((20, 15, 2.0), (40, 60, 3.0)), 1.0)
    assert (first.score, second.score) == (3.0, 2.0)
    assert abs(first.x + first.width / 2 - 60.5) < 1 and abs(first.y + first.height / 2 - 40.5) < 1


@given(st.floats(1.01, 20.0))
def test_a_box_does_not_grow_without_end_with_the_strength(height):
    (spot,) = hot_spots(bumps((30, 40, height)), 1.0)
    assert spot.width <= 2 * 4 * np.sqrt(2 * np.log(2)) + 1  # the width at half the height


def test_a_spot_that_touches_by_a_corner_is_one():
    assert len(hot_spots(np.eye(3) * 2.0, 1.0)) == 1


def test_a_cold_map_has_no_spot_and_a_wild_one_no_more_than_are_told():
    assert hot_spots(np.zeros((5, 5)), 1.0) == ()
    wild = np.zeros((20, 20))
    wild[::2, ::2] = np.arange(100).reshape(10, 10) + 2.0
    found = hot_spots(wild, 1.0)
    assert len(found) == MOST and found[0].score == 101.0


def test_the_mask_is_where_the_map_is_hot():
    picture = np.asarray(mask(np.array([[0.5, 1.0], [2.0, 0.0]]), 1.0))
    assert picture.tolist() == [[0, 255], [255, 0]]


def test_coco_names_each_photograph_and_box():
    spot = HotSpot(1, 2, 3, 4, 1.5)
    made = coco({"a/b.png": ((10, 20), (spot, spot)), "c.png": ((5, 5), ())})
    assert [image["file_name"] for image in made["images"]] == ["a/b.png", "c.png"]
    assert [one["id"] for one in made["annotations"]] == [1, 2]
    assert {one["image_id"] for one in made["annotations"]} == {1}
    assert made["annotations"][0]["bbox"] == [1, 2, 3, 4]
    assert made["annotations"][0]["area"] == 12 and made["annotations"][0]["score"] == 1.5
    assert made["categories"] == [{"id": 1, "name": "unusual"}]
