"""A command starts without what it does not need: held by what is imported, not by a clock."""

import subprocess
import sys

import pytest

from alvision.cli.help import COMMANDS
from tests.integration.conftest import TINY

NETWORKS = ("torch", "torchvision", "timm", "pytorch_lightning", "albumentations")
TABLES = ("pandas", "pyarrow", "sklearn", "scipy", "matplotlib", "cleanlab", "numpy", "PIL")
COMPOSING = ("hydra", "omegaconf")


def imported(tmp_path, words, names, stop_at=None):
    """Run a command in a fresh process; return which of the modules it has imported by then."""
    code = f"""
import builtins, os, sys
from alvision.cli import main
from rich.console import Console
def told():
    print("imported:", *[name for name in {names!r} if name in sys.modules], flush=True)
def stop(self, text, *rest, real=Console.print, **more):
    if {stop_at!r} and {stop_at!r} in str(text):
        told()
        os._exit(0)
    real(self, text, *rest, **more)
Console.print = stop
status = main({words!r})
told()
sys.exit(status)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("imported:")]
    return lines[0].split()[1:]


def test_help_imports_nothing_that_is_slow(tmp_path):
    assert imported(tmp_path, ["--help"], (*NETWORKS, *TABLES, *COMPOSING, "sqlalchemy")) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_imports_no_network(tmp_path, name):
    assert imported(tmp_path, [name, "--help"], (*NETWORKS, "pandas", "sklearn", "scipy")) == []


@pytest.mark.parametrize(
    "words",
    [["verify"], ["history"], ["export", "to=labels.csv"]],
    ids=["verify", "history", "export"],
)
def test_labels_need_their_database_alone(tmp_path, parts, words):
    slow = (*NETWORKS, *TABLES, *COMPOSING)
    assert imported(tmp_path, ["labels", *words, "data.root=parts"], slow) == []


@pytest.mark.slow
def test_a_run_says_what_there_is_before_it_builds_a_network(tmp_path, parts):
    slow = ("timm", "pytorch_lightning", "torch._dynamo", "torchvision", "sklearn", "scipy")
    slow += ("matplotlib", "pandas", "albumentations", "pyarrow", "tensorboard", "sympy")
    words = ["run", "data.root=parts", "out=o", *TINY]
    assert imported(tmp_path, words, slow, stop_at="images to choose from") == []
