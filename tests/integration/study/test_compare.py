import io
import subprocess
import sys
from functools import partial

import pytest
from rich.console import Console

from alvision.core.errors import UserError
from alvision.study.compare import compare, rebuild
from alvision.study.verdict import verdict
from tests.unit.study import workers

NAMES = ["random_sampling", "margin"]


def finished(folder):
    return (folder / "metrics.csv").exists()


class Launch:
    """Counts the runs of this process."""

    def __init__(self, out):
        self.out, self.calls = out, []

    def __call__(self, acquisition, seed):
        self.calls.append((acquisition, seed))
        workers.run(self.out, acquisition, seed)


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "a study"
    folder.mkdir()
    return folder


def test_every_pair_and_the_full_fits_are_run_once(out):
    launch = Launch(out)
    comparison = compare(NAMES, 3, out=out, launch=launch, finished=finished)
    assert sorted(launch.calls) == sorted((n, s) for n in [*NAMES, "full"] for s in range(3))
    assert comparison.study.seeds == (0, 1, 2)
    assert comparison.study.acquisitions == tuple(NAMES)
    assert (out / "comparison.csv").exists()
    assert verdict(comparison).startswith(
        "Too few seeds to tell: 1 comparison with random sampling needs"
    )
    compare(NAMES, 3, out=out, launch=launch, finished=finished)
    assert len(launch.calls) == 9
    before = (out / "comparison.csv").read_bytes()
    (out / "comparison.csv").unlink()
    assert verdict(rebuild(out)) == verdict(comparison)
    # Without a list of acquisitions the baseline comes first, which is the order here as well.
    assert (out / "comparison.csv").read_bytes() == before
    compare(NAMES, 4, out=out, launch=launch, finished=finished)
    assert sorted(launch.calls[9:]) == [("full", 3), ("margin", 3), ("random_sampling", 3)]


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_failed_run_is_named_and_the_others_finish(out, jobs):
    (out / "fail").touch()
    launch = partial(workers.run, out)
    message = r"^1 of 6 runs failed: margin seed 1 \(the disk is full\)\. The same command does"
    with pytest.raises(UserError, match=message):
        compare(NAMES, 2, out=out, launch=launch, finished=finished, jobs=jobs)
    assert not (out / "comparison.csv").exists()
    assert len(list(out.glob("*/*/metrics.csv"))) == 5
    (out / "fail").unlink()
    again = Launch(out)
    compare(NAMES, 2, out=out, launch=again, finished=finished)
    assert again.calls == [("margin", 1)]


def test_runs_that_fail_alike_share_a_message(out):
    def launch(acquisition, seed):
        raise RuntimeError("no\nmemory")

    with pytest.raises(UserError) as told:
        compare(NAMES, 1, out=out, launch=launch, finished=finished)
    assert str(told.value).startswith(
        "3 of 3 runs failed: full seed 0, random_sampling seed 0, margin seed 0 "
        "(RuntimeError: no memory)"
    )
    assert isinstance(told.value.__cause__, RuntimeError)


def test_ctrl_c_ends_the_study_at_once(out):
    calls = []

    def launch(acquisition, seed):
        calls.append(acquisition)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(NAMES, 2, out=out, launch=launch, finished=finished)
    assert len(calls) == 1


def test_progress_is_over_the_whole_study(out):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    launch = Launch(out)
    compare(NAMES, 1, out=out, launch=launch, finished=finished, console=console)
    compare(NAMES, 2, out=out, launch=launch, finished=finished, console=console)
    assert "3/3" in stream.getvalue()
    assert "6/6" in stream.getvalue()
    assert "margin seed 1 done" in stream.getvalue()


@pytest.mark.parametrize(
    ("names", "seeds", "jobs", "message"),
    [
        ([], 1, 1, "nothing to compare"),
        (["margin", "margin"], 1, 1, "names one twice"),
        (["margin", "full"], 1, 1, "may be called full"),
        (["margin"], 0, 1, "seeds=0: must be"),
        (["margin"], 1, 0, "jobs=0"),
    ],
)
def test_a_study_of_nothing_is_refused(out, names, seeds, jobs, message):
    with pytest.raises(UserError, match=message):
        compare(names, seeds, out=out, launch=print, finished=finished, jobs=jobs)


@pytest.mark.slow
def test_the_room_loads_neither_torch_nor_lightning_nor_hydra():
    code = (
        "import sys, alvision.study.compare, alvision.study.verdict, alvision.study.markdown;"
        "print({'torch', 'pytorch_lightning', 'hydra', 'omegaconf'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
