"""Sweeps by Hydra's launchers: each run in a process of theirs, the results those of `run`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from alvision.cli import main
from tests.support.parts import imported, missing

pytestmark = pytest.mark.slow

WORDS = ["experiment=digits", "trainer=cpu", "model.passes=4", "budget.rounds=1"]
ALONE = ("random_sampling", "margin")
RAY = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_agent_register_timeout_ms": "300000",
}
"""No token in the home folder, no report to its makers, time to start on a busy machine."""


def python(launcher: str) -> str:
    """Return the Python that has a launcher; Ray's needs a place of its own."""
    if launcher == "ray":
        named = os.environ.get("ALVISION_RAY", "")
        return named if Path(named).is_file() else missing("ray (ALVISION_RAY)")
    imported(f"hydra_plugins.hydra_{launcher.removesuffix('_local')}_launcher")
    return sys.executable


def sweep(program: str, words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Sweep; Ray gives its own processes little time to start, so a busy machine may try again."""
    command = [program, "-W", "ignore", "-m", "alvision", "run", "-m", *words, *WORDS]
    for _ in range(3):
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **RAY}, capture_output=True, text=True
        )
        if "timed out during startup" not in done.stderr:
            break
    return done


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Return a folder with ordinary runs, each by a command of its own."""
    out = tmp_path_factory.mktemp("alone")
    for name in ALONE:
        folder = out / name / "seed-0"
        assert main(["run", f"acquisition={name}", f"out={folder}", *WORDS]) == 0
    return out


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "ray"])
def test_a_launcher_does_what_run_does_and_names_what_failed(launcher, alone, run, tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "entropy").write_text("in the way of a folder")
    swept = [f"acquisition={','.join(ALONE)},entropy", f"hydra/launcher={launcher}", "out=sweep"]
    done = sweep(python(launcher), swept, tmp_path)
    assert done.returncode == 2, done.stderr
    told = done.stderr.splitlines()[-1]
    assert told.startswith("alvision: 1 of 3 runs failed: acquisition=entropy: ")
    assert "sweep/entropy" in told
    for name in ALONE:
        swept_to, lone = tmp_path / "sweep" / name / "seed-0", alone / name / "seed-0"
        steps = {path.relative_to(lone) for path in lone.glob("rounds/*/*")}
        assert steps == {path.relative_to(swept_to) for path in swept_to.glob("rounds/*/*")}
        for file in ("metrics.csv", "rounds/001/query.csv", "rounds/001/predictions.parquet"):
            assert (swept_to / file).read_bytes() == (lone / file).read_bytes()
        assert (swept_to / "report.html").exists()
    (tmp_path / "sweep" / "entropy").unlink()
    assert run("report", "out=sweep")[0] == 0
    rows = (tmp_path / "sweep" / "comparison.csv").read_text().splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == set(ALONE)
