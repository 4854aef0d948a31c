import numpy as np
import pytest
import torch
from PIL import Image

from alvision.anomaly import detection_limit as module
from alvision.anomaly.detection_limit import CONTRASTS, LEAST, Cell, detection_limit
from alvision.core.errors import UserError
from alvision.data.image_spec import ImageSpec
from alvision.data.synthetic import KINDS

GRID = (8, 8)


def cells_of(frames):
    """Read the mean and the lowest grey of each of 8 x 8 cells, as a network might."""
    grey = torch.from_numpy(frames)[..., 0].float()
    cells = grey.unfold(1, 8, 8).unfold(2, 8, 8).flatten(3).flatten(1, 2)
    return torch.stack([cells.mean(2), cells.amin(2), cells.amax(2)], 2)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(module, "SHOWN", 3)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Return 30 grey parts of 64 pixels, with a little noise."""
    folder, rng = tmp_path_factory.mktemp("parts"), np.random.default_rng(0)
    found = {}
    for number in range(30):
        path = folder / f"{number}.png"
        Image.fromarray(rng.normal(128, 4, (64, 64)).astype(np.uint8)).save(path)
        found[f"{number:064x}"] = path
    return found


def limit(parts, spec=None, **more):
    return detection_limit(parts, spec or ImageSpec(64), GRID, cells_of, seed=0, **more)


def test_what_is_large_and_strong_is_seen_and_what_is_faint_is_not(parts):
    steps = []
    found = limit(parts, tell=lambda done, total: steps.append((done, total)))
    word = {(cell.kind, cell.size, cell.contrast): cell.word for cell in found.cells}
    # A quarter of 64 pixels is the largest that is drawn.
    assert set(word) == {(k, s, c) for k in KINDS for s in (6, 12) for c in CONTRASTS}
    assert word["pit", 12, 64] == word["scratch", 12, 64] == "yes"
    assert word["scratch", 6, 8] == "no"
    assert found.smallest("pit") is not None and found.memory == 27 and found.shown == 3
    assert steps == sorted(steps) and steps[-1][0] == steps[-1][1]


@pytest.mark.slow
def test_the_same_seed_says_the_same(parts):
    assert limit(parts) == limit(parts)


@pytest.mark.slow
def test_tiles_are_searched_too(parts):
    tiled = detection_limit(parts, ImageSpec(32, tiles="auto"), (4, 4), cells_of, seed=0)
    assert {cell.word for cell in tiled.cells if (cell.size, cell.contrast) == (12, 64)} == {"yes"}


def test_defects_lie_in_the_region_of_interest(parts):
    found = limit(parts, ImageSpec(64, roi=((0.5, 0.5), (1, 0.5), (1, 1), (0.5, 1))))
    assert {cell.word for cell in found.cells if cell.contrast == 64} == {"yes"}


def test_too_few_photographs_and_none_that_can_be_read_are_refused(parts, tmp_path):
    few = dict(list(parts.items())[: LEAST - 1])
    with pytest.raises(UserError, match="19 good photographs are too few"):
        limit(few)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(UserError, match="no photograph can be read"):
        limit(dict.fromkeys(parts, broken))


def test_a_cell_says_yes_no_or_how_many():
    words = [Cell("pit", 6, 8, seen, 10).word for seen in (10, 9, 8, 5, 4, 0)]
    assert words == ["yes", "yes", "8 of 10", "5 of 10", "no", "no"]
    assert Cell("pit", 6, 8, 0, 0).word == "–"
