import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.data.polygon import polygon_of

BOX = ((0.1, 0.2), (0.7, 0.2), (0.7, 0.9), (0.1, 0.9))


def test_a_box_becomes_its_corners():
    assert polygon_of([0.1, 0.2, 0.7, 0.9]) == BOX
    assert polygon_of([list(corner) for corner in BOX]) == BOX
    assert polygon_of(None) is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[0, 0], [1, 1]], "three or more"),
        ([0, 0, 1], r"\[left,top,right,bottom\]"),
        ("left", "must be the corners"),
        (5, "must be the corners"),
        ([[0, 0], [1, 0], [1, "a"]], "must be the corners"),
        ([[0, 0], [1, 0], [1, float("nan")]], "must be the corners"),
        ([[0, 0], [1, 0, 3], [1, 1]], "must be the corners"),
        ([0, 0, 1.2, 1], r"outside the photograph: give fractions 0\.\.1"),
        ([[0, 0], [200, 0], [200, 100]], "outside the photograph"),
        ([[0, -0.1], [1, 0], [1, 1]], "outside the photograph"),
        ([0.5, 0, 0.5, 1], "has no area"),
        ([[0, 0], [0.5, 0.5], [1, 1]], "has no area"),
        ([[0, 0], [1, 1], [1, 0], [0, 0.9]], "crosses itself"),
        ([[0, 0], [1, 0], [1, 1], [0.5, 0], [0, 1]], "crosses itself"),
    ],
)
def test_what_is_no_region_is_refused(value, message):
    with pytest.raises(UserError, match=message) as refusal:
        polygon_of(value)
    assert str(refusal.value).startswith("data.image.roi=") and "\n" not in str(refusal.value)


def test_a_corner_given_twice_in_a_row_or_again_at_the_end_counts_once():
    triangle = ((0, 0), (1, 0), (1, 1))
    assert polygon_of([*triangle, triangle[0]]) == polygon_of([[0, 0], *triangle]) == triangle
    with pytest.raises(UserError, match="has no area"):
        polygon_of([[0.5, 0.5]] * 4)


@given(st.permutations(range(4)))
def test_four_corners_of_a_box_in_any_order_are_its_outline_or_cross(order):
    corners = [list(BOX[i]) for i in order]
    across = {frozenset(order[i : i + 2]) for i in range(3)} | {frozenset((order[3], order[0]))}
    if frozenset((0, 2)) in across or frozenset((1, 3)) in across:
        with pytest.raises(UserError, match=r"crosses itself|no area"):
            polygon_of(corners)
    else:
        assert polygon_of(corners) == tuple(map(tuple, corners))
