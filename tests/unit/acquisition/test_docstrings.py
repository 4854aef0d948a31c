"""Each strategy's docstring is its page."""

import inspect
import re

import pytest

from alvision import acquisition

PUBLIC = {
    name: value
    for name in acquisition.__all__
    if isinstance(getattr(value := getattr(acquisition, name), "needs", None), frozenset)
}
PARTS = {
    "a formula": r"[=|·]|argm|sum_|max_|1 /",
    "a paper": r"arXiv [\w./-]+|doi:",
    "its cost": r"\b[Cc]osts?\b|\bTime O\(",
    "when to use it": r"[Uu]se it|\buses\b|default|baseline|plain form",
    "when it loses": r"\blos(es|e|ing)\b|weakness|falls below|fewer labels|near duplicates"
    r"|depends on|believes|says little",
}
OWN_IDEA = {"random_sampling", "top_k", "mixture", "class_balanced", "similar_to_defects"}
"""No paper's: what everybody calls so, and what is this project's own."""


@pytest.mark.parametrize("name", PUBLIC)
def test_a_strategy_says_what_it_is_what_it_costs_and_when_it_loses(name):
    said = " ".join(inspect.getdoc(PUBLIC[name]).split())
    lacks = [part for part, form in PARTS.items() if not re.search(form, said)]
    assert set(lacks) <= ({"a paper"} if name in OWN_IDEA else set())


def test_the_strategies_are_found():
    assert {"margin", "k_center", "random_sampling"} <= PUBLIC.keys()
