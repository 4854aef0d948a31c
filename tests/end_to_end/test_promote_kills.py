"""`alvision promote` killed at random moments: the line holds the old bundle or the new one."""

import os
import random
import signal
import time

import pytest

from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.bundle.swap_folder import previous_of
from tests.support import grey
from tests.support.kills import Runner
from tests.support.parts import imported

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need fork"),
]
PROMOTE = ["promote", "bundle=new", "over=line", "margin=0.2"]
ROLLBACK = ["promote", "rollback", "over=line"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Return a folder with two bundles, and how long a promotion takes undisturbed."""
    imported("onnxruntime")
    imported("onnx")
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALVISION_CACHE", str(folder / "cache"))
        run, labelled, _ = grey.shop(folder, 60)
        trained = [labelled.data.hashes[id] for id in labelled.training]
        old = grey.write(folder / "line", 0.62, run, trained_on=trained).identity
        new = grey.write(folder / "new", 0.5, run, trained_on=trained).identity
        runner = Runner(folder)
        assert runner.run(["--version"]) == 0  # everything is imported now
        began = time.monotonic()
        assert runner.run(PROMOTE) == 0
        seconds = time.monotonic() - began
        yield runner, folder / "line", (old, new), seconds
        runner.close()


def killed(shop, command, seed):
    """Kill a command at a random moment, look at the line, and give the command again."""
    runner, line, (old, new), seconds = shop
    before = open_bundle(line).identity
    status = runner.run(command, after=random.Random(seed).uniform(0, seconds))
    after = open_bundle(line).identity
    assert after in ((before, new) if command is PROMOTE else (old, new))
    assert runner.run(command) == 0
    if command is PROMOTE:
        assert open_bundle(line).identity == new
    else:
        assert {open_bundle(line).identity, open_bundle(previous_of(line)).identity} == {old, new}
    return int(status == -signal.SIGKILL)


def many(shop, seeds):
    runner, line, (old, _), _ = shop
    kills = 0
    for seed in seeds:
        if open_bundle(line).identity != old:
            assert runner.run(ROLLBACK) == 0
        assert open_bundle(line).identity == old
        kills += killed(shop, PROMOTE, seed)
        kills += killed(shop, ROLLBACK, seed)
    return kills


def test_killed_at_random_moments(shop, record_property):
    record_property("kills", many(shop, range(3)))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_promotions_killed_at_random_moments_many_times(shop, record_property):
    record_property("kills", many(shop, range(100, 120)))
