from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alvision.training.augment import Augment
from alvision.training.datamodule import Batches, Examples, LabelledImages, Repeated, hold_out

MEAN, STD = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def examples(count):
    return Examples([np.full((4, 4, 3), i, np.uint8) for i in range(count)], list(range(count)))


def batches(count, batch_size=4, seed=None):
    return Batches(
        examples(count), MEAN, STD, batch_size, workers=2,
        augment=None if seed is None else Augment("none"),
        generator=None if seed is None else generator(seed),
    )  # fmt: skip


def targets(loader):
    return [batch[1].tolist() for batch in loader]


def test_validation_shows_each_image_once_in_order():
    loader = batches(10)
    assert [*chain(*targets(loader))] == list(range(10))
    assert len(loader) == len(targets(loader)) == 3


@given(count=st.integers(2, 60), batch_size=st.integers(2, 9))
def test_training_batches_are_full_and_even(count, batch_size):
    loader = batches(count, batch_size, seed=1)
    parts = targets(loader)
    sizes = [len(part) for part in parts]
    seen = np.bincount([*chain(*parts)], minlength=count)
    assert len(parts) == len(loader) >= 10
    assert set(sizes) == {min(batch_size, count)}
    assert seen.min() >= 1 and seen.max() - seen.min() <= 1


def test_images_belong_to_their_targets():
    for images, goals in batches(12, seed=0):
        assert torch.allclose(images[:, 0, 0, 0] * 255, goals.float())


def test_epochs_differ_and_the_seed_decides_them():
    first, second = batches(12, seed=3), batches(12, seed=3)
    epochs = [targets(first), targets(first)]
    assert epochs[0] != epochs[1]
    assert epochs == [targets(second), targets(second)]


GROUPS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 2)), max_size=60)


@given(rows=GROUPS, share=st.floats(0, 0.5), seed=st.integers(0, 9))
def test_held_out_groups_are_whole_and_both_parts_know_every_class(rows, share, seed):
    groups, goals = [g for g, _ in rows], [t for _, t in rows]
    held = hold_out(groups, goals, share, generator(seed))
    assert held == hold_out(groups, goals, share, generator(seed))
    if held is None:
        return
    train, validation = held
    assert sorted(train + validation) == list(range(len(rows)))
    assert not {groups[i] for i in train} & {groups[i] for i in validation}
    assert {goals[i] for i in train} == {goals[i] for i in validation} == set(goals)


def test_enough_labels_are_held_out_and_too_few_are_not():
    groups = [str(i) for i in range(20)]
    goals = [0, 1] * 10
    train, validation = hold_out(groups, goals, 0.2, generator())
    assert len(train) == 16 and len(validation) == 4
    assert hold_out(["one"] * 20, goals, 0.2, generator()) is None
    assert hold_out(groups, [0] * 19 + [1], 0.2, generator()) is None
    assert hold_out(groups, goals, 0.0, generator()) is None
    assert hold_out([], [], 0.2, generator()) is None


def test_one_batch_is_repeated():
    batch = (torch.zeros(1), torch.zeros(1))
    assert (
        [item is batch for item in Repeated(batch, 3)]
        == [True] * 3
        == [True] * len(Repeated(batch, 3))
    )


@pytest.mark.parametrize("validation", [None, batches(4)])
def test_without_validation_there_is_no_loader(validation):
    module = LabelledImages(batches(4, seed=0), validation)
    assert module.val_dataloader() == (validation or [])
