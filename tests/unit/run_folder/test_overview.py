"""The overview of the pool: what is read is what was written, and its orders."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alvision.run_folder.overview import FILE, Overview, read_overview


def overview(count=4, seed=0):
    rng = np.random.default_rng(seed)
    return Overview(
        tuple(f"{k}.png" for k in range(count)),
        tuple(f"{k:064x}" if k else None for k in range(count)),
        tuple(str(name) for name in rng.choice(["ok", "worn"], count)),
        rng.random(count).astype(np.float32),
        rng.normal(size=(count, 3)).astype(np.float16).astype(np.float32),
    )


def test_what_is_read_is_what_was_written(tmp_path):
    before = overview()
    before.write(tmp_path)
    content = (tmp_path / FILE).read_bytes()
    after = read_overview(tmp_path)
    assert (after.ids, after.sha256, after.predictions) == (
        before.ids, before.sha256, before.predictions,
    )  # fmt: skip
    assert np.array_equal(after.shares, before.shares)
    assert np.array_equal(after.places, before.places)
    after.write(tmp_path)
    assert (tmp_path / FILE).read_bytes() == content


def test_a_damaged_one_is_as_good_as_none(tmp_path):
    assert read_overview(tmp_path) is None
    (tmp_path / FILE).write_bytes(b"PAR1 half a file")
    assert read_overview(tmp_path) is None


@given(st.integers(1, 30), st.integers(0, 9))
def test_both_orders_hold_each_image_once_and_rise_or_fall(count, seed):
    seen = overview(count, seed)
    shares = dict(zip(seen.ids, seen.shares.tolist(), strict=True))
    found = seen.surest_first("ok") + seen.surest_first("worn")
    assert sorted(found) == sorted(seen.ids)
    for label in ("ok", "worn"):
        ordered = [shares[id] for id in seen.surest_first(label)]
        assert ordered == sorted(ordered, reverse=True)
    near = seen.nearest_first(seen.ids[0])
    assert sorted([*near, seen.ids[0]]) == sorted(seen.ids)
    apart = [np.square(seen.places[seen.ids.index(id)] - seen.places[0]).sum() for id in near]
    assert apart == sorted(apart)


def test_moved_images_are_found_and_those_that_are_gone_are_left_out():
    seen = overview()
    now = seen.located(lambda id, sha256: None if id == "1.png" else f"new/{id}")
    assert now.ids == ("new/0.png", "new/2.png", "new/3.png")
    assert np.array_equal(now.places, seen.places[[0, 2, 3]])
    assert now.predictions[1] == seen.predictions[2]
