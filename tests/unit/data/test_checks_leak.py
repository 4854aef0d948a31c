import numpy as np
import pytest

from alvision.data.checks import leak as room
from alvision.data.checks.leak import file_order_blocks, leak
from alvision.data.checks.scan import unit_vectors


def parts(rng, *, parts=40, photographs=8, defect=0.0, identity=3.0):
    """Photographs of parts: each has a look of its own, a class, and maybe a visible defect."""
    group = np.repeat(np.arange(parts), photographs)
    bad = rng.permutation(np.arange(parts) % 2 == 0)[group]
    look = rng.normal(size=(parts, 64))[group]
    pixels = rng.normal(size=(len(group), 64)) + identity * look
    pixels[:, :16] += defect * bad[:, None]
    truth = np.where(bad, "bad", "good").tolist()
    return unit_vectors(pixels), truth, group.astype(str).tolist()


def test_a_part_that_gives_its_class_away_is_shown():
    found = leak(*parts(np.random.default_rng(0)))
    assert found.random > 0.95 and found.grouped < 0.7
    assert found.shown and found.drop == pytest.approx(found.random - found.grouped)
    assert (found.images, found.groups, found.chance) == (320, 40, 0.5)


def test_no_leak_where_groups_mean_nothing():
    rng = np.random.default_rng(1)
    shown = 0
    for seed in range(25):
        vectors, truth, groups = parts(rng, identity=0.0, defect=1.0)
        shown += leak(vectors, truth, rng.permutation(groups).tolist(), seed).shown
    assert shown <= 1


def test_a_real_defect_is_seen_in_both_splits():
    found = leak(*parts(np.random.default_rng(2), defect=8.0, identity=0.2))
    assert found.random > 0.95 and found.grouped > 0.95 and not found.shown


def test_same_seed_same_answer():
    material = parts(np.random.default_rng(3))
    assert leak(*material, 7) == leak(*material, 7)


def test_nothing_is_said_where_nothing_can_be_known():
    vectors, truth, groups = parts(np.random.default_rng(4))
    rows = [str(i) for i in range(len(truth))]
    assert leak(vectors, truth, rows) is None
    assert leak(vectors, ["one"] * len(truth), groups) is None
    assert leak(vectors, truth, ["a" if label == "good" else "b" for label in truth]) is None
    assert leak(vectors[:0], [], []) is None


def test_large_data_are_drawn_by_whole_groups(monkeypatch):
    monkeypatch.setattr(room, "MOST_IMAGES", 100)
    found = leak(*parts(np.random.default_rng(5)))
    assert found.images == 96 and found.groups == 12


def test_blocks_cut_each_folder_apart():
    blocks = file_order_blocks(["a"] * 100 + ["b"] * 30)
    assert len(set(blocks)) == 20 and len(set(blocks[:100])) == 10
    assert blocks[0] == blocks[9] != blocks[10]
    assert len(set(file_order_blocks([str(i % 7) for i in range(700)]))) == 35
    assert file_order_blocks([]) == []
