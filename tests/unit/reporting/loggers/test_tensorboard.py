"""The same in TensorBoard, read back by TensorBoard's own reader."""

import io

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from alvision.core.errors import UserError
from alvision.reporting.loggers import tensorboard
from alvision.reporting.run.folder import read
from tests.unit.reporting.builder import draw, run_folder


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    base = tmp_path_factory.mktemp("runs")
    root = run_folder(base / "run", rounds=11, batch=3, held_out=30)
    run = read(root)
    ids = [row.id for rnd in run.rounds for row in rnd.query]
    pictures = draw(base / "images", ids[1:], lambda sample: "ok")
    for number in range(11):
        tensorboard.log(root, number, pictures)
    return root, pictures


def load(root):
    events = EventAccumulator(str(root / "tensorboard"))
    events.Reload()
    return events


def test_curves_follow_the_metrics(logged):
    root, _ = logged
    events, history = load(root), [rnd.metrics for rnd in read(root).finished]
    for name in ("accuracy", "macro_f1", "ece", "escape_rate"):
        curve = events.Scalars(f"metrics/{name}")
        assert [event.step for event in curve] == list(range(11))
        values = [event.value for event in curve]
        assert values == pytest.approx([row[name] for row in history])
    known = [row["per_class"]["scratch"]["f1"] for row in history]
    assert [e.value for e in events.Scalars("f1 by class/scratch")] == pytest.approx(known)
    assert events.Scalars("budget/answers")[-1].value == 33


def test_logging_a_round_again_changes_nothing(logged):
    root, pictures = logged
    before = load(root)
    files = sorted(path.name for path in (root / "tensorboard").iterdir())
    for number in (3, 10):
        tensorboard.log(root, number, pictures)
    after = load(root)
    assert sorted(path.name for path in (root / "tensorboard").iterdir()) == files
    assert len(files) == 11
    for tag in before.Tags()["scalars"]:
        values = [(event.step, event.value) for event in before.Scalars(tag)]
        assert [(event.step, event.value) for event in after.Scalars(tag)] == values


def test_the_grid_holds_the_pictures_and_the_text_the_reasons(logged):
    root, _ = logged
    events, run = load(root), read(root)
    grid = Image.open(io.BytesIO(events.Images("query/pictures")[-1].encoded_image_string))
    assert grid.size == (3 * 120, 120)
    text = events.Tensors("query/reasons/text_summary")[-1].tensor_proto.string_val[0].decode()
    for row in run.rounds[-1].query:
        assert row.id in text
        assert row.reason in text


def test_hyper_parameters_are_there(logged):
    root, _ = logged
    assert "_hparams_/session_start_info" in load(root).PluginTagToContent("hparams")


def test_without_pictures_there_is_no_grid(tmp_path):
    root = run_folder(tmp_path / "run", rounds=1)
    tensorboard.log(root, 0)
    assert load(root).Tags()["images"] == []


def test_an_unfinished_round_is_refused(logged):
    with pytest.raises(UserError, match=r"round 11 .* not finished"):
        tensorboard.log(logged[0], 11)
