"""`model.init`: networks that start from another run's model."""

from dataclasses import replace

import pytest
import torch

from alvision.core.errors import UserError
from alvision.models.heads import Head
from alvision.training.checkpoint import Model
from alvision.training.contest import mean_of
from tests.unit.training.conftest import FINETUNE, TINY, learner_of, same


@pytest.fixture
def source(learn, tmp_path):
    """Return a function that writes a model of a kind, and the model."""

    def write(kind="finetune", model=TINY, classes=("ok", "worn"), seed=7):
        learner = learn(replace(model, training="auto"), seed=seed, classes=classes)
        fitter = learner.fitter
        frozen = fitter._module(torch.nn.Identity(), [0, 1], 0.1, 1, learner.features.statistics)
        tuned = fitter._module(fitter.new_trunk(), [0, 1], 0.1, 1, learner.features.statistics)
        for value in tuned.trunk.parameters():
            value.data += 0.01
        made = {"frozen": frozen, "finetune": tuned}.get(kind)
        made = made or mean_of(fitter.new_trunk(), frozen, tuned)
        path = tmp_path / f"{kind}.ckpt"
        learner.save(Model(classes, True, made), path)
        return str(path), made, tuned

    return write


@pytest.mark.parametrize("kind", ["finetune", "mean"])
def test_the_trunk_and_the_head_are_those_of_the_finetuned_network(learn, source, kind):
    path, _, tuned = source(kind)
    learner = learn(replace(FINETUNE, init=path))
    assert same(learner.backbone.trunk.state_dict(), tuned.trunk.state_dict())
    assert same(learner.fitter.start, tuned.head.state_dict())
    assert learner.fitter.pretrained and learner.fitter.new_trunk() is not learner.backbone.trunk


def test_a_frozen_run_keeps_features_of_its_own_for_such_a_trunk(learn, source):
    path, _, _ = source()
    plain, learner = learn(TINY), learn(replace(TINY, init=path))
    assert learner.features.fingerprint != plain.features.fingerprint
    again = learn(replace(TINY, init=path))
    assert again.features.fingerprint == learner.features.fingerprint
    ids, found = learner.features.initial(list(learner.features.hashes)[:4])
    assert not torch.equal(found, plain.features.initial(list(ids))[1])


def test_views_and_depths_of_a_trunk_may_be_others(learn, source):
    path, _, tuned = source(model=replace(TINY, views="flips"))
    learner = learn(replace(TINY, features="multilevel", init=path))
    inside = learner.backbone.trunk.trunk
    assert same(inside.state_dict(), tuned.trunk.trunk.state_dict())


def test_a_head_starts_from_a_head_on_the_same_frozen_features(learn, source, truth):
    path, made, _ = source("frozen", seed=0)
    learner = learn(replace(TINY, init=path))
    assert learner.backbone.fingerprint == learn(TINY).backbone.fingerprint
    assert same(learner.fitter.start, made.head.state_dict())
    some = dict(list(truth.items())[::6])
    fitted, plain = learner.fit(some, round=0), learn(TINY).fit(some, round=0)
    assert isinstance(fitted.module.head, Head)
    assert not same(fitted.module.state_dict(), plain.module.state_dict())


def test_a_frozen_model_of_other_weights_is_refused(learn, source):
    path, _, _ = source("frozen", seed=7)  # random weights follow the seed
    with pytest.raises(UserError, match="frozen features of other weights"):
        learn(replace(TINY, init=path))


def test_other_classes_start_a_head_anew_and_say_so(learn, source, caplog):
    path, _, tuned = source(classes=("worn", "ok"))
    learner = learn(replace(FINETUNE, init=path))
    assert learner.fitter.start is None
    assert "the head starts anew, because that model's classes are worn, ok" in caplog.text
    assert same(learner.backbone.trunk.state_dict(), tuned.trunk.state_dict())


def test_another_kind_of_head_starts_anew_and_says_so(learn, source, caplog):
    path, _, _ = source()
    assert learn(replace(FINETUNE, init=path, hidden=4)).fitter.start is None
    assert "is of another kind" in caplog.text


def test_another_network_is_refused_in_one_line(learn, source):
    path, _, _ = source()
    other = replace(FINETUNE, backbone="timm:resnet10t", init=path)
    with pytest.raises(UserError, match=r"timm:test_resnet\) does not fit .*timm:resnet10t: "):
        learn(other)


def test_what_has_learned_nothing_is_refused(learn, tmp_path):
    learner = learn(TINY)
    learner.save(Model(("ok", "worn"), False), tmp_path / "model.ckpt")
    with pytest.raises(UserError, match="has learned nothing yet"):
        learn(replace(TINY, init=str(tmp_path / "model.ckpt")))


def test_what_is_no_model_is_refused(learn, tmp_path):
    file = tmp_path / "model.ckpt"
    file.write_bytes(b"nothing")
    with pytest.raises(UserError, match="is not a checkpoint that can be read"):
        learn(replace(TINY, init=str(file)))


def test_data_without_images_have_no_network_to_start(embedded, source):
    with pytest.raises(UserError, match=r"model\.init names a network"):
        learner_of(embedded, replace(TINY, init=source()[0]))
