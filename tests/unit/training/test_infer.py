from dataclasses import replace

import numpy as np
import pytest
import torch

from alvision.core.errors import UserError
from tests.unit.training.conftest import CLASSES, FINETUNE, ON_CPU, TINY, both_ways, mean_entropy


def test_inference_gives_what_is_needed_and_no_more(taught, truth):
    learner, model = taught
    ids = tuple(truth)[::-3]
    nothing = learner.infer(model, ids, needs=set(), round=1)
    assert (nothing.ids, nothing.log_probs, nothing.features) == (ids, None, None)
    needs = {"log_probs", "features", "labels", "passes"}
    found = learner.infer(model, ids, needs=needs, round=1, labels=truth)
    assert found.ids == ids and found.scores is None
    assert found.log_probs.shape == (12, 5, 2) and found.features.shape == (
        12,
        learner.features.width,
    )
    assert [CLASSES[i] for i in found.labels] == [truth[id] for id in ids]
    fused = learner.infer(model, ids, needs={"scores"}, score=mean_entropy, round=1)
    assert torch.equal(fused.scores, mean_entropy(found.log_probs))
    assert fused.log_probs is None


def test_pool_and_labelled_see_the_same_networks_and_rounds_differ(taught, truth):
    (learner, model), ids = taught, tuple(truth)

    def networks(ids, round):
        return learner.infer(model, ids, needs={"log_probs"}, round=round).log_probs

    both = networks(ids, 1)
    assert torch.allclose(both[:9], networks(ids[:9], 1), atol=1e-6)
    assert not torch.allclose(both, networks(ids, 2), atol=1e-4)
    assert not torch.allclose(both[:, 0], both[:, 1], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_finetuned_trunk_with_stochastic_depth_is_sampled_too(learn, truth, dropout):
    deep = replace(FINETUNE, backbone="timm:test_convnext", dropout=dropout, drop_path=0.5)
    learner, ids = learn(deep), tuple(truth)
    learner.check({"passes"})
    model = learner.fit(truth, round=1)
    needs = {"log_probs", "features"}
    found = learner.infer(model, ids, needs=needs, round=1)
    assert found.log_probs.shape == (36, 5, 2)
    plain = learner.infer(model, ids, needs={"features"}, round=1)
    assert torch.allclose(found.features, plain.features, atol=1e-5)
    some = learner.infer(model, ids[5:9], needs=needs, round=1)
    assert torch.allclose(found.log_probs[5:9], some.log_probs, atol=1e-5)
    assert not torch.allclose(found.log_probs[:, 0], found.log_probs[:, 1], atol=1e-3)
    other = learner.infer(model, ids, needs=needs, round=2)
    assert not torch.allclose(found.log_probs, other.log_probs, atol=1e-3)
    linear = learn(replace(deep, head="linear"))
    assert linear.passes == 1


def test_features_of_several_depths_make_rounds_of_their_own(learn, truth, tmp_path):
    final, deep = learn(), learn(replace(TINY, features="multilevel", views="flips"))
    model, ids = deep.fit(truth, round=1), tuple(truth)
    assert deep.features.width > final.features.width
    assert deep.infer(model, ids, needs={"log_probs"}, round=1).log_probs.shape == (36, 5, 2)
    deep.save(model, tmp_path / "model.ckpt")
    assert learn(deep.model).load(tmp_path / "model.ckpt").fitted
    with pytest.raises(UserError, match="another network"):
        final.load(tmp_path / "model.ckpt")


def test_a_deterministic_head_has_one_pass_and_says_so_up_front(learn, truth):
    learner = learn(replace(TINY, head="linear"))
    model = learner.fit(truth, round=1)
    found = learner.infer(model, tuple(truth), needs={"log_probs"}, round=1)
    assert found.log_probs.shape == (36, 1, 2)
    said = torch.from_numpy(learner.predict(model, tuple(truth)).values)
    assert torch.allclose(found.log_probs[:, 0].exp(), said, atol=1e-5)
    learner.check({"scores"})
    for act in (
        lambda: learner.check({"scores", "passes"}),
        lambda: learner.infer(model, (), needs={"passes"}, round=1),
    ):
        with pytest.raises(UserError, match=r"model\.head=dropout"):
            act()


def test_the_passes_of_an_ensemble_are_its_members(learn, truth, tmp_path):
    model, ids = replace(TINY, head="ensemble", passes=6), tuple(truth)
    learner = learn(model)
    fitted = learner.fit(dict(list(truth.items())[18:30]), round=1)
    learner.check({"scores", "passes"})
    learner.save(fitted, tmp_path / "model.ckpt")
    loaded = learn(model).load(tmp_path / "model.ckpt")
    needs = {"log_probs", "passes"}
    members = learner.infer(fitted, ids, needs=needs, round=1).log_probs
    assert members.shape == (36, 6, 2)
    assert torch.equal(members, learn(model).infer(loaded, ids, needs=needs, round=2).log_probs)
    assert len(members[0, :, 0].unique()) == 6
    said = torch.from_numpy(learner.predict(loaded, ids).values)
    assert torch.allclose(members.exp().mean(1), said, atol=1e-5)
    with pytest.raises(UserError, match=r"model\.passes=20"):
        learn(replace(model, passes=1)).check({"passes"})


def test_a_class_appended_later_has_probability_zero(taught, learn, truth, tmp_path):
    learner, fitted = taught
    learner.save(fitted, tmp_path / "model.ckpt")
    wider = learn(classes=("torn", "ok", "worn"))
    model = wider.load(tmp_path / "model.ckpt")
    assert wider.predict(model, tuple(truth)).classes == CLASSES
    found = wider.infer(model, tuple(truth), needs={"log_probs"}, round=1)
    assert (found.log_probs[:, :, 0] == -torch.inf).all()
    assert torch.allclose(found.log_probs.exp().sum(-1), torch.ones(36, 5))


def test_what_is_unreadable_is_known_before_anything_is_asked(learn, parts, truth):
    broken = parts / "ok" / "003.png"
    broken.write_bytes(broken.read_bytes()[:60])
    # A resumed run must choose from the same pool as one that has seen the images already.
    assert learn().infer(None, tuple(truth), needs=set(), round=1).ids == tuple(
        id for id in truth if id != "ok/003.png"
    )
    assert set(learn().set_aside) == {"ok/003.png"}


@both_ways
def test_unreadable_images_are_set_aside_and_stop_nothing(learn, parts, truth, model):
    broken = parts / "ok" / "003.png"
    broken.write_bytes(broken.read_bytes()[:60])
    (parts / "worn" / "001.png").unlink()
    learner = learn(model)
    fitted, ids = learner.fit(truth, round=1), tuple(truth)
    readable = tuple(id for id in ids if id not in ("ok/003.png", "worn/001.png"))
    assert learner.predict(fitted, ids).ids == readable
    assert learner.infer(fitted, ids, needs={"features"}, round=1).ids == readable
    assert learner.infer(fitted, ids, needs=set(), round=1).ids == readable
    assert set(learner.set_aside) == set(ids) - set(readable)
    assert all(learner.set_aside.values())


def test_where_nothing_can_be_read_there_are_empty_answers(learn, parts, truth):
    for path in parts.glob("*/*.png"):
        path.write_bytes(b"no image")
    learner = learn()
    model = learner.fit(truth, round=1)
    assert not model.fitted and len(learner.set_aside) == 36
    assert learner.predict(model, tuple(truth)).values.shape == (0, 2)


def test_features_are_computed_once_for_all_runs(learn, truth, monkeypatch):
    learn().infer(None, tuple(truth), needs={"features"}, round=0)

    def forbidden(*args, **kwargs):
        raise AssertionError("an image was read again")

    monkeypatch.setattr("alvision.inference.pool.read", forbidden)
    assert learn().fit(truth, round=1).fitted


def test_embeddings_need_no_network(learn, embedded, truth, tmp_path):
    learner = learn(of=embedded, trainer=replace(ON_CPU, head_steps=80))
    assert learner.backbone is None
    model = learner.fit(dict(list(truth.items())[18:30]), round=1)
    said = learner.predict(model, tuple(truth))
    right = [CLASSES[i] == truth[id] for i, id in zip(said.values.argmax(1), said.ids, strict=True)]
    assert np.mean(right) > 0.9
    learner.save(model, tmp_path / "model.ckpt")
    assert np.array_equal(learner.predict(learner.load(tmp_path / "model.ckpt"), said.ids).values,
                          said.values)  # fmt: skip


def test_novelty_comes_from_the_pass_that_gives_the_features(learn, truth, tmp_path, monkeypatch):
    monkeypatch.setenv("ALVISION_CACHE", str(tmp_path / "one"))
    plain = learn().infer(None, tuple(truth), needs={"features"}, round=0)
    monkeypatch.setenv("ALVISION_CACHE", str(tmp_path / "two"))
    learner, passes = learn(), []
    monkeypatch.setattr(
        learner.features, "_trunk_pass", lambda *given, real=learner.features._trunk_pass: (
            passes.append(len(given[1])) or real(*given)
        ),
    )  # fmt: skip
    learner.read_novelty(tmp_path / "novelty.npz")
    found = learner.infer(None, tuple(truth), needs={"features", "novelty"}, round=0)
    assert passes == [len(truth)]
    assert torch.equal(found.features, plain.features)
    assert found.novelty.shape == (len(truth),) and (found.novelty > 0).any()
    again = learn()
    again.read_novelty(tmp_path / "novelty.npz")
    assert torch.equal(
        again.infer(None, found.ids, needs={"novelty"}, round=3).novelty, found.novelty
    )


def test_features_that_are_cached_already_stay_as_they_are(learn, truth, tmp_path, monkeypatch):
    monkeypatch.setenv("ALVISION_CACHE", str(tmp_path))
    plain = learn().infer(None, tuple(truth), needs={"features"}, round=0)
    learner = learn()
    learner.read_novelty(None)
    found = learner.infer(None, tuple(truth), needs={"features", "novelty"}, round=0)
    assert torch.equal(found.features, plain.features) and found.novelty is not None


def test_novelty_is_refused_where_there_are_no_patches(learn, manifest):
    embedded = replace(manifest, features=np.zeros((len(manifest.ids), 4), np.float32))
    with pytest.raises(UserError, match="data=embeddings has none"):
        learn(of=embedded).read_novelty(None)
