"""The rule for groups on the first page: offered, chosen once, and refused with its reason."""

import time

import pytest

from alvision.core.errors import UserError
from alvision.data.checks.views import RuleFit, Views
from alvision.labels.groups import GroupRule, chosen_groups
from alvision.page.grouping import Grouping

IDS = [f"worn/{i:02d}.png" for i in range(12)]
FOUND = Views(12, 30, 2, ((IDS[0], IDS[1]),), (RuleFit("parent", "parent", None, 2, 2),))
CLASSES = {"by": "ann", "classes": ["ok", "worn"]}


def hold_out(rule):
    if rule.pattern == "(":
        raise UserError("data.group_pattern '(' is not valid")
    return frozenset(IDS[:3])


def ready(page):
    deadline = time.monotonic() + 10
    while not (views := page.read("/api/views"))["ready"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return views


def test_look_alikes_are_told_without_a_name_of_a_file(make_page):
    page = make_page(classes=(), grouping=Grouping(lambda: FOUND, hold_out))
    views = ready(page)
    assert views["pairs"] == [[page.address(IDS[0]), page.address(IDS[1])]]
    assert (views["alike"], views["looked"], views["images"]) == (2, 12, 30)
    assert [rule["together"] for rule in views["rules"]] == [2]
    assert "png" not in str(views)


def test_the_chosen_rule_is_kept_and_holds_out_whole_groups(make_page, store):
    page = make_page(classes=(), grouping=Grouping(lambda: FOUND, hold_out))
    told = page.tell("/api/setup", **CLASSES, group_by="pattern", pattern="(", status=400)
    assert "is not valid" in told["error"] and page.state()["setup"]
    page.tell("/api/setup", **CLASSES, group_by="parent")
    assert chosen_groups(store.events()) == GroupRule("parent")
    assert page.page.state.context.held_out == frozenset(IDS[:3])
    page.tell("/api/setup", **CLASSES, group_by="none", status=409)
    assert len(store.events()) == 3


@pytest.mark.parametrize("group_by", [None, "none"])
def test_no_rule_changes_nothing(make_page, store, group_by):
    page = make_page(classes=(), grouping=Grouping(lambda: FOUND, hold_out))
    before = page.page.state.context.held_out
    page.tell("/api/setup", **CLASSES, group_by=group_by)
    assert chosen_groups(store.events()) is None
    assert page.page.state.context.held_out == before


def test_once_photographs_are_held_out_it_says_why_not(make_page, store):
    page = make_page(classes=(), grouping=Grouping(lambda: FOUND, hold_out, fixed="answers"))
    assert page.read("/api/views")["fixed"] == "answers"
    told = page.tell("/api/setup", **CLASSES, group_by="parent", status=400)
    assert "cannot be chosen here: answers" in told["error"] and not store.events()


def test_a_look_that_fails_is_not_in_the_way(make_page):
    def look():
        raise RuntimeError("no such file")

    page = make_page(classes=(), grouping=Grouping(look, hold_out))
    assert ready(page)["alike"] == 0
    page.tell("/api/setup", **CLASSES)
