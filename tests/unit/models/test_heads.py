import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from alvision.models.heads import Ensemble, Head, onto_classes

SHAPES = [(0, 0.2), (0, 0.5), (16, 0.5)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("hidden", "dropout"), SHAPES)
def test_passes_equal_the_network_run_once_for_each_mask(hidden, dropout):
    torch.manual_seed(0)
    head = Head(8, 3, hidden=hidden, dropout=dropout).eval()
    mean, gain = torch.randn(8), torch.rand(8)
    head.standardise(mean, gain)
    features = torch.randn(5, 8)
    masks = head.masks(4, generator())
    for k in range(4):
        out = head.first((features - mean) * gain * masks[0][k])
        if hidden:
            out = head.last(out.relu() * masks[1][k])
        assert torch.allclose(
            head.passes(features, masks)[:, k], functional.log_softmax(out, dim=-1), atol=1e-6
        )


@pytest.mark.parametrize("hidden", [0, 16])
def test_masks_are_the_same_for_all_images_and_differ_between_passes(hidden):
    head = Head(64, 2, hidden=hidden).eval()
    twins = torch.randn(1, 64).expand(6, 64)
    values = head.passes(twins, head.masks(5, generator()))
    assert torch.allclose(values, values[:1].expand_as(values), atol=1e-6)
    assert len(values[0, :, 0].unique()) == 5


def test_a_row_does_not_depend_on_its_batch_mates():
    head = Head(32, 3).eval()
    features, masks = torch.randn(9, 32), head.masks(3, generator())
    alone = torch.cat([head.passes(row[None], masks) for row in features])
    assert torch.allclose(head.passes(features, masks), alone, atol=1e-6)


def test_the_same_generator_draws_the_same_networks():
    head = Head(32, 2)
    first, second = (head.masks(3, generator(7))[0] for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, head.masks(3, generator(8))[0])


@given(dropout=st.floats(0.05, 0.9))
def test_masks_keep_the_expectation(dropout):
    mask = Head(20_000, 2, dropout=dropout).masks(1, generator())[0]
    dropped, kept = mask.unique().tolist()
    assert dropped == 0 and kept == pytest.approx(1 / (1 - dropout))
    assert mask.mean().item() == pytest.approx(1, abs=6 * (dropout / (1 - dropout) / 20_000) ** 0.5)


@pytest.mark.parametrize("head", [Head(8, 3, kind="linear"), Head(8, 3, dropout=0.0)])
def test_a_head_without_dropout_has_one_pass_that_is_its_forward(head):
    features = torch.randn(4, 8)
    assert not head.stochastic
    values = head.passes(features, head.masks(20, generator()))
    assert values.shape == (4, 1, 3)
    assert torch.allclose(values[:, 0], head(features).log_softmax(-1), atol=1e-6)


def test_only_training_drops_units():
    head = Head(64, 2, dropout=0.5)
    features = torch.randn(3, 64)
    assert not torch.equal(head.train()(features), head(features))  # two drawn networks
    assert torch.equal(head.eval()(features), head(features))


def test_classes_that_a_model_does_not_know_have_probability_zero():
    values = torch.log(torch.tensor([[[0.25, 0.75]]]))
    moved = onto_classes(values, ("ok", "worn"), ("worn", "torn", "ok"))
    assert torch.allclose(moved.exp(), torch.tensor([[[0.75, 0.0, 0.25]]]))


def ensemble(members=4, hidden=0, seed=0):
    torch.manual_seed(seed)
    return Ensemble(6, 3, members, hidden)


LABELLED = torch.randn(20, 6, generator=torch.Generator().manual_seed(1)), torch.arange(20) % 3


def trained(module, loss, steps=12):
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


@pytest.mark.parametrize("hidden", [0, 5])
def test_members_learn_together_as_each_would_alone(hidden):
    features, targets = LABELLED
    whole, weights = ensemble(hidden=hidden), torch.tensor([1.0, 2.0, 0.5])
    whole.standardise(torch.randn(6), torch.rand(6))
    whole.prepare(targets)
    alone = []
    for k in range(4):
        head = Head(6, 3, "linear", hidden)
        head.standardise(whole.mean, whole.gain)
        for own, shared in ((head.first, whole.first), (head.last, whole.last)):
            if own is not None:
                own.weight.data.copy_(shared.weight[k].detach())
                own.bias.data.copy_(shared.bias[k].detach())
        alone.append(head)
    trained(whole, lambda: whole.loss(features, targets, weights))
    together = whole.eval().passes(features, ())
    for k, head in enumerate(alone):
        share = whole.draws[:, k] * weights[targets]

        def loss(head=head, share=share):
            missed = functional.cross_entropy(head(features), targets, reduction="none")
            return (share * missed).sum() / share.sum()

        trained(head, loss)
        assert torch.allclose(together[:, k], head(features).log_softmax(-1), atol=1e-5)


def test_members_differ_and_their_mean_is_what_is_said():
    head = ensemble()
    head.prepare(LABELLED[1])
    trained(head, lambda: head.loss(*LABELLED, None), steps=150)
    values = head.eval().passes(LABELLED[0], head.masks(20, generator())).exp()
    assert head.stochastic and values.shape == (20, 4, 3)
    assert values.std(1).amax(1).median() > 0.02
    assert torch.allclose(head(LABELLED[0]).softmax(-1), values.mean(1), atol=1e-6)


def test_no_class_is_drawn_away():
    head = ensemble(members=50)
    targets = torch.tensor([0, 1, 1, 2, 2, 2])
    head.prepare(targets)
    means = torch.stack([head.draws[targets == c].mean(0) for c in range(3)])
    assert torch.allclose(means, torch.ones(3, 50))
    assert (head.draws > 0).all() and head.draws[1:].std() > 0.3


def test_an_ensemble_of_one_is_one_network():
    assert not ensemble(members=1).stochastic
