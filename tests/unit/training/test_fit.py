import logging
import signal
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from alvision.core.errors import UserError
from alvision.data.image_spec import PLAIN_RULES, ImageSpec
from alvision.inference import features, pool
from alvision.models.heads import Head
from alvision.training.checkpoint import Model
from alvision.training.classifier import Classifier
from tests.unit.training.conftest import (
    CLASSES,
    FINETUNE,
    ON_CPU,
    TINY,
    both_ways,
    mean_entropy,
    same,
    state,
)


@both_ways
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


def test_a_model_is_read_with_the_rules_by_which_its_images_were_read(learn, tmp_path):
    path, early, today = tmp_path / "model.ckpt", learn(), learn()
    values = early.features.spec.to_dict()
    early.features.spec = ImageSpec.from_dict(
        {k: values[k] for k in ("size", "crop", "value_range")}
    )
    early.save(Model(CLASSES, False), path)
    assert (early.features.spec.rules, today.features.spec.rules) == (1, PLAIN_RULES)
    today.read_as(path)
    assert today.features.spec == early.features.spec


@both_ways
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


@both_ways
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


@pytest.mark.slow
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


def test_a_head_learns_alike_whatever_the_scale_of_its_features(learn, embedded, truth):
    small = replace(embedded, features=embedded.features * 1e-3)
    said = [
        learn(of=of).predict(learn(of=of).fit(truth, round=1), tuple(truth)).values
        for of in (embedded, small)
    ]
    assert np.allclose(*said, atol=1e-3)


def test_an_offset_of_a_feature_changes_nothing(learn, embedded, truth):
    moved = replace(embedded, features=embedded.features + np.arange(6, dtype=np.float32) * 20)
    said = [
        learn(of=of).predict(learn(of=of).fit(truth, round=1), tuple(truth)).values
        for of in (embedded, moved)
    ]
    assert np.allclose(*said, atol=1e-3)


def test_held_out_images_do_not_count_and_a_run_keeps_what_it_began_with(
    learn, embedded, truth, tmp_path
):
    pool, kept = embedded.ids[:30], tmp_path / "features.npz"
    wild = replace(embedded, features=embedded.features.copy())
    wild.features[30:] = 1e6
    first = learn(of=wild, pool=pool, statistics=kept).features.statistics
    assert torch.allclose(first.mean, torch.from_numpy(embedded.features[:30].mean(0)), atol=1e-5)
    later = learn(of=wild, pool=wild.ids, statistics=kept)  # photographs came in
    assert torch.equal(later.features.statistics.mean, first.mean)
    head = later.fit(truth, round=1).module.head
    assert torch.equal(head.mean, first.mean) and torch.equal(head.gain, first.gain)


@both_ways
def test_a_head_carries_the_statistics_of_the_pool(learn, truth, model):
    learner = learn(model)
    _, features = learner.features.initial(list(truth))
    head = learner.fit(truth, round=1).module.head
    assert torch.allclose(head.mean, features.mean(0), atol=1e-4)
    assert head.standard(features).std(0).max() < 1.1


def test_a_constant_feature_says_nothing(learn, embedded, truth):
    dead = replace(embedded, features=embedded.features.copy())
    dead.features[:, 2] = 4.0
    fitted = learn(of=dead).fit(truth, round=1)
    assert fitted.module.head.gain[2] == 0
    assert np.isfinite(learn(of=dead).predict(fitted, tuple(truth)).values).all()
    dead.features[:] = 4.0
    with pytest.raises(UserError, match="nothing can be learned"):
        learn(of=dead).fit(truth, round=1)


def test_a_checkpoint_of_another_network_is_refused(taught, learn, tmp_path):
    learner, model = taught
    learner.save(model, tmp_path / "model.ckpt")
    others = (learn(seed=1), learn(FINETUNE), learn(replace(TINY, backbone="timm:test_convnext")))
    for other in others:
        with pytest.raises(UserError, match="another network"):
            other.load(tmp_path / "model.ckpt")


def test_a_frozen_trunk_is_not_in_the_checkpoint(taught, tmp_path):
    learner, model = taught
    learner.save(model, tmp_path / "model.ckpt")
    content = torch.load(tmp_path / "model.ckpt", weights_only=True)
    assert set(content["state_dict"]) == {
        "head.mean",
        "head.gain",
        "head.first.weight",
        "head.first.bias",
    }
    assert content["trunk"] == learner.backbone.fingerprint


@both_ways
def test_a_label_outside_the_classes_is_refused(learn, model):
    with pytest.raises(UserError, match="torn"):
        learn(model).fit({"ok/000.png": "ok", "ok/001.png": "torn"}, round=1)


def test_an_image_is_decoded_once_for_all_rounds(learn, truth, monkeypatch):
    learner, ids = learn(FINETUNE), list(truth)
    assert not learner.set_aside  # all images have been run through the initial trunk
    read, original = [], pool.decode
    monkeypatch.setattr(
        pool, "decode", lambda images, *a, **k: read.extend(images) or original(images, *a, **k)
    )
    first = learner.features.decode(ids[:5])
    monkeypatch.setattr(features, "PIXELS", sum(image.nbytes for image in first.values()))
    second = learner.features.decode(ids[2:7])
    learner.features.decode(ids[5:7])
    assert list(second) == ids[2:7] and second[ids[2]] is first[ids[2]]
    assert [id for id, _ in read] == [*ids[:5], *ids[5:7], *ids[5:7]]


def test_class_weights_can_be_switched_off(learn, embedded, truth):
    plain = learn(of=embedded, trainer=replace(ON_CPU, class_weights=False)).fit(truth, round=1)
    assert plain.module.weights is None
    weighted = learn(of=embedded).fit(truth, round=1).module.weights
    assert torch.allclose(weighted, torch.tensor([36 / 48, 36 / 24]))


@both_ways
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


@pytest.mark.slow
def test_training_is_silent_and_leaves_no_files(learn, truth, capfd, caplog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before, filters = set(tmp_path.rglob("*")), list(warnings.filters)
    with caplog.at_level(logging.INFO):
        learn(FINETUNE).fit(truth, round=1)
    assert capfd.readouterr() == ("", "") and not caplog.records
    assert {p for p in tmp_path.rglob("*") if "cache" not in p.parts} <= before
    assert warnings.filters == filters


@pytest.mark.slow
@pytest.mark.parametrize("given", [False, True], ids=["random weights", "a file of weights"])
def test_the_trunk_trains_in_train_mode(learn, truth, tmp_path, monkeypatch, given):
    """Statistics of few images never replace those of weights that were given."""
    model = replace(FINETUNE, drop_path=0.2)
    if given:
        trunk = learn(model).backbone.trunk
        file = tmp_path / "weights.pt"
        torch.save(trunk.state_dict(), file)
        model = replace(model, weights=str(file))
    modes = set()
    step = Classifier.training_step

    def noted(self, batch, index):
        modes.update((type(part).__name__, part.training) for part in self.trunk.modules())
        return step(self, batch, index)

    monkeypatch.setattr(Classifier, "training_step", noted)
    learn(model).fit(truth, round=1)
    assert ("DropPath", True) in modes and ("DropPath", False) not in modes
    norms = {training for name, training in modes if name.startswith("BatchNorm")}
    assert norms == {not given}
