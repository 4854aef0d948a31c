"""What a head learns from the pool without labels."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from alvision.core.seeding import generator
from alvision.training import unlabelled
from alvision.training.unlabelled import Entropy
from tests.unit.training.conftest import TINY, same, state

SEMI = replace(TINY, semi="entropy")


def test_the_entropy_of_even_chances_is_the_logarithm_of_their_number():
    found = Entropy(torch.zeros(3, 2))(nn.Linear(2, 4, bias=False))
    assert found.item() == pytest.approx(unlabelled.WEIGHT * math.log(4))


def test_being_sure_costs_nothing_and_gives_no_nan():
    sure = Entropy(torch.full((3, 1), 1e4))
    weight = nn.Parameter(torch.tensor([[1.0], [-1.0]]))
    loss = sure(lambda features: features @ weight.T)
    loss.backward()
    assert loss.item() == 0 and torch.isfinite(weight.grad).all()


def test_a_head_that_learns_from_the_pool_is_surer_of_it(learn, embedded, truth, monkeypatch):
    monkeypatch.setattr(unlabelled, "WEIGHT", 3.0)
    few = {id: truth[id] for id in list(truth)[::6]}
    left = [id for id in truth if id not in few]

    def entropy(model):
        learner = learn(model, of=embedded)
        p = torch.as_tensor(learner.predict(learner.fit(few, round=1), left).values)
        return float(-(p * p.clamp(min=1e-12).log()).sum(1).mean())

    assert entropy(SEMI) < entropy(TINY)


@pytest.mark.parametrize("head", ["dropout", "linear", "ensemble"])
def test_every_kind_of_head_learns_from_the_pool_and_does_so_again(learn, embedded, truth, head):
    few = {id: truth[id] for id in list(truth)[::2]}
    first, second, plain = (
        learn(replace(model, head=head), of=embedded).fit(few, round=1)
        for model in (SEMI, SEMI, TINY)
    )
    assert same(state(first), state(second)) and not same(state(first), state(plain))


def test_images_outside_the_pool_teach_nothing(learn, embedded, truth):
    few = {id: truth[id] for id in list(truth)[::2]}
    semi, plain = (
        learn(model, of=embedded, pool=list(few)).fit(few, round=1) for model in (SEMI, TINY)
    )
    assert same(state(semi), state(plain))


def test_a_large_pool_is_drawn_from(learn, embedded, truth, monkeypatch):
    monkeypatch.setattr(unlabelled, "MOST", 3)
    features = learn(of=embedded).features
    found = unlabelled.of_pool(features, list(truth)[:2], generator(0, "unlabelled"))
    again = unlabelled.of_pool(features, list(truth)[:2], generator(0, "unlabelled"))
    assert found.features.shape == (3, features.width)
    assert torch.equal(found.features, again.features)
