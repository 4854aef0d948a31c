import pytest
import torch
from torch import nn

from alvision.core.errors import UserError
from alvision.models import heads
from alvision.models.heads import Head
from alvision.training import checkpoint
from alvision.training.checkpoint import Model
from alvision.training.classifier import Classifier

HEAD = {"width": 4, "kind": "dropout", "hidden": 0, "dropout": 0.2}
ABOUT = {"head": HEAD, "model": {"training": "frozen"}}


def model(seed=0):
    torch.manual_seed(seed)
    return Model(("ok", "worn"), True, Classifier(nn.Identity(), Head(classes=2, **HEAD)))


def test_a_model_comes_back_as_it_was(tmp_path):
    checkpoint.write(model(), tmp_path / "a.ckpt", ABOUT)
    back = checkpoint.restore(checkpoint.read(tmp_path / "a.ckpt"), nn.Identity())
    assert back.classes == ("ok", "worn") and back.fitted
    features = torch.randn(3, 4)
    assert torch.equal(back.module(features), model().module.eval()(features))


def test_equal_words_that_are_other_objects_give_equal_bytes(tmp_path):
    word = "frozen"
    checkpoint.write(model(), tmp_path / "a.ckpt", {"head": HEAD, "model": [word, word]})
    other = "".join(list(word))
    checkpoint.write(model(), tmp_path / "b.ckpt", {"head": HEAD, "model": [word, other]})
    assert (tmp_path / "a.ckpt").read_bytes() == (tmp_path / "b.ckpt").read_bytes()


def test_equal_models_are_equal_bytes_whatever_the_file_is_called(tmp_path):
    checkpoint.write(model(), tmp_path / "a.ckpt", ABOUT)
    checkpoint.write(model(), tmp_path / ".b.part", ABOUT)
    checkpoint.write(model(1), tmp_path / "c.ckpt", ABOUT)
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.ckpt", ".b.part", "c.ckpt"))
    assert a == b != c


def test_an_unfitted_model_needs_no_weights(tmp_path):
    checkpoint.write(Model(("ok", "worn"), False), tmp_path / "a.ckpt", ABOUT)
    back = checkpoint.restore(checkpoint.read(tmp_path / "a.ckpt"), nn.Identity())
    assert (back.fitted, back.module, back.classes) == (False, None, ("ok", "worn"))


def test_damaged_foreign_and_unsafe_files_are_refused(tmp_path):
    path = tmp_path / "a.ckpt"
    checkpoint.write(model(), path, ABOUT)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match="can be read"):
        checkpoint.read(path)
    torch.save({"weights": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="this version"):
        checkpoint.read(path)
    torch.save(nn.Linear(1, 1), path)
    with pytest.raises(UserError, match="can be read"):
        checkpoint.read(path)


def test_weights_of_another_shape_are_refused(tmp_path):
    checkpoint.write(model(), tmp_path / "a.ckpt", {**ABOUT, "head": {**HEAD, "width": 5}})
    with pytest.raises(UserError, match="do not fit"):
        checkpoint.restore(checkpoint.read(tmp_path / "a.ckpt"), nn.Identity())


@pytest.mark.parametrize("kind", ["dropout", "ensemble"])
def test_a_model_of_an_early_version_acts_as_it_did(tmp_path, kind):
    """Its head divided all features by one number, `scale`."""
    about = {**ABOUT, "head": {**HEAD, "kind": kind, "members": 3}}
    head = heads.build(classes=2, **about["head"])
    now = Model(("ok", "worn"), True, Classifier(nn.Identity(), head))
    checkpoint.write(now, tmp_path / "a.ckpt", about)
    content = checkpoint.read(tmp_path / "a.ckpt")
    for name in ("head.mean", "head.gain"):
        del content["state_dict"][name]
    content["state_dict"]["head.scale"] = torch.tensor(2.5)
    features = torch.randn(3, 4)
    back = checkpoint.restore(content, nn.Identity()).module(features)
    assert torch.allclose(back, now.module.eval()(features / 2.5), atol=1e-6)


def test_a_head_of_the_users_own_of_an_early_version_acts_as_it_did(tmp_path):
    own = {
        "width": 4,
        "kind": {"_target_": "torch.nn.Linear", "_partial_": True},
        "hidden": 0,
        "dropout": 0.2,
    }
    head = heads.build(classes=2, **own)
    now = Model(("ok", "worn"), True, Classifier(nn.Identity(), head))
    checkpoint.write(now, tmp_path / "a.ckpt", {**ABOUT, "head": own})
    content = checkpoint.read(tmp_path / "a.ckpt")
    for name in ("head.mean", "head.gain"):
        del content["state_dict"][name]
    features = torch.randn(3, 4)
    back = checkpoint.restore(content, nn.Identity()).module(features)
    assert torch.equal(back, head.module(features))
