"""A run in MLflow's database and in W&B's own files, read back by their own readers."""

import csv
import json
import struct

import pytest

from tests.integration.conftest import TINY
from tests.support.parts import imported


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # SQLAlchemy's about MLflow's queries
def test_a_study_in_mlflow_resumed_and_extended(run, tmp_path, monkeypatch):
    imported("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    words = [
        "compare", "data.root=parts", "acquisition=[random_sampling,margin]", "seeds=2",
        "name=parts", "logger=mlflow", *TINY,
    ]  # fmt: skip
    for rounds, jobs in ((1, 2), (2, 1)):  # two jobs at once make the database, one goes on
        status, _, err = run(*words, f"budget.rounds={rounds}", f"jobs={jobs}")
        assert status == 0, err
    from mlflow import MlflowClient

    client = MlflowClient("sqlite:///mlflow.db")
    experiment = client.get_experiment_by_name("parts")
    runs = {one.info.run_name: one for one in client.search_runs([experiment.experiment_id])}
    assert len(client.search_runs([experiment.experiment_id])) == 8
    for name in ("random_sampling", "margin"):
        for seed in (0, 1):
            one = runs[f"{name}/seed-{seed}"]
            points = client.get_metric_history(one.info.run_id, "metrics/macro_f1")
            folder = tmp_path / "runs" / "parts" / name / f"seed-{seed}"
            with (folder / "metrics.csv").open(newline="") as file:
                curve = [float(row["macro_f1"]) for row in csv.DictReader(file)]
            assert [point.step for point in points] == [0, 1, 2]
            assert [point.value for point in points] == pytest.approx(curve)
            assert one.info.status == "FINISHED"
            assert one.data.params["acquisition"] == name
            assert one.data.params["seed"] == str(seed)
    assert {"full/seed-0", "random_throughout/seed-0"} <= runs.keys()


def records(file):
    """Read W&B's own file: a log in LevelDB's form, blocks of 32 KiB, a record in parts of them."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, parts = file.read_bytes(), 7, b""  # 7: its mark and version
    while place + 7 <= len(data):
        if (left := -place % 32768) and left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(parts)
            parts = b""


@pytest.mark.slow
def test_two_runs_of_one_process_are_two_runs_of_wandb(run, tmp_path):
    wandb = imported("wandb")
    for seed in (0, 1):
        words = ("acquisition=margin", "logger=wandb", "logger.offline=true", f"seed={seed}", *TINY)
        status, _, err = run("run", "data.root=parts", *words)
        assert status == 0, err
    wandb.teardown()  # its own process has written all of it now
    for seed in (0, 1):
        folder = tmp_path / "runs" / "parts" / "margin" / f"seed-{seed}"
        (file,) = (folder / "wandb").glob("offline-run-*/*.wandb")
        found = list(records(file))
        (begun,) = (record.run for record in found if record.WhichOneof("record_type") == "run")
        assert (begun.project, begun.display_name) == ("parts", f"margin/seed-{seed}")
        assert begun.run_group == "margin"
        values = [
            json.loads(item.value_json)
            for record in found
            for item in record.history.item
            if "metrics/macro_f1" in (item.key, *item.nested_key)
        ]
        with (folder / "metrics.csv").open(newline="") as table:
            assert values == pytest.approx(
                [float(row["macro_f1"]) for row in csv.DictReader(table)]
            )
