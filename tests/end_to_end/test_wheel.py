"""The wheel is whole: it runs an experiment from its own configuration, far from this checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import alvision
from tests.support import PROJECT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel with what is installed; no network."""
    folder = tmp_path_factory.mktemp("dist")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(PROJECT)]
    python(*command, cwd=folder)
    [path] = folder.glob("*.whl")
    return path


def python(*arguments: str, cwd: Path, **environment: str) -> str:
    """Run Python and return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_every_configuration_template_and_the_licence(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    configs = {
        f"alvision/{p.relative_to(PROJECT).as_posix()}" for p in PROJECT.glob("configs/**/*.yaml")
    }
    templates = {p.relative_to(PROJECT).as_posix() for p in PROJECT.glob("alvision/**/*.html")}
    assert len(configs) > 10
    assert configs | templates <= names
    assert f"alvision-{alvision.__version__}.dist-info/licenses/LICENSE" in names
    assert not [name for name in names if name.startswith(("tests/", "configs/", "scripts/"))]


def test_it_runs_a_toy_experiment_from_elsewhere(wheel, parts, tmp_path):
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    install = ["-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index"]
    python(*install, "--target", str(site), str(wheel), cwd=work)
    shown = python(
        "-c", "import alvision; print(alvision.CONFIG_DIR)", cwd=work, PYTHONPATH=str(site)
    )
    assert Path(shown.strip()) == site / "alvision" / "configs"
    toy = ["model.weights=null", "data.image.size=32", "budget.initial=6", "budget.batch=4"]
    run = ["run", "data=folder", f"data.root={parts}", "budget.rounds=1", "out=toy", *toy]
    python("-m", "alvision", *run, cwd=work, PYTHONPATH=str(site))
    rows = (work / "toy" / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [["0", "6", "6"], ["1", "10", "10"]]
    assert (work / "toy" / "report.html").exists()
