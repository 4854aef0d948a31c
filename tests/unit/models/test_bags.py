import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from alvision.models.bags import PARTS, Bags, heat, pool, without_each
from alvision.models.normalised import Normalised

SEEDS = st.integers(0, 2**31)


def tiles(seed, count, width=4):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_one_tile_that_differs_stands_out_by_a_golden_value():
    given = torch.zeros(4, 2)
    given[3, 0] = 4.0
    highest, out = pool(given)[0].chunk(2)
    assert highest.tolist() == [4.0, 0.0]
    # (4 - 1) / sqrt(3 + .01 * 1.5), and nothing where all tiles are equal
    assert out.tolist() == pytest.approx([3 / 3.015**0.5, 0.0], abs=1e-5)


@given(seed=SEEDS, count=st.integers(1, 40))
def test_the_order_of_tiles_does_not_matter(seed, count):
    one = tiles(seed, count)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(pool(one), pool(one[order]), atol=1e-4)
    assert pool(one).shape == (1, PARTS * 4)


@given(seed=SEEDS, shift=st.floats(-10, 10), scale=st.floats(0.1, 10))
def test_what_stands_out_does_not_follow_the_photographs_light(seed, shift, scale):
    one = tiles(seed, 9)
    assert torch.allclose(pool(one)[:, 4:], pool(scale * one + shift)[:, 4:], atol=1e-2)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_constant_features_are_finite_and_stand_out_nowhere(count):
    constant = torch.full((count, 3), 7.0)
    for found in (pool(constant), without_each(constant)):
        assert (found[:, :3] == 7).all() and (found[:, 3:] == 0).all()


@given(seed=SEEDS, count=st.integers(2, 12))
@example(seed=0, count=3)  # what is left of it are two equal tiles
def test_without_a_tile_is_the_bag_of_the_others(seed, count):
    one = tiles(seed, count)
    one[-1] = one[0]  # a tie, perhaps for the highest
    left = without_each(one)
    for row in range(count):
        others = torch.cat([one[:row], one[row + 1 :]])
        assert torch.allclose(left[row], pool(others)[0], atol=1e-2, rtol=1e-3)


def test_a_bag_of_one_tile_keeps_it():
    assert torch.equal(without_each(tiles(0, 1)), pool(tiles(0, 1)))


def test_heat_is_on_the_tile_that_speaks_for_the_class():
    head = nn.Linear(8, 2)
    nn.init.zeros_(head.weight)
    head.weight.data[1, 4] = 1.0  # class 1: the first feature stands out somewhere
    one = tiles(0, 30).clamp(-1, 1)
    one[17, 0] = 9.0
    with torch.no_grad():
        found = heat(head, one)
    assert found.shape == (30, 2) and int(found[:, 1].argmax()) == 17
    assert (found[:, 0] == 0).all() and (found >= 0).all()
    assert found[17, 1] > 5 * found[:17, 1].max()


class Mean(nn.Module):
    def forward(self, images):
        return images.mean((2, 3))


def test_photographs_are_pooled_one_by_one():
    network = Bags(Normalised(Mean(), (0.5,) * 3, (0.5,) * 3))
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, 3, 5, 8, 8, 3), generator=generator, dtype=torch.uint8)
    found = network(pixels)
    assert found.shape == (2, 6)
    by_hand = pixels[1].flatten(0, 1).float().mean((1, 2)) / 127.5 - 1
    assert torch.allclose(found[1:], pool(by_hand), atol=1e-3)
