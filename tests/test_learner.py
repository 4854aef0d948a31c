import logging
import signal
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from alvision.config import DataConfig, ImageConfig, ModelConfig, TrainerConfig
from alvision.data.hashes import content_hashes
from alvision.data.manifest import Manifest, build
from alvision.errors import UserError
from alvision.learner import Learner, trainer
from alvision.models.heads import Head

CLASSES = ("ok", "worn")
TINY = ModelConfig(backbone="timm:test_resnet", weights=None, passes=5)
FINETUNE = replace(TINY, training="finetune")
ON_CPU = TrainerConfig(
    accelerator="cpu", precision="32-true", head_steps=20, epochs=3, batch_size=8, num_workers=1
)


@pytest.fixture
def manifest(parts):
    return build(DataConfig(kind="class_folders", root=str(parts)))


@pytest.fixture
def truth(manifest):
    return dict(zip(manifest.ids, manifest.truth, strict=True))


@pytest.fixture
def learn(manifest):
    """Return what makes a learner; a key word changes one of its arguments."""

    def make(model=TINY, trainer=ON_CPU, seed=0, classes=CLASSES, of=manifest):
        hashes = content_hashes(of)
        data = DataConfig(kind="class_folders", image=ImageConfig(size=32))
        return Learner(of, hashes, classes, data, model, trainer, seed, of.ids)

    return make


