"""Every configured strategy on pools that hypothesis makes up, and on a GPU where there is one."""

from dataclasses import replace

import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from alvision import CONFIG_DIR
from alvision.acquisition.testing.trial import WIDTH, Trial, normal, tensors

FILES = sorted([*CONFIG_DIR.glob("acquisition/*.yaml"), *CONFIG_DIR.glob("cold_start/*.yaml")])
every_strategy = pytest.mark.parametrize(
    "file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}"
)


def on_trial(file):
    return Trial.of(instantiate(OmegaConf.load(file)))


@st.composite
def pools(draw):
    """Draw sizes, the certainty of the rows, and how many rows are copies of others."""
    total = draw(st.integers(1, 24))
    shape = {
        "classes": draw(st.sampled_from([1, 2, 3, 100])),
        "passes": draw(st.sampled_from([2, 5])),
    }
    distinct = draw(st.integers(1, total))
    rows = draw(st.lists(st.integers(0, distinct - 1), min_size=total, max_size=total))
    kind = draw(st.sampled_from(["any", "one-hot", "uniform"]))
    return shape, torch.tensor(rows), kind, draw(st.integers(0, total)), draw(st.integers(0, 6))


def log_probs(case, shape, rows, kind):
    made = case.log_probs(int(rows.max()) + 1, **shape)
    if kind == "one-hot":
        made = torch.where(made == made.amax(-1, keepdim=True), 0.0, -torch.inf)
    if kind == "uniform":
        made = torch.zeros_like(made).log_softmax(-1)
    return made[rows]


@pytest.mark.slow
@every_strategy
def test_any_size_ties_one_hot_rows_copies_and_one_class(file):
    case = on_trial(file)

    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(pools())
    def check(pool):
        shape, rows, kind, n, known = pool
        features = normal(int(rows.max()) + 1, WIDTH, seed=3)[rows]
        of = case.pool(log_probs(case, shape, rows, kind), features)
        labelled = case.known(known, **shape)
        first = case.pick(of, labelled, n)
        assert case.pick(of, labelled, n).rows.tolist() == first.rows.tolist()
        if n == len(of):
            assert sorted(first.rows.tolist()) == list(range(n))

    check()


@pytest.mark.gpu
@every_strategy
def test_on_a_gpu_as_on_a_processor(file):
    case = on_trial(file)
    pool, labelled = case.random(40), case.known(6)

    def on(device, predictions):
        moved = {name: value.to(device) for name, value in tensors(predictions).items()}
        return replace(predictions, **moved)

    here = case.acquire(pool, labelled, n=8, rng=torch.Generator().manual_seed(0))
    there = case.acquire(
        on("cuda", pool), on("cuda", labelled), n=8, rng=torch.Generator().manual_seed(0)
    )
    assert len(set(there.rows.tolist())) == 8 and there.scores.isfinite().all()
    if "deterministic" in case.properties:
        assert there.rows.tolist() == here.rows.tolist()
