"""A real process killed at every step and at random moments changes nothing in the end."""

import os
import random
import signal
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alvision.core.stopping import INTERRUPTED
from tests.support.kills import KILL_POINTS, Runner, state

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the runner of these tests forks"),
]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Return a folder with a pool of embeddings: three classes, 90 rows, 8 wide."""
    folder = tmp_path_factory.mktemp("toy")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    features = rng.normal(size=(90, 8)) + 1.5 * np.eye(8)[labels]
    table = {
        "id": [f"{i:03d}" for i in range(90)],
        "label": [f"class {label}" for label in labels],
        "features": list(features.astype(np.float32)),
    }
    pq.write_table(pa.table(table), folder / "pool.parquet")
    return folder


@pytest.fixture(scope="module")
def runner(toy):
    runner = Runner(toy)
    yield runner
    runner.close()


def command(toy, out, acquisition="bald"):
    return [
        "run",
        "data=embeddings",
        f"data.root={toy}",
        "data.file=pool.parquet",
        f"acquisition={acquisition}",
        "budget.initial=8",
        "budget.batch=6",
        "budget.rounds=3",
        "trainer.head_steps=40",
        "model.passes=5",
        f"out={out}",
    ]


@pytest.fixture(scope="module")
def undisturbed(toy, runner):
    assert runner.run(command(toy, toy / "undisturbed")) == 0
    started = time.monotonic()  # the first run warmed the machine up
    assert runner.run(command(toy, toy / "timed")) == 0
    return state(toy / "undisturbed"), time.monotonic() - started


@pytest.mark.parametrize("point", KILL_POINTS)
def test_killed_at_a_step(point, toy, runner, undisturbed, record_property):
    record_property("kills", 1)
    out = toy / point.replace(" ", "-")
    assert runner.run(command(toy, out), kill_at=point) == -signal.SIGKILL
    assert runner.run(command(toy, out)) == 0
    assert state(out) == undisturbed[0]


def killed_at_random(toy, runner, undisturbed, seed, record_property):
    """Kill a run somewhere on its way, and let it end."""
    expected, seconds = undisturbed
    out = toy / f"random-{seed}"
    status = runner.run(command(toy, out), after=random.Random(seed).uniform(0, seconds))
    record_property("kills", int(status == -signal.SIGKILL))
    assert runner.run(command(toy, out)) == 0
    assert state(out) == expected


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random_moments(seed, toy, runner, undisturbed, record_property):
    killed_at_random(toy, runner, undisturbed, seed, record_property)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 140))
def test_killed_at_random_moments_many_times(seed, toy, runner, undisturbed, record_property):
    killed_at_random(toy, runner, undisturbed, seed, record_property)


def stopped_at_random(toy, runner, undisturbed, seed, record_property):
    """Ask a run to stop somewhere on its way, and let it end."""
    expected, seconds = undisturbed
    moments = random.Random(seed)
    out = toy / f"stopped-{seed}"
    sent = moments.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    status = runner.run(command(toy, out), after=moments.uniform(0, 2 * seconds), sent=sent)
    # 0: it had ended before; a negative status: it came before the process listened.
    assert status in (0, INTERRUPTED, -sent)
    record_property("signals", int(status == INTERRUPTED))
    assert runner.run(command(toy, out)) == 0
    assert state(out) == expected


@pytest.mark.parametrize("seed", range(6))
def test_stopped_at_random_moments(seed, toy, runner, undisturbed, record_property):
    stopped_at_random(toy, runner, undisturbed, seed, record_property)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 400))
def test_stopped_at_random_moments_many_times(seed, toy, runner, undisturbed, record_property):
    stopped_at_random(toy, runner, undisturbed, seed, record_property)


def test_the_same_seed_picks_the_same_twice(toy, runner, undisturbed):
    assert runner.run(command(toy, toy / "again")) == 0
    assert state(toy / "again") == undisturbed[0]


def test_another_seed_picks_differently(toy, runner, undisturbed):
    assert runner.run([*command(toy, toy / "seed-1"), "seed=1"]) == 0
    other = state(toy / "seed-1")
    assert other["000/query.csv"] != undisturbed[0]["000/query.csv"]