@pytest.fixture
def embedded(truth):
    """Return 36 embeddings in which the classes lie apart."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(len(truth), 6)).astype(np.float32)
    features[:, 0] += [3 if label == "worn" else -3 for label in truth.values()]
    ids, none = tuple(truth), (None,) * len(truth)
    return Manifest(Path(), ids, tuple(map(Path, ids)), none, none, tuple(truth.values()), features)


def state(model):
    return {name: value.clone() for name, value in model.module.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def mean_entropy(log_probs):
    mean = log_probs.exp().mean(1)
    return -(mean * mean.clamp(min=1e-12).log()).sum(-1)


@pytest.mark.parametrize("model", [TINY, FINETUNE], ids=["frozen", "finetune"])
def test_a_round_trip_from_labels_to_predictions(learn, truth, tmp_path, model):
    learner = learn(model)
    fitted = learner.fit(truth, round=1)
    learner.save(fitted, tmp_path / "model.ckpt")
    loaded = learn(model).load(tmp_path / "model.ckpt")
    assert loaded.fitted and loaded.classes == CLASSES
    ids = tuple(truth)[5:30]
    said, again = learner.predict(fitted, ids), learn(model).predict(loaded, ids)
    assert said.ids == again.ids == ids
    assert np.array_equal(said.values, again.values)
    assert np.allclose(said.values.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("model", [TINY, FINETUNE], ids=["frozen", "finetune"])
def test_seed_and_round_alone_decide_a_fit(learn, truth, tmp_path, model):
    backwards = dict(reversed(truth.items()))
    torch.manual_seed(1)
    first = learn(model).fit(truth, round=1)
    torch.manual_seed(2)
    second = learn(model).fit(backwards, round=1)
    learner = learn(model)
    learner.save(first, tmp_path / "a")
    learner.save(second, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    for other in (learn(model).fit(truth, round=2), learn(model, seed=1).fit(truth, round=1)):
        assert not same(state(first), state(other))


@pytest.mark.parametrize("model", [TINY, FINETUNE], ids=["frozen", "finetune"])
def test_neither_the_global_generator_nor_the_model_is_disturbed(learn, truth, model):
    learner = learn(model)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fitted, threads = learner.fit(truth, round=1), torch.get_num_threads()
    before = state(fitted)
    learner.infer(fitted, tuple(truth), needs={"log_probs", "passes"}, round=2)
    learner.predict(fitted, tuple(truth))
    assert same(before, state(fitted))
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_finetuning_leaves_the_initial_trunk_alone(learn, truth):
    learner, ids = learn(FINETUNE), tuple(truth)
    before = learner.infer(None, ids, needs={"features"}, round=0).features
    fitted = learner.fit(truth, round=1)
    after = learner.infer(fitted, ids, needs={"features"}, round=1).features
    assert not torch.equal(before, after)
    assert torch.equal(
        before, learn(FINETUNE).infer(None, ids, needs={"features"}, round=2).features
    )


@pytest.mark.parametrize("labels", [{}, {"ok/000.png": "ok", "ok/001.png": "ok"}])
def test_fewer_than_two_classes_give_the_uniform_model(learn, truth, tmp_path, labels):
    learner = learn()
    model = learner.fit(labels, round=0)
    assert not model.fitted
    learner.save(model, tmp_path / "model.ckpt")
    loaded = learner.load(tmp_path / "model.ckpt")
    assert (loaded.fitted, loaded.classes) == (False, CLASSES)
    assert (learner.predict(loaded, tuple(truth)).values == 0.5).all()
    needs = {"log_probs", "scores"}
    found = learner.infer(loaded, tuple(truth), needs=needs, score=mean_entropy, round=1)
    assert found.log_probs.shape == (36, 5, 2)
    assert torch.allclose(found.scores, torch.tensor(2.0).log())


def test_inference_gives_what_is_needed_and_no_more(learn, truth):
    learner = learn()
    model, ids = learner.fit(truth, round=1), tuple(truth)[::-3]
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


def test_pool_and_labelled_see_the_same_networks_and_rounds_differ(learn, truth):
    learner, ids = learn(), tuple(truth)
    model = learner.fit(truth, round=1)

    def networks(ids, round):
        return learner.infer(model, ids, needs={"log_probs"}, round=round).log_probs

    both = networks(ids, 1)
    assert torch.allclose(both[:9], networks(ids[:9], 1), atol=1e-6)
    assert not torch.allclose(both, networks(ids, 2), atol=1e-4)
    assert not torch.allclose(both[:, 0], both[:, 1], atol=1e-4)


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


def test_a_class_appended_later_has_probability_zero(learn, truth, tmp_path):
    learner = learn()
    learner.save(learner.fit(truth, round=1), tmp_path / "model.ckpt")
    wider = learn(classes=("torn", "ok", "worn"))
    model = wider.load(tmp_path / "model.ckpt")
    assert wider.predict(model, tuple(truth)).classes == CLASSES
    found = wider.infer(model, tuple(truth), needs={"log_probs"}, round=1)
    assert (found.log_probs[:, :, 0] == -torch.inf).all()
    assert torch.allclose(found.log_probs.exp().sum(-1), torch.ones(36, 5))


@pytest.mark.parametrize("model", [TINY, FINETUNE], ids=["frozen", "finetune"])
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

    monkeypatch.setattr("alvision.inference.pool.load", forbidden)
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


def test_a_head_learns_alike_whatever_the_scale_of_its_features(learn, embedded, truth):
    small = replace(embedded, features=embedded.features * 1e-3)
    said = [
        learn(of=of).predict(learn(of=of).fit(truth, round=1), tuple(truth)).values
        for of in (embedded, small)
    ]
    assert np.allclose(*said, atol=1e-3)


def test_a_checkpoint_of_another_network_is_refused(learn, truth, tmp_path):
    learner = learn()
    learner.save(learner.fit(truth, round=1), tmp_path / "model.ckpt")
    others = (learn(seed=1), learn(FINETUNE), learn(replace(TINY, backbone="timm:test_convnext")))
    for other in others:
        with pytest.raises(UserError, match="another network"):
            other.load(tmp_path / "model.ckpt")


def test_a_frozen_trunk_is_not_in_the_checkpoint(learn, truth, tmp_path):
    learner = learn()
    learner.save(learner.fit(truth, round=1), tmp_path / "model.ckpt")
    content = torch.load(tmp_path / "model.ckpt", weights_only=True)
    assert set(content["state_dict"]) == {"head.scale", "head.first.weight", "head.first.bias"}
    assert content["trunk"] == learner.backbone.fingerprint


@pytest.mark.parametrize("model", [TINY, FINETUNE], ids=["frozen", "finetune"])
def test_a_label_outside_the_classes_is_refused(learn, model):
    with pytest.raises(UserError, match="torn"):
        learn(model).fit({"ok/000.png": "ok", "ok/001.png": "torn"}, round=1)


def test_class_weights_can_be_switched_off(learn, embedded, truth):
    plain = learn(of=embedded, trainer=replace(ON_CPU, class_weights=False)).fit(truth, round=1)
    assert plain.module.weights is None
    weighted = learn(of=embedded).fit(truth, round=1).module.weights
    assert torch.allclose(weighted, torch.tensor([36 / 48, 36 / 24]))


@pytest.mark.parametrize("model", [TINY, FINETUNE], ids=["frozen", "finetune"])
def test_ctrl_c_stays_ctrl_c(learn, truth, monkeypatch, model):
    handler = signal.getsignal(signal.SIGINT)

    def interrupted(self, features):
        raise KeyboardInterrupt

    monkeypatch.setattr(Head, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        learn(model).fit(truth, round=1)
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_exit_that_is_no_ctrl_c_stays_an_exit(learn, truth, monkeypatch):
    def leave(self, features):
        raise SystemExit(3)

    monkeypatch.setattr(Head, "forward", leave)
    with pytest.raises(SystemExit, match="3"):
        learn().fit(truth, round=1)


def test_training_is_silent_and_leaves_no_files(learn, truth, capfd, caplog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before, filters = set(tmp_path.rglob("*")), list(warnings.filters)
    with caplog.at_level(logging.INFO):
        learn(FINETUNE).fit(truth, round=1)
    assert capfd.readouterr() == ("", "") and not caplog.records
    assert {p for p in tmp_path.rglob("*") if "cache" not in p.parts} <= before
    assert warnings.filters == filters


def test_threads_are_given_back_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), trainer.threads(1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before
