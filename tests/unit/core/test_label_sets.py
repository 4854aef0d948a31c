import pytest

from alvision.core.errors import UserError
from alvision.core.label_sets import refuse_sets


@pytest.mark.parametrize(
    "labels",
    [
        ["ok", ["ok", "worn"]],
        ["ok", ["ok"]],
        [("ok", "worn"), None],
        [{"ok": 1}],
        ["['ok', 'worn']"],
        ['["ok"]', "worn"],
        ["ok", "worn", "ok;worn"],
        ["ok", "ok | new"],
        ["ok", "worn", " ok , worn "],
        ["scratch;dent", "dent;hole"],
        ["scratch,dent", "dent,hole", "hole,scratch"],
    ],
)
def test_labels_of_several_classes_are_refused(labels):
    with pytest.raises(UserError, match=r"table: .* classes .*one class here: keep one"):
        refuse_sets(labels, "table")


@pytest.mark.parametrize(
    "labels",
    [
        ["ok", "worn", None, ""],
        ["ok", "ok, but wet", "worn"],
        ["surface, rough", "surface, smooth"],
        ["a|b", "c"],
        ["ok;", "ok"],
        ["[ok]", "{worn}"],
        [1, 2.0, float("nan")],
        ["ok;worn", "ok;worn"],
    ],
)
def test_names_that_hold_a_separator_are_names(labels):
    refuse_sets(labels, "table")
