import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from alvision.models.heads import Head
from alvision.training.classifier import BestWeights, Classifier, class_weights


def test_class_weights_are_n_over_classes_seen_times_count():
    weights = class_weights(torch.tensor([0, 0, 0, 1]), 3)
    assert weights.tolist() == pytest.approx([4 / (2 * 3), 4 / (2 * 1), 0.0])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=50))
def test_every_class_seen_weighs_alike(targets):
    goal = torch.tensor(targets)
    total = class_weights(goal, 5) * torch.bincount(goal, minlength=5)
    seen = total[total > 0]
    assert torch.allclose(seen, torch.full_like(seen, len(targets) / len(seen)))


def test_the_loss_is_the_weighted_mean():
    head = Head(2, 2, kind="linear")
    module = Classifier(nn.Identity(), head, torch.tensor([1.0, 3.0]))
    inputs, targets = torch.randn(2, 2), torch.tensor([0, 1])
    single = -head(inputs).log_softmax(-1)[[0, 1], targets]
    expected = (single[0] + 3 * single[1]) / 4
    assert module.training_step((inputs, targets), 0).item() == pytest.approx(expected.item())


def test_the_weights_of_the_loss_are_not_part_of_the_model():
    assert set(Classifier(nn.Identity(), Head(2, 2), torch.ones(2)).state_dict()) == {
        "head.mean",
        "head.gain",
        "head.first.weight",
        "head.first.bias",
    }


class _Trainer:
    should_stop = False

    def __init__(self, loss):
        self.callback_metrics = {"validation_loss": torch.tensor(loss)}


def test_training_stops_after_patience_and_the_best_weights_come_back():
    module, watch = nn.Linear(1, 1, bias=False), BestWeights(patience=2)
    stops = []
    for epoch, loss in enumerate([3.0, 1.0, 2.0, 1.0, 0.5]):
        module.weight.data.fill_(epoch)
        trainer = _Trainer(loss)
        watch.on_validation_end(trainer, module)
        stops.append(trainer.should_stop)
        if trainer.should_stop:
            break
    assert stops == [False, False, False, True]
    watch.on_fit_end(trainer, module)
    assert module.weight.item() == 1
