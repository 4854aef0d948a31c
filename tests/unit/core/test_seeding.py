"""Named randomness: how wide the streams are."""

import torch

from alvision.core.seeding import derive, generator


def test_names_and_their_order_make_streams_of_their_own():
    names = [(0, 1, "fit"), (0, 11, "fit"), (1, 1, "fit"), (0, 1, "acquire"), (0, "fit", 1)]
    seeds = {derive(*name) for name in names}
    assert len(seeds) == len(names) and max(seeds) < 2**63


def test_no_two_streams_of_a_large_study_are_alike():
    seeds = {
        derive(seed, round, purpose) % 2**32
        for seed in range(20)
        for round in range(100)
        for purpose in ("order", "acquisition", "fit", "passes", "ranking")
    }
    assert len(seeds) == 20 * 100 * 5


def test_a_generator_keeps_as_many_bits_as_its_document_says():
    def first(seed):
        return torch.rand(2, generator=torch.Generator().manual_seed(seed)).tolist()

    seed = derive(0, "split")
    assert all(first(seed) != first(seed ^ (1 << bit)) for bit in range(32))
    assert all(first(seed) == first(seed ^ (1 << bit)) for bit in range(32, 63))
    drawn = torch.rand(2, generator=generator(0, "split")).tolist()
    assert drawn == first(seed)
