from dataclasses import replace

import numpy as np
import pytest
import torch

from alvision.core.errors import UserError
from alvision.evaluation.outcomes import Outcomes
from alvision.training import contest
from alvision.training.contest import judge, log_loss, no_contest
from tests.unit.training.conftest import CLASSES, FINETUNE, ON_CPU

AUTO = replace(FINETUNE, training="auto")


def outcomes(right, sure=0.9):
    """Return 40 images of two classes, the first `right` of each called rightly."""
    truth = np.repeat([0, 1], 20)
    hit = np.tile(np.arange(20) < right, 2)
    p = np.where(hit, sure, 1 - sure)
    values = np.where(truth[:, None] == np.arange(2), p[:, None], 1 - p[:, None])
    return Outcomes(values, truth, values.argmax(1), CLASSES, np.zeros(2, bool))


def test_the_loss_weighs_classes_alike():
    some = outcomes(20, sure=0.5)
    assert log_loss(some) == pytest.approx(np.log(2))
    assert log_loss(some.take(np.arange(25))) == pytest.approx(np.log(2))


def test_what_is_better_by_both_measures_is_chosen():
    said = {"frozen": outcomes(12), "finetune": outcomes(19), "mean": outcomes(15)}
    found = judge(said)
    assert (found.chosen, found.images) == ("finetune", 40)
    frozen, tuned, mean = found.entries
    assert frozen.gain == frozen.low == frozen.high == 0
    assert tuned.low > 0 and tuned.low < tuned.gain < tuned.high
    assert mean.macro_f1 < tuned.macro_f1 and tuned.log_loss < mean.log_loss < frozen.log_loss


@pytest.mark.parametrize(
    "other",
    [outcomes(12), outcomes(13, sure=0.999)],
    ids=["no better", "more right and too sure of what is wrong"],
)
def test_frozen_stays_where_another_is_not_better_by_both(other):
    found = judge({"frozen": outcomes(12), "finetune": other})
    assert found.chosen == "frozen" and "both" in found.reason


@pytest.mark.parametrize(
    ("model", "groups", "reason"),
    [
        (replace(AUTO, head="ensemble"), None, "ensemble"),
        (replace(AUTO, engine="openvino"), None, "model.engine=openvino"),
        (AUTO, 2, "2 groups"),
    ],
)
def test_what_cannot_compete_stays_frozen_and_says_why(learn, truth, model, groups, reason):
    if model.engine != "eager":
        pytest.importorskip("openvino")
    names = [f"g{n % groups}" for n in range(len(truth))] if groups else None
    learner = learn(model, groups=names)
    assert reason in no_contest(learner.fitter, truth)
    if model.engine == "eager":
        fitted, how = learner.compete(truth, round=0)
        assert fitted.kind == how.chosen == "frozen" and reason in how.reason and not how.entries


def test_vectors_stay_frozen(learn, embedded, truth):
    fitted, how = learn(AUTO, of=embedded).compete(truth, round=0)
    assert fitted.kind == "frozen" and "vectors" in how.reason


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["frozen", "finetune", "mean"])
def test_each_kind_is_trained_kept_and_read_back(learn, truth, tmp_path, monkeypatch, kind):
    lines = []
    chosen = contest.Contest(kind, "asked for", 36)
    monkeypatch.setattr(contest, "judge", lambda said: chosen)
    learner = learn(AUTO, replace(ON_CPU, epochs=1))
    fitted, how = learner.compete(truth, round=0, say=lines.append)
    assert (fitted.kind, how) == (kind, chosen)
    assert len(lines) == 2 and "36 labelled images" in lines[0] and "fold 1 of 3" in lines[1]
    learner.save(fitted, tmp_path / "model.ckpt")
    again = learn(AUTO)
    loaded = again.load(tmp_path / "model.ckpt")
    assert loaded.kind == kind
    ids = tuple(truth)
    said = learner.predict(fitted, ids).values
    assert np.array_equal(said, again.predict(loaded, ids).values)
    seen = again.infer(loaded, ids, needs={"log_probs", "features", "passes"}, round=1)
    width = learner.features.width
    assert seen.features.shape == (36, 2 * width if kind == "mean" else width)
    assert seen.log_probs.shape == (36, 5, 2)
    with pytest.raises(UserError, match="another network"):
        learn(replace(AUTO, training="finetune" if kind != "finetune" else "frozen")).load(
            tmp_path / "model.ckpt"
        )


@pytest.mark.slow
def test_the_mean_is_that_of_the_frozen_and_the_finetuned_network(learn, truth, monkeypatch):
    trainer = replace(ON_CPU, epochs=1)
    monkeypatch.setattr(contest, "judge", lambda said: contest.Contest("mean", "asked for", 36))
    learner, ids = learn(AUTO, trainer), tuple(truth)
    both = learner.predict(learner.compete(truth, round=0)[0], ids).values
    parts = [
        one.predict(one.fit(truth, round=0), ids).values
        for one in (learn(replace(AUTO, training="frozen"), trainer), learn(FINETUNE, trainer))
    ]
    assert np.allclose(both, np.mean(parts, axis=0), atol=1e-5)


@pytest.mark.slow
def test_no_network_is_judged_by_images_of_a_group_that_it_learned(learn, truth, monkeypatch):
    names = [f"g{n // 2}" for n in range(len(truth))]
    of_image = dict(zip(truth, names, strict=True))
    learner = learn(AUTO, replace(ON_CPU, epochs=1), groups=names)
    learned, judged = [], []
    fit, chunks = learner.fitter.fit_net, learner.features.chunks
    monkeypatch.setattr(
        type(learner.fitter), "fit_net",
        lambda self, known, round: learned.append(set(known)) or fit(known, round),
    )  # fmt: skip
    monkeypatch.setattr(
        learner.features, "chunks",
        lambda trunk, ids: judged.append(set(ids)) or chunks(trunk, ids),
    )  # fmt: skip
    learner.compete(truth, round=0)
    folds = [part for part in judged if len(part) < len(truth)][-3:]
    assert set().union(*folds) == set(truth)
    for known, held in zip(learned, folds, strict=False):
        assert not {of_image[id] for id in known} & {of_image[id] for id in held}


def test_what_a_run_folder_says_of_auto_is_what_its_rounds_are(learn, truth):
    rounds = [
        learn(replace(AUTO, training=kind)).fit(truth, round=1) for kind in ("auto", "frozen")
    ]
    weights = [model.module.head.first.weight for model in rounds]
    assert torch.equal(*weights)
