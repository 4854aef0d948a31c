"""The Makefile: help, finding Python, and installing only once. No test here installs anything."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import PROJECT

MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")

pytestmark = pytest.mark.skipif(
    os.name == "nt" or shutil.which("make") is None, reason="needs make and a POSIX shell"
)


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make on a copy of what an install needs, in a folder of its own."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        if not (folder / name).exists():
            shutil.copy(PROJECT / name, folder)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHON", "MAKEFLAGS")}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def program(path: Path, script: str) -> Path:
    """Write a shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_help_lists_every_target(tmp_path):
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.M)[1].split()
    shown = re.findall(r"^  make (\S+)", make(tmp_path).stdout, re.M)
    assert sorted(shown) == sorted(phony)


def test_another_python_than_ours_is_refused_in_one_line(tmp_path):
    old = program(tmp_path / "python2", "exit 1")
    done = make(tmp_path, "install", f"PYTHON={old}")
    assert done.returncode != 0
    assert f"error: {old} is not Python 3.11 to 3.13" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_missing_venv_package_is_named(tmp_path):
    bare = program(tmp_path / "python3", 'case "$2" in *ensurepip*) exit 1;; esac')
    done = make(tmp_path, "install", f"PYTHON={bare}")
    assert done.returncode != 0
    assert "python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.fixture
def installed(tmp_path):
    """Return a folder whose .venv holds a Python that only writes down how it was called."""
    program(tmp_path / ".venv/bin/python", f'echo "$PIP_FIND_LINKS|$*" >> "{tmp_path}/calls"')
    program(tmp_path / ".venv/bin/alvision", "true")
    return tmp_path


def calls(folder: Path) -> list[str]:
    """Return what the fake Python was called with, and forget it."""
    path = folder / "calls"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def installs(folder: Path) -> list[str]:
    return [line for line in calls(folder) if "pip install" in line]


def test_the_demo_installs_once_and_again_when_a_pin_changes(installed):
    assert make(installed, "demo").returncode == 0
    assert len(installs(installed)) == 1
    assert make(installed, "demo").returncode == 0
    assert installs(installed) == []
    later = (installed / ".venv/.installed-demo").stat().st_mtime + 10
    os.utime(installed / "constraints.txt", (later, later))
    make(installed, "demo")
    assert len(installs(installed)) == 1


def test_the_test_install_spares_the_demo_its_own(installed):
    make(installed, "test")
    assert [line.split("|")[1].split()[-1] for line in installs(installed)] == [".[dev]"]
    make(installed, "test")
    make(installed, "demo")
    assert installs(installed) == []


def test_a_failed_install_is_tried_again(installed):
    program(installed / ".venv/bin/python", "exit 1")
    assert make(installed, "demo").returncode != 0
    assert not (installed / ".venv/.installed-demo").exists()


def test_settings_of_pip_reach_pip(installed, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels here")
    make(installed, "demo")
    assert installs(installed)[0].startswith("/wheels here|")


def test_the_demo_command_survives_the_shell(installed):
    program(installed / ".venv/bin/alvision", f'printf "%s\\n" "$@" > "{installed}/arguments"')
    (installed / "acquisition=b").touch()  # would match the brackets if they were not quoted
    assert make(installed, "demo").returncode == 0
    arguments = (installed / "arguments").read_text(encoding="utf-8").splitlines()
    assert "acquisition=[random_sampling,uncertainty_herding]" in arguments
    assert {"seeds=12", "out=runs/demo", "experiment=elpv"} <= set(arguments)


def test_the_demo_shows_steel_where_its_images_are_named(installed):
    program(installed / ".venv/bin/alvision", f'printf "%s\\n" "$@" >> "{installed}/arguments"')
    assert make(installed, "demo", "STEEL=/data/my steel").returncode == 0
    arguments = (installed / "arguments").read_text(encoding="utf-8").splitlines()
    assert arguments.count("seeds=12") == 2
    assert {"data.root=/data/my steel", "out=runs/demo-steel", "experiment=xsdd"} <= set(arguments)


def test_the_fast_tests_come_first_then_the_examples_then_the_slow_ones(installed):
    make(installed, "test")
    ran = [line.split("|")[1] for line in calls(installed) if "pytest" in line]
    assert ran == [
        "-m pytest -n 2 --dist worksteal",
        "-m pytest --doctest-modules alvision",
        "-m pytest -n 2 --dist worksteal -m slow and not soak and not gpu",
    ]
