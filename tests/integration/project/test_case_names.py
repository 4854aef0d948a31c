"""A parametrised case is named after its values."""

from functools import partial
from pathlib import Path

import pytest


def double(value):
    return value


@pytest.mark.parametrize(
    ("value", "number", "name"),
    [
        (["data.root=x", "seed=1"], 1, "data.root=x seed=1"),
        ({"head": "mlp", "passes": 2}, 1, "head=mlp passes=2"),
        ((), 1, "no value"),
        ([["a", "b"], None], 1, "a b None"),
        (True, 1, "value=True"),
        (double, 1, "double"),
        (partial(double, value=3), 1, "double value=3"),
        (Path("a/b.png"), 1, "b.png"),
        ({"b", "a"}, 1, "a b"),
        ("a word of its own", 1, "a word of its own"),
    ],
)
def test_a_case_is_named_after_its_values(request, value, number, name):
    assert request.node.name.split("[")[1].startswith(f"{name}-{number}-")
