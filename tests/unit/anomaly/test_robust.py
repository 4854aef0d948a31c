import hashlib

import torch
from torch.nn.functional import normalize

from alvision.anomaly import robust
from alvision.anomaly.memory import fold_of
from alvision.anomaly.robust import build, sample
from alvision.anomaly.scores import image_scores


def digests(count):
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]


def images(good, bad, seed=0):
    """Return patches [n,9,8]; a bad image's middle patch is far off, each in a way of its own."""
    rng = torch.Generator().manual_seed(seed)
    patches = torch.randn(good + bad, 9, 8, generator=rng)
    patches[good:, 4] += 10 * normalize(torch.randn(bad, 8, generator=rng), dim=1)
    return patches


def found(patches):
    names = digests(len(patches))
    memory = build(sample([(names, patches)], len(patches)))
    return image_scores(memory.distances(patches, [fold_of(name, robust.FOLDS) for name in names]))


def auroc(scores, good):
    return float((scores[good:, None] > scores[:good]).float().mean())


def test_defects_among_the_good_are_found_one_in_a_hundred_and_two_in_five():
    assert auroc(found(images(99, 1)), 99) > 0.98
    assert auroc(found(images(60, 40)), 60) > 0.9


def test_copies_of_one_image_are_all_as_usual():
    patches = images(1, 0).expand(40, -1, -1)
    assert found(patches).abs().max() < 1e-2


def test_what_is_drawn_depends_on_the_content_and_not_on_order_or_chunks():
    patches, names = images(20, 0), digests(20)
    whole = sample([(names, patches)], 20, size=60)
    assert sum(map(len, whole.patches)) == 60
    turned = sample([(names[i : i + 1], patches[i : i + 1]) for i in reversed(range(20))], 20, 60)
    for mine, other in zip(whole.patches, turned.patches, strict=True):
        assert torch.equal(mine.sort(0).values, other.sort(0).values)


def test_the_memory_is_as_large_as_asked_for():
    names = digests(50)
    memory = build(sample([(names, images(50, 0))], 50), size=50)
    assert sum(map(len, memory.parts)) == 50 and len(memory.parts) == robust.FOLDS


def test_an_empty_fold_is_no_obstacle():
    names = [name for name in digests(30) if fold_of(name, robust.FOLDS) < 2]
    memory = build(sample([(names, images(len(names), 0))], len(names)))
    assert [len(part) > 0 for part in memory.parts] == [True, True, False, False, False]
