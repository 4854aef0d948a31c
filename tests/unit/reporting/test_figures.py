"""Charts: readable in light and dark, the same bytes each time, small as files."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.reporting import figures
from alvision.reporting.figures import Curve, _apart


def chart():
    return figures.curves(
        [
            Curve("a <b> $x$", [0, 1, 2], [0.1, None, 0.3]),
            Curve("banded", [0, 1, 2], [0.2, 0.3, 0.4], [0.1] * 3, [0.5] * 3, figures.RANDOM),
        ],
        x_label="answers",
        y_label="score",
        levels={"target": 0.35},
    )


def test_an_inline_chart_is_one_element_of_text_and_page_colours():
    svg = figures.inline(chart(), title='a "quoted" <title>')
    element = ElementTree.fromstring(svg)
    assert element.tag.endswith("svg")
    assert element.get("aria-label") == 'a "quoted" <title>'
    words = {text.text for text in element.iter("{http://www.w3.org/2000/svg}text")}
    assert {"a <b> $x$", "banded", "answers", "score", "target"} <= words
    assert "var(--ink" in svg or "var(--muted" in svg
    assert set(re.findall(r"#[0-9a-f]{6}", svg)) <= set(figures._VARIABLES)
    assert "metadata" not in svg


@pytest.mark.slow
def test_charts_give_the_same_bytes(tmp_path):
    one, two = chart(), chart()
    assert figures.inline(one, title="x") == figures.inline(two, title="x")
    first = figures.save(one, tmp_path / "a.png").read_bytes()
    assert figures.save(two, tmp_path / "a.png").read_bytes() == first


def test_charts_in_one_page_share_no_element_names():
    names = [set(re.findall(r' id="(\w+)"', figures.inline(chart(), title=t))) for t in "ab"]
    assert names[0]
    assert not names[0] & names[1]


@pytest.mark.parametrize("rows", [{}, {"one": [0.1]}, {"a": [0.1, -0.2], "b": []}])
def test_differences_take_any_number_of_rows(rows):
    svg = figures.inline(figures.differences(rows, x_label="difference"), title="x")
    ElementTree.fromstring(svg)
    for name in rows:
        assert f">{name}<" in svg


def test_a_curve_without_values_is_left_out():
    svg = figures.inline(
        figures.curves([Curve("gone", [0, 1], [None, None])], x_label="x", y_label="y"), title="x"
    )
    assert "gone" not in svg


@given(st.lists(st.floats(-1, 1), max_size=12), st.floats(0.01, 0.3))
def test_names_keep_their_order_and_their_distance(heights, gap):
    heights = sorted(heights)
    places = _apart(heights, gap)
    assert len(places) == len(heights)
    for low, high in pairwise(places):
        assert high - low >= gap - 1e-9
    assert sum(places) == pytest.approx(sum(heights), abs=1e-6)
