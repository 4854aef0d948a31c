"""What the commands say of held-out images, on vectors: a run of them takes a second."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SMALL = ["trainer=cpu", "trainer.head_steps=5", "model.passes=2", "budget.batch=2"]
SMALL += ["budget.initial=4", "budget.rounds=0", "cold_start.per_class=0"]


@pytest.fixture
def torn(tmp_path):
    """Return the words for 40 vectors whose split puts two copies on both sides."""
    vectors = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    vectors[30] = vectors[0]
    vectors[31] = vectors[1]
    columns = {
        "path": [f"{i:02d}" for i in range(40)],
        "features": list(vectors),
        "label": ["ok", "worn"] * 20,
        "split": ["train"] * 30 + ["test"] * 10,
    }
    pq.write_table(pa.table(columns), tmp_path / "pool.parquet")
    return [
        "data=embeddings",
        "data.path_column=path",
        f"data.file={tmp_path / 'pool.parquet'}",
        *SMALL,
    ]


@pytest.mark.parametrize(
    "command",
    [
        ["run", "out=o"],
        ["train", "out=t"],
        pytest.param(
            ["compare", "acquisition=[random_sampling]", "seeds=1", "jobs=1", "out=s"],
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda words: words[0],
)
def test_a_split_that_tears_copies_is_named_by_every_command(run, torn, command):
    status, out, err = run(*command, *torn)
    assert (status, err) == (0, "")
    line = next(line for line in out.split("\n") if line.startswith("warning: "))
    assert "2 of 10 test images (first '30' with '00')" in line
