"""Pools to try strategies on."""

import torch
from hypothesis import strategies as st

from alvision.inference.predictions import Predictions


def ids(n):
    return tuple(f"{row}.png" for row in range(n))


def pool_of(**fields):
    return Predictions(ids(len(next(iter(fields.values())))), **fields)


NOTHING = Predictions(())


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def one_by_one(values, chosen):
    """Return the plain farthest-first picks of a dense distance matrix, in fp64."""
    every = torch.cdist(values.double(), values.double())
    rows = list(chosen)
    while len(rows) < len(values):
        nearest = every[:, rows].amin(1)
        nearest[rows] = -1
        rows.append(int(nearest.argmax()))
    return rows[len(chosen) :]


@st.composite
def log_probs(draw, min_rows=0, min_passes=1, dtypes=(torch.float32, torch.float64)):
    """Any mix of soft, one-hot, tied and duplicated rows."""
    n = draw(st.integers(min_rows, 12))
    passes = draw(st.integers(min_passes, 5))
    classes = draw(st.sampled_from([1, 2, 3, 7, 100]))
    scale = draw(st.sampled_from([0.0, 0.5, 3.0, 40.0]))
    dtype = draw(st.sampled_from(dtypes))
    seed = generator(draw(st.integers(0, 2**16)))
    logits = scale * torch.randn(n, passes, classes, generator=seed)
    values = logits.log_softmax(-1)
    hard = torch.eye(classes)[logits.argmax(-1)].log()
    sharp = torch.rand(n, generator=seed) < draw(st.sampled_from([0.0, 0.5, 1.0]))
    values = torch.where(sharp[:, None, None], hard, values)
    if n and draw(st.booleans()):
        values = values[torch.randint(n, (n,), generator=seed)]
    return values.to(dtype)
