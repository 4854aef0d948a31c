from types import SimpleNamespace

import pytest

from alvision.cli.check import check
from alvision.cli.simulate import _good, simulated
from alvision.core.errors import UserError

IDS = ("a.png", "b.png", "c.png", "d.png")


def good(truth, defects):
    manifest = SimpleNamespace(ids=IDS, paths=IDS, truth=truth)
    hashes = {"a.png": "1", "b.png": "1", "c.png": "3"}
    return _good(SimpleNamespace(defects=defects), manifest, hashes)


def test_the_good_photographs_are_those_of_no_defect_copies_once():
    assert good((None,) * 4, None) == {"1": "b.png", "3": "c.png"}
    assert good(("ok", "bad", None, "ok"), ["bad"]) == {"1": "a.png"}


def test_what_cannot_be_simulated_is_refused_in_one_line():
    with pytest.raises(UserError, match="which are defects"):
        good(("ok", "bad", "ok", "ok"), None)
    with pytest.raises(UserError, match="no good photograph"):
        good(("bad",) * 4, ["bad"])
    with pytest.raises(UserError, match="draws defects on photographs"):
        simulated(None, SimpleNamespace(features=object()), {}, None, None)
    with pytest.raises(UserError, match=r"did you mean simulate\?"):
        check(["simulat", "data.root=parts"])
