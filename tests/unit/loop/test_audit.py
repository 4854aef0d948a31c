"""The audit of a run: monitor images in the order of their draw, and nobody's favourites."""

from dataclasses import replace

import numpy as np
import pytest

from alvision.core.records import Answer
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.labels.consensus import consensus
from alvision.labels.store import LabelStore
from alvision.loop.audit import audited
from tests.support import fakes

MONITOR = tuple(f"m{place:02d}.png" for place in range(30))
SEAL = tuple(f"s{place:02d}.png" for place in range(30))
ORDER = tuple(id for pair in zip(MONITOR[::-1], SEAL, strict=True) for id in pair)
TRUTH = {id: "worn" if place % 3 == 0 else "ok" for place, id in enumerate(MONITOR)}
CALLED = TRUTH | {MONITOR[0]: "ok", MONITOR[1]: "worn", MONITOR[2]: "worn"}


@pytest.fixture
def exp(tmp_path):
    hashes = fakes.HASHES | {id: f"sha of {id}" for id in ORDER}
    with LabelStore(tmp_path / "labels.db") as store:
        yield fakes.experiment(
            tmp_path / "run",
            store,
            audit_order=ORDER,
            evaluation_ids=MONITOR,
            hashes=hashes,
            defects=["worn"],
            truth=None,
        )


def say(id, label, kind="label"):
    return Answer(id, kind, label, "anna", 0, f"{id} {kind}")


def read(exp, answers):
    """Answer some images and return what the audit says then."""
    exp.labels.append(answers, hash_of=exp.hashes.get)
    events = exp.labels.events()
    known = {id: vote.label for id, vote in consensus(events, exp.resolve).items()}
    values = np.array([[CALLED[id] == name for name in exp.classes] for id in MONITOR], float)
    predictions = ClassProbabilities(MONITOR, exp.classes, values)
    return audited(exp, predictions, {id: known[id] for id in MONITOR if id in known}, events)


def test_error_missed_and_stopped_are_counted_on_monitor_images_alone(exp):
    found = read(exp, [say(id, TRUTH.get(id, "worn")) for id in ORDER])
    counted = {
        name: (round(one["rate"] * one["images"]), one["images"]) for name, one in found.items()
    }
    assert counted == {"error": (3, 30), "escape": (1, 10), "overkill": (2, 20)}
    assert all(one["low"] < one["rate"] < one["high"] for one in found.values())


def test_limits_stay_open_when_every_image_has_an_answer(exp):
    error = read(exp, [say(id, CALLED[id]) for id in MONITOR])["error"]
    assert error["rate"] == 0
    assert error["high"] > 1 - 0.05 ** (1 / 30)  # what Clopper and Pearson allow of 30 images


def test_images_after_one_that_nobody_answered_do_not_count(exp):
    labels = [say(id, TRUTH[id]) for id in MONITOR if id != MONITOR[5]]
    assert read(exp, labels)["error"]["images"] == 24  # 29 to 6, in the order of the draw
    assert read(exp, [say(MONITOR[5], None, "unsure")])["error"]["images"] == 29


def test_an_image_whose_copy_speaks_for_it_is_never_waited_for(exp):
    copies = {MONITOR[29]: MONITOR[28], MONITOR[27]: fakes.IDS[0]}
    same = {id: exp.hashes[other] for id, other in copies.items()}
    unreadable = MONITOR[26]
    hashes = {id: sha for id, sha in (exp.hashes | same).items() if id != unreadable}
    asked = [id for id in MONITOR if id not in (*copies, unreadable)]
    found = read(replace(exp, hashes=hashes), [say(id, TRUTH[id]) for id in asked])
    assert found["error"]["images"] == 27


def test_too_few_and_a_simulated_run_say_nothing(exp):
    few = [say(id, TRUTH[id]) for id in MONITOR[-19:]]
    assert read(exp, few) is None
    first_open = [say(id, TRUTH[id]) for id in MONITOR[:-19]]
    assert read(replace(exp, audit_order=()), first_open) is None
    assert read(exp, []) is not None


def test_a_long_gap_at_the_start_says_nothing(exp):
    assert read(exp, [say(id, TRUTH[id]) for id in MONITOR[:-1]]) is None
