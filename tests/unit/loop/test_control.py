"""Images drawn at random beside the chosen ones: which, with what chance, and what is compared."""

import pytest

from alvision.labels.store import LabelStore
from alvision.loop import control
from alvision.loop.experiment import Budget
from alvision.loop.run import run
from tests.support.fakes import IDS, experiment


@pytest.fixture
def exp(tmp_path):
    with LabelStore(tmp_path / "labels.db") as store:
        yield experiment(tmp_path, store, control=0.5, budget=Budget(initial=4, batch=4, rounds=3))


def queries(exp):
    return [rnd.read("query.csv").rows for rnd in exp.finished]


def test_a_share_of_each_batch_after_the_cold_start_is_drawn_from_the_whole_pool(exp):
    run(exp)
    first, *others = queries(exp)
    assert {row.slot for row in first} == {"cold_start"}
    for number, rows in enumerate(others):
        drawn = [row for row in rows if row.slot == "control"]
        assert [row.rank for row in rows] == list(range(4))
        left = len(IDS) - 4 - 4 * number
        assert [row.propensity for row in drawn] == [1 / left, 1 / (left - 1)]
    ids = [row.id for rows in queries(exp) for row in rows]
    assert len(set(ids)) == len(ids)


def test_a_comparison_is_written_once_there_are_enough_of_them(exp, monkeypatch):
    monkeypatch.setattr(control, "LEAST", 4)
    monkeypatch.setattr(control, "LEAST_IMAGES", 4)
    seen = []

    def saving(random, chosen, labels):
        seen.append((random, len(chosen), len(labels)))
        return {"value": 0.1, "low": 0.0, "high": 0.2}

    object.__setattr__(exp, "saving", saving)
    history = run(exp)
    assert ["control" in row for row in history] == [False, False, True, True]
    assert history[-1]["control"] == {"labels": 6, "value": 0.1, "low": 0.0, "high": 0.2}
    assert seen[-1][1:] == (3, 4)
