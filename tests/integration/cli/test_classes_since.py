"""What people settled after a run's last round counts in `train` and `export`, on vectors."""

import uuid

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alvision.core.errors import UserError
from alvision.core.records import Event
from alvision.core.rounds import read_document
from alvision.deploy.train.final_model import check_current, load
from alvision.deploy.train.labelled_data import run_config_of_today
from alvision.labels.store import LabelStore

PEOPLE = ["oracle=files", "data=embeddings", "data.path_column=path", "classes=[ok,worn]"]
SMALL = ["defects=[worn]", "trainer=cpu", "trainer.head_steps=5", "model.passes=2"]


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "labels.db", shared=True) as store:
        yield store


def add(store, name):
    said = Event("", "add", name, "anna", 0, str(uuid.uuid4()), note="defect")
    store.append([said], hash_of=lambda id: None)


def give(store, labels):
    said = [Event(id, "label", name, "anna", 0, str(uuid.uuid4())) for id, name in labels.items()]
    store.append(said, hash_of=lambda id: None)


@pytest.mark.slow
def test_a_class_that_was_added_after_the_last_round_is_trained_on(run, tmp_path, store):
    ids = [f"{i:02d}" for i in range(40)]
    vectors = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    table = pa.table({"path": ids, "features": list(vectors)})
    pq.write_table(table, tmp_path / "pool.parquet")
    words = [*PEOPLE, *SMALL, "data.file=pool.parquet", "labels.url=sqlite:///labels.db", "out=o"]
    give(store, {id: ("ok", "worn")[i % 2] for i, id in enumerate(ids[:30])})
    assert run("train", *words)[0] == 0

    add(store, "torn")
    give(store, dict.fromkeys(ids[30:], "torn"))
    root = tmp_path / "o"
    today = run_config_of_today(root)
    with pytest.raises(UserError, match="the class torn was added after the model was trained"):
        check_current(load(today, root), today)

    status, out, err = run("train", "out=o")
    assert (status, err) == (0, "")
    assert " torn" in out.split("trained on ")[1].split("\n")[0]
    assert read_document(root)["classes"] == ["ok", "worn", "torn"]
    today = run_config_of_today(root)
    assert today.defects == ["worn", "torn"]
    check_current(load(today, root), today)
