import hashlib

import numpy as np
import pytest
import torch

from alvision.anomaly.maps import peaks
from alvision.anomaly.novelty import Novelty
from alvision.core.errors import UserError

NAMES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(31)]
PATCHES = torch.randn(31, 9, 4, generator=torch.Generator().manual_seed(0))
IMAGES = dict(zip(NAMES, PATCHES, strict=True))
IMAGES[NAMES[30]][4] += 9
GRID = (3, 3)
UNREADABLE = "f" * 64


class Source:
    """Gives patches two images at a time, and notes which were asked for."""

    def __init__(self, images=IMAGES):
        self.images, self.asked = images, []

    def __call__(self, digests):
        there = [one for one in digests if one in self.images]
        self.asked += there
        for start in range(0, len(there), 2):
            few = there[start : start + 2]
            yield few, torch.stack([self.images[one] for one in few])


def test_the_odd_one_out_is_strangest_and_copies_are_alike():
    scores = Novelty(Source(), [*NAMES, NAMES[0], UNREADABLE], "trunk", GRID).scores(
        [*NAMES, NAMES[0]]
    )
    assert int(scores.argmax()) == 30
    assert scores[0] == scores[31]


def test_a_resumed_run_reads_the_same_numbers_and_no_patch(tmp_path):
    first = Novelty(Source(), NAMES, "trunk", GRID, tmp_path / "novelty.npz").scores(NAMES)
    content = (tmp_path / "novelty.npz").read_bytes()
    again = Source()
    assert torch.equal(
        Novelty(again, NAMES, "trunk", GRID, tmp_path / "novelty.npz").scores(NAMES), first
    )
    assert not again.asked
    (tmp_path / "novelty.npz").unlink()
    Novelty(Source(), NAMES, "trunk", GRID, tmp_path / "novelty.npz").scores(NAMES)
    assert (tmp_path / "novelty.npz").read_bytes() == content


def test_what_is_held_out_is_scored_and_never_in_the_memory():
    odd = NAMES[30]
    source = Source()
    without = Novelty(source, NAMES[:30], "trunk", GRID)
    assert odd not in (without.scores(NAMES[:30]), source.asked)[1]
    changed = {**IMAGES, odd: IMAGES[odd] * 100}
    other = Novelty(Source(changed), NAMES[:30], "trunk", GRID)
    assert torch.equal(without.scores(NAMES[:30]), other.scores(NAMES[:30]))
    assert float(without.scores([odd])) > float(without.scores(NAMES[:30]).max())


def test_a_later_image_is_compared_with_the_memory_that_is_kept(tmp_path):
    path = tmp_path / "novelty.npz"
    Novelty(Source(), NAMES[:20], "trunk", GRID, path).scores(NAMES[:20])
    later = Source()
    scores = Novelty(later, NAMES, "trunk", GRID, path).scores(NAMES)
    assert set(later.asked) == set(NAMES[20:]) and len(scores) == 31


def test_no_readable_image_a_damaged_file_and_another_network_are_named(tmp_path):
    with pytest.raises(UserError, match="no image of the pool can be read"):
        Novelty(Source({}), NAMES, "trunk", GRID).scores([])
    path = tmp_path / "novelty.npz"
    Novelty(Source(), NAMES, "trunk", GRID, path).scores(NAMES)
    with pytest.raises(UserError, match="made of other patches, by another network"):
        Novelty(Source(), NAMES, "other", GRID, path).scores(NAMES)
    path.write_bytes(b"PK")
    with pytest.raises(UserError, match="cannot be read; delete it"):
        Novelty(Source(), NAMES, "trunk", GRID, path).scores(NAMES)


def test_the_strange_place_of_an_image_is_where_it_is_and_above_the_level(tmp_path):
    path = tmp_path / "novelty.npz"
    novelty = Novelty(Source(), NAMES, "trunk", GRID, path)
    found = novelty.places([NAMES[30], UNREADABLE])
    assert list(found) == [NAMES[30]] and int(found[NAMES[30]].argmax()) == 4
    highest = [peaks(found[None], GRID)[0] for found in novelty.places(NAMES).values()]
    assert highest[30] > novelty.level
    assert sum(one > novelty.level for one in highest) <= 10
    assert Novelty(Source(), NAMES, "trunk", GRID, path).level == novelty.level


def test_a_file_of_an_earlier_version_is_refused_and_made_again_once_deleted(tmp_path):
    path = tmp_path / "novelty.npz"
    Novelty(Source(), NAMES, "trunk", GRID, path).scores(NAMES)
    with np.load(path) as content:
        arrays = {name: content[name] for name in content.files if name != "source"}
    np.savez(path, **arrays, trunk=np.array("trunk"))
    later = Novelty(Source(), NAMES, "trunk", GRID, path)
    with pytest.raises(UserError, match=r"novelty\.npz was made of other patches.*delete it"):
        later.scores(NAMES)
    path.unlink()
    assert len(later.scores(NAMES)) == 31


def test_a_place_in_a_box_never_comes_into_the_memory():
    # The same odd place in a third of the images is usual; with boxes around it it is not.
    images = {name: own.clone() for name, own in IMAGES.items()}
    for name in NAMES[::3]:
        images[name][4] = 9.0
    boxed = np.arange(9) == 4
    plain = Novelty(Source(images), NAMES, "trunk", GRID)
    with_boxes = Novelty(Source(images), NAMES, "trunk", GRID)
    with_boxes.left_out = lambda: dict.fromkeys(NAMES[::3], boxed)
    assert plain.places([NAMES[0]])[NAMES[0]][4] < 1
    assert with_boxes.places([NAMES[0]])[NAMES[0]][4] > 5


def test_one_picture_a_thousand_times_is_refused():
    with pytest.raises(UserError, match="copies of one picture"):
        Novelty(Source(), [NAMES[0]] * 1000, "trunk", GRID).scores([NAMES[0]])
