"""Nodes with `_target_`: built anew, in Hydra's form, without Hydra."""

import functools
import operator
import pickle
import subprocess
import sys

import pytest
from hydra.utils import instantiate

from alvision.core.doors import build, function
from alvision.core.errors import UserError

FRACTION = {"_target_": "fractions.Fraction", "numerator": 1, "denominator": 4}


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(FRACTION, id="arguments by name"),
        pytest.param({"_target_": "math.hypot", "_args_": [3, 4]}, id="arguments by position"),
        pytest.param({"_target_": "datetime.timedelta", "days": 2}, id="a class"),
        pytest.param({"_target_": "builtins.dict", "a": [FRACTION], "b": {"c": 1}}, id="nested"),
        pytest.param({**FRACTION, "_convert_": "all"}, id="Hydra's own keys"),
    ],
)
def test_a_node_is_built_as_hydra_builds_it(node):
    assert build(node, "part") == instantiate(node, _convert_="all")


def test_a_partial_keeps_its_arguments_for_later():
    made = function({**FRACTION, "_partial_": True}, "part")
    assert isinstance(made, functools.partial) and made() * 4 == 1


def test_what_a_function_raises_names_the_setting_also_in_another_process():
    made = function({"_target_": "operator.add", "_partial_": True}, "trainer.loss")
    for one in (made, pickle.loads(pickle.dumps(made))):
        assert one(1, 2) == 3
        with pytest.raises(
            UserError, match=r"trainer\.loss=operator\.add failed: TypeError: "
        ) as it:
            one(1)
        assert isinstance(it.value.__cause__, TypeError)


def test_a_bare_function_is_left_as_it_is():
    made = function({"_target_": "operator.add", "_partial_": True}, "part", bare=True)
    assert made.func is operator.add and type(made) is functools.partial


def test_every_call_builds_anew():
    node = {"_target_": "builtins.list"}
    assert build(node, "part") is not build(node, "part")


def test_a_module_of_the_current_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    (tmp_path / "my_part_here.py").write_text("def two(): return 2")
    assert build({"_target_": "my_part_here.two"}, "part") == 2


def test_a_module_that_misses_another_one_names_that_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_part_broken.py").write_text("import not_installed_at_all")
    with pytest.raises(UserError, match=r"part cannot be built from.*not_installed_at_all"):
        build({"_target_": "my_part_broken.f"}, "part")


def test_what_names_nothing_says_what_is_missing():
    with pytest.raises(UserError, match=r"trainer\.loss='focal'.*_target_"):
        build("focal", "trainer.loss")


def test_neither_hydra_nor_torch_is_needed():
    code = "import sys, alvision.core.doors; assert not {'hydra', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
