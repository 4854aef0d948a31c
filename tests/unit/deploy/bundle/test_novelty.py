import numpy as np

from alvision.deploy.bundle.verdict import novelty, usual_novelty


def known(n, seed=0):
    centre = np.r_[np.ones(4), np.zeros(12)]
    return centre + 0.2 * np.random.default_rng(seed).normal(size=(n, 16))


def test_a_new_kind_is_stranger_than_what_is_known():
    reference, held_out = known(200), known(100, seed=1)
    strange = np.roll(held_out, 8, axis=1)
    limit = usual_novelty(held_out, reference)
    assert (novelty(strange, reference) > limit).all()
    assert (novelty(held_out, reference) <= limit).mean() >= 0.98


def test_length_does_not_matter_and_a_copy_is_not_new():
    reference = np.repeat(known(3), 5, axis=0)
    assert np.allclose(novelty(7 * reference, reference), 0, atol=1e-3)


def test_fewer_known_images_than_neighbours():
    assert novelty(known(4), known(2)).shape == (4,)
    assert usual_novelty(np.empty((0, 16)), known(1)) == 2.0
