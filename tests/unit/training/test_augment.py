from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from alvision.core.errors import UserError
from alvision.training.augment import KINDS, Augment


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_alone_decides_also_in_threads(image, kind):
    augment = Augment(kind)
    expected = [augment(image, seed) for seed in range(20)]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(lambda seed: augment(image, seed), range(20)))
    assert all(np.array_equal(a, b) for a, b in zip(expected, threaded, strict=True))
    assert all(result.shape == image.shape and result.dtype == np.uint8 for result in expected)


@pytest.mark.parametrize(("kind", "varies"), [("none", False), ("light", True), ("full", True)])
def test_seeds_differ_and_the_image_stays(image, kind, varies):
    before = image.copy()
    results = {Augment(kind)(image, seed).tobytes() for seed in range(20)}
    assert (len(results) > 5) == varies
    assert np.array_equal(image, before)


def test_light_keeps_every_pixel_in_a_flipped_place():
    image = np.full((8, 8, 3), 100, np.uint8)
    image[0, 0] = 200
    for seed in range(20):
        bright = np.argwhere(Augment("light")(image, seed)[..., 0] > 150)
        assert len(bright) == 1 and set(bright[0]) <= {0, 7}


def test_the_steps_of_a_pipeline_are_drawn_apart():
    """Each combination of flips and brightness comes about as often as chance has it."""
    image = np.zeros((8, 8, 3), np.uint8)
    image[:4], image[:, :4] = image[:4] + 60, image[:, :4] + 30
    flips = {
        "none": image, "across": image[:, ::-1], "down": image[::-1], "turn": image[::-1, ::-1],
    }  # fmt: skip
    counts: Counter[tuple[str, bool]] = Counter()
    augment = Augment("light")
    for seed in range(800):
        changed = augment(image, seed)
        order = np.argsort(changed[::7, ::7, 0].ravel(), kind="stable").tolist()
        flip = next(
            n
            for n, f in flips.items()
            if np.argsort(f[::7, ::7, 0].ravel(), kind="stable").tolist() == order
        )
        counts[flip, not np.array_equal(changed, flips[flip])] += 1
    assert len(counts) == 8
    for found in counts.values():
        assert 60 <= found <= 140, counts  # 100 are expected, with a deviation of 9.4


def test_an_unknown_kind_is_refused():
    with pytest.raises(UserError, match="augment=heavy"):
        Augment("heavy")


def test_a_single_transform_is_refused():
    with pytest.raises(UserError, match=r"HorizontalFlip is a single transform.*Compose"):
        Augment({"_target_": "albumentations.HorizontalFlip"})
